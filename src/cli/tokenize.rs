//! `siskin tokenize`: text to token ids, or back.

use super::args::{LimitArgs, Tokenize};
use super::guard::Guard;
use super::ids_args::Ids;
use super::output::Answer;
use super::{CliError, Outcome, input, setup};
use serde::Serialize;
use siskin::session;
use siskin::tokenizer::{Encode, Tokenizer};

#[derive(Serialize)]
struct Tokens<'a> {
    tokens: &'a [u32],
    pieces: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Tokenize) -> Result<Outcome, CliError> {
    let text = input::text(args.text.as_deref(), args.file.as_deref())?;
    if text.is_none() && args.decode.is_none() && !args.null {
        return Err(CliError::Usage("no text given. Try a text, -f FILE, or -f - for stdin".into()));
    }
    let guard = Guard::of(LimitArgs { mem_limit: None, force: false });
    let file = setup::open(&args.model)?;
    guard.before_tokenizer(&file)?;
    let tokenizer = setup::tokenizer(&file)?;
    let encode = Encode { add_special: !args.no_bos, parse_special: args.special };
    let mut answer = Answer::new();
    if let Some(Ids(ids)) = &args.decode {
        decode(&tokenizer, ids, args.json, &mut answer)?;
    } else if args.null {
        let stdin =
            input::stdin().map_err(|error| CliError::Failed(format!("stdin: cannot read it: {error}")))?;
        lines(&tokenizer, &stdin, encode, &mut answer)?;
    } else {
        let ids = tokenizer.encode(&text.unwrap_or_default(), encode);
        print(&tokenizer, &ids, args.json, &mut answer)?;
    }
    Ok(Outcome::Done)
}

/// The text of ids, byte for byte.
fn decode(tokenizer: &Tokenizer, ids: &[u32], json: bool, answer: &mut Answer) -> Result<(), CliError> {
    if let Some(&token) = ids.iter().find(|&&token| token as usize >= tokenizer.len()) {
        return Err(session::Error::TokenRange { token, vocabulary: tokenizer.len() }.into());
    }
    if json {
        return print(tokenizer, ids, true, answer);
    }
    answer.bytes(&tokenizer.decode(ids))?;
    answer.print("\n")
}

/// A line of ids for each string that ends with NUL; the last may end with the input.
fn lines(tokenizer: &Tokenizer, bytes: &[u8], encode: Encode, answer: &mut Answer) -> Result<(), CliError> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    for (i, string) in bytes.split(|&byte| byte == 0).enumerate() {
        let text = str::from_utf8(string).map_err(|error| {
            CliError::Failed(format!(
                "stdin: string {i} is not UTF-8 text: invalid byte at offset {}",
                error.valid_up_to()
            ))
        })?;
        answer.line(&spaced(&tokenizer.encode(text, encode)))?;
    }
    Ok(())
}

fn print(tokenizer: &Tokenizer, ids: &[u32], json: bool, answer: &mut Answer) -> Result<(), CliError> {
    if !json {
        return answer.line(&spaced(ids));
    }
    let pieces = ids
        .iter()
        .filter_map(|&id| tokenizer.token(id))
        .map(|token| String::from_utf8_lossy(token.bytes).into_owned());
    answer.json(&Tokens { tokens: ids, pieces: pieces.collect() })
}

fn spaced(ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}
