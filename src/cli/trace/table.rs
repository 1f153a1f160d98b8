//! The table for people: a line for each position, and below it a line with a bar for each candidate.

use super::look::Look;
use super::record::{
    Candidate, Continuation, End, Method, Run, Sampling, Seen, Setting, Span, Stage, Step, Times,
};
use super::text::{bar, cut, fit, percent, shown, width, wrap};
use std::fmt::Write;

/// Columns for a token.
const TOKEN: usize = 18;
/// Columns for the name of the step that removed a candidate, and the blanks before it.
const REMOVED: usize = 14;
/// Columns that it takes for the last text of a stage to go on for several lines on the right.
const DETAIL: usize = 24;

/// The lines before the first position.
pub fn begin(run: &Run, look: &Look) -> String {
    let model: String = run.model.escape_debug().collect();
    let out = format!("{model} ({}), vocabulary {}; {}", run.family, run.vocabulary, chosen_by(run));
    let is_search = matches!(run.sampling.method, Method::Beams | Method::BestOf);
    let head = if is_search { String::new() } else { head(look) };
    // below the first line, two columns further right
    let lines = wrap(&out, look.width, look.width - 2);
    format!("{}\n{head}", lines.join("\n  "))
}

/// The line above the positions. What a search found comes before it.
pub fn head(look: &Look) -> String {
    let head = format!("  pos {} {:>8} {:>7} {:>8}  logit", fit("token", TOKEN), "p", "rank", "sum");
    look.dim(&head) + "\n"
}

/// How tokens are chosen.
fn chosen_by(run: &Run) -> String {
    let Sampling { method, chain, seed, .. } = &run.sampling;
    let step = |Setting { name, setting }: &Setting| format!("{name} {setting}");
    let mut steps = Vec::new();
    if chain.is_empty() || *method == Method::Beams {
        let samplers = run.stages.iter().filter(|stage| stage.name == "samplers");
        steps.extend(samplers.map(|stage| stage.detail.clone()));
    }
    steps.extend(chain.iter().map(step));
    let seed = match method {
        Method::Sample | Method::BestOf => format!("; seed {seed}"),
        Method::Greedy | Method::Beams => String::new(),
    };
    steps.join(", ") + &seed
}

/// A position.
pub fn step(step: &Step, look: &Look) -> String {
    let chosen = &step.chosen;
    let token = look.tinted(&fit(&shown(&chosen.piece), TOKEN), chosen.probability);
    let p = chosen.probability.map_or_else(|| " ".repeat(8), percent);
    let mut out = format!("{:>5} {token} {p}", step.position);
    if let Some(rank) = chosen.rank {
        let _ = write!(out, " {rank:>7}");
    }
    let mut notes = Vec::new();
    if step.prompt {
        notes.push("prompt".to_owned());
    }
    if let Some(distribution) = &step.distribution {
        notes.push(format!("entropy {:.2} nats", distribution.entropy_nats));
    }
    let times = [step.sampling_ms, step.pass_ms];
    if let Some(time) = times.into_iter().flatten().reduce(|a, b| a + b) {
        notes.push(format!("{time:.2} ms"));
    }
    let room = look.width.saturating_sub(5 + 1 + TOKEN + 1 + 8 + 8 + 2).max(16);
    let notes = cut(&notes.join(", "), room);
    let gap = if chosen.rank.is_some() { "" } else { "        " };
    let _ = writeln!(out, "{gap}  {}", look.dim(&notes));
    for text in [kept(step), seen(step)] {
        if !text.is_empty() {
            let _ = writeln!(out, "      {}", look.dim(&cut(&text, look.width - 6)));
        }
    }
    for candidate in step.distribution.iter().flat_map(|d| &d.top) {
        out.push_str(&line(candidate, candidate.piece.token == chosen.piece.token, look));
    }
    out
}

/// How many tokens each step of the chain left.
fn kept(step: &Step) -> String {
    if step.filters.iter().all(|filter| filter.name == "greedy") {
        return String::new();
    }
    let steps = step.filters.iter().map(|filter| format!("{} {}", filter.name, filter.left));
    format!("left  {}", steps.collect::<Vec<_>>().join(", "))
}

/// What the stop conditions see, unless only the limits of length look on.
fn seen(step: &Step) -> String {
    let is_worth_it = |seen: &Seen| seen.met || !["max_tokens", "context"].contains(&seen.name);
    let mut texts: Vec<String> = Vec::new();
    if step.stops.iter().any(is_worth_it) {
        texts.extend(step.stops.iter().map(|Seen { name, text, met }| {
            let text: String = text.escape_debug().collect();
            format!("{}{name} {text}", if *met { "STOP " } else { "" })
        }));
    }
    if step.held_bytes > 0 {
        texts.push(format!("{} bytes held back", step.held_bytes));
    }
    if texts.is_empty() { String::new() } else { format!("stops {}", texts.join(", ")) }
}

/// A candidate.
fn line(candidate: &Candidate, is_chosen: bool, look: &Look) -> String {
    let Candidate { piece, probability, cumulative, logit, rank, removed_by, .. } = candidate;
    let fixed = 6 + TOKEN + 1 + 8 + 8 + 1 + 8 + 1 + 6 + 2;
    let room = look.width.saturating_sub(fixed + REMOVED).clamp(6, 40);
    let bar = fit(&bar(*probability, room), room);
    let text = format!(
        "{}{:<4}{} {} {rank:>7} {} {logit:>6.2}",
        if is_chosen { "    > " } else { "      " },
        "",
        fit(&shown(piece), TOKEN - 4),
        percent(*probability),
        percent(*cumulative),
    );
    let (text, bar) = match (is_chosen, removed_by) {
        (true, _) => (look.bold(&text), look.paint("38;5;39", &bar)),
        (false, Some(_)) => (look.dim(&text), look.dim(&bar)),
        (false, None) => (text, look.paint("38;5;39", &bar)),
    };
    let removed = removed_by.map_or_else(String::new, |name| format!("  - {name}"));
    let line = format!("{text}  {bar}{}", look.dim(&removed));
    format!("{}\n", line.trim_end())
}

/// The continuations that a search found.
pub fn continuations(all: &[Continuation], look: &Look) -> String {
    let mut out = String::new();
    for (i, found) in all.iter().enumerate() {
        let text: String = found.text.escape_debug().collect();
        let facts = format!("{:>3}  score {:.3}, log-probability {:.3}, ", i + 1, found.score, found.logprob);
        let facts = format!("{facts}{} tokens, {}", found.tokens.len(), found.stop.reason);
        let _ = writeln!(out, "{facts}\n     {}", look.bold(&format!("\"{text}\"")));
    }
    out
}

/// The lines after the last position.
pub fn end(run: &Run, end: &End, look: &Look) -> String {
    let Times { load_ms, prefill_ms, prefill_tokens, decode_ms, decode_tokens, .. } = end.times;
    let (text, detail): (String, String) =
        (end.text.escape_debug().collect(), end.stop.detail.escape_debug().collect());
    let mut out = format!("text    {}\n", look.bold(&format!("\"{text}\"")));
    let _ = writeln!(out, "stopped {} ({detail})", end.stop.reason);
    let _ = writeln!(
        out,
        "time    load {load_ms:.1} ms, prefill {prefill_tokens} tokens {prefill_ms:.1} ms, decode {decode_tokens} tokens {decode_ms:.1} ms"
    );
    out.push_str("stages\n");
    out + &stages(&run.stages, &end.times, look)
}

/// The stages, and what one of them does in the last columns, in as many lines as that takes.
fn stages(stages: &[Stage], times: &Times, look: &Look) -> String {
    let longest = |of: fn(&Stage) -> usize| stages.iter().map(of).max().unwrap_or(0);
    let columns = (longest(|stage| width(stage.name)), longest(|stage| width(&stage.shape)));
    let line = |Stage { name, shape, detail, timed_with }: &Stage| {
        let time = timed_with.and_then(|span| time_of(span, times));
        let time = time.map_or_else(String::new, |time| format!("{time:.2} ms"));
        let head = format!("  {}  {} {time:>9}  ", fit(name, columns.0), fit(shape, columns.1));
        beside(&head, detail, look.width)
    };
    stages.iter().map(line).collect()
}

/// A text on the right of a head, in as many lines as it takes; below the head where that is too narrow.
fn beside(head: &str, text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(width(head));
    let is_narrow = room < DETAIL && room < width(text);
    let (first, indent) = if is_narrow { (0, 4) } else { (room, width(head)) };
    let lines = wrap(text, first, columns.saturating_sub(indent));
    let out = format!("{head}{}", lines.join(&format!("\n{}", " ".repeat(indent))));
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// How long what is measured as one takes, for a token.
fn time_of(span: Span, times: &Times) -> Option<f64> {
    match span {
        Span::Tokenize => Some(times.tokenize_ms),
        Span::Embedding => times.stages_mean_ms.map(|means| means.embedding),
        Span::Attention => times.stages_mean_ms.map(|means| means.attention),
        Span::FeedForward => times.stages_mean_ms.map(|means| means.feed_forward),
        Span::Output => times.stages_mean_ms.map(|means| means.output),
        Span::Sample => times.sampling_median_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_are_wanted() {
        let plain = Look { colour: false, width: 80 };
        let coloured = Look { colour: true, width: 80 };
        assert_eq!((plain.bold("a").as_str(), plain.tinted("a", Some(0.01)).as_str()), ("a", "a"));
        assert_eq!(coloured.bold("a"), "\u{1b}[1ma\u{1b}[0m");
        assert_eq!(coloured.tinted("a", None), "a");
        let shades: Vec<String> = [0.9, 0.3, 0.01].map(|p| coloured.tinted("a", Some(p))).into();
        assert!(shades[0] != shades[1] && shades[1] != shades[2]);
    }

    #[test]
    fn what_a_stage_does_is_there_in_any_width() {
        let stage = |name, shape: &str, detail: &str| Stage {
            name,
            shape: shape.to_owned(),
            detail: detail.to_owned(),
            timed_with: Some(Span::Sample),
        };
        let all = [
            stage(
                "layers",
                "151936 x 4096, Q4_K_M",
                "36 x attention (32 query and 8 key-value heads of 128)",
            ),
            stage("output projection", "1 id", "the embedding once more"),
        ];
        let times = Times { sampling_median_ms: Some(1234.5), ..Times::default() };
        for columns in 40..160 {
            let out = stages(&all, &times, &Look { colour: false, width: columns });
            let words: Vec<&str> = out.split_whitespace().collect();
            assert!(words.join(" ").contains(&all[0].detail) && out.matches("ms").count() == 2, "{out}");
            assert!(out.lines().all(|line| width(line) <= columns.max(60)), "{out}");
        }
    }
}
