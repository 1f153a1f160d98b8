//! The library with shorter patience than the command has: servers that fall silent, and what the callback is told.

use crate::hub::{hub_with, model_bytes};
use crate::server::{Reply, Server};
use siskin::download::{Cache, Error, Event, Options, Reference, Url, pull};
use std::path::Path;
use std::time::{Duration, Instant};

fn options(hub: &Server, cache: &Path) -> Options {
    Options {
        hub: Url::parse(&hub.url("")).unwrap(),
        token: None,
        certificates: None,
        cache: Cache::at(cache.to_owned()),
        retries: 2,
        backoff: Duration::ZERO,
        timeout: Duration::from_secs(2),
    }
}

#[test]
fn a_silent_server_is_given_up_and_asked_for_the_rest() {
    let hub = hub_with(|request, bytes| match request.before {
        0 => Reply { silence: Duration::from_secs(30), ..Reply::file(request, bytes).cut(1000) },
        _ => Reply::file(request, bytes),
    });
    let dir = tempfile::tempdir().unwrap();
    let reference = Reference::parse("own/repo").unwrap();
    let (mut waits, mut last, start) = (0, 0, Instant::now());
    let mut on_event = |event: Event<'_>| match event {
        Event::Waiting { .. } => waits += 1,
        Event::Progress { bytes } => last = bytes,
        _ => {}
    };
    let pulled = pull(&reference, &options(&hub, dir.path()), &mut on_event, &mut |_| true).unwrap();
    assert_eq!((waits, last, pulled.fetched, pulled.verified), (1, model_bytes().len() as u64, 1, true));
    assert!(start.elapsed() < Duration::from_secs(60));
    assert!(std::fs::read(pulled.path).unwrap() == model_bytes());
}

#[test]
fn the_callers_check_ends_it() {
    let hub = hub_with(Reply::file);
    let dir = tempfile::tempdir().unwrap();
    let reference = Reference::parse("own/repo:q4_0").unwrap();
    let mut seen = Vec::new();
    let result = pull(&reference, &options(&hub, dir.path()), &mut |_| {}, &mut |header| {
        seen.push((header.files, header.bytes, header.gguf.tensors().len()));
        false
    });
    assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
    assert!(matches!(seen[..], [(1, bytes, tensors)] if bytes == model_bytes().len() as u64 && tensors > 0));
}
