//! Outputs that take no more: readers that go away, full disks, limits.

#[cfg(feature = "quantize")]
use super::in_namespace;
use super::{Endless, after, long_model, run};
use crate::util::{Run, Siskin, model_name as model};
use std::fs::OpenOptions;
use std::process::Stdio;

/// As in `siskin generate | head -c1`.
#[test]
fn a_closed_pipe() {
    let siskin = Siskin::new();
    long_model(&siskin);
    let mut endless = Endless::start(&siskin, &[]);
    drop(endless.child.stdout.take());
    let run = endless.end();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn outputs_that_are_closed_from_the_start() {
    let siskin = Siskin::new();
    let model = model();
    let args = ["generate", "-m", &model, "-n", "4", "--stats", "Once upon a time"];
    for closed in ["exec >&-", "exec 2>&-", "exec <&- >&- 2>&-"] {
        assert_eq!(run(after(&siskin, closed, args)).code, Some(0), "{closed}");
    }
}

#[test]
fn a_full_disk_behind_stdout() {
    let siskin = Siskin::new();
    let model = model();
    let commands: [&[&str]; 8] = [
        &["generate", "-m", &model, "-n", "4", "Once upon a time"],
        &["generate", "-m", &model, "-n", "4", "--json", "Once upon a time"],
        &["tokenize", "-m", &model, "Once upon a time"],
        &["inspect", &model],
        &["inspect", "--json", &model],
        &["--version"],
        &["-h"],
        &["tokenize", "--help"],
    ];
    for args in commands {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a full device");
        let output = siskin.command(args).stdout(full).stderr(Stdio::piped()).output().expect("siskin runs");
        Run::from(output).fails(1, &["siskin: error: stdout: No space left"]);
    }
}

#[test]
fn a_full_disk_behind_the_logits() {
    let siskin = Siskin::new();
    let run =
        siskin.run(["generate", "-m", &model(), "-n", "4", "--logits", "/dev/full", "Once upon a time"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("logits: No space left"), "{}", run.stderr);
}

#[test]
fn a_file_larger_than_the_limit() {
    let siskin = Siskin::new();
    // 512 bytes each
    let command = after(
        &siskin,
        "ulimit -f 16",
        ["generate", "-m", &model(), "-n", "4", "--logits", "l.npy", "Once upon a time"],
    );
    let run = run(command);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("logits: File too large"), "{}", run.stderr);
}

/// What a full disk leaves behind: nothing, where quantizing knows beforehand and where it does not.
#[cfg(feature = "quantize")]
#[test]
fn a_disk_without_room_for_the_quantized_model() {
    use siskin_tools::synth::{Mix, Model, Shape};
    let siskin = Siskin::new();
    let shape = Shape { vocab: 4000, ..Shape::named("tiny").expect("a shape") };
    let path = siskin.dir.path().join("f16.gguf");
    Model::new(shape, Mix::named("F16").expect("a mix"), 1).save(&path).expect("a file");
    std::fs::create_dir(siskin.dir.path().join("small")).expect("a folder");

    let limited = after(&siskin, "ulimit -f 64", ["quantize", "f16.gguf", "small/new.gguf", "Q8_0"]);
    run(limited).fails(1, &["small/new.gguf", "too large"]);
    assert_eq!(std::fs::read_dir(siskin.dir.path().join("small")).expect("a folder").count(), 0);

    let mount = "mount -t tmpfs -o size=64k none small";
    let after = "\"$@\"; code=$?; ls -A small; exit $code";
    let Some(command) = in_namespace(
        &siskin,
        &format!("{mount}; set -- sh -c '{after}' sh \"$@\""),
        ["quantize", "f16.gguf", "small/new.gguf", "Q8_0"],
    ) else {
        return;
    };
    run(command).fails(4, &["small/new.gguf"]);
}

#[test]
fn a_conversation_that_cannot_be_saved() {
    let siskin = Siskin::new();
    let run =
        siskin.run_with_stdin(["chat", "-m", &model(), "--temp", "0", "-n", "4"], b"Hi.\n/save /dev/full\n");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("/dev/full: cannot write it"), "{}", run.stderr);
}
