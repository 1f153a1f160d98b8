//! Finds likelier texts than greedy choice does: `cargo run --release --example beams`.

use siskin::search::{self, Beams};
use siskin::{Model, session::Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::builtin()?;
    let prompt = "The little dog wanted to";
    for count in [1, 2, 4, 8] {
        let options = Options { max_tokens: 20, branches: count, beams: true, ..Options::default() };
        let mut session = model.session(prompt, &options)?;
        let mut beams = Beams::new(count);
        beams.length_penalty = 0.0;
        let found = search::beams(&mut session, &beams, |_| {})?;
        for (continuation, mark) in found.continuations.iter().zip("*         ".chars()) {
            println!("{count} {mark} {:7.3} {prompt}{}", continuation.logprob, continuation.text);
        }
    }
    Ok(())
}
