//! InternLM 2 and 2.5 (arXiv:2403.17297) and XVERSE: Llama under other names. Pangu Embedded: with biases.

use super::Family;
use super::common::llama_like;
use crate::ops::rope::RopeStyle;

/// InternLM 2.
pub(super) const INTERNLM2: Family =
    Family { name: "internlm2", config: |keys| llama_like(keys, INTERNLM2.name, RopeStyle::Pairs) };
/// XVERSE.
pub(super) const XVERSE: Family =
    Family { name: "xverse", config: |keys| llama_like(keys, XVERSE.name, RopeStyle::Pairs) };
/// openPangu Embedded.
pub(super) const PANGU_EMBEDDED: Family = Family {
    name: "pangu-embedded",
    config: |keys| llama_like(keys, PANGU_EMBEDDED.name, RopeStyle::Halves),
};
