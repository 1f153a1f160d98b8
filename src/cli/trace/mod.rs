//! `siskin trace`: continues a prompt as `generate` does, and shows each step. `follow` runs the session, `watch` and `capture` fill the records
//! of `record`, `show` and `page` write them down, and `target` is where the page goes.

mod beams;
mod capture;
mod csv;
mod describe;
mod follow;
mod look;
mod page;
mod record;
mod scores;
mod show;
mod stages;
mod table;
mod target;
mod text;
mod watch;

use super::ask::Asked;
use super::output::Answer;
use super::setup::Threads;
use super::trace_args::Trace as Args;
use super::{CliError, Outcome, search, setup};
use capture::Wanted;
use describe::Ended;
use follow::Given;
use record::{Method, Run, Step, Trace};
use show::Show;
use siskin::gguf::Gguf;
use siskin::model::{Model, StageTimes};
use siskin::search::Found;
use siskin::session::{Options, Session, Timing};
use siskin::stop::{self, Reason};
use siskin::tokenizer::{TokenId, Tokenizer};
use siskin::topology::Topology;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use target::Target;
use watch::Watch;

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome, CliError> {
    let start = Instant::now();
    target::check(&args.show)?;
    let asked = Asked::new(&args.ask)?;
    let wanted = Wanted {
        top: (args.show.top as usize).max(if args.show.html.is_some() { page::CANDIDATES } else { 0 }),
        rest: args.show.html.is_some(),
    };
    asked.check()?;
    let Asked { topology, threads, file, model, tokenizer, options, prompt, tokenize, .. } = asked;
    let parts = Parts { file: &file, model: &model, tokenizer: &tokenizer, topology: &topology, threads };
    let mut tracer = Tracer {
        args,
        parts,
        options,
        prompt,
        wanted,
        show: Show::new(&args.show),
        answer: Answer::new(),
        start,
        tokenize,
    };
    tracer.run()
}

/// What a session is made of.
#[derive(Clone, Copy)]
struct Parts<'a> {
    file: &'a Gguf,
    model: &'a Model,
    tokenizer: &'a Tokenizer,
    topology: &'a Topology,
    threads: Threads,
}

impl<'a> Parts<'a> {
    fn session(&self, prompt: &[TokenId], options: &Options) -> Result<Session<'a>, CliError> {
        let cpu = setup::cpu(self.topology, self.threads)?;
        let mut session = Session::new(self.model, self.tokenizer, cpu, prompt, options)?;
        session.time_stages();
        Ok(session)
    }
}

/// A search that has come to its end.
struct Searched {
    run: Run,
    found: Found,
    timing: Timing,
    load: Duration,
    stages: Option<StageTimes>,
}

/// A trace on its way.
struct Tracer<'a> {
    args: &'a Args,
    parts: Parts<'a>,
    options: Options,
    prompt: Vec<TokenId>,
    wanted: Wanted,
    show: Show,
    answer: Answer,
    start: Instant,
    tokenize: Duration,
}

impl<'a> Tracer<'a> {
    fn run(&mut self) -> Result<Outcome, CliError> {
        // Before the work, so that it is not for nothing.
        let target = self.args.show.html.as_deref().map(Target::open).transpose()?;
        let trace = if self.options.branches > 0 { self.search()? } else { self.sequence()? };
        let end = self.show.end(&trace.run, &trace.end)?;
        self.answer.print(&end)?;
        if let Some(target) = target {
            target.put(&page::page(&trace)?, &mut self.answer)?;
        }
        let is_cancelled = trace.end.stop.reason == Reason::Cancelled.name();
        Ok(Outcome::of(is_cancelled))
    }

    /// Tokens chosen one after the other.
    fn sequence(&mut self) -> Result<Trace, CliError> {
        let tokenizer = self.parts.tokenizer;
        let mut session = self.parts.session(&self.prompt, &self.options)?;
        let options = self.options.sampling.clone().within(session.plan().capacity);
        let (told, watched) = mpsc::channel();
        let watch = Watch::new(tokenizer, &options, session.logits().len(), self.wanted, told);
        let watch = watch.map_err(siskin::session::Error::from)?;
        let method = if options.temperature == 0.0 { Method::Greedy } else { Method::Sample };
        let run = self.described(&session, method, watch.chain());
        session.choose_with(Box::new(watch));
        let load = self.start.elapsed();

        self.answer.print(&self.show.begin(&run)?)?;
        let (mut steps, prefill) = self.prompt_steps(&mut session)?;
        let before = session.stage_times();
        let (show, answer) = (self.show, &mut self.answer);
        let followed = follow::chosen(&mut session, &watched, |step, printed| {
            answer.print(&step.as_ref().map_or_else(|| Ok(show.rest(printed)), |step| show.step(step))?)?;
            steps.extend(step);
            Ok(())
        })?;
        let follow::Followed { text, reason, recording } = followed;
        let (timing, stages) = (session.timing(), since(&session, before));
        let ended = Ended { text, reason, timing, recording: [prefill, recording], load, stages };
        let end = self.end(ended, &steps);
        Ok(Trace { run, steps, beams: Vec::new(), continuations: Vec::new(), end })
    }

    /// Runs the prompt, and shows its tokens if that is asked for.
    fn prompt_steps(&mut self, session: &mut Session<'_>) -> Result<(Vec<Step>, Duration), CliError> {
        let from = if self.args.show.with_prompt { 0 } else { self.prompt.len() };
        let given = Given { tokens: &self.prompt, prompt: self.prompt.len(), from };
        let (steps, recording) =
            given.follow(session, self.prompt.len(), self.parts.tokenizer, self.wanted)?;
        for step in steps.iter().filter(|_| self.args.show.with_prompt) {
            self.answer.print(&self.show.step(step)?)?;
        }
        Ok((steps, recording))
    }

    /// Several continuations side by side; then the best once more, position by position.
    fn search(&mut self) -> Result<Trace, CliError> {
        let tokenizer = self.parts.tokenizer;
        let Searched { run, found, timing, load, stages } = self.found()?;
        let nodes = beams::nodes(tokenizer, &found);
        let continuations = beams::continuations(&found);
        let Some(best) = found.continuations.into_iter().next() else {
            return Err(CliError::Failed("no continuation has ended. Try more beams or more tokens".into()));
        };
        self.answer.print(&self.show.begin(&run)?)?;
        self.answer.print(&self.show.found(&nodes, &continuations)?)?;
        let tokens = [self.prompt.as_slice(), &best.tokens].concat();
        let from = if self.args.show.with_prompt { 0 } else { self.prompt.len() };
        let given = Given { tokens: &tokens, prompt: self.prompt.len(), from };
        // The last token's logits expect a token that is not there.
        let run_tokens = tokens.len() - usize::from(!best.tokens.is_empty());
        let mut session = self.parts.session(&tokens[..run_tokens], &self.without_end())?;
        let (steps, _) = given.follow(&mut session, run_tokens, tokenizer, self.wanted)?;
        for step in &steps {
            self.answer.print(&self.show.step(step)?)?;
        }
        let ended = Ended {
            text: best.text,
            reason: best.reason,
            timing,
            recording: [Duration::ZERO; 2],
            load,
            stages,
        };
        let end = self.end(ended, &steps);
        Ok(Trace { run, steps, beams: nodes, continuations, end })
    }

    /// The options for a session that only runs tokens that are there.
    fn without_end(&self) -> Options {
        Options {
            max_tokens: 0,
            branches: 0,
            stop_texts: Vec::new(),
            stop: stop::Rules::default(),
            #[cfg(feature = "grammar")]
            grammar: None,
            ..self.options.clone()
        }
    }

    /// Runs the prompt and searches.
    fn found(&mut self) -> Result<Searched, CliError> {
        let mut session = self.parts.session(&self.prompt, &self.options)?;
        let is_beams = self.args.ask.search.beams.is_some();
        let method = if is_beams { Method::Beams } else { Method::BestOf };
        let chain = if is_beams { Vec::new() } else { self.chain(&session)? };
        let run = self.described(&session, method, chain);
        let load = self.start.elapsed();
        let given = Given { tokens: &self.prompt, prompt: self.prompt.len(), from: self.prompt.len() };
        given.follow(&mut session, self.prompt.len(), self.parts.tokenizer, self.wanted)?;
        let before = session.stage_times();
        let found = search::run(&self.args.ask.search, true, &mut session)?;
        let (timing, stages) = (session.timing(), since(&session, before));
        Ok(Searched { run, found, timing, load, stages })
    }
}

/// What the stages took since `before`.
fn since(session: &Session<'_>, before: Option<StageTimes>) -> Option<StageTimes> {
    Some(session.stage_times()?.since(before?))
}
