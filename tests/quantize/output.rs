//! The library: progress, interruption, outputs that fail.

use crate::{synthetic, team, tiny};
use siskin::gguf::Gguf;
use siskin::quantize::{Error, Plan, Recipe};
use siskin_tools::emulated;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;

fn input(folder: &tempfile::TempDir) -> Gguf {
    let path = folder.path().join("f32.gguf");
    synthetic(tiny(), "F32", &path);
    Gguf::open(&path).expect("the input")
}

/// One that takes long; on an emulated core, one that does not.
fn recipe() -> Recipe {
    Recipe::named(if emulated() { "Q8_0" } else { "Q4_K_M" }).expect("a recipe")
}

#[test]
fn progress_counts_every_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, path) = (input(&folder), folder.path().join("new.gguf"));
    let plan = Plan::new(&file, &recipe()).expect("a plan");
    let mut written = 0;
    let count = |bytes| {
        written += bytes;
        ControlFlow::Continue(())
    };
    plan.save(&path, &mut team(), count).expect("a file");
    assert_eq!((written, fs::metadata(&path).expect("the file").len()), (plan.bytes(), plan.bytes()));
}

/// Interrupted at every step in turn, it leaves nothing behind, and what stood there as it was.
#[test]
fn an_interruption_leaves_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, path) = (input(&folder), folder.path().join("new.gguf"));
    let plan = Plan::new(&file, &recipe()).expect("a plan");
    fs::write(&path, b"from before").expect("a file");
    for steps in 0..8 {
        let mut left = steps;
        let stop = |_| {
            left -= 1;
            if left < 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let outcome = plan.save(&path, &mut team(), stop);
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        assert_eq!(fs::read(&path).expect("the file"), b"from before");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2);
    }
}

/// An output with room for so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_fails_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = input(&folder);
    let plan = Plan::new(&file, &recipe()).expect("a plan");
    for room in [0, 100, plan.bytes() / 2, plan.bytes() - 1] {
        let outcome = plan.write(Full(room as usize), &mut team(), |_| ControlFlow::Continue(()));
        let is_full = |error: &Error| matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull);
        assert!(outcome.is_err_and(|error| is_full(&error)), "room for {room}");
    }
    plan.write(Full(plan.bytes() as usize), &mut team(), |_| ControlFlow::Continue(()))
        .expect("room for all");
}
