//! The merges in a file, two texts each, turned into pairs of ids. Large vocabularies have hundreds of thousands, and reading them
//! is most of the time that a tokenizer takes to load: so a few threads share them.

use std::panic::resume_unwind;
use std::thread;

use super::error::Error;
use super::table::{Join, NO_ID, Pair, same};
use super::vocab::Vocab;

/// The lines of `tokenizer.ggml.merges`, in order; every thread goes through a clone.
pub(super) trait Merges<'a>: Iterator<Item = Result<&'a [u8], Error>> + Clone + Send {}

impl<'a, T: Iterator<Item = Result<&'a [u8], Error>> + Clone + Send> Merges<'a> for T {}

/// Threads at most: with more, the tables that all of them read and the serial rest bound the time.
const MAX_THREADS: usize = 2;
/// Merges that are worth a thread.
const PER_THREAD: usize = 20_000;
/// Neighbouring merges that one thread takes; then comes another's turn.
const STRIPE: usize = 1024;
/// Pairs that threads have room for beyond those that there are.
pub(super) const SPARE: usize = MAX_THREADS * STRIPE;
/// Merges that are looked up together.
const BATCH: usize = 32;

/// A line of `tokenizer.ggml.merges`.
#[derive(Clone, Copy, Default)]
struct Merge<'a> {
    left: &'a [u8],
    right: &'a [u8],
    rank: u32,
}

impl<'a> Merge<'a> {
    fn parse(line: &'a [u8], rank: u32) -> Option<Merge<'a>> {
        // A text may itself begin with a blank, so the first byte is never the one between them.
        let blank = 1 + line.get(1..)?.iter().position(|&byte| byte == b' ')?;
        Some(Merge { left: &line[..blank], right: &line[blank + 1..], rank })
    }
}

/// The pairs of all merges, in a part for each thread that worked on them. `count` is the number of merges, to know how many
/// threads to use. Texts that are no tokens get ids from `vocab`.
pub(super) fn resolve<'a>(
    vocab: &mut Vocab,
    merges: impl Merges<'a>,
    count: usize,
) -> Result<Vec<Vec<Pair>>, Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(count / PER_THREAD).clamp(1, MAX_THREADS);
    let parts = resolve_known(vocab, &merges, count, threads)?;
    let add_missing = |Part { mut pairs, missing }| {
        for (at, merge) in missing {
            pairs[at] = intern(vocab, &merge)?;
        }
        Ok(pairs)
    };
    parts.into_iter().map(add_missing).collect()
}

/// The pair of a merge whose texts need not be known.
fn intern(vocab: &mut Vocab, merge: &Merge<'_>) -> Result<Pair, Error> {
    let (left, right) = (vocab.intern(merge.left)?, vocab.intern(merge.right)?);
    let id = vocab.intern(&[merge.left, merge.right].concat())?;
    Ok(Pair { left, right, join: Join { rank: merge.rank, id } })
}

fn resolve_known<'a>(
    vocab: &Vocab,
    merges: &impl Merges<'a>,
    count: usize,
    threads: usize,
) -> Result<Vec<Part<'a>>, Error> {
    thread::scope(|scope| {
        let work =
            |thread| Part::new(count / threads + STRIPE).resolve(vocab, merges.clone(), thread, threads);
        let others: Vec<_> = (1..threads)
            .map(|index| {
                let merges = merges.clone();
                let work = move || Part::new(count / threads + STRIPE).resolve(vocab, merges, index, threads);
                thread::Builder::new().spawn_scoped(scope, work)
            })
            .collect();
        let mut parts = vec![work(0)?];
        for (index, other) in (1..).zip(others) {
            parts.push(match other {
                Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                // no thread can be had: its work is done here
                Err(_) => work(index)?,
            });
        }
        Ok(parts)
    })
}

/// What one thread found.
struct Part<'a> {
    pairs: Vec<Pair>,
    /// Places in `pairs` of merges with a text that is not known.
    missing: Vec<(usize, Merge<'a>)>,
}

impl<'a> Part<'a> {
    fn new(capacity: usize) -> Self {
        Part { pairs: Vec::with_capacity(capacity), missing: Vec::new() }
    }

    /// Resolves every `threads`-th stripe of the merges.
    fn resolve(
        mut self,
        vocab: &Vocab,
        merges: impl Merges<'a>,
        thread: usize,
        threads: usize,
    ) -> Result<Self, Error> {
        let mut previous = 0;
        let mut batch = Vec::with_capacity(BATCH);
        for (merge, rank) in merges.zip(0u32..) {
            let merge = merge?;
            if rank as usize / STRIPE % threads != thread {
                continue;
            }
            batch.extend(Merge::parse(merge, rank));
            if batch.len() == BATCH {
                previous = self.add(vocab, &batch, previous);
                batch.clear();
            }
        }
        self.add(vocab, &batch, previous);
        Ok(self)
    }

    /// Adds up to [`BATCH`] merges; `previous` is what the merge before yielded.
    fn add(&mut self, vocab: &Vocab, merges: &[Merge<'a>], mut previous: u32) -> u32 {
        let (mut lefts, mut rights) = ([[].as_slice(); BATCH], [[].as_slice(); BATCH]);
        for ((left, right), merge) in lefts.iter_mut().zip(&mut rights).zip(merges) {
            (*left, *right) = (merge.left, merge.right);
        }
        let lefts = vocab.find_many::<BATCH>(&lefts[..merges.len()]);
        let rights = vocab.find_many::<BATCH>(&rights[..merges.len()]);
        for ((merge, left), right) in merges.iter().zip(lefts).zip(rights) {
            let id = yielded(vocab, merge, previous);
            if let (Some(left), Some(right), Some(id)) = (left, right, id) {
                self.pairs.push(Pair { left, right, join: Join { rank: merge.rank, id } });
            } else {
                self.missing.push((self.pairs.len(), *merge));
                let join = Join { rank: merge.rank, id: NO_ID };
                self.pairs.push(Pair { left: NO_ID, right: NO_ID, join });
            }
            previous = id.unwrap_or(previous);
        }
        previous
    }
}

/// The id of both texts together. Files list merges in the order of the tokens that they yield, so the same id as before or the
/// next one is tried first: that spares a third of all look-ups.
fn yielded(vocab: &Vocab, merge: &Merge<'_>, previous: u32) -> Option<u32> {
    let guesses = [previous, previous.saturating_add(1)];
    let guess = guesses.into_iter().find(|&id| {
        let parts = vocab.is_token(id).then(|| vocab.text(id).split_at_checked(merge.left.len())).flatten();
        parts.is_some_and(|(left, right)| same(right, merge.right) && same(left, merge.left))
    });
    guess.or_else(|| vocab.find(&[merge.left, merge.right].concat()))
}
