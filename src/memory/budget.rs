//! What there is for a run, whether a footprint fits into it, and the largest one that would.

use super::{Footprint, Size};
use crate::machine::Machine;

/// What a bound is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// Allocated memory.
    Owned,
    /// All that cannot be dropped.
    Needed,
    /// Mapped files, too.
    AddressSpace,
}

/// Something that limits a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What it is, as messages name it.
    pub name: String,
    /// Bytes that there are.
    pub bytes: u64,
    of: Of,
}

impl Bound {
    /// What a footprint needs of it.
    pub fn needed(&self, footprint: &Footprint) -> u64 {
        match self.of {
            Of::Owned => footprint.most_owned(),
            Of::Needed => footprint.needed(),
            Of::AddressSpace => footprint.address_space(),
        }
    }

    /// Whether it is enough.
    pub fn allows(&self, footprint: &Footprint) -> bool {
        self.needed(footprint) <= self.bytes
    }
}

/// Why a run should not begin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// What is needed cannot be had.
    #[error("a context of {context} tokens needs {}, but there are {} of {bound}. {hint}", Size(*needed), Size(*available))]
    DoesNotFit {
        /// Positions of the longest sequence.
        context: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        available: u64,
        /// What they are of.
        bound: String,
        /// What would fit.
        hint: String,
    },
}

/// Weights that will not stay in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Bytes of weights that a token reads.
    pub weights: u64,
    /// Bytes of memory that are left for them.
    pub room: u64,
    /// Bytes that every token reads from disk again, at least.
    pub per_token: u64,
}

/// What there is for a run: several bounds, each of which must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    bounds: Vec<Bound>,
    /// Memory for cached file pages, before the run.
    cache: Option<u64>,
}

impl Budget {
    /// The budget of a machine as it is before the run begins, before the model is mapped. `limit` is one of the user's, in bytes of allocated memory.
    pub fn new(machine: &Machine, limit: Option<u64>) -> Budget {
        let bound = |name: &str, bytes, of| Bound { name: name.to_owned(), bytes, of };
        let mut bounds = Vec::new();
        bounds.extend(limit.map(|bytes| bound("the memory limit that was asked for", bytes, Of::Owned)));
        let memory = machine.available.map(|bytes| bytes.saturating_add(machine.swap_free.unwrap_or(0)));
        bounds.extend(memory.map(|bytes| bound("available memory and free swap", bytes, Of::Needed)));
        for group in &machine.groups {
            let bytes = group.left().saturating_add(group.swap_left);
            bounds.push(bound(&format!("memory left to control group {}", group.name), bytes, Of::Needed));
        }
        let space = machine.address_space.map(|limit| limit.left());
        bounds.extend(space.map(|bytes| {
            bound("address space left for it and the file (ulimit -v)", bytes, Of::AddressSpace)
        }));
        let addresses = machine.addresses.map(|limit| limit.left());
        bounds.extend(addresses.map(|bytes| {
            bound("address space left to a 32-bit program for it and the file", bytes, Of::AddressSpace)
        }));
        let data = machine.data.map(|limit| limit.left());
        bounds.extend(data.map(|bytes| bound("data segment left (ulimit -d)", bytes, Of::Needed)));
        Budget { bounds, cache: machine.available_memory() }
    }

    /// What limits a run.
    pub fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    /// Whether a footprint fits within all bounds.
    pub fn fits(&self, footprint: &Footprint) -> bool {
        self.bounds.iter().all(|bound| bound.allows(footprint))
    }

    /// The bound that a footprint misses most, if it misses one.
    pub fn missed(&self, footprint: &Footprint) -> Option<&Bound> {
        let missing = |bound: &&Bound| bound.needed(footprint).saturating_sub(bound.bytes);
        self.bounds.iter().filter(|bound| !bound.allows(footprint)).max_by_key(missing)
    }

    /// Refuses a footprint that does not fit; `largest` is asked what context would ([`Budget::largest`]).
    ///
    /// # Errors
    ///
    /// [`Error::DoesNotFit`], for the bound that misses most.
    pub fn check(&self, footprint: &Footprint, largest: impl FnOnce() -> Option<usize>) -> Result<(), Error> {
        let Some(worst) = self.missed(footprint) else { return Ok(()) };
        let hint = match (largest(), footprint.plan.sinks) {
            (Some(window), Some(_)) => {
                format!("Try a window of {window} tokens or less (--window {window}), which fits")
            }
            (Some(context), None) => {
                format!("Try a context of {context} tokens or less (--context {context}), which fits")
            }
            (None, _) => {
                "Not even a context of one token fits: try a smaller model, or a higher limit".to_owned()
            }
        };
        Err(Error::DoesNotFit {
            context: footprint.plan.longest(),
            needed: worst.needed(footprint),
            available: worst.bytes,
            bound: worst.name.clone(),
            hint,
        })
    }

    /// The longest context up to `context` whose footprint fits; `None` if not even one token's does. `footprint` says what a context takes, and
    /// `None` if no machine has that much.
    pub fn largest(&self, context: usize, footprint: impl Fn(usize) -> Option<Footprint>) -> Option<usize> {
        let fits = |context: usize| footprint(context).is_some_and(|footprint| self.fits(&footprint));
        if !fits(1) {
            return None;
        }
        let (mut good, mut bad) = (1, context.saturating_add(1));
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if fits(middle) { good = middle } else { bad = middle }
        }
        Some(good)
    }

    /// What becomes of weights that are larger than the memory left for them; `None` if they are not, or nothing is known.
    ///
    /// The estimate is the best case, in which what is missing is read once for each token. A system that drops what was used longest ago drops just
    /// what is needed next, and reads up to all weights for each.
    pub fn streamed(&self, footprint: &Footprint) -> Option<Streamed> {
        let room = self.cache?.saturating_sub(footprint.needed());
        let weights = if footprint.weights > 0 { 0 } else { footprint.read_per_token };
        (weights > room).then(|| Streamed { weights, room, per_token: weights - room })
    }
}

impl Budget {
    /// Bytes of mapped weights that may be locked in memory: an eighth of what is left for them stays free for those that are not.
    pub fn lockable(&self, footprint: &Footprint) -> u64 {
        let weights = footprint.mapped.saturating_add(footprint.weights);
        let Some(cache) = self.cache else { return weights };
        let room = cache.saturating_sub(footprint.needed()).saturating_add(footprint.weights);
        if room >= weights.saturating_add(weights / 8) { weights } else { room - room / 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Gguf;
    use crate::machine::{Group, Limit};
    use crate::memory::PROGRAM_BYTES;
    use crate::model::Model;
    use crate::session::{Extent, Options};
    use crate::tokenizer;

    /// The footprint of the repository's model by its context.
    fn footprint(context: usize) -> Option<Footprint> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/builtin.gguf");
        let file = Gguf::open_header(&path).unwrap();
        let model = Model::load(&file).unwrap();
        let options = Options::default();
        let plan = Extent::of_conversation(&model, &options, context).plan(&model, 16, 2, &options)?;
        let size = tokenizer::Size::estimate(file.metadata()).unwrap();
        Some(Footprint::new(&file, &model, plan, size, 2))
    }

    #[test]
    fn the_bound_that_misses_most_is_named() {
        let footprint = footprint(100).unwrap();
        let enough = footprint.needed();
        let mut machine = Machine { available: Some(enough), ..Machine::default() };
        assert!(Budget::new(&machine, None).fits(&footprint));
        machine.available = Some(enough - 10);
        assert!(!Budget::new(&machine, None).fits(&footprint));
        machine.swap_free = Some(10);
        assert!(Budget::new(&machine, Some(footprint.owned())).fits(&footprint));
        let name = |machine: &Machine, limit| match Budget::new(machine, limit).check(&footprint, || Some(7))
        {
            Err(Error::DoesNotFit { bound, needed, available, hint, .. }) => {
                assert!(needed > available && hint.contains("--context 7"));
                bound
            }
            Ok(()) => String::new(),
        };
        assert!(name(&machine, Some(footprint.owned() - 1)).contains("asked for"));
        machine.groups = vec![Group { name: "/a".into(), limit: 1000, used: 900, swap_left: 5 }];
        assert!(name(&machine, None).contains("control group /a"));
        machine.groups.clear();
        machine.address_space = Some(Limit { most: footprint.address_space(), used: 1 });
        assert!(name(&machine, None).contains("ulimit -v"));
        machine.address_space = None;
        machine.addresses = Some(Limit { most: footprint.address_space(), used: 1 });
        assert!(name(&machine, None).contains("32-bit program"));
        machine.addresses = None;
        machine.data = Some(Limit { most: 1, used: 0 });
        assert!(name(&machine, None).contains("ulimit -d"));
        assert_eq!(Budget::new(&Machine::default(), None).check(&footprint, || None), Ok(()));
    }

    #[test]
    fn the_largest_context_fits_and_the_next_does_not() {
        for wanted in [1, 2, 77, 300, 511] {
            let limit = footprint(wanted).unwrap().owned();
            let budget = Budget::new(&Machine::default(), Some(limit));
            let largest = budget.largest(512, footprint).unwrap();
            assert!(largest >= wanted && footprint(largest).unwrap().owned() <= limit, "{wanted}: {largest}");
            assert!(largest == 512 || footprint(largest + 1).unwrap().owned() > limit, "{wanted}: {largest}");
        }
        let budget = |limit| Budget::new(&Machine::default(), Some(limit));
        assert_eq!(budget(1).largest(512, footprint), None);
        assert_eq!(budget(u64::MAX).largest(512, footprint), Some(512));
    }

    #[test]
    fn a_file_that_is_read_is_owned() {
        let mapped = footprint(10).unwrap();
        let read = mapped.in_memory();
        assert_eq!((read.mapped, read.owned()), (0, mapped.owned() + mapped.mapped));
        assert_eq!(read.address_space(), mapped.address_space());
    }

    #[test]
    fn weights_beyond_memory_are_streamed() {
        let footprint = footprint(100).unwrap();
        let (needed, weights) = (footprint.needed(), footprint.read_per_token);
        let budget = |available| Budget::new(&Machine { available, ..Machine::default() }, None);
        assert_eq!(budget(None).streamed(&footprint), None);
        assert_eq!(budget(Some(needed + weights)).streamed(&footprint), None);
        let streamed = budget(Some(needed + weights - 100)).streamed(&footprint).unwrap();
        assert_eq!(streamed, Streamed { weights, room: weights - 100, per_token: 100 });
        assert!(needed > PROGRAM_BYTES);
        // read into memory, they are not
        assert_eq!(budget(Some(needed)).streamed(&footprint.in_memory()), None);
        let lockable = |available| budget(available).lockable(&footprint);
        assert_eq!(lockable(None), footprint.mapped);
        assert_eq!(lockable(Some(needed + 2 * footprint.mapped)), footprint.mapped);
        assert_eq!(lockable(Some(needed + 8000)), 7000);
        assert_eq!(lockable(Some(needed - 1)), 0);
    }
}
