//! How much a session has room for, and what memory it takes, before it is made.

use super::answer::Answer;
use super::check::check_length;
use super::seen::Seen;
use super::{Allowed, Error, Options, Paths, Pieces, Sample, Track, Window, context, judge};
use crate::kv::shape::BranchShape;
use crate::model::{Job, Model, Plan};
use crate::tokenizer::TokenId;

/// Positions that a session has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Of one sequence, or of what all branches begin with.
    pub positions: usize,
    /// Of text that goes on when these are used up: how many of the first stay.
    pub sinks: Option<usize>,
    /// Tokens of the prompt, if it is known.
    pub prompt: Option<usize>,
    /// Sequences that go on from there, if it is made for several.
    pub branches: BranchShape,
}

impl Extent {
    /// Refuses a prompt of so many tokens as a session does.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyPrompt`], [`Error::PromptTooLong`].
    pub fn check_prompt(model: &Model, options: &Options, prompt_tokens: usize) -> Result<(), Error> {
        check_length(prompt_tokens, context(model, options), options)
    }

    /// What [`Session::new`](super::Session::new) takes for a prompt of so many tokens: min(prompt + max tokens, context or window).
    pub fn of_prompt(model: &Model, options: &Options, prompt_tokens: usize) -> Extent {
        let wanted = prompt_tokens.saturating_add(options.max_tokens);
        if let Some(Window { positions, sinks }) = options.window.filter(|window| window.positions < wanted) {
            let prompt = Some(prompt_tokens.min(positions));
            return Extent { positions, sinks: Some(sinks), prompt, branches: BranchShape::default() };
        }
        let positions = wanted.min(context(model, options));
        Extent::divided(options, prompt_tokens.min(positions), positions)
    }

    /// What [`Session::with_positions`](super::Session::with_positions) takes.
    pub fn of_conversation(model: &Model, options: &Options, positions: usize) -> Extent {
        let (positions, sinks) = match options.window {
            Some(window) => (window.positions, Some(window.sinks)),
            None => (positions.min(context(model, options)), None),
        };
        Extent { positions: positions.max(1), sinks, prompt: None, branches: BranchShape::default() }
    }

    /// So many positions, the first of them a prompt.
    fn divided(options: &Options, prompt_tokens: usize, positions: usize) -> Extent {
        let prompt = Some(prompt_tokens);
        match options.branches {
            0 => Extent { positions, sinks: None, prompt, branches: BranchShape::default() },
            count => {
                let branches = BranchShape { count, positions: positions - prompt_tokens, run: 1, shared: 0 };
                Extent { positions: prompt_tokens, sinks: None, prompt, branches }
            }
        }
    }

    /// Positions of the longest sequence.
    pub fn longest(&self) -> usize {
        self.positions.saturating_add(self.branches.positions)
    }

    /// The same for sequences of another length, of which the prompt keeps its own as far as there is room.
    #[must_use]
    pub fn with_length(self, positions: usize) -> Extent {
        match self.branches.count {
            0 => Extent { positions, ..self },
            count => {
                let trunk = self.positions.min(positions);
                let branches = BranchShape { count, positions: positions - trunk, run: 1, shared: 0 };
                Extent { positions: trunk, branches, ..self }
            }
        }
    }

    /// What a session of this extent allocates, with a tokenizer whose longest token has `longest` bytes and a team of `threads`; without what stop
    /// conditions keep to themselves. `None` if no machine could hold it.
    pub fn plan(self, model: &Model, longest: usize, threads: usize, options: &Options) -> Option<Plan> {
        let vocabulary = model.weights().vocabulary();
        let Extent { positions, sinks, prompt, branches } = self;
        let candidates = options.sampling.clone().within(self.longest()).scratch_bytes(vocabulary);
        let session = self.session_bytes(longest, Allowed::bytes(vocabulary, options), options)?;
        let job = Job {
            positions,
            sinks,
            prompt,
            branches,
            kv_type: options.kv_type,
            threads,
            sampler_bytes: candidates.checked_add(session)?,
            search_bytes: self.search_bytes(vocabulary, longest, options)?,
        };
        Plan::new(model, job)
    }

    /// What a search keeps while it runs, without what it returns: logits of each continuation, room for the text of a token, and of beams what is followed
    /// with the conditions of the sequences of now and the next ones, of samples their tokens behind those of the prompt and their conditions.
    fn search_bytes(&self, vocabulary: usize, longest: usize, options: &Options) -> Option<usize> {
        let BranchShape { count, positions, .. } = self.branches;
        if count == 0 {
            return Some(0);
        }
        let logits = vocabulary.checked_mul(size_of::<f32>())?.checked_mul(count)?;
        let conditions = judge(options, 0, 0).map_or(0, |judge| judge.owned_bytes());
        let followed = if options.beams {
            Paths::bytes(count, positions)?.checked_add((2 * count).checked_mul(Track::bytes(conditions))?)?
        } else {
            let lists = 2 * size_of::<usize>() + size_of::<TokenId>();
            Sample::bytes(self.longest(), conditions)?.checked_add(lists)?.checked_mul(count)?
        };
        logits.checked_add(followed)?.checked_add(Pieces::bytes(longest))
    }

    /// What a session keeps beside decoder and sampler: tokens, and text on its way out.
    fn session_bytes(&self, longest: usize, allowed: usize, options: &Options) -> Option<usize> {
        Seen::bytes(self)?.checked_add(Answer::bytes(longest, options))?.checked_add(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_share_a_prompt() {
        let options = Options { branches: 3, ..Options::default() };
        let extent = Extent::divided(&options, 10, 30);
        assert_eq!((extent.positions, extent.branches.positions, extent.longest()), (10, 20, 30));
        assert_eq!(
            extent.with_length(12).branches,
            BranchShape { count: 3, positions: 2, run: 1, shared: 0 }
        );
        assert_eq!(extent.with_length(5).longest(), 5);
        let single = Extent::divided(&Options::default(), 10, 30);
        assert_eq!((single.positions, single.with_length(7).positions), (30, 7));
    }

    /// Sums and products of sizes never wrap around, whatever is asked for: there is no plan.
    #[test]
    fn what_cannot_be_addressed_has_no_plan() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/builtin.gguf");
        let model = Model::load(&crate::gguf::Gguf::open_header(&path).unwrap()).unwrap();
        let plan = |job: Job| Plan::new(&model, Job { threads: 2, ..job });
        assert!(plan(Job { positions: 100, ..Job::default() }).is_some());
        for positions in [usize::MAX, usize::MAX / 3, usize::MAX / 300, usize::MAX >> 10] {
            for sinks in [None, Some(positions / 2), Some(positions - 1)] {
                assert_eq!(plan(Job { positions, sinks, ..Job::default() }), None, "{positions} {sinks:?}");
            }
            let branches = BranchShape { count: 3, positions, ..BranchShape::default() };
            assert_eq!(plan(Job { positions: 1, branches, ..Job::default() }), None, "{positions}");
        }
    }
}
