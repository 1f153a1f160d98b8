//! Downloads that are cut off, and servers that are strange about ranges.

use crate::hub::{Puller, hash, hub_with, model_bytes};
use crate::server::Reply;

const CUT: usize = 1_300_000;

/// The ranges that were asked for.
fn ranges(hub: &crate::server::Server) -> Vec<Option<usize>> {
    let requests = hub.requests();
    requests
        .iter()
        .filter(|request| request.target.contains("/resolve/"))
        .map(|request| request.from())
        .collect()
}

#[test]
fn a_cut_connection_goes_on_where_it_was() {
    let hub = hub_with(|request, bytes| match request.before {
        0 => Reply::file(request, bytes).cut(CUT),
        _ => Reply::file(request, bytes),
    });
    let puller = Puller::new(&hub);
    let run = puller.pull("own/repo");
    assert!(run.stderr.contains("trying again"), "{}", run.stderr);
    run.ok();
    assert!(std::fs::read(puller.cached("m-Q4_0.gguf")).unwrap() == model_bytes());
    assert_eq!(ranges(&hub), [None, Some(CUT)]);
}

#[test]
fn the_next_run_goes_on_where_the_last_one_ended() {
    let hub = hub_with(|request, bytes| match request.before {
        0 => Reply::file(request, bytes).cut(CUT),
        _ => Reply::file(request, bytes),
    });
    let puller = Puller::new(&hub);
    let of = model_bytes().len().to_string();
    let first = puller.run(&["pull", "--retries", "0", "own/repo"]);
    assert!(first.stderr.contains("kept") || first.stderr.contains(&of), "{}", first.stderr);
    assert_eq!((first.code, first.stdout.as_str()), (Some(1), ""));
    let part = format!("m-Q4_0.gguf.{}.part", &hash(&model_bytes())[..12]);
    assert_eq!(std::fs::metadata(puller.cached(&part)).unwrap().len(), CUT as u64);
    // A model that is not whole cannot be used.
    puller.run(&["generate", "-m", "own/repo", "x"]).fails(1, &["siskin pull own/repo"]);
    puller.pull("own/repo").ok();
    assert!(std::fs::read(puller.cached("m-Q4_0.gguf")).unwrap() == model_bytes());
    assert_eq!((ranges(&hub), puller.cached(&part).exists()), (vec![None, Some(CUT)], false));
}

#[test]
fn a_server_without_ranges_begins_from_the_start() {
    let hub = hub_with(|request, bytes| match request.before {
        0 => Reply::new(200, bytes).cut(CUT),
        _ => Reply::new(200, bytes),
    });
    let puller = Puller::new(&hub);
    let run = puller.pull("own/repo");
    assert!(run.stderr.contains("from the start"), "{}", run.stderr);
    run.ok();
    assert!(std::fs::read(puller.cached("m-Q4_0.gguf")).unwrap() == model_bytes());
    assert_eq!(ranges(&hub), [None, Some(CUT)]);
}

#[test]
fn a_wrong_range_is_refused_and_what_is_there_kept() {
    for range in ["bytes 0-9/10", "bytes 1300001-1999999/2000000", "", "bytes */*", "pages 1300000-"] {
        let hub = hub_with(move |request, bytes| match request.from() {
            None => Reply::new(200, bytes).cut(CUT),
            Some(_) => Reply::new(206, &bytes[CUT..]).with("content-range", range),
        });
        let puller = Puller::new(&hub);
        puller.pull("own/repo").fails(1, &["range", "delete"]);
        assert_eq!(puller.files().len(), 1);
        assert!(puller.files()[0].ends_with(".part"), "{:?}", puller.files());
    }
    // A range that nobody asked for.
    let hub = hub_with(|_, bytes| Reply::new(206, bytes).with("content-range", "bytes 0-1/2"));
    Puller::new(&hub).pull("own/repo").fails(1, &["range"]);
}

#[test]
fn a_range_that_cannot_be_had_is_an_error() {
    let hub = hub_with(|request, bytes| match request.from() {
        None => Reply::new(200, bytes).cut(CUT),
        Some(_) => Reply::new(416, ""),
    });
    Puller::new(&hub).pull("own/repo").fails(1, &["416"]);
}

/// What is there may be damaged, by a loss of power for example: that is found out, and mended once.
#[test]
fn a_damaged_part_begins_from_the_start() {
    let hub = hub_with(Reply::file);
    let puller = Puller::new(&hub);
    let bytes = model_bytes();
    let part = puller.cached(&format!("m-Q4_0.gguf.{}.part", &hash(&bytes)[..12]));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    let mut damaged = bytes[..CUT].to_vec();
    damaged[CUT - 1] ^= 1;
    std::fs::write(&part, damaged).unwrap();
    let run = puller.pull("own/repo");
    assert!(run.stderr.contains("from the start"), "{}", run.stderr);
    run.ok();
    assert!(std::fs::read(puller.cached("m-Q4_0.gguf")).unwrap() == bytes);
    assert_eq!(ranges(&hub), [Some(CUT), None]);
}

#[test]
fn a_part_of_another_version_is_not_used() {
    let hub = hub_with(Reply::file);
    let puller = Puller::new(&hub);
    let part = puller.cached("m-Q4_0.gguf.0123456789ab.part");
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, "old").unwrap();
    puller.pull("own/repo").ok();
    assert!(!part.exists());
    assert_eq!(ranges(&hub), [None]);
}

/// Each connection brings more than it must to count as progress: more failures than repetitions are borne.
#[test]
fn progress_renews_patience() {
    let hub = hub_with(|request, bytes| {
        let left = bytes.len() - request.from().unwrap_or(0);
        let cut = if left > (1 << 20) + 1000 { (1 << 20) + 1 } else { left / 2 };
        if left < 1000 { Reply::file(request, bytes) } else { Reply::file(request, bytes).cut(cut) }
    });
    let puller = Puller::new(&hub);
    puller.run(&["pull", "--retries", "0", "own/repo"]).fails(1, &["kept"]);
    let one = ranges(&hub).len();
    puller.run(&["pull", "--retries", "1", "own/repo"]).fails(1, &["kept"]);
    assert_eq!((one, ranges(&hub).len()), (1, 3));
}
