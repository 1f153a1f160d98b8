//! `siskin pull` against servers on this machine that drop, lie and redirect. Every server, wait and repetition is bounded, and no
//! address but 127.0.0.1 is used.

mod checks;
mod failures;
mod hub;
mod resume;
mod server;
mod silence;
mod success;
mod tls;
#[path = "../util/mod.rs"]
mod util;
