//! Decoding against another program: blocks and weights recorded from gguf-py's numpy code by `tools/goldens/blocks.py`.
//!
//! Every format must agree to the last bit: the definitions multiply and subtract in the same order, and the scalar code may not fuse the two.
//! Which bits a NaN has is no part of a format.

use std::path::Path;

use siskin_simd::Format;

/// Recorded pairs of a block and its weights.
fn recorded(format: Format) -> Vec<(Vec<u8>, Vec<f32>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/blocks").join(format.name());
    let text =
        std::fs::read_to_string(path.with_extension("txt")).expect("the recorded blocks of the format");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.chunks_exact(2).map(|pair| (bytes(pair[0]), weights(pair[1]))).collect()
}

fn bytes(line: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&line[at..at + 2], 16).expect("two hexadecimal digits");
    (0..line.len()).step_by(2).map(digits).collect()
}

fn weights(line: &str) -> Vec<f32> {
    let weight = |word| f32::from_bits(u32::from_str_radix(word, 16).expect("eight hexadecimal digits"));
    line.split_ascii_whitespace().map(weight).collect()
}

fn same(ours: f32, theirs: f32) -> bool {
    ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan())
}

#[test]
fn every_format_decodes_as_gguf_py_does() {
    for format in Format::ALL {
        let pairs = recorded(format);
        assert_eq!(pairs.len(), 13, "{}", format.name());
        // an interpreter takes minutes for all of them, and the code is the same for each
        let checked = if cfg!(miri) { 2 } else { pairs.len() };
        for (index, (block, theirs)) in pairs.iter().enumerate().take(checked) {
            let mut ours = vec![0.0; theirs.len()];
            format.decode(block, &mut ours);
            for (i, (&ours, &theirs)) in ours.iter().zip(theirs).enumerate() {
                assert!(
                    same(ours, theirs),
                    "{} block {index} weight {i}: {ours:e} is not {theirs:e}",
                    format.name()
                );
            }
        }
    }
}

/// Blocks that follow each other decode as each does alone.
#[test]
fn a_row_is_its_blocks() {
    for format in Format::ALL {
        let pairs = recorded(format);
        let row: Vec<u8> = pairs.iter().flat_map(|pair| pair.0.clone()).collect();
        let theirs: Vec<f32> = pairs.into_iter().flat_map(|pair| pair.1).collect();
        let mut ours = vec![0.0; theirs.len()];
        format.decode(&row, &mut ours);
        assert!(ours.iter().zip(&theirs).all(|(&a, &b)| same(a, b)), "{}", format.name());
    }
}
