//! Comma-separated values (RFC 4180), a record for each candidate, and one for the chosen token where it is not among them.

use super::record::{Piece, Step};

/// The names of the fields.
pub const HEADER: &str = "position,prompt,token,text,chosen,rank,logit,probability,cumulative,drawn_with,removed_by,entropy_nats,\
                          sampling_ms,pass_ms\r\n";

/// The records of a position.
pub fn records(step: &Step) -> String {
    let chosen = &step.chosen;
    let mut out = String::new();
    let mut is_among = false;
    for candidate in step.distribution.iter().flat_map(|d| &d.top) {
        let is_chosen = candidate.piece.token == chosen.piece.token;
        is_among |= is_chosen;
        let (p, cumulative) = (Some(candidate.probability), Some(candidate.cumulative));
        let numbers = [Some(candidate.logit), p, cumulative, candidate.drawn_with];
        out.push_str(&record(
            step,
            &candidate.piece,
            is_chosen,
            Some(candidate.rank),
            numbers,
            candidate.removed_by,
        ));
    }
    if !is_among {
        let numbers = [chosen.logit, chosen.probability, None, chosen.drawn_with];
        out.push_str(&record(step, &chosen.piece, true, chosen.rank, numbers, None));
    }
    out
}

fn record(
    step: &Step,
    piece: &Piece,
    is_chosen: bool,
    rank: Option<usize>,
    numbers: [Option<f32>; 4],
    removed_by: Option<&str>,
) -> String {
    let [logit, probability, cumulative, drawn_with] = numbers.map(number);
    let fields = [
        step.position.to_string(),
        u8::from(step.prompt).to_string(),
        piece.token.to_string(),
        field(&piece.text),
        u8::from(is_chosen).to_string(),
        number(rank),
        logit,
        probability,
        cumulative,
        drawn_with,
        removed_by.unwrap_or_default().to_owned(),
        number(step.distribution.as_ref().map(|d| d.entropy_nats)),
        number(step.sampling_ms),
        number(step.pass_ms),
    ];
    fields.join(",") + "\r\n"
}

/// A number, or an empty field.
fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A text: in quotes where it has a comma, a quote, a line end, or a blank at its ends, which some readers cut off. Control characters, which the
/// format does not know, are spelled as `\u{1b}`, apart from tabs and line ends.
fn field(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\"\""),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    let is_plain = !text.contains([',', '"', '\n', '\r']) && text.trim() == text;
    if is_plain { out } else { format!("\"{out}\"") }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        let shown = ["a", " a", "a,b", "\"", "\n", "\u{1b}[31m", "é", ""].map(field);
        assert_eq!(shown, ["a", "\" a\"", "\"a,b\"", "\"\"\"\"", "\"\n\"", "\\u{1b}[31m", "é", ""]);
    }
}
