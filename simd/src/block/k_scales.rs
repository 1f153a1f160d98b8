//! The 6-bit scales and minima that Q4_K and Q5_K share: eight pairs in twelve bytes.

/// Scale and minimum, 0..64 each, of the 32 weights from `32 * j` on, `j` in 0..8.
///
/// Bytes 0..4 hold the low six bits of scales 0..4 and, in their top two bits, the high bits of scales 4..8; bytes 4..8 the same for the
/// minima; bytes 8..12 the low four bits of scales (low nibble) and minima (high nibble) 4..8.
#[inline(always)]
pub(crate) fn scale_min(scales: &[u8; 12], j: usize) -> (u8, u8) {
    if j < 4 {
        return (scales[j] & 63, scales[j + 4] & 63);
    }
    let low = scales[j + 4];
    ((low & 15) | ((scales[j - 4] >> 6) << 4), (low >> 4) | ((scales[j] >> 6) << 4))
}
