//! The metadata of a model, encoded as GGUF wants it.

use ggus::GGufMetaDataValueType as Type;

use super::{Key, Kinds, Mix, Shape, Vocab};

/// A key with its encoded value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Type of the value.
    pub ty: Type,
    /// The value as it stands in the file.
    pub value: Vec<u8>,
}

impl Entry {
    fn new(key: impl Into<String>, ty: Type, value: impl Into<Vec<u8>>) -> Entry {
        Entry { key: key.into(), ty, value: value.into() }
    }

    /// An unsigned 32-bit value.
    pub fn u32(key: impl Into<String>, value: usize) -> Entry {
        let value = u32::try_from(value).expect("sizes of a shape fit in 32 bits");
        Entry::new(key, Type::U32, value.to_le_bytes())
    }

    /// A float.
    pub fn f32(key: impl Into<String>, value: f32) -> Entry {
        Entry::new(key, Type::F32, value.to_le_bytes())
    }

    /// A truth value.
    pub fn bool(key: impl Into<String>, value: bool) -> Entry {
        Entry::new(key, Type::Bool, [u8::from(value)])
    }

    /// A string.
    pub fn string(key: impl Into<String>, value: &str) -> Entry {
        Entry::new(key, Type::String, string_bytes(value))
    }

    /// An array whose elements are encoded by `encode`.
    pub fn array<T, B: AsRef<[u8]>>(key: &str, ty: Type, items: &[T], encode: impl Fn(&T) -> B) -> Entry {
        let mut value = (ty as u32).to_le_bytes().to_vec();
        value.extend((items.len() as u64).to_le_bytes());
        items.iter().for_each(|item| value.extend_from_slice(encode(item).as_ref()));
        Entry::new(key, Type::Array, value)
    }
}

/// A string's length and bytes.
pub fn string_bytes(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Key-value heads: a number, or a list where some layers have none.
fn kv_heads(shape: &Shape, key: &str) -> Entry {
    if shape.parts.convolution.is_none() && shape.parts.kinds.is_none() {
        return Entry::u32(key, shape.kv_heads);
    }
    let of = |layer| if shape.is_convolution(layer) { 0 } else { shape.layer_heads(layer).0 as i32 };
    let counts: Vec<i32> = (0..shape.layers).map(of).collect();
    Entry::array(key, Type::I32, &counts, |count| count.to_le_bytes())
}

/// What layers with and without a window have each for themselves.
fn kinds(shape: &Shape, kinds: Kinds) -> Vec<Entry> {
    let key = |name: &str| format!("{}.{name}", shape.arch);
    let layers: Vec<usize> = (0..shape.layers).collect();
    let pattern = key("attention.sliding_window_pattern");
    vec![
        Entry::u32(key("attention.key_length"), kinds.head_dim),
        Entry::u32(key("attention.value_length"), kinds.head_dim),
        Entry::u32(key("attention.key_length_swa"), shape.head_dim),
        Entry::u32(key("attention.value_length_swa"), shape.head_dim),
        Entry::u32(key("rope.dimension_count_swa"), shape.rope_dims),
        Entry::array(&pattern, Type::Bool, &layers, |&layer| [u8::from(shape.has_window(layer))]),
        Entry::u32(key("attention.shared_kv_layers"), shape.sharing()),
        Entry::u32(key("embedding_length_per_layer_input"), shape.parts.per_layer),
    ]
}

/// The width of the feed-forward layers: a number, or a list where they differ.
fn feed_forward(shape: &Shape, key: &str) -> Entry {
    let widths: Vec<u32> = (0..shape.layers).map(|layer| shape.layer_ff(layer) as u32).collect();
    match shape.sharing() {
        0 => Entry::u32(key, shape.ff),
        _ => Entry::array(key, Type::U32, &widths, |width| width.to_le_bytes()),
    }
}

fn norm_key(shape: &Shape) -> &'static str {
    if shape.parts.layer_norm { "attention.layer_norm_epsilon" } else { "attention.layer_norm_rms_epsilon" }
}

/// An entry of the family's own.
fn own(shape: &Shape, name: &str, value: Key) -> Entry {
    let key = name.strip_prefix('.').map_or_else(|| format!("{}.{name}", shape.arch), str::to_owned);
    match value {
        Key::U32(value) => Entry::u32(key, value as usize),
        Key::F32(value) => Entry::f32(key, value),
        Key::Bool(value) => Entry::bool(key, value),
        Key::Text(value) => Entry::string(key, value),
        Key::List(values) => Entry::array(&key, Type::I32, values, |value| value.to_le_bytes()),
        Key::Floats(values) => {
            let values = &values[..values.len().min(shape.layers)];
            Entry::array(&key, Type::F32, values, |value| value.to_le_bytes())
        }
    }
}

/// All metadata of a model.
pub fn entries(shape: &Shape, mix: &Mix, vocab: &Vocab) -> Vec<Entry> {
    let key = |name: &str| format!("{}.{name}", shape.arch);
    let mut list = vec![
        Entry::string("general.architecture", shape.arch),
        Entry::string("general.name", &format!("synthetic {} {}", shape.name, mix.name)),
        Entry::u32("general.file_type", mix.file_type() as usize),
        Entry::u32("general.quantization_version", 2),
        Entry::u32(key("context_length"), shape.context),
        Entry::u32(key("embedding_length"), shape.dim),
        Entry::u32(key("block_count"), shape.layers),
        feed_forward(shape, &key("feed_forward_length")),
        Entry::u32(key("attention.head_count"), shape.heads),
        kv_heads(shape, &key("attention.head_count_kv")),
        Entry::f32(key(norm_key(shape)), shape.norm_eps),
        Entry::u32(
            key("rope.dimension_count"),
            shape.parts.kinds.map_or(shape.rope_dims, |kinds| kinds.head_dim),
        ),
        Entry::f32(key("rope.freq_base"), shape.rope_base),
        Entry::u32(key("vocab_size"), shape.vocab),
    ];
    if shape.heads * shape.head_dim != shape.dim
        && shape.parts.kinds.is_none()
        && !shape.parts.keys.iter().any(|(name, _)| name.ends_with("key_length"))
    {
        list.push(Entry::u32(key("attention.key_length"), shape.head_dim));
        list.push(Entry::u32(key("attention.value_length"), shape.head_dim));
    }
    list.extend(shape.parts.kinds.map(|kinds| self::kinds(shape, kinds)).into_iter().flatten());
    if let Some(experts) = shape.parts.experts {
        list.push(Entry::u32(key("expert_count"), experts.count));
        list.push(Entry::u32(key("expert_used_count"), experts.used));
        list.push(Entry::u32(key("expert_feed_forward_length"), experts.ff));
        if experts.shared > 0 {
            list.push(Entry::u32(key("expert_shared_feed_forward_length"), experts.shared));
        }
    }
    if let Some(net) = shape.parts.delta_net {
        list.push(Entry::u32(key("full_attention_interval"), net.interval));
        list.push(Entry::u32(key("ssm.conv_kernel"), net.convolution));
        list.push(Entry::u32(key("ssm.group_count"), net.key_heads));
        list.push(Entry::u32(key("ssm.inner_size"), net.value_heads * net.head_dim));
        list.push(Entry::u32(key("ssm.state_size"), net.head_dim));
        list.push(Entry::u32(key("ssm.time_step_rank"), net.value_heads));
    }
    list.extend(shape.parts.keys.iter().map(|&(name, value)| own(shape, name, value)));
    list.extend(vocab.entries.iter().cloned());
    list
}
