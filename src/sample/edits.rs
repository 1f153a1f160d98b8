//! Logits that bias and penalties changed: a few, kept beside the model's own, which nobody writes to. Called by the sampler only.

use super::options::Options;
use super::rank::Entry;
use super::step::Step;

/// The tokens that a step touches, with an amount for each (a count, a length, a bias), and the room to find them.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// `(token id, amount)` in order of id, none twice.
    pub(super) list: Vec<(u32, f32)>,
    /// Lengths of matches, for DRY.
    pub(super) matches: Vec<u32>,
}

/// Tokens whose logits are no longer the model's.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// With their new logits, in order of id.
    list: Vec<Entry>,
    /// Whether a token is in the list: bit `t % 32` of word `t / 32`. Empty if there can be none.
    bits: Vec<u32>,
}

/// How many tokens the steps of an option set can touch.
struct Room {
    bias: usize,
    penalties: usize,
    dry: usize,
    xtc: usize,
}

impl Room {
    fn new(options: &Options, vocab: usize) -> Room {
        let window = |step, last_n: u32| match options.active(vocab).any(|active| active == step) {
            // The whole history, however long it becomes.
            true if last_n == u32::MAX => 0,
            true => last_n as usize,
            false => 0,
        };
        Room {
            bias: options.logit_bias.len(),
            penalties: window(Step::Penalties, options.penalties.last_n),
            dry: window(Step::Dry, options.dry.last_n),
            xtc: if options.active(vocab).any(|step| step == Step::Xtc) {
                options.xtc.most(vocab)
            } else {
                0
            },
        }
    }

    fn edits(&self, vocab: usize) -> usize {
        [self.penalties, self.dry, self.xtc].into_iter().fold(self.bias, usize::saturating_add).min(vocab)
    }

    fn touched(&self) -> usize {
        self.bias.max(self.penalties).max(self.dry).max(self.xtc)
    }
}

/// Words of a bit set of the vocabulary, if anything that changes logits is on.
fn words(options: &Options, vocab: usize) -> usize {
    let has_edits = !options.logit_bias.is_empty()
        || options.active(vocab).any(|step| step.is_edit() || step == Step::Xtc);
    if has_edits { vocab.div_ceil(32) } else { 0 }
}

impl Touched {
    pub(super) fn new(options: &Options, vocab: usize) -> Touched {
        let room = Room::new(options, vocab);
        Touched { list: Vec::with_capacity(room.touched()), matches: Vec::with_capacity(room.dry) }
    }

    /// Sorts the list by token, and makes one entry of those with the same: `merge` puts a later amount into the kept one.
    pub(super) fn settle(&mut self, merge: impl Fn(&mut f32, f32)) {
        self.list.sort_unstable_by_key(|(token, _)| *token);
        self.list.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                merge(&mut kept.1, later.1);
            }
            same
        });
    }

    #[cfg(test)]
    pub(super) fn capacity_bytes(&self) -> usize {
        self.list.capacity() * size_of::<(u32, f32)>() + self.matches.capacity() * size_of::<u32>()
    }

    /// The amount for a token, if the step touches it.
    pub(super) fn of(&self, token: u32) -> Option<f32> {
        let index = self.list.binary_search_by_key(&token, |(token, _)| *token).ok()?;
        Some(self.list[index].1)
    }
}

impl Edits {
    pub(super) fn new(options: &Options, vocab: usize) -> Edits {
        let room = Room::new(options, vocab);
        let list = Vec::with_capacity(room.edits(vocab));
        Edits { list, bits: vec![0; words(options, vocab)] }
    }

    /// Memory of [`Edits`] and [`Touched`] for these options, in bytes.
    pub(super) fn bytes(options: &Options, vocab: usize) -> usize {
        let room = Room::new(options, vocab);
        let touched = room.touched().saturating_mul(size_of::<(u32, f32)>());
        let edits = room.edits(vocab).saturating_mul(size_of::<Entry>());
        let matches = room.dry.saturating_mul(size_of::<u32>());
        let bits = words(options, vocab) * size_of::<u32>();
        touched.saturating_add(edits).saturating_add(matches).saturating_add(bits)
    }

    #[cfg(test)]
    pub(super) fn capacity_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Entry>() + self.bits.capacity() * size_of::<u32>()
    }

    /// Forgets all of them, in time linear in their number.
    pub(super) fn clear(&mut self) {
        for entry in self.list.drain(..) {
            self.bits[entry.token as usize / 32] = 0;
        }
    }

    /// All of them, in order of token id.
    #[inline(always)]
    pub(super) fn entries(&self) -> &[Entry] {
        &self.list
    }

    /// Which of the 32 tokens from `32 * index` on are here.
    #[inline(always)]
    pub(super) fn word(&self, index: usize) -> u32 {
        self.bits.get(index).copied().unwrap_or(0)
    }

    /// Passes the logit of every touched token through `change`, which gets the amount too; what is -inf stays so.
    pub(super) fn apply(&mut self, logits: &[f32], touched: &Touched, change: impl Fn(f32, f32) -> f32) {
        let settled = self.list.len();
        for &(token, amount) in &touched.list {
            let (index, bit) = (token as usize / 32, 1 << (token % 32));
            if self.bits[index] & bit != 0 {
                let settled = &mut self.list[..settled];
                if let Ok(at) = settled.binary_search_by_key(&token, |entry| entry.token) {
                    settled[at].logit = changed(settled[at].logit, amount, &change);
                }
            } else if let Some(&logit) = logits.get(token as usize) {
                self.bits[index] |= bit;
                self.list.push(Entry { token, logit: changed(logit, amount, &change) });
            }
        }
        self.list.sort_unstable_by_key(|entry| entry.token);
    }
}

/// A changed logit: finite, unless it was -inf or the amount is.
pub(super) fn changed(logit: f32, amount: f32, change: impl Fn(f32, f32) -> f32) -> f32 {
    if logit == f32::NEG_INFINITY || amount == f32::NEG_INFINITY {
        return f32::NEG_INFINITY;
    }
    change(logit, amount).clamp(f32::MIN, f32::MAX)
}
