//! Every tensor type of ggml by name, code and size. Data only; what the bytes mean is `siskin_simd`'s.

use siskin_simd::Format;

/// The type of the elements of a tensor: a number format, or a format of quantized blocks.
///
/// Codes, block lengths and block sizes are those of ggml's `enum ggml_type` and block structs. Codes 4, 5, 31 to 33 and
/// 36 to 38 once had types that ggml removed; see [`GgmlType::removed`].
#[allow(non_camel_case_types, missing_docs)] // the variants are ggml's names for the types
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum GgmlType {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q8_1 = 9,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    Q8_K = 15,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    F64 = 28,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
    NVFP4 = 40,
    Q1_0 = 41,
    Q2_0 = 42,
}

use GgmlType::*;

/// Type, name, elements a block, bytes a block.
type Row = (GgmlType, &'static str, usize, usize);

const TABLE: [Row; 35] = [
    (F32, "F32", 1, 4),
    (F16, "F16", 1, 2),
    (Q4_0, "Q4_0", 32, 18),
    (Q4_1, "Q4_1", 32, 20),
    (Q5_0, "Q5_0", 32, 22),
    (Q5_1, "Q5_1", 32, 24),
    (Q8_0, "Q8_0", 32, 34),
    (Q8_1, "Q8_1", 32, 36),
    (Q2_K, "Q2_K", 256, 84),
    (Q3_K, "Q3_K", 256, 110),
    (Q4_K, "Q4_K", 256, 144),
    (Q5_K, "Q5_K", 256, 176),
    (Q6_K, "Q6_K", 256, 210),
    (Q8_K, "Q8_K", 256, 292),
    (IQ2_XXS, "IQ2_XXS", 256, 66),
    (IQ2_XS, "IQ2_XS", 256, 74),
    (IQ3_XXS, "IQ3_XXS", 256, 98),
    (IQ1_S, "IQ1_S", 256, 50),
    (IQ4_NL, "IQ4_NL", 32, 18),
    (IQ3_S, "IQ3_S", 256, 110),
    (IQ2_S, "IQ2_S", 256, 82),
    (IQ4_XS, "IQ4_XS", 256, 136),
    (I8, "I8", 1, 1),
    (I16, "I16", 1, 2),
    (I32, "I32", 1, 4),
    (I64, "I64", 1, 8),
    (F64, "F64", 1, 8),
    (IQ1_M, "IQ1_M", 256, 56),
    (BF16, "BF16", 1, 2),
    (TQ1_0, "TQ1_0", 256, 54),
    (TQ2_0, "TQ2_0", 256, 66),
    (MXFP4, "MXFP4", 32, 17),
    (NVFP4, "NVFP4", 64, 36),
    (Q1_0, "Q1_0", 128, 18),
    (Q2_0, "Q2_0", 64, 18),
];

impl GgmlType {
    /// The type with this code in a file; `None` for a code that is unknown or was removed.
    pub fn from_code(code: u32) -> Option<GgmlType> {
        TABLE.iter().map(|row| row.0).find(|ty| ty.code() == code)
    }

    /// The name of a type that ggml had under this code and removed.
    pub fn removed(code: u32) -> Option<&'static str> {
        Some(match code {
            4 => "Q4_2",
            5 => "Q4_3",
            31 => "Q4_0_4_4",
            32 => "Q4_0_4_8",
            33 => "Q4_0_8_8",
            36 => "IQ4_NL_4_4",
            37 => "IQ4_NL_4_8",
            38 => "IQ4_NL_8_8",
            _ => return None,
        })
    }

    /// Every type, in the order of the codes.
    pub fn all() -> impl Iterator<Item = GgmlType> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> Row {
        // every variant is in the table (there is a test); the fallback only keeps this free of panics
        TABLE.iter().copied().find(|row| row.0 == self).unwrap_or((self, "?", 1, 1))
    }

    /// The name, as ggml's tools write it in capitals: "Q4_K".
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The code in a file.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// Elements in a block; 1 for plain numbers. A row always holds whole blocks.
    pub fn block_len(self) -> usize {
        self.row().2
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.row().3
    }

    /// The format to compute with, where there are kernels for it.
    pub fn format(self) -> Option<Format> {
        Some(match self {
            F32 => Format::F32,
            F16 => Format::F16,
            BF16 => Format::BF16,
            Q4_0 => Format::Q4_0,
            Q4_1 => Format::Q4_1,
            Q5_0 => Format::Q5_0,
            Q5_1 => Format::Q5_1,
            Q8_0 => Format::Q8_0,
            Q2_K => Format::Q2_K,
            Q3_K => Format::Q3_K,
            Q4_K => Format::Q4_K,
            Q5_K => Format::Q5_K,
            Q6_K => Format::Q6_K,
            TQ1_0 => Format::TQ1_0,
            TQ2_0 => Format::TQ2_0,
            IQ1_S => Format::IQ1_S,
            IQ1_M => Format::IQ1_M,
            IQ2_XXS => Format::IQ2_XXS,
            IQ2_XS => Format::IQ2_XS,
            IQ2_S => Format::IQ2_S,
            IQ3_XXS => Format::IQ3_XXS,
            IQ3_S => Format::IQ3_S,
            IQ4_NL => Format::IQ4_NL,
            IQ4_XS => Format::IQ4_XS,
            MXFP4 => Format::MXFP4,
            _ => return None,
        })
    }
}

impl std::fmt::Display for GgmlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row_and_comes_back() {
        let mut codes: Vec<u32> = TABLE.iter().map(|row| row.0.code()).collect();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
        assert!(codes.is_sorted());
        for code in 0..=Q2_0.code() {
            // a variant left out of the table would make a hole that no removed type explains
            assert_ne!(GgmlType::from_code(code).is_some(), GgmlType::removed(code).is_some(), "code {code}");
        }
        assert!(GgmlType::all().all(|ty| GgmlType::from_code(ty.code()) == Some(ty)));
    }

    #[test]
    fn formats_have_the_size_that_the_file_says() {
        let computable: Vec<_> = GgmlType::all().filter_map(|ty| Some((ty, ty.format()?))).collect();
        assert_eq!(computable.len(), Format::ALL.len());
        for (ty, format) in computable {
            assert_eq!((ty.name(), ty.block_len()), (format.name(), format.block_len()));
            assert_eq!(ty.block_bytes(), format.block_bytes(), "{ty}");
        }
    }
}
