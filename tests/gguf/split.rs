//! Models over several files: found and joined, or refused by a clear error.

use std::fs;
use std::path::{Path, PathBuf};

use siskin::gguf::{ByteOrder, Error, ErrorKind, Gguf};

use crate::build::{File, Item, LAYOUTS, tensor};

fn u16(x: u16) -> Item {
    Item::Number(2, x.to_le_bytes().into())
}

/// Part `no` of 3 with one tensor, as gguf-split writes it.
fn part(no: u16) -> File {
    let file = if no == 0 {
        File::empty(LAYOUTS[0]).key("general.name", Item::text("whole"))
    } else {
        File::empty(LAYOUTS[0])
    };
    file.key("split.no", u16(no))
        .key("split.count", u16(3))
        .key("split.tensors.count", Item::Number(5, 3i32.to_le_bytes().into()))
        .tensor(tensor(&format!("t{no}"), 24, &[u64::from(no) + 1], usize::from(no) + 1))
}

struct Folder(tempfile::TempDir);

impl Folder {
    /// Three good parts, then `change` is applied to each.
    fn new(change: impl Fn(usize, &mut File)) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for no in 0..3 {
            let mut file = part(no as u16);
            change(no, &mut file);
            fs::write(folder.part(no), file.bytes()).unwrap();
        }
        folder
    }

    fn part(&self, no: usize) -> PathBuf {
        self.path(&format!("m-{:05}-of-00003.gguf", no + 1))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[track_caller]
fn refused(path: &Path) -> Error {
    let error = Gguf::open(path).expect_err("refused");
    assert!(error.to_string().contains(". Try "), "{error}");
    error
}

fn set(file: &mut File, key: &str, item: Option<Item>) {
    file.keys.retain(|(name, _)| name != key.as_bytes());
    file.keys.extend(item.map(|item| (key.into(), item)));
}

#[test]
fn any_part_opens_the_whole() {
    let folder = Folder::new(|_, _| {});
    for no in 0..3 {
        for open in [Gguf::open::<PathBuf>, Gguf::read::<PathBuf>] {
            let model = open(folder.part(no)).unwrap();
            assert_eq!(model.path(), folder.part(0));
            assert_eq!(model.metadata().str("general.name").unwrap(), Some("whole"));
            let names: Vec<_> = model.tensors().iter().map(|tensor| tensor.name()).collect();
            assert_eq!(names, ["t0", "t1", "t2"]);
            for (i, tensor) in model.tensors().iter().enumerate() {
                assert_eq!(*model.bytes(tensor), (0..=i as u8).collect::<Vec<_>>());
                assert_eq!(tensor.file(), folder.part(i));
                assert!(model.tensor(tensor.name()).is_some());
            }
            let sizes = (0..3).map(|no| folder.part(no).metadata().unwrap().len());
            assert_eq!(model.file_bytes(), sizes.sum::<u64>());
        }
    }
}

#[test]
fn a_first_part_without_tensors_is_fine() {
    let folder = Folder::new(|no, file| {
        set(file, "split.tensors.count", Some(Item::u32(2)));
        file.tensors.retain(|_| no != 0);
    });
    assert_eq!(Gguf::open(folder.part(0)).unwrap().tensors().len(), 2);
}

#[test]
fn part_missing() {
    for gone in 0..3 {
        let folder = Folder::new(|_, _| {});
        fs::remove_file(folder.part(gone)).unwrap();
        let error = refused(&folder.part((gone + 1) % 3));
        assert!(matches!(error.kind(), ErrorKind::SplitPartMissing { count: 3, .. }), "{error}");
        assert_eq!(error.file(), folder.part(gone));
        assert!(error.is_io());
        let error = refused(&folder.part(gone));
        assert!(
            matches!(error.kind(), ErrorKind::Io { .. }),
            "the path that was asked for is missing: {error}"
        );
    }
}

#[test]
fn part_renamed() {
    let folder = Folder::new(|_, _| {});
    fs::rename(folder.part(1), folder.path("other.gguf")).unwrap();
    let error = refused(&folder.path("other.gguf"));
    assert!(matches!(error.kind(), ErrorKind::SplitName { no: 2, count: 3 }), "{error}");
    let error = Gguf::from_vec(part(0).bytes()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SplitName { no: 1, count: 3 }), "{error}");
}

#[test]
fn parts_exchanged() {
    let folder = Folder::new(|_, _| {});
    fs::copy(folder.part(2), folder.part(1)).unwrap();
    let error = refused(&folder.part(0));
    let kind = error.kind();
    assert!(matches!(kind, ErrorKind::SplitMismatch { key: "split.no", found: 2, expected: 1 }), "{error}");
    assert_eq!(error.file(), folder.part(1));
}

#[test]
fn count_differs_from_the_name() {
    let folder = Folder::new(|no, file| {
        if no == 2 {
            set(file, "split.count", Some(u16(4)));
        }
    });
    let error = refused(&folder.part(0));
    let kind = error.kind();
    assert!(
        matches!(kind, ErrorKind::SplitMismatch { key: "split.count", found: 4, expected: 3 }),
        "{error}"
    );
}

#[test]
fn tensor_count_differs_from_the_parts() {
    let folder = Folder::new(|no, file| file.tensors.retain(|_| no != 1));
    let error = refused(&folder.part(0));
    assert!(matches!(error.kind(), ErrorKind::SplitTensors { found: 2, expected: 3 }), "{error}");
}

#[test]
fn split_key_missing() {
    for key in ["split.no", "split.count", "split.tensors.count"] {
        let folder = Folder::new(|_, file| set(file, key, None));
        let error = refused(&folder.part(0));
        assert!(matches!(error.kind(), ErrorKind::SplitKeyMissing { key: k } if *k == key), "{error}");
    }
}

#[test]
fn split_key_of_another_type() {
    let folder = Folder::new(|_, file| set(file, "split.no", Some(Item::text("0"))));
    assert!(matches!(refused(&folder.part(0)).kind(), ErrorKind::WrongType { .. }));
}

#[test]
fn tensor_in_two_parts() {
    let folder = Folder::new(|no, file| {
        if no == 2 {
            file.tensors[0].name = b"t0".into();
        }
    });
    let error = refused(&folder.part(0));
    assert!(matches!(error.kind(), ErrorKind::DuplicateTensor { .. }), "{error}");
    assert_eq!(error.file(), folder.part(2), "the later one is named");
}

#[test]
fn parts_of_both_byte_orders() {
    let folder = Folder::new(|no, file| {
        if no == 1 {
            file.layout.1 = ByteOrder::Big;
        }
    });
    let error = refused(&folder.part(0));
    assert!(matches!(error.kind(), ErrorKind::SplitByteOrder { .. }), "{error}");
}

#[test]
fn damaged_part_is_named() {
    let folder = Folder::new(|_, _| {});
    fs::write(folder.part(2), b"GGUF").unwrap();
    let error = refused(&folder.part(0));
    assert!(matches!(error.kind(), ErrorKind::Truncated { .. }), "{error}");
    assert_eq!(error.file(), folder.part(2));
}

#[test]
fn names_that_only_look_like_parts_are_whole_files() {
    let folder = Folder::new(|_, _| {});
    let names = [
        "a-1-of-3",
        "a-00000-of-00003",
        "a-00004-of-00003",
        "a-00001-of-00001",
        "-of-",
        "a-0000x-of-00003",
        "a-+0001-of-00003",
    ];
    for name in names {
        let path = folder.path(&format!("{name}.gguf"));
        fs::write(&path, File::sample(LAYOUTS[0]).bytes()).unwrap();
        assert_eq!(Gguf::open(&path).unwrap().tensors().len(), 3, "{name}");
    }
}
