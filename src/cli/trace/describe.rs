//! What a trace says of its run as a whole: the model, the settings, the stages, and at the end the times.

use super::capture::piece;
use super::record::{End, Method, Run, Sampling, Setting, StageMeans, Step, Times};
use super::watch::Watch;
use super::{Parts, Tracer, stages};
use crate::cli::CliError;
use crate::cli::json::{Stop, ms};
use siskin::model::StageTimes;
use siskin::session::{Session, Timing};
use siskin::stop::Reason;
use std::sync::mpsc;
use std::time::Duration;

/// What there is at the end.
pub(super) struct Ended {
    pub text: String,
    pub reason: Reason,
    pub timing: Timing,
    /// What recording took of prefill and of decode.
    pub recording: [Duration; 2],
    pub load: Duration,
    /// What stages took after the prompt.
    pub stages: Option<StageTimes>,
}

impl Tracer<'_> {
    /// The steps of the chain that samples pass.
    pub(super) fn chain(&self, session: &Session<'_>) -> Result<Vec<Setting>, CliError> {
        let options = self.options.sampling.clone().within(session.plan().capacity);
        let watch = Watch::new(
            self.parts.tokenizer,
            &options,
            session.logits().len(),
            self.wanted,
            mpsc::channel().0,
        );
        Ok(watch.map_err(siskin::session::Error::from)?.chain())
    }

    /// What is the same for every step.
    pub(super) fn described(&self, session: &Session<'_>, method: Method, chain: Vec<Setting>) -> Run {
        let chain: Vec<Setting> = self.grammar_step().into_iter().chain(chain).collect();
        let Parts { file, model, tokenizer, .. } = self.parts;
        let options = &self.options.sampling;
        let names: Vec<&str> = chain.iter().map(|step| step.name).collect();
        let sampler = match method {
            Method::Beams => format!("{} beams", self.options.branches),
            _ if names.is_empty() => "drawn from the model's own distribution".to_owned(),
            _ => names.join(", "),
        };
        let stops: Vec<&str> =
            session.stops().describe().into_iter().map(|state| state.name).chain(["eos"]).collect();
        let name =
            file.path().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Run {
            model: name,
            family: model.config().family,
            vocabulary: model.weights().vocabulary(),
            prompt: self.prompt.iter().map(|&token| piece(tokenizer, token)).collect(),
            sampling: Sampling {
                method,
                temperature: options.temperature,
                top_k: options.top_k,
                top_p: options.top_p,
                min_p: options.min_p,
                chain,
                order: options.chain.steps().iter().map(|step| step.name()).collect(),
                seed: options.seed,
            },
            stages: stages::stages(model, self.prompt.len(), &sampler, &stops.join(", ")),
            isa: session.cpu().kernels.isa().name(),
            threads: session.decode_threads(),
            prefill_threads: session.prefill_threads(),
        }
    }

    /// The step before all others, where a grammar says what may come.
    fn grammar_step(&self) -> Option<Setting> {
        #[cfg(feature = "grammar")]
        if self.options.grammar.is_some() {
            return Some(Setting { name: "allowed", setting: "by the grammar".to_owned() });
        }
        None
    }

    pub(super) fn end(&self, ended: Ended, steps: &[Step]) -> End {
        let Ended { text, reason, timing, recording: [prefill, decode], load, stages } = ended;
        let median = |of: fn(&Step) -> Option<f64>| {
            let mut times: Vec<f64> = steps.iter().filter_map(of).collect();
            times.sort_by(f64::total_cmp);
            times.get(times.len().saturating_sub(1) / 2).copied()
        };
        let times = Times {
            load_ms: ms(load),
            tokenize_ms: ms(self.tokenize),
            prefill_ms: ms(timing.prefill.saturating_sub(prefill)),
            prefill_tokens: timing.prefill_tokens,
            decode_ms: ms(timing.decode.saturating_sub(decode)),
            decode_tokens: timing.decode_tokens,
            pass_median_ms: median(|step| step.pass_ms),
            sampling_median_ms: median(|step| step.sampling_ms),
            stages_mean_ms: stages.and_then(means),
        };
        End { text, stop: Stop::from(&reason), times }
    }
}

/// What a pass took on average, if there was one.
fn means(times: StageTimes) -> Option<StageMeans> {
    let passes = times.passes;
    let mean = |all: Duration| all.checked_div(passes).map(ms);
    Some(StageMeans {
        passes,
        embedding: mean(times.embedding)?,
        attention: mean(times.attention)?,
        feed_forward: mean(times.feed_forward)?,
        output: mean(times.output)?,
    })
}
