//! A stop condition of one's own, alone and together with one of the library's: `cargo run --release --example custom_stop`.

use siskin::stop::{Before, Condition, Hit, Reason, Token, when};
use siskin::{Model, session::Options};
use std::fmt;

/// Ends a text behind its `limit`-th comma.
#[derive(Clone)]
struct Commas {
    seen: usize,
    limit: usize,
}

impl Condition for Commas {
    fn name(&self) -> &'static str {
        "commas"
    }

    // A token may hold several characters, and a text is cut into tokens anywhere: conditions look at bytes.
    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        for (i, _) in token.piece.iter().enumerate().filter(|(_, byte)| **byte == b',') {
            self.seen += 1;
            if self.seen >= self.limit && before.armed {
                let at = before.bytes + i + 1;
                let reason = Reason::Custom { text: format!("{} commas", self.limit) };
                return Some(Hit { at, from: at, to: at, reason });
            }
        }
        None
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.seen, self.limit)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::builtin()?;
    let unsure = when("unsure", |token: &Token<'_>, _: &Before| token.probability().is_some_and(|p| p < 0.2));
    let conditions: [Box<dyn Condition>; 2] = [Box::new(Commas { seen: 0, limit: 3 }), Box::new(unsure)];
    for condition in conditions {
        let mut options = Options { max_tokens: 80, ..Options::default() };
        options.stop.also.push(condition);
        let mut session = model.session("Once upon a time", &options)?;
        let text = session.generate()?;
        println!("Once upon a time{text}\n[{}]\n", session.ended().ok_or("the session has ended")?);
    }
    Ok(())
}
