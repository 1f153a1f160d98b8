//! Which matrix gets which format: one format for all of them, or the mixes that llama.cpp's quantizer makes.

use siskin_simd::Format;

use super::SynthError;

/// The formats of a model's matrices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// How it was asked for.
    pub name: String,
    /// Format of most matrices.
    pub base: Format,
    /// Format of the output projection, and of a tied embedding.
    pub output: Format,
    /// Format of about half of the value and down projections; see [`Mix::more_bits`].
    pub sensitive: Format,
}

/// Name, base, output, sensitive: mixes that are more than one format.
const MIXES: [(&str, Format, Format, Format); 2] = [
    ("Q4_K_M", Format::Q4_K, Format::Q6_K, Format::Q6_K),
    ("Q5_K_M", Format::Q5_K, Format::Q6_K, Format::Q6_K),
];

/// The names of all formats and mixes, for messages.
pub(super) fn names() -> String {
    let formats = Format::ALL.iter().map(|format| format.name());
    formats.chain(MIXES.iter().map(|mix| mix.0)).collect::<Vec<_>>().join(", ")
}

fn format_named(name: &str) -> Option<Format> {
    Format::ALL.into_iter().find(|format| format.name() == name)
}

impl Mix {
    /// The mix of this name: a format (`Q8_0`: every matrix), a mix (`Q4_K_M`), or two formats
    /// (`Q4_0+Q6_K`: the second for the output projection, which is how llama.cpp's quantizer writes `Q4_0`).
    ///
    /// # Errors
    ///
    /// [`SynthError::UnknownMix`].
    pub fn named(name: &str) -> Result<Mix, SynthError> {
        let mix = |base, output, sensitive| Mix { name: name.to_owned(), base, output, sensitive };
        if let Some(&(_, base, output, sensitive)) = MIXES.iter().find(|known| known.0 == name) {
            return Ok(mix(base, output, sensitive));
        }
        let (base, output) = name.split_once('+').unwrap_or((name, name));
        match (format_named(base), format_named(output)) {
            (Some(base), Some(output)) => Ok(mix(base, output, base)),
            _ => Err(SynthError::UnknownMix(name.to_owned())),
        }
    }

    /// Whether the value and down projections of a layer are in the sensitive format: the first and last eighth of
    /// the layers, and every third between (llama.cpp's rule).
    pub fn more_bits(layer: usize, layers: usize) -> bool {
        let eighth = layers / 8;
        layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
    }

    /// llama.cpp's number of the mix, as `general.file_type` states it.
    pub fn file_type(&self) -> u32 {
        match (self.base, self.sensitive == self.base) {
            (Format::F32, _) => 0,
            (Format::F16, _) => 1,
            (Format::Q4_0, _) => 2,
            (Format::Q4_1, _) => 3,
            (Format::Q8_0, _) => 7,
            (Format::Q5_0, _) => 8,
            (Format::Q5_1, _) => 9,
            (Format::Q2_K, _) => 10,
            (Format::Q3_K, _) => 11,
            (Format::Q4_K, true) => 14,
            (Format::Q4_K, false) => 15,
            (Format::Q5_K, true) => 16,
            (Format::Q5_K, false) => 17,
            (Format::Q6_K, _) => 18,
            (Format::IQ2_XXS, _) => 19,
            (Format::IQ2_XS, _) => 20,
            (Format::IQ3_XXS, _) => 23,
            (Format::IQ1_S, _) => 24,
            (Format::IQ4_NL, _) => 25,
            (Format::IQ3_S, _) => 26,
            (Format::IQ2_S, _) => 28,
            (Format::IQ4_XS, _) => 30,
            (Format::IQ1_M, _) => 31,
            (Format::BF16, _) => 32,
            (Format::TQ1_0, _) => 36,
            (Format::TQ2_0, _) => 37,
            (Format::MXFP4, _) => 38,
            (other, _) => unreachable!("format {} has no file type number here", other.name()),
        }
    }
}

/// The format in which rows of `cols` weights can be written: `wanted`, or what llama.cpp's quantizer falls back to when the
/// rows are no whole number of its blocks.
pub fn fitting(wanted: Format, cols: usize) -> Format {
    if cols.is_multiple_of(wanted.block_len()) {
        return wanted;
    }
    let smaller = match wanted {
        Format::Q2_K | Format::Q3_K | Format::TQ1_0 | Format::TQ2_0 => Format::Q4_0,
        Format::IQ1_S | Format::IQ1_M | Format::IQ2_XXS | Format::IQ2_XS | Format::IQ2_S => Format::IQ4_NL,
        Format::IQ3_XXS | Format::IQ3_S | Format::IQ4_XS => Format::IQ4_NL,
        Format::Q4_K => Format::Q5_0,
        Format::Q5_K => Format::Q5_1,
        Format::Q6_K => Format::Q8_0,
        _ => Format::F16,
    };
    fitting(smaller, cols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse() {
        for format in Format::ALL {
            let mix = Mix::named(format.name()).unwrap();
            assert_eq!((mix.base, mix.output, mix.sensitive), (format, format, format));
        }
        assert_eq!(Mix::named("Q4_0+Q6_K").unwrap().output, Format::Q6_K);
        assert_eq!(Mix::named("Q4_K_M").unwrap().file_type(), 15);
        assert!(matches!(Mix::named("Q9"), Err(SynthError::UnknownMix(name)) if name == "Q9"));
    }

    #[test]
    fn half_of_the_layers_get_more_bits() {
        let count = (0..32).filter(|&layer| Mix::more_bits(layer, 32)).count();
        assert_eq!(count, 16);
    }

    #[test]
    fn rows_that_do_not_fit_fall_back() {
        assert_eq!(fitting(Format::Q4_K, 896), Format::Q5_0);
        assert_eq!(fitting(Format::Q6_K, 172), Format::F16);
        assert_eq!(fitting(Format::Q6_K, 512), Format::Q6_K);
    }
}
