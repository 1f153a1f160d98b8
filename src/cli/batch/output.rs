//! The file of results: a JSON object for each line of the input, in its order, each written whole and at once; and what is left of an earlier run.

use super::super::json::Stop;
use super::super::output::Answer;
use super::super::{CliError, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A line of the output.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    pub index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// [`fingerprint`] of the line of the input and of what it was run with.
    pub input: String,
    #[serde(flatten)]
    pub result: Outcome<'a>,
}

/// What became of a line.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome<'a> {
    Done { text: &'a str, prompt_tokens: &'a [u32], tokens: &'a [u32], stop: Stop, seed: u64 },
    Failed { error: &'a str },
}

/// What an earlier run must say of itself.
#[derive(Deserialize)]
struct Earlier {
    index: usize,
    input: String,
    error: Option<String>,
}

/// 64 bits that another line, or the same with other settings, hardly has: FNV-1a of both, as hexadecimal digits.
pub fn fingerprint(settings: &str, line: &str) -> String {
    let hash = settings
        .bytes()
        .chain(line.bytes())
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Where lines go.
enum Sink {
    File(File),
    Stdout(Answer),
}

/// Lines on their way out: those that come too early wait.
pub struct Output {
    sink: Sink,
    name: String,
    /// The next line to be written.
    next: usize,
    waiting: BTreeMap<usize, String>,
    /// Lines with an error, also of earlier runs.
    pub failed: usize,
}

impl Output {
    /// Opens the output of these lines of input, run with these settings, and finds out how many an earlier run has done. Half a line at the end is removed.
    pub fn open(path: &Path, settings: &str, input: &[&str]) -> Result<Output, CliError> {
        let name = path.display().to_string();
        if path == Path::new("-") {
            let sink = Sink::Stdout(Answer::new());
            return Ok(Output { sink, name: "stdout".into(), next: 0, waiting: BTreeMap::new(), failed: 0 });
        }
        let failed =
            |error: std::io::Error| CliError::Failed(format!("{name}: cannot go on with it: {error}"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(|error| CliError::Failed(format!("{name}: cannot open it: {error}")))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(CliError::Failed(format!(
                "{name}: another run is writing to it. Try again when it has ended"
            )));
        }
        let mut bytes = Vec::new();
        // a device or a pipe has no past
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            file.read_to_end(&mut bytes).map_err(failed)?;
        }
        let earlier =
            earlier(&bytes, settings, input).map_err(|what| CliError::Usage(format!("{name}: {what}")))?;
        if !bytes.is_empty() {
            file.set_len(earlier.bytes as u64).map_err(failed)?;
            file.seek(SeekFrom::Start(earlier.bytes as u64)).map_err(failed)?;
        }
        let Done { lines, failed, .. } = earlier;
        Ok(Output { sink: Sink::File(file), name, next: lines, waiting: BTreeMap::new(), failed })
    }

    /// Lines that have been written, by earlier runs too.
    pub fn written(&self) -> usize {
        self.next
    }

    /// Takes a line, and writes all whose turn has come.
    pub fn put(&mut self, line: &Line<'_>) -> Result<(), CliError> {
        let text = json::text(line)?;
        self.failed += usize::from(matches!(line.result, Outcome::Failed { .. }));
        self.waiting.insert(line.index, text);
        while let Some(mut text) = self.waiting.remove(&self.next) {
            text.push('\n');
            match &mut self.sink {
                Sink::Stdout(answer) => answer.print(&text)?,
                Sink::File(file) => file.write_all(text.as_bytes()).map_err(|error| {
                    CliError::Failed(format!("{}: cannot write to it: {error}", self.name))
                })?,
            }
            self.next += 1;
        }
        Ok(())
    }
}

/// How an output begins.
const FIRST: &[u8] = b"{\"index\":0,";

/// What an earlier run has done.
#[derive(Debug, Default, PartialEq)]
struct Done {
    lines: usize,
    failed: usize,
    /// Of whole lines.
    bytes: usize,
}

/// Compares what is there with the input: whole lines must be the results of its first lines.
fn earlier(bytes: &[u8], settings: &str, input: &[&str]) -> Result<Done, String> {
    let mut done = Done::default();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let earlier = serde_json::from_slice::<Earlier>(line).ok().filter(|_| line.ends_with(b"\n"));
        let Some(earlier) = earlier else {
            // half a line is what a crash leaves, and nothing comes behind it
            let is_half = done.lines > 0 || line.starts_with(FIRST) || FIRST.starts_with(line);
            if is_half && done.bytes + line.len() == bytes.len() {
                return Ok(done);
            }
            return Err(format!("line {} is no result of a batch. Try another file", done.lines + 1));
        };
        let expected = input.get(done.lines).map(|line| fingerprint(settings, line));
        if earlier.index != done.lines || Some(earlier.input) != expected {
            let line = done.lines + 1;
            return Err(format!(
                "line {line} is the result of another input, model or other options. Try another file, or remove it"
            ));
        }
        done.lines += 1;
        done.failed += usize::from(earlier.error.is_some());
        done.bytes += line.len();
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_fnv_1a() {
        assert_eq!(fingerprint("", ""), "cbf29ce484222325");
        assert_eq!(fingerprint("foo", "bar"), "85944171f73967e8");
    }

    /// Whatever a crash leaves: every beginning of an output is gone on with behind its last whole line.
    #[test]
    fn every_beginning_is_gone_on_with() {
        let input = ["{\"prompt\":\"a\"}", "b", "c"];
        let line = |index: usize, rest: &str| {
            format!("{{\"index\":{index},\"input\":\"{}\",{rest}}}\n", fingerprint("s", input[index]))
        };
        let lines = [line(0, "\"text\":\"x\""), line(1, "\"error\":\"no\""), line(2, "\"text\":\"\\n\"")];
        let whole = lines.concat();
        for cut in 0..=whole.len() {
            let ends: Vec<usize> = (0..=3).map(|n| lines[..n].concat().len()).collect();
            let count = ends.iter().filter(|end| **end <= cut).count() - 1;
            let expected = Done { lines: count, failed: usize::from(count > 1), bytes: ends[count] };
            assert_eq!(earlier(&whole.as_bytes()[..cut], "s", &input), Ok(expected), "cut at {cut}");
        }
        assert!(earlier(whole.as_bytes(), "s", &input[1..]).unwrap_err().contains("another input"));
        assert!(earlier(whole.as_bytes(), "s", &input[..2]).unwrap_err().contains("line 3"));
        assert!(earlier(whole.as_bytes(), "t", &input).unwrap_err().contains("line 1"));
        assert!(earlier(b"a letter", "s", &input).unwrap_err().contains("no result"));
        assert!(earlier(format!("{}x\n{}", lines[0], lines[1]).as_bytes(), "s", &input).is_err());
    }
}
