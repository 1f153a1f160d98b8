//! A sampler of one's own: `cargo run --release --example custom_sampler`. It takes turns: a token that the usual chain draws, then the likeliest
//! one, and so on.

use siskin::sample::{self, Choice, Choose, Context, Sampler};
use siskin::{Model, session::Options};

struct TakingTurns {
    bold: Sampler,
    careful: Sampler,
}

impl Choose for TakingTurns {
    fn choose(&mut self, logits: &[f32], context: &Context<'_>) -> Result<Choice, sample::Error> {
        let turn = if context.position.is_multiple_of(2) { &mut self.bold } else { &mut self.careful };
        turn.sample(logits, context)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::builtin()?;
    let mut options = Options { max_tokens: 48, ..Options::default() };
    // A condition may want to know how likely tokens are, whoever chooses them.
    options.stop.below = Some(0.001);
    let mut session = model.session("Once upon a time", &options)?;

    let mut bold = sample::Options::default();
    (bold.temperature, bold.top_k, bold.seed) = (1.2, 20, 7);
    let vocabulary = session.logits().len();
    session.choose_with(Box::new(TakingTurns {
        bold: Sampler::new(bold, vocabulary)?,
        careful: Sampler::new(sample::Options::default(), vocabulary)?,
    }));
    print!("Once upon a time");
    for token in session.steps() {
        let token = token?;
        print!("{}", token.text);
        if let Some(reason) = token.stop {
            println!("\n[{reason}]");
        }
    }
    Ok(())
}
