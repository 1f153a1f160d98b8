//! Some hostile inputs for every part in every test run; `cargo run --release -p siskin-tools --bin fuzz` runs as many as one wants.

use siskin_tools::fuzz::{Cases, TARGETS, Target, Watch, run, target};
use siskin_tools::meter;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

/// How long a case may take.
const LONGEST: Duration = Duration::from_secs(1);

/// Runs `count` cases, far fewer where an emulator runs them; how long they take tells nothing there.
fn feed(name: &str, count: u64) {
    let (count, longest) =
        if siskin_tools::emulated() { (count / 20, Duration::MAX) } else { (count, LONGEST) };
    let target = target(name).expect("a target");
    check(&target, Cases { seed: 1, first: 0, count }, longest)
        .unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
}

/// What went wrong: panics, memory, time. A case may have waited for the processor, so it is too long if it is in each of three runs.
fn check(target: &Target, cases: Cases, longest: Duration) -> Result<(), String> {
    let mut slowest = Vec::new();
    for _ in 0..3 {
        let report = run(target, cases, &Watch::default());
        let failed: Vec<_> =
            report.failures.iter().map(|f| format!("case {}: {}", f.number, f.reason)).collect();
        if (report.cases, failed.len()) != (cases.count, 0) {
            return Err(format!("{} of {} cases: {failed:?}", report.cases, cases.count));
        }
        if report.slowest.0 <= longest {
            return Ok(());
        }
        slowest.push(report.slowest);
    }
    Err(format!("slowest cases of three runs: {slowest:?}, expected at most {longest:?}"))
}

#[test]
fn what_goes_wrong_is_reported() {
    const CASES: Cases = Cases { seed: 1, first: 0, count: 20 };
    let target = |run| Target {
        name: "touchy",
        run,
        seeds: || vec![b"sound".to_vec()],
        words: &[],
        memory: |_| 10_000,
    };
    assert_eq!(check(&target(drop), CASES, Duration::MAX), Ok(()));
    let wrong = |run, longest| check(&target(run), CASES, longest).expect_err("it is wrong");
    assert!(wrong(|_| panic!("a mark"), Duration::MAX).contains("a mark"));
    let large = wrong(|_| drop(std::hint::black_box(vec![0u8; 20_000])), Duration::MAX);
    assert!(large.contains("expected at most 10000"), "{large}");
    let slow = wrong(|_| std::thread::sleep(Duration::from_millis(2)), Duration::from_millis(1));
    assert!(slow.contains("expected at most 1ms"), "{slow}");
}

#[test]
fn files() {
    feed("gguf", 10_000);
}

#[test]
fn metadata() {
    feed("metadata", 200);
}

#[test]
fn vocabularies_and_texts() {
    feed("tokenizer", 1_000);
}

#[test]
fn token_ids() {
    feed("detokenizer", 1_000);
}

#[test]
fn templates() {
    feed("template", 300);
}

#[test]
fn stop_conditions() {
    feed("stop", 2_000);
}

#[test]
fn prompt_caches() {
    feed("cache", 10_000);
}

/// What is damaged was sound before, and reaches what it should reach.
#[test]
fn seeds_are_sound() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.len() >= 5, "{}", target.name);
        seeds.into_iter().for_each(target.run);
    }
    let sound = |name: &str, i: usize| (target(name).expect("a target").seeds)().swap_remove(i);
    for i in 0..6 {
        let file = siskin::gguf::Gguf::from_vec(sound("gguf", i)).expect("a sound file");
        assert_eq!((file.metadata().len(), file.tensors().len()), (17, 3));
    }
}

#[test]
fn a_sound_header_loads_and_speaks() {
    let headers = (target("metadata").expect("a target").seeds)();
    for header in headers {
        let len = header.len() as u64 + (32 << 20);
        let path = std::path::Path::new("header");
        let file = siskin::gguf::Gguf::from_prefix(path, &header, len).expect("sound").expect("whole");
        siskin::model::Model::load(&file).expect("a model");
    }
}

/// Mutation found that so many layers took 600 MB before anything was compared with the file.
#[test]
fn layers_that_no_file_has_take_no_memory() {
    let mut header = (target("metadata").expect("a target").seeds)().swap_remove(0);
    let key = b".block_count";
    let at = header.windows(key.len()).position(|window| window == key).expect("the key") + key.len() + 4;
    header[at..at + 4].copy_from_slice(&8_388_610u32.to_le_bytes());
    let len = header.len() as u64 + (32 << 20);
    let file = siskin::gguf::Gguf::from_prefix(std::path::Path::new("header"), &header, len);
    let file = file.expect("sound").expect("whole");
    let (loaded, peak) = meter::peak(|| siskin::model::Model::load(&file).map(drop));
    let error = loaded.expect_err("too many layers").to_string();
    assert!(error.contains("block_count is 8388610, expected 1 to 4096"), "{error}");
    assert!(peak < 1 << 20, "{peak}");
}

#[test]
fn the_meter_counts() {
    let (_, peak) = meter::peak(|| vec![0u8; 100_000]);
    assert!((100_000..200_000).contains(&peak), "{peak}");
}
