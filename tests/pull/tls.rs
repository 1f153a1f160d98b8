//! Encrypted connections, to a server whose certificate was made for these tests ([make.sh](../data/tls/make.sh)).

use crate::hub::{Puller, listed, model_bytes, reply};
use crate::server::{Reply, Server};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

const CERTIFICATE: &str = "tests/data/tls/certificate.pem";
const KEY: &str = "tests/data/tls/key.pem";

fn path(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}

/// What a server needs.
fn config() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(path(CERTIFICATE)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(path(KEY)).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    Arc::new(config.with_single_cert(vec![certificate], key).expect("they fit"))
}

fn hub() -> Server {
    let files = vec![listed("m-Q4_0.gguf", &model_bytes())];
    Server::start_tls(config(), move |request| reply(&files, request))
}

#[test]
fn a_trusted_server_is_used() {
    let hub = hub();
    let puller = Puller::with_token(&hub, "hf_secret");
    let trust = path(CERTIFICATE);
    puller.run_with(&["pull", "own/repo"], &[("SSL_CERT_FILE", trust.as_str())]).ok();
    assert!(std::fs::read(puller.cached("m-Q4_0.gguf")).unwrap() == model_bytes());
    assert!(hub.requests().iter().all(|request| request.header("authorization") == Some("Bearer hf_secret")));
}

#[test]
fn an_unknown_server_is_not() {
    let hub = hub();
    let puller = Puller::with_token(&hub, "hf_secret");
    puller.run(&["pull", "own/repo"]).fails(1, &["no safe connection", "certificate"]);
    assert_eq!(hub.requests().len(), 0);
}

#[test]
fn nobody_is_sent_from_an_encrypted_server_to_another() {
    let open = Server::start(|_| Reply::new(404, ""));
    let to = open.url("/blob");
    let hub = Server::start_tls(config(), move |_| Reply::redirect(&to));
    let trust = path(CERTIFICATE);
    let run = Puller::new(&hub).run_with(&["pull", "own/repo"], &[("SSL_CERT_FILE", trust.as_str())]);
    run.fails(1, &["not encrypted"]);
    assert_eq!(open.requests().len(), 0);
}
