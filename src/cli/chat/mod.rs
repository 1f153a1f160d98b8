//! `siskin chat`: a conversation, line by line.
//!
//! Each turn renders the whole conversation and runs only the tokens that are not in the cache yet. Answers go to stdout, everything
//! else to stderr. At a terminal, mistakes are told and the conversation goes on; piped, they end the program, because nobody is there
//! to correct them.

mod commands;
mod files;
mod lines;

use super::args::Chat;
use super::guard::Guard;
use super::output::{Answer, message};
use super::setup::Threads;
use super::signals::{self, Signals};
use super::{CliError, Outcome, conversation, options, progress, report, setup};
use commands::{Command, Input};
use lines::{Line, Lines};
use siskin::chat::{Message, Template};
use siskin::memory::Footprint;
use siskin::model::Plan;
use siskin::session::{Extent, Options, Session, Timing};
use siskin::stop::Reason;
use siskin::tokenizer::Tokenizer;
use siskin::topology::Topology;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Tokens of a conversation when the user does not say how many: models can do with more, but memory for them is taken at once.
const CONTEXT: usize = 4096;

/// Runs the command.
pub fn run(args: &Chat) -> Result<Outcome, CliError> {
    let (guard, signals) = (Guard::new(&args.run), Signals::new());
    let topology = Topology::this_machine();
    let threads = Threads::new(&topology, args.run.threads, args.run.prefill_threads)?;
    let options = asked(args, threads, &signals)?;
    let cpu = setup::cpu(&topology, threads)?;
    let file = guard.open(&args.model, threads)?;
    let (model, tokenizer) = setup::load(&file, threads, &signals.cancelled(), Some(&guard))?;
    let options = options::with_breakers(options, &args.sample, &tokenizer)?;
    let template = conversation::template(&file, &args.conversation, &tokenizer)?;
    let positions = args.run.context.unwrap_or(CONTEXT);
    let extent = Extent::of_conversation(&model, &options, positions);
    let parts = (&file, &model, &tokenizer);
    let footprint = guard.check(parts, cpu.team.threads(), extent, &options)?;
    let session = Session::with_positions(&model, &tokenizer, cpu, positions, &options)?;
    let lines = Lines::new(!args.no_history)?;
    if lines.is_terminal() {
        greet(session.plan());
    }
    let mut talk = Talk {
        tokenizer: &tokenizer,
        template,
        messages: conversation::beginning(&args.conversation),
        session,
        answer: Answer::new(),
        signals,
        last: None,
        totals: Timing::default(),
        footprint,
        stats: args.stats,
        more_room: match model.config().context > positions {
            true => "Try /reset, or another start with a larger --context",
            false => "Try /reset, or another start with --window: the model's context is no longer",
        },
        windowed: options.window.is_some(),
    };
    talk.run_between(args.load.as_deref(), args.save.as_deref(), lines)
}

/// What the flags ask of the session.
fn asked(args: &Chat, threads: Threads, signals: &Signals) -> Result<Options, CliError> {
    let flags = (&args.stop, &args.sample, &args.run);
    Ok(Options {
        window: args.window.window(),
        #[cfg(feature = "grammar")]
        grammar: args.grammar.grammar()?,
        ..options::session(flags, usize::MAX, threads, signals.cancelled())
    })
}

/// Says how long the conversation may become, and what else there is.
fn greet(plan: &Plan) {
    let length = match plan.sinks {
        Some(sinks) => {
            format!("without an end: the first {sinks} and the last {} tokens stay", plan.capacity - sinks)
        }
        None => format!("of up to {} tokens", plan.capacity),
    };
    message(&format!("a conversation {length}. /help lists commands, Ctrl-D quits"));
}

/// How the last answer came about.
struct Last {
    timing: Timing,
    reason: Reason,
}

/// A conversation under way.
struct Talk<'m> {
    tokenizer: &'m Tokenizer,
    template: Template,
    messages: Vec<Message>,
    session: Session<'m>,
    answer: Answer,
    signals: Signals,
    last: Option<Last>,
    totals: Timing,
    footprint: Footprint,
    stats: bool,
    /// What to do when the conversation has become too long.
    more_room: &'static str,
    /// Whether it goes on when the context is full: then only its messages are kept for the next time.
    windowed: bool,
}

/// What follows a line.
enum Next {
    Line,
    Quit,
}

impl Talk<'_> {
    /// The conversation, after one that was kept and before it is kept itself.
    fn run_between(
        &mut self,
        load: Option<&Path>,
        save: Option<&Path>,
        lines: Lines,
    ) -> Result<Outcome, CliError> {
        load.map_or(Ok(()), |path| self.load(path))?;
        // now, and not after the last answer
        save.map_or(Ok(()), files::check)?;
        let outcome = self.run(lines)?;
        save.map_or(Ok(()), |path| self.save(path))?;
        Ok(outcome)
    }

    fn run(&mut self, mut lines: Lines) -> Result<Outcome, CliError> {
        // Ctrl-C twice in a row quits: at the prompt, or first in an answer and then at the prompt.
        let mut interrupted = false;
        loop {
            let text = match self.signals.idle(|| lines.next())? {
                Line::Text(text) => text,
                Line::End => return Ok(Outcome::Done),
                Line::Interrupted if interrupted => return Ok(Outcome::Interrupted),
                Line::Interrupted => {
                    message("Ctrl-C again, Ctrl-D or /quit ends the conversation");
                    interrupted = true;
                    continue;
                }
            };
            match self.take(&text) {
                Ok(Next::Line) => {}
                Ok(Next::Quit) => return Ok(Outcome::Done),
                Err(error) if lines.is_terminal() && !matches!(error, CliError::ClosedPipe) => {
                    message(&format!("error: {error}"));
                }
                Err(error) => return Err(error),
            }
            interrupted = self.signals.cancelled().load(Ordering::SeqCst);
            if interrupted && (!lines.is_terminal() || signals::ends_program()) {
                return Ok(Outcome::Interrupted);
            }
        }
    }

    /// Does what a line says.
    fn take(&mut self, line: &str) -> Result<Next, CliError> {
        match commands::parse(line)? {
            Input::Nothing => {}
            Input::Message(text) => self.say(text)?,
            Input::Command(command) => return self.obey(command),
        }
        Ok(Next::Line)
    }

    fn obey(&mut self, command: Command<'_>) -> Result<Next, CliError> {
        match command {
            Command::Quit => return Ok(Next::Quit),
            Command::Help => message(&commands::help()),
            Command::Stats => self.tell_stats(),
            Command::Reset => self.messages.retain(|message| message.role() == "system"),
            Command::System(text) => self.set_system(text),
            Command::Save(path) => self.save(Path::new(path))?,
            Command::Load(path) => self.load(Path::new(path))?,
        }
        Ok(Next::Line)
    }

    /// Writes the conversation, and beside it what the model made of it. If that fails, the model reads the conversation again.
    fn save(&self, path: &Path) -> Result<(), CliError> {
        files::save(path, &self.messages)?;
        if !self.windowed
            && !self.session.tokens().is_empty()
            && let Err(error) = self.session.save(files::cache(path))
        {
            message(&format!("warning: {error}"));
        }
        Ok(())
    }

    /// Goes on with a conversation, and with what the model made of it if that is beside it.
    fn load(&mut self, path: &Path) -> Result<(), CliError> {
        self.messages = files::load(path)?;
        message(&format!("{}: {} messages", path.display(), self.messages.len()));
        if !self.windowed
            && let Err(error) = self.session.recall(files::cache(path))
        {
            message(&error.to_string());
        }
        Ok(())
    }

    /// Replaces the system prompt, or takes it out if the new one is empty.
    fn set_system(&mut self, text: &str) {
        self.messages.retain(|message| message.role() != "system");
        if !text.is_empty() {
            self.messages.insert(0, Message::new("system", text));
        }
    }

    /// Sends a message and prints the answer. If that fails or is stopped before its first word, the message is taken back.
    fn say(&mut self, text: &str) -> Result<(), CliError> {
        self.messages.push(Message::new("user", text));
        let answered = self.reply();
        let cancelled = matches!(&self.last, Some(Last { reason: Reason::Cancelled, .. }));
        match &answered {
            Ok(text) if !text.is_empty() || !cancelled => self.messages.push(Message::answer(text)),
            _ => drop(self.messages.pop()),
        }
        if answered.is_ok() && self.stats {
            self.tell_last();
        }
        answered.map(drop)
    }

    /// The model's answer to the conversation so far.
    fn reply(&mut self) -> Result<String, CliError> {
        let rendered = conversation::render(&self.template, &self.messages)?;
        let prompt = siskin::chat::encode(self.tokenizer, &rendered);
        let Plan { capacity: context, sinks, .. } = *self.session.plan();
        if prompt.len() >= context && sinks.is_none() {
            return Err(CliError::ConversationTooLong {
                tokens: prompt.len(),
                context,
                hint: self.more_room,
            });
        }
        self.session.resume(&prompt)?;
        progress::prefill(&mut self.session, &prompt, None)?;
        let (text, reason) = self.decode()?;
        self.answer.print("\n")?;
        self.note(&reason);
        let timing = self.session.timing();
        add(&mut self.totals, timing);
        self.last = Some(Last { timing, reason });
        Ok(text)
    }

    /// Prints text as it comes until something ends it.
    fn decode(&mut self) -> Result<(String, Reason), CliError> {
        let mut text = String::new();
        loop {
            let step = self.session.step(None)?;
            text.push_str(step.text);
            if !step.text.is_empty() {
                self.answer.print(step.text)?;
            }
            if let Some(reason) = step.stop {
                return Ok((text, reason.clone()));
            }
        }
    }

    /// Tells a person that an answer is not whole.
    fn note(&self, reason: &Reason) {
        match reason {
            Reason::Context { n } => message(&format!(
                "the answer is cut off, because the conversation has reached {n} tokens. {}",
                self.more_room
            )),
            Reason::MaxTokens { n } => {
                message(&format!("the answer is cut off after {n} tokens (--max-tokens)"))
            }
            Reason::Cancelled => message("stopped"),
            _ => {}
        }
    }

    fn tell_stats(&self) {
        let used = self.session.tokens().len();
        message(&format!(
            "{used} of {} tokens in the cache, {} messages",
            self.session.plan().capacity,
            self.messages.len()
        ));
        self.tell_last();
        message(&format!("all answers: {}", amounts(&self.totals)));
        message(&report::memory(&self.footprint.with_mapped(self.session.mapped_bytes())));
    }

    fn tell_last(&self) {
        if let Some(Last { timing, reason }) = &self.last {
            let kept = timing.kept_tokens;
            message(&format!("last answer: kept {kept} tokens, {}; {reason}", amounts(timing)));
        }
    }
}

fn add(totals: &mut Timing, timing: Timing) {
    totals.prefill += timing.prefill;
    totals.prefill_tokens += timing.prefill_tokens;
    totals.decode += timing.decode;
    totals.decode_tokens += timing.decode_tokens;
}

fn amounts(timing: &Timing) -> String {
    let Timing { prefill, prefill_tokens, decode, decode_tokens, .. } = *timing;
    format!(
        "read {prefill_tokens} ({:.1} tokens/s), wrote {decode_tokens} ({:.1} tokens/s)",
        report::rate(prefill_tokens, prefill),
        report::rate(decode_tokens, decode),
    )
}
