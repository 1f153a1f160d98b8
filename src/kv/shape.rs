//! What a cache is made for: what each layer keeps, of how many positions, for how many sequences. For the memory plan and the cache.

use siskin_simd::Format;
use std::fmt;
use std::str::FromStr;

/// How keys and values of attention are stored. What else a layer keeps, such as the inputs of a convolution or a state, is always stored in single
/// precision: it is little, and errors in it would add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KvType {
    /// Single precision: as computed.
    F32,
    /// Half precision.
    #[default]
    F16,
    /// 8 bits a value and a scale for each 32 of a head: 8.5 bits.
    Q8_0,
    /// 4 bits a value and a scale for each 32 of a head: 4.5 bits.
    Q4_0,
}

impl KvType {
    /// All there are, the largest first.
    pub const ALL: [KvType; 4] = [KvType::F32, KvType::F16, KvType::Q8_0, KvType::Q4_0];

    /// A short name, as flags and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
            KvType::Q8_0 => "q8_0",
            KvType::Q4_0 => "q4_0",
        }
    }

    /// The format that operations read.
    pub fn format(self) -> Format {
        match self {
            KvType::F32 => Format::F32,
            KvType::F16 => Format::F16,
            KvType::Q8_0 => Format::Q8_0,
            KvType::Q4_0 => Format::Q4_0,
        }
    }

    /// Whether heads of so many values can be stored: a block never holds values of two heads.
    ///
    /// # Errors
    ///
    /// [`HeadSize`] if not.
    pub fn check(self, head_dim: usize) -> Result<(), HeadSize> {
        let fits = head_dim.is_multiple_of(self.format().block_len());
        if fits { Ok(()) } else { Err(HeadSize { kv_type: self, head_dim }) }
    }
}

impl fmt::Display for KvType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By its [name](KvType::name), in any case.
impl FromStr for KvType {
    type Err = UnknownKvType;

    fn from_str(text: &str) -> Result<KvType, UnknownKvType> {
        let known = KvType::ALL.into_iter().find(|kv_type| kv_type.name().eq_ignore_ascii_case(text));
        known.ok_or_else(|| UnknownKvType(text.to_owned()))
    }
}

/// A text that names no way to store keys and values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{0}`, expected one of f32, f16, q8_0, q4_0")]
pub struct UnknownKvType(pub String);

/// Heads whose values do not fill whole blocks of how they are to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSize {
    /// How they are to be stored.
    pub kv_type: KvType,
    /// Values of a head.
    pub head_dim: usize,
}

impl std::error::Error for HeadSize {}

impl fmt::Display for HeadSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HeadSize { kv_type, head_dim } = *self;
        let (name, block) = (kv_type.name(), kv_type.format().block_len());
        let others = KvType::ALL.into_iter().filter(|other| other.check(head_dim).is_ok());
        let others: Vec<_> = others.map(KvType::name).collect();
        let others = others.join(" or ");
        write!(
            f,
            "keys and values as {name}: found heads of {head_dim} values, expected a multiple of {block}. Try {others}"
        )
    }
}

/// What one layer keeps of each position: keys and values of attention, or one vector of what a convolution looks back at. A layer may also keep a state
/// that every position changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// Vectors of a head: 2 for keys and values.
    pub streams: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// Positions held.
    pub capacity: usize,
    /// Positions that a token sees, itself included; all of them if `None`.
    pub window: Option<usize>,
    /// First positions that stay when there are more than are held and the oldest are overwritten.
    pub sinks: usize,
    /// How values are stored; its blocks must fit in a head ([`KvType::check`]).
    pub kv_type: KvType,
    /// Floats of the state that all positions have gone into, 0 for none. No position can be taken out of it.
    pub state: usize,
}

impl LayerShape {
    /// Bytes of so many positions; `None` if that does not fit in `usize`, or a head is no whole number of blocks.
    pub(super) fn rows_bytes(&self, positions: usize) -> Option<usize> {
        let row = self.kv_type.format().row_bytes(self.head_dim)?;
        [self.kv_heads, positions, row].iter().try_fold(self.streams, |n, &m| n.checked_mul(m))
    }

    /// Bytes of the state; `None` if that does not fit in `usize`.
    fn state_bytes(&self) -> Option<usize> {
        self.state.checked_mul(size_of::<f32>())
    }

    /// Bytes of the layer without tails; `None` if that does not fit in `usize`.
    fn bytes(&self) -> Option<usize> {
        self.rows_bytes(self.capacity)?.checked_add(self.state_bytes()?)
    }

    /// Positions that the tail of a branch holds: what the first token of a run sees and the run itself, and no more. A convolution reads what
    /// it looks back at before it stores a run.
    pub(super) fn tail_capacity(&self, BranchShape { positions, run, .. }: BranchShape) -> usize {
        let beyond = if self.streams > 1 { run.saturating_sub(1) } else { 0 };
        self.window.map_or(positions, |window| positions.min(window.saturating_add(beyond)))
    }

    /// Positions that the tails of all branches hold together; `None` if that does not fit in `usize`.
    pub(super) fn tails_capacity(&self, branches: BranchShape) -> Option<usize> {
        let all = branches.count.checked_mul(self.tail_capacity(branches))?;
        Some(if branches.shared > 0 { all.min(branches.shared) } else { all })
    }

    /// Bytes of the tails of all branches; `None` if that does not fit in `usize`.
    fn tails_bytes(&self, branches: BranchShape) -> Option<usize> {
        let states = branches.count.checked_mul(self.state_bytes()?)?;
        self.rows_bytes(self.tails_capacity(branches)?)?.checked_add(states)
    }

    /// Bytes that a token reads which sees `positions`.
    fn read_bytes(&self, positions: usize) -> Option<usize> {
        let seen = self.window.map_or(positions, |window| positions.min(window));
        self.rows_bytes(seen)?.checked_add(self.state_bytes()?)
    }
}

/// What a cache is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Layers.
    pub layers: Vec<LayerShape>,
    /// Positions of the longest sequence, without tails; `usize::MAX` if it never ends.
    pub positions: usize,
    /// What can go on from there.
    pub branches: BranchShape,
}

/// Room for sequences that go on from a common beginning, the trunk; by default for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BranchShape {
    /// Branches there can be at a time.
    pub count: usize,
    /// Positions that each can have behind the trunk: its tail.
    pub positions: usize,
    /// Positions of all tails together, where each has as many as it asks for; 0 where each has [`positions`](Self::positions).
    pub shared: usize,
    /// Positions that one pass adds to a branch, at most; 0 means 1. More are for branches that are sequences of their own, with a prompt
    /// to be read, behind a trunk of which nothing is used.
    pub run: usize,
}

impl BranchShape {
    /// Positions of the longest sequence, where the trunk can have `trunk`; `None` if that does not fit in `usize`.
    pub fn longest(&self, trunk: usize) -> Option<usize> {
        if self.run > 1 { Some(self.positions.max(trunk)) } else { trunk.checked_add(self.positions) }
    }
}

impl Shape {
    /// Bytes of the whole cache; `None` if that does not fit in `usize`.
    pub fn bytes(&self) -> Option<usize> {
        self.layers.iter().try_fold(0usize, |sum, layer| sum.checked_add(self.layer_bytes(layer)?))
    }

    /// Bytes of one of its layers, with the tails of all branches; `None` if that does not fit in `usize`.
    pub fn layer_bytes(&self, layer: &LayerShape) -> Option<usize> {
        layer.bytes()?.checked_add(layer.tails_bytes(self.branches)?)
    }

    /// Bytes that a token reads which sees `positions`, itself included: in layers with a window no more than that.
    pub fn read_bytes(&self, positions: usize) -> Option<usize> {
        self.layers.iter().try_fold(0usize, |sum, layer| sum.checked_add(layer.read_bytes(positions)?))
    }
}
