//! One test for each damage: it is refused by its own error, which names the place, what was found and what to try.

use siskin::gguf::{Error, ErrorKind, Gguf};
use std::path::Path;

use crate::build::{File, Item, LAYOUTS, Layout, Tensor, tensor};

/// The error for these bytes; its message has the common parts.
#[track_caller]
fn error(bytes: Vec<u8>) -> Error {
    let error = Gguf::from_vec(bytes).expect_err("damaged");
    let message = error.to_string();
    assert!(message.starts_with("model in memory: ") && message.contains(". Try "), "{message}");
    assert!(!error.is_io(), "damage is not a failure to read: {message}");
    error
}

/// Damages the sample in every layout and expects an error of this kind whose message contains these words.
macro_rules! refuses {
    ($damage:expr, $kind:pat, $($word:expr),+) => {
        for layout in LAYOUTS {
            let mut file = File::sample(layout);
            let damage: fn(&mut File) = $damage;
            damage(&mut file);
            let error = error(file.bytes());
            assert!(matches!(error.kind(), $kind), "{layout:?}: {:?}", error.kind());
            let message = error.to_string();
            $(assert!(message.contains($word), "{message} lacks {}", $word);)+
        }
    };
}

fn add_key(file: &mut File, key: &str, item: Item) {
    file.keys.push((key.into(), item));
}

fn first(file: &mut File) -> &mut Tensor {
    &mut file.tensors[0]
}

#[test]
fn empty_file() {
    let error = error(vec![]);
    assert!(matches!(error.kind(), ErrorKind::NotGguf { looks_like: "an empty file", .. }), "{error}");
}

#[test]
fn another_kind_of_file_is_named() {
    let kinds: [(&[u8], &str); 8] = [
        (b"\x40\0\0\0\0\0\0\0{\"__meta", "safetensors"),
        (b"PK\x03\x04 and a pickle", "PyTorch"),
        (b"version https://git-lfs.github.com/spec/v1", "git-lfs"),
        (b"<!DOCTYPE html>", "web page"),
        (b"{\"error\": \"not found\"}", "JSON"),
        (b"tjgg\x03\0\0\0", "GGJT"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"GG", "another kind"),
    ];
    for (bytes, name) in kinds {
        let error = error(bytes.to_vec());
        assert!(matches!(error.kind(), ErrorKind::NotGguf { .. }));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn version_missing() {
    for bytes in [&b"GGUF"[..], b"GGUF\x03\0\0"] {
        assert!(matches!(error(bytes.to_vec()).kind(), ErrorKind::Truncated { offset: 4, .. }));
    }
}

#[test]
fn version_unknown() {
    for version in [0u32, 4, 99, u32::MAX, 0x0101_0101] {
        let little = [&b"GGUF"[..], &version.to_le_bytes(), &[0; 16]].concat();
        let error = error(little);
        assert!(matches!(error.kind(), ErrorKind::Version { found } if *found == version), "{error}");
    }
    let big = [&b"GGUF"[..], &4u32.to_be_bytes(), &[0; 16]].concat();
    assert!(matches!(error(big).kind(), ErrorKind::Version { found: 4 }));
}

/// No beginning of a valid file is one.
#[test]
fn cut_off_anywhere() {
    for layout in LAYOUTS {
        let bytes = File::sample(layout).bytes();
        for len in 0..bytes.len() {
            error(bytes[..len].to_vec());
        }
    }
}

#[test]
fn key_count_beyond_the_file() {
    for claim in [1000, u64::from(u32::MAX), 1 << 33, 1 << 62, u64::MAX] {
        for layout in LAYOUTS {
            let claim = if layout.0 == 1 { claim.min(u64::from(u32::MAX)) } else { claim };
            let error = error(File { claimed_keys: Some(claim), ..File::sample(layout) }.bytes());
            assert!(matches!(error.kind(), ErrorKind::KeyCount { found, .. } if *found == claim), "{error}");
        }
    }
}

#[test]
fn tensor_count_beyond_the_file() {
    for claim in [1000, u64::from(u32::MAX), 1 << 33, 1 << 62, u64::MAX] {
        for layout in LAYOUTS {
            let claim = if layout.0 == 1 { claim.min(u64::from(u32::MAX)) } else { claim };
            let error = error(File { claimed_tensors: Some(claim), ..File::sample(layout) }.bytes());
            assert!(
                matches!(error.kind(), ErrorKind::TensorCount { found, .. } if *found == claim),
                "{error}"
            );
        }
    }
}

/// Enough bytes for the counts, but more entries than any model has.
#[test]
fn counts_beyond_reason() {
    let padded = |file: File| [file.bytes(), vec![0; 12_000_000]].concat();
    let file = || File::empty(LAYOUTS[0]);
    let keys = error(padded(File { claimed_keys: Some(65_537), ..file() }));
    assert!(matches!(keys.kind(), ErrorKind::KeyCount { limit: 65_536, .. }), "{keys}");
    let tensors = error(padded(File { claimed_tensors: Some(262_145), ..file() }));
    assert!(matches!(tensors.kind(), ErrorKind::TensorCount { limit: 262_144, .. }), "{tensors}");
}

#[test]
fn key_too_long() {
    refuses!(
        |f| add_key(f, &"k".repeat(65_537), Item::u8(1)),
        ErrorKind::KeyLength { .. },
        "key 19",
        "65537",
        "65536"
    );
}

#[test]
fn key_beyond_the_file() {
    for layout in LAYOUTS {
        let count: fn(u64) -> Vec<u8> = |x| x.to_le_bytes().to_vec();
        let mut bytes = File { claimed_keys: Some(1), ..File::empty(layout) }.bytes();
        bytes.extend(count(u64::MAX));
        bytes.extend([0; 8]);
        assert!(matches!(error(bytes).kind(), ErrorKind::StringLength { .. }), "{layout:?}");
    }
}

#[test]
fn key_not_utf8() {
    refuses!(|f| f.keys[3].0 = vec![b'k', 0xff], ErrorKind::KeyUtf8 { index: 3, .. }, "key 3", "k\\xff");
}

#[test]
fn key_twice() {
    refuses!(|f| add_key(f, "u16", Item::u8(1)), ErrorKind::DuplicateKey { .. }, "\"u16\"", "twice");
}

#[test]
fn value_type_unknown() {
    refuses!(
        |f| add_key(f, "x", Item::Number(77, vec![0; 8])),
        ErrorKind::ValueType { found: 77, .. },
        "\"x\"",
        "77"
    );
    refuses!(
        |f| add_key(f, "x", Item::Number(13, vec![0; 8])),
        ErrorKind::ValueType { found: 13, .. },
        "0 to 12"
    );
}

#[test]
fn value_beyond_the_file() {
    for layout in LAYOUTS {
        let bytes = File::empty(layout).key("x", Item::Number(10, vec![0; 7])).bytes();
        let error = error(bytes);
        assert!(matches!(error.kind(), ErrorKind::Truncated { needed: 8, left: 7, .. }), "{error}");
        assert!(error.to_string().contains("the value of key \"x\""), "{error}");
    }
}

#[test]
fn string_beyond_the_file() {
    refuses!(
        |f| add_key(f, "x", Item::LyingText(1 << 31)),
        ErrorKind::StringLength { found: 0x8000_0000, .. },
        "\"x\""
    );
    for layout in wide() {
        let error = error(File::empty(layout).key("x", Item::LyingText(u64::MAX)).bytes());
        assert!(matches!(error.kind(), ErrorKind::StringLength { found: u64::MAX, left: 0, .. }), "{error}");
    }
}

/// Layouts whose lengths are 64 bits wide.
fn wide() -> impl Iterator<Item = Layout> {
    LAYOUTS.into_iter().filter(|layout| layout.0 > 1)
}

#[test]
fn bool_neither_true_nor_false() {
    refuses!(
        |f| add_key(f, "x", Item::Number(7, vec![2])),
        ErrorKind::BoolValue { found: 2, .. },
        "\"x\"",
        "0 or 1"
    );
    refuses!(
        |f| add_key(f, "x", Item::Array(7, vec![Item::u8(1), Item::u8(255)])),
        ErrorKind::BoolValue { found: 255, .. },
        "\"x\""
    );
}

#[test]
fn array_element_type_unknown() {
    refuses!(
        |f| add_key(f, "x", Item::Array(13, vec![])),
        ErrorKind::ArrayElementType { found: 13, .. },
        "\"x\"",
        "13"
    );
}

#[test]
fn array_beyond_the_file() {
    for element in [0, 3, 4, 8, 9, 12] {
        for layout in LAYOUTS {
            let error = error(File::sample(layout).key("x", Item::LyingArray(element, 1 << 30)).bytes());
            assert!(matches!(error.kind(), ErrorKind::ArrayLength { found: 0x4000_0000, .. }), "{error}");
        }
        for layout in wide() {
            // times 8 this would wrap to 0
            let error = error(File::sample(layout).key("x", Item::LyingArray(element, 1 << 61)).bytes());
            assert!(matches!(error.kind(), ErrorKind::ArrayLength { .. }), "{error}");
        }
    }
}

#[test]
fn string_in_array_beyond_the_file() {
    refuses!(
        |f| add_key(f, "x", Item::Array(8, vec![Item::text("fine"), Item::LyingText(1 << 30)])),
        ErrorKind::StringLength { .. },
        "element 1",
        "\"x\""
    );
}

#[test]
fn arrays_too_deep() {
    refuses!(
        |f| add_key(f, "x", (0..4).fold(Item::Array(0, vec![]), |inner, _| Item::Array(9, vec![inner]))),
        ErrorKind::ArrayDepth { limit: 4, .. },
        "\"x\"",
        "4"
    );
    // far deeper than any stack
    refuses!(
        |f| add_key(f, "x", (0..2000).fold(Item::Array(0, vec![]), |inner, _| Item::Array(9, vec![inner]))),
        ErrorKind::ArrayDepth { .. },
        "\"x\""
    );
}

#[test]
fn alignment_of_another_type() {
    refuses!(|f| add_key(f, "general.alignment", Item::u8(32)), ErrorKind::AlignmentType { .. }, "u8", "u32");
    refuses!(
        |f| add_key(f, "general.alignment", Item::text("32")),
        ErrorKind::AlignmentType { .. },
        "string"
    );
}

#[test]
fn alignment_zero() {
    refuses!(
        |f| add_key(f, "general.alignment", Item::u32(0)),
        ErrorKind::AlignmentValue { found: 0, .. },
        "power of two"
    );
}

#[test]
fn alignment_no_power_of_two() {
    refuses!(
        |f| add_key(f, "general.alignment", Item::u32(48)),
        ErrorKind::AlignmentValue { found: 48, .. },
        "48"
    );
}

#[test]
fn alignment_too_large() {
    refuses!(
        |f| add_key(f, "general.alignment", Item::u32(1 << 21)),
        ErrorKind::AlignmentValue { .. },
        "1048576"
    );
}

#[test]
fn tensor_name_too_long() {
    refuses!(|f| first(f).name = vec![b'n'; 65_537], ErrorKind::TensorNameLength { .. }, "tensor 0", "65537");
}

#[test]
fn tensor_name_not_utf8() {
    refuses!(
        |f| f.tensors[1].name = vec![0xc0, b'n'],
        ErrorKind::TensorNameUtf8 { index: 1, .. },
        "tensor 1",
        "\\xc0n"
    );
}

#[test]
fn tensor_name_in_a_message_is_escaped_and_short() {
    refuses!(
        |f| {
            first(f).name = [b"\x1b[2J\n".to_vec(), vec![b'n'; 60_000]].concat();
            first(f).code = 99;
        },
        ErrorKind::TensorType { .. },
        "\\u{1b}[2J\\nnnn"
    );
    let mut file = File::sample(LAYOUTS[0]);
    file.tensors[0].name = vec![b'n'; 60_000];
    file.tensors[0].code = 99;
    assert!(error(file.bytes()).to_string().len() < 400);
}

#[test]
fn tensor_twice() {
    refuses!(
        |f| f.tensors[2].name = b"floats".into(),
        ErrorKind::DuplicateTensor { .. },
        "\"floats\"",
        "twice"
    );
}

#[test]
fn no_dimensions() {
    refuses!(|f| first(f).dims = vec![], ErrorKind::TensorDims { found: 0, .. }, "\"floats\"", "1 to 4");
}

#[test]
fn five_dimensions() {
    refuses!(|f| first(f).dims = vec![2; 5], ErrorKind::TensorDims { found: 5, .. }, "\"floats\"", "5");
}

#[test]
fn dimension_zero() {
    refuses!(|f| first(f).dims = vec![4, 0], ErrorKind::EmptyDim { .. }, "\"floats\"", "[4, 0, 1, 1]");
    refuses!(|f| first(f).dims = vec![0], ErrorKind::EmptyDim { .. }, "\"floats\"");
}

#[test]
fn tensor_type_unknown() {
    for code in [43u32, 200, u32::MAX] {
        for layout in LAYOUTS {
            let error = error(File::empty(layout).tensor(tensor("w", code, &[32], 32)).bytes());
            assert!(matches!(error.kind(), ErrorKind::TensorType { code: c, .. } if *c == code), "{error}");
            assert!(
                error.to_string().contains("\"w\"") && error.to_string().contains(&code.to_string()),
                "{error}"
            );
        }
    }
}

#[test]
fn tensor_type_removed_from_ggml() {
    for (code, name) in [(4, "Q4_2"), (5, "Q4_3"), (31, "Q4_0_4_4"), (33, "Q4_0_8_8"), (36, "IQ4_NL_4_4")] {
        let error = error(File::empty(LAYOUTS[0]).tensor(tensor("w", code, &[32], 32)).bytes());
        assert!(matches!(error.kind(), ErrorKind::RemovedTensorType { .. }), "{error}");
        assert!(error.to_string().contains("\"w\"") && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn shape_beyond_64_bits() {
    // a product that wraps to 0 elements
    for dims in [vec![1u64 << 33, 1 << 33], vec![u64::MAX, u64::MAX], vec![1 << 62, 1]] {
        for layout in wide() {
            let error = error(File::empty(layout).tensor(tensor("w", 0, &dims, 32)).bytes());
            assert!(matches!(error.kind(), ErrorKind::TensorSize { .. }), "{error}");
        }
    }
    for layout in LAYOUTS {
        let error = error(File::empty(layout).tensor(tensor("w", 0, &[1 << 31, 1 << 31, 4], 32)).bytes());
        assert!(matches!(error.kind(), ErrorKind::TensorSize { .. }), "{error}");
    }
}

#[test]
fn row_that_cuts_a_block() {
    refuses!(
        |f| f.tensors[1].dims = vec![48, 4],
        ErrorKind::RowLength { found: 48, block: 32, .. },
        "\"quants\"",
        "Q4_0"
    );
}

#[test]
fn offset_between_multiples_of_the_alignment() {
    refuses!(
        |f| first(f).offset = Some(8),
        ErrorKind::TensorOffset { found: 8, .. },
        "\"floats\"",
        "multiple of 32"
    );
}

#[test]
fn tensor_beyond_the_file() {
    refuses!(
        |f| first(f).dims = vec![4, 2_000_000],
        ErrorKind::TensorOutOfBounds { .. },
        "\"floats\"",
        "32000000"
    );
    refuses!(|f| f.tensors[2].offset = Some(1 << 40), ErrorKind::TensorOutOfBounds { .. }, "\"bytes\"");
    // the end wraps around to a small number
    refuses!(|f| f.tensors[2].offset = Some(!31), ErrorKind::TensorOutOfBounds { .. }, "\"bytes\"");
}

#[test]
fn one_byte_short() {
    refuses!(
        |f| f.tensors[2].data.truncate(2),
        ErrorKind::TensorOutOfBounds { bytes: 3, .. },
        "\"bytes\"",
        "cut off"
    );
}

#[test]
fn tensors_that_overlap() {
    refuses!(|f| f.tensors[2].offset = Some(32), ErrorKind::TensorOverlap { .. }, "\"quants\"", "\"bytes\"");
    refuses!(|f| f.tensors[1].offset = Some(0), ErrorKind::TensorOverlap { .. }, "\"quants\"", "\"floats\"");
}

#[test]
fn missing_file_is_a_failure_to_read() {
    let folder = tempfile::tempdir().unwrap();
    for open in [|path: &Path| Gguf::open(path), |path: &Path| Gguf::read(path)] {
        let error = open(&folder.path().join("none.gguf")).unwrap_err();
        assert!(error.is_io() && matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
        assert!(error.to_string().contains("none.gguf") && std::error::Error::source(&error).is_some());
        let error = open(folder.path()).unwrap_err();
        assert!(error.is_io() && matches!(error.kind(), ErrorKind::NotAFile), "{error}");
    }
}

#[test]
fn damaged_file_on_disk_is_not_a_failure_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.gguf");
    for bytes in [&b""[..], b"GGUF", b"text"] {
        std::fs::write(&path, bytes).unwrap();
        for open in [|path: &Path| Gguf::open(path), |path: &Path| Gguf::read(path)] {
            let error = open(&path).unwrap_err();
            assert!(!error.is_io() && error.to_string().contains("bad.gguf"), "{error}");
        }
    }
}

/// A mapped file that another program writes to: what was read at open still holds, the rest is an error.
#[test]
fn file_changed_after_it_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.gguf");
    let bytes = File::sample(LAYOUTS[0]).bytes();
    std::fs::write(&path, &bytes).unwrap();
    let model = Gguf::open(&path).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut &file, &vec![0xff; bytes.len()]).unwrap();

    let array = |key| model.metadata().array(key).unwrap().unwrap();
    let error = array("pairs").iter().next().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    let error = array("texts").strs().unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    assert_eq!(model.metadata().u32("u32").unwrap(), Some(u32::MAX));
    assert!(model.metadata().str("text").is_err());
    assert_eq!(*model.bytes(&model.tensors()[2]), [0xff; 3]);
}
