//! The look at the header before the rest is fetched, and `-m` with names.

use crate::hub::{Puller, hub, listed, model_bytes};
use crate::server::Server;

/// Far more than what is looked at, and than what fits into the buffers between two programs.
const LARGE: usize = 48 << 20;

/// The model with another family's name, and many bytes after its tensors.
fn large(architecture: &[u8; 5]) -> Vec<u8> {
    let mut bytes = model_bytes();
    let key = b"general.architecture";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("the key") + key.len() + 4 + 8;
    bytes[at..at + 5].copy_from_slice(architecture);
    bytes.resize(LARGE, 0);
    bytes
}

fn hub_of(bytes: &[u8]) -> Server {
    hub(vec![listed("m-Q4_0.gguf", bytes)])
}

#[test]
fn a_model_that_cannot_be_run_is_not_fetched() {
    let hub = hub_of(&large(b"nolma"));
    let puller = Puller::new(&hub);
    puller.pull("own/repo").fails(3, &["own/repo", "architecture 'nolma'", "--force"]);
    assert!(hub.sent() < LARGE / 2, "{} bytes were sent", hub.sent());
    assert!(puller.files().iter().all(|name| name.ends_with(".part")), "{:?}", puller.files());
    let run = puller.run(&["pull", "--force", "own/repo"]);
    assert!(run.stderr.contains("warning") && run.stderr.contains("nolma"), "{}", run.stderr);
    run.ok();
    assert_eq!(std::fs::metadata(puller.cached("m-Q4_0.gguf")).unwrap().len(), LARGE as u64);
}

#[test]
fn what_is_no_model_is_not_fetched() {
    for start in [&b"<html>"[..], b"GGUF\x09\0\0\0", b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"] {
        let mut bytes = start.to_vec();
        bytes.resize(LARGE, 0);
        let hub = hub_of(&bytes);
        let puller = Puller::new(&hub);
        puller.pull("own/repo").fails(3, &["m-Q4_0.gguf"]);
        assert_eq!(puller.files(), [""; 0]);
    }
    for bytes in [&b""[..], b"GGU", b"GGUF\x03\0\0\0"] {
        let hub = hub_of(bytes);
        let puller = Puller::new(&hub);
        puller.pull("own/repo").fails(3, &["m-Q4_0.gguf"]);
        assert_eq!(puller.files(), [""; 0]);
    }
}

/// The first key of this header is a string that ends after the file does: there is no end of the header to wait for.
#[test]
fn a_header_without_end_is_not_waited_for() {
    let mut bytes = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
    bytes.extend(80_000_000u64.to_le_bytes());
    bytes.resize(LARGE, b'k');
    let hub = hub_of(&bytes);
    let puller = Puller::new(&hub);
    puller.pull("own/repo").fails(3, &["header is longer"]);
    assert_eq!(puller.files(), [""; 0]);
}

#[test]
fn a_name_that_is_not_in_the_cache() {
    let hub = hub_of(&model_bytes());
    let puller = Puller::new(&hub);
    for name in ["own/repo:Q4_0", "own/repo", "http://127.0.0.1:1/m.gguf"] {
        let hint = format!("siskin pull {name}");
        puller.run(&["generate", "-m", name, "x"]).fails(1, &["no such file", &hint, "cache"]);
        puller.run(&["inspect", name]).fails(1, &[&hint]);
    }
    // What is surely a path is reported as one.
    for path in ["folder/m.gguf", "./own/repo", "m.gguf", "a/b/c"] {
        let run = puller.run(&["generate", "-m", path, "x"]);
        assert!(!run.stderr.contains("siskin pull"), "{}", run.stderr);
        run.fails(1, &[path]);
    }
    assert_eq!(hub.requests().len(), 0);
}

#[test]
fn a_path_that_exists_wins() {
    let hub = hub_of(&model_bytes());
    let puller = Puller::new(&hub);
    puller.pull("own/repo").ok();
    std::fs::create_dir(puller.siskin.dir.path().join("own")).unwrap();
    puller.siskin.file("own/repo", b"something else");
    puller.run(&["generate", "-m", "own/repo", "x"]).fails(3, &["own/repo", "not a GGUF file"]);
    puller.run(&["generate", "-m", "own/repo:Q4_0", "-n", "2", "Once"]).ok();
}

#[test]
fn an_empty_cache_is_said_to_be_empty() {
    let hub = hub_of(&model_bytes());
    let puller = Puller::new(&hub);
    let run = puller.run(&["pull", "--list"]);
    assert!(run.stderr.contains("no models in"), "{}", run.stderr);
    assert_eq!(run.ok(), "");
}
