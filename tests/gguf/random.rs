//! Damage without a plan: nothing panics, and no more memory is taken than the file justifies.

use proptest::prelude::*;
use siskin::gguf::{ByteOrder, Gguf, Metadata, Value};

use crate::build::{File, Item, LAYOUTS};
use siskin_tools::{meter, some};

/// Reads everything that an opened model offers.
fn visit(model: &Gguf) {
    for tensor in model.tensors() {
        assert_eq!(model.bytes(tensor).len() as u64, tensor.bytes());
        assert!(tensor.offset() + tensor.bytes() <= model.file_bytes());
        assert!(model.tensor(tensor.name()).is_some_and(|found| found.offset() == tensor.offset()));
        assert_eq!(tensor.rows() * tensor.cols(), tensor.elements());
    }
    for (key, value) in model.metadata().iter() {
        getters(model.metadata(), key);
        visit_value(value, 0);
    }
}

fn getters(metadata: &Metadata, key: &str) {
    let _ = (metadata.u32(key), metadata.u64(key), metadata.i64(key), metadata.f32(key));
    let _ = (metadata.bool(key), metadata.str(key), metadata.array(key));
}

fn visit_value(value: Value<'_>, depth: u32) {
    let Value::Array(array) = value else { return };
    assert!(depth < 4);
    let _ = (
        array.f32s(),
        array.i32s(),
        array.strs().map(|strings| strings.for_each(|string| assert!(string.is_ok()))),
    );
    let mut values = 0;
    for value in array.iter() {
        values += 1;
        value.into_iter().for_each(|value| visit_value(value, depth + 1));
    }
    assert_eq!(values, array.len());
}

/// Opens damaged bytes and reads whatever is still there.
fn survive(bytes: Vec<u8>) {
    let len = bytes.len();
    let (opened, peak) = meter::peak(|| Gguf::from_vec(bytes));
    // 2 KiB for what does not depend on the file: a path, a message, a handle
    assert!(peak <= 2 * len + 2048, "{peak} bytes taken for a file of {len}");
    if let Ok(model) = opened {
        visit(&model);
    }
}

/// Integers that break arithmetic.
const NASTY: [u64; 12] =
    [0, 1, 4, 9, 255, 1 << 16, 1 << 31, (1 << 32) - 1, 1 << 33, 1 << 62, 1 << 63, u64::MAX];

fn put(bytes: &mut [u8], at: usize, value: u64, width: usize, order: ByteOrder) {
    let mut number = value.to_le_bytes();
    let number = &mut number[..width];
    if order == ByteOrder::Big {
        number.reverse();
    }
    for (byte, &new) in bytes[at..].iter_mut().zip(&*number) {
        *byte = new;
    }
}

#[test]
fn undamaged_files_survive() {
    LAYOUTS.into_iter().for_each(|layout| survive(File::sample(layout).bytes()));
}

#[test]
fn every_single_bit_flipped() {
    for layout in [LAYOUTS[0], LAYOUTS[5]] {
        let bytes = File::sample(layout).bytes();
        for bit in some(0..bytes.len() * 8, 7) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            survive(damaged);
        }
    }
}

#[test]
fn a_nasty_integer_at_every_place() {
    for (layout, widths) in [(LAYOUTS[1], &[4, 8][..]), (LAYOUTS[4], &[4])] {
        let bytes = File::sample(layout).bytes();
        for (at, value) in some(0..bytes.len(), 7).flat_map(|at| NASTY.map(|value| (at, value))) {
            for &width in widths {
                let mut damaged = bytes.clone();
                put(&mut damaged, at, value, width, layout.1);
                survive(damaged);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Truncate(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Smash(prop::sample::Index, u64, bool),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let value = prop_oneof![prop::sample::select(&NASTY[..]), any::<u64>(), 0u64..100];
    prop_oneof![
        1 => at().prop_map(Damage::Truncate),
        4 => (at(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        4 => (at(), value, any::<bool>()).prop_map(|(at, value, wide)| Damage::Smash(at, value, wide)),
        1 => (at(), 1usize..40).prop_map(|(at, n)| Damage::Remove(at, n)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, new)| Damage::Insert(at, new)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage, order: ByteOrder) {
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Flip(at, bit) => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Damage::Smash(at, value, wide) => {
            let at = at.index(bytes.len());
            put(bytes, at, *value, if *wide { 8 } else { 4 }, order);
        }
        Damage::Remove(at, n) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + n).min(bytes.len()));
        }
        Damage::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_damage(layout in prop::sample::select(&LAYOUTS[..]), damages in prop::collection::vec(damage(), 1..5)) {
        let mut bytes = File::sample(layout).bytes();
        damages.iter().for_each(|damage| apply(&mut bytes, damage, layout.1));
        survive(bytes);
    }

    #[test]
    fn random_bytes_after_a_valid_preamble(layout in prop::sample::select(&LAYOUTS[..]), tail in prop::collection::vec(any::<u8>(), 0..200)) {
        survive([&File::empty(layout).bytes()[..8], &tail].concat());
    }
}

/// Counts that would just fit, over bytes that are no entries: the claim alone takes no more than the file.
#[test]
fn claimed_counts_take_no_more_than_the_file() {
    for layout in LAYOUTS {
        for entries in [1_000, 2_000, 4_000, 8_000] {
            let tail = vec![0xff; 100_000];
            let keys = File { claimed_keys: Some(entries), ..File::empty(layout) };
            survive([keys.bytes(), tail.clone()].concat());
            let tensors = File { claimed_tensors: Some(entries / 3), ..File::empty(layout) };
            survive([tensors.bytes(), tail].concat());
        }
    }
}

/// The smallest entries that a file can be made of cost the most memory a byte.
#[test]
fn tables_of_tiny_entries_stay_in_proportion() {
    let mut file = File::empty((1, ByteOrder::Little));
    file.alignment = 1;
    file = file.key("general.alignment", Item::u32(1));
    for i in 0..20_000u32 {
        file.keys.push((format!("{i:x}").into(), Item::u8(0)));
        file.tensors.push(crate::build::tensor(&format!("{i:x}"), 24, &[1], 1));
    }
    let bytes = file.bytes();
    let len = bytes.len();
    let (model, peak) = meter::peak(|| Gguf::from_vec(bytes).unwrap());
    visit(&model);
    assert!(peak <= 8 * len, "{peak} bytes taken for a file of {len}");
}
