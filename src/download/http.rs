//! Requests: redirects followed by hand, so that the token goes to one server only; statuses as errors; when to try again.

use super::error::{self, Error};
use super::url::Url;
use super::{Event, OnEvent, Options};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// Redirects that are followed for one request.
const MAX_REDIRECTS: usize = 10;
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time between two attempts, unless the server asks for more.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A secret that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// An access token.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if it holds what no header may hold.
    pub fn new(text: &str) -> Result<Token, Error> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            let reason = "an access token holds only printable ASCII characters, and no spaces".into();
            return Err(Error::Setting { variable: "HF_TOKEN", reason });
        }
        Ok(Token(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What a request is for, as messages name it.
#[derive(Clone, Debug)]
pub(super) struct Purpose {
    /// Such as `OWNER/REPO`.
    pub what: String,
    /// Where a person can look it up.
    pub page: Url,
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    hub: Url,
    token: Option<Token>,
    retries: u32,
    backoff: Duration,
    /// Whether any server ever answered.
    reached: Cell<bool>,
}

/// An answer with status 200 or 206.
pub(super) struct Answer {
    pub response: Response<Body>,
    /// What the first server said of the file that it redirected to.
    pub linked: Linked,
}

/// Of a large file, the hub states hash and size (`X-Linked-ETag`, `X-Linked-Size`) before it redirects to where the bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Linked {
    pub sha256: Option<String>,
    pub bytes: Option<u64>,
}

impl Client {
    pub fn new(options: &Options) -> Result<Client, Error> {
        let tls = TlsConfig::builder().root_certs(root_certificates(options)?).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("siskin/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(RESOLVE_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(2 * options.timeout))
            .timeout_per_read(Some(options.timeout))
            .build();
        let token = options.token.clone().filter(|_| {
            let safe = options.hub.is_https() || options.hub.is_loopback();
            if !safe {
                log::warn!("HF_TOKEN is not sent: {} is not encrypted", options.hub);
            }
            safe
        });
        let (hub, retries, backoff) = (options.hub.clone(), options.retries, options.backoff);
        Ok(Client { agent: config.into(), hub, token, retries, backoff, reached: Cell::new(false) })
    }

    pub fn hub(&self) -> &Url {
        &self.hub
    }

    /// Requests a file, from byte `from` on if that is not 0. The token is sent to the hub's own server only, and no longer once a
    /// redirect left it, even if another one leads back.
    pub fn get(&self, url: &Url, purpose: &Purpose, from: u64) -> Result<Answer, Error> {
        let (mut url, mut linked, mut seen) = (url.clone(), Linked::default(), HashSet::new());
        let mut trusted = true;
        loop {
            trusted &= url.same_origin(&self.hub);
            let token = self.token.as_ref().filter(|_| trusted);
            let response = self.send(&url, token, from)?;
            linked.read(response.headers());
            if !response.status().is_redirection() {
                return check_status(response, &url, purpose, token.is_some())
                    .map(|response| Answer { response, linked });
            }
            let next = redirect(&url, &response, purpose)?;
            if !seen.insert(url) || seen.contains(&next) || seen.len() > MAX_REDIRECTS {
                return Err(Error::RedirectLoop { url: next, limit: MAX_REDIRECTS });
            }
            url = next;
        }
    }

    fn send(&self, url: &Url, token: Option<&Token>, from: u64) -> Result<Response<Body>, Error> {
        let mut request = self.agent.get(url.whole());
        if let Some(Token(token)) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        let response = request.call().map_err(|error| failure(error, url))?;
        self.reached.set(true);
        Ok(response)
    }

    /// Tries again, a few times and with growing pauses, as long as failures are of a kind that passes.
    pub fn retrying<T>(
        &self,
        on_event: &mut OnEvent<'_>,
        mut attempt: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut patience = self.patience();
        loop {
            match attempt() {
                Err(error) => patience.wait(error, on_event)?,
                done => return done,
            }
        }
    }

    /// A fresh count of attempts.
    pub fn patience(&self) -> Patience<'_> {
        Patience { client: self, failures: 0 }
    }
}

/// How often something failed in a row.
pub(super) struct Patience<'a> {
    client: &'a Client,
    failures: u32,
}

impl Patience<'_> {
    /// Waits before the next attempt.
    ///
    /// # Errors
    ///
    /// The error itself, if another attempt is pointless or was the last one.
    pub fn wait(&mut self, error: Error, on_event: &mut OnEvent<'_>) -> Result<(), Error> {
        if self.failures >= self.client.retries || !error.is_transient(self.client.reached.get()) {
            return Err(error);
        }
        let pause = self.client.backoff.saturating_mul(1 << self.failures.min(10)).min(MAX_WAIT);
        let wait = match error {
            Error::TooManyRequests { seconds: Some(seconds), .. } => Duration::from_secs(seconds),
            _ => pause,
        };
        self.failures += 1;
        on_event(Event::Waiting { error: &error, wait });
        std::thread::sleep(wait);
        Ok(())
    }

    /// There was progress.
    pub fn renew(&mut self) {
        self.failures = 0;
    }
}

impl Linked {
    /// Takes what these headers state, unless a server before them did.
    fn read(&mut self, headers: &HeaderMap) {
        if self.sha256.is_none() {
            self.sha256 = text(headers, "x-linked-etag").and_then(sha256);
        }
        if self.bytes.is_none() {
            self.bytes = text(headers, "x-linked-size").and_then(|size| size.parse().ok());
        }
    }
}

/// A SHA-256 as 64 hexadecimal digits, perhaps in quotes as ETags are; in lower case.
pub(super) fn sha256(text: &str) -> Option<String> {
    let digits = text.trim().trim_start_matches("W/").trim_matches('"');
    let is_hash = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then(|| digits.to_ascii_lowercase())
}

/// A header that is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Where an answer redirects to.
fn redirect(from: &Url, response: &Response<Body>, purpose: &Purpose) -> Result<Url, Error> {
    let Some(location) = text(response.headers(), "location") else {
        return Err(status_error(response, from, purpose, false));
    };
    let to = from.join(location).map_err(|reason| Error::RedirectTarget { from: from.clone(), reason })?;
    if from.is_https() && !to.is_https() {
        return Err(Error::RedirectInsecure { from: from.clone(), to });
    }
    Ok(to)
}

fn check_status(
    response: Response<Body>,
    url: &Url,
    purpose: &Purpose,
    token: bool,
) -> Result<Response<Body>, Error> {
    match response.status().as_u16() {
        200 | 206 => Ok(response),
        _ => Err(status_error(&response, url, purpose, token)),
    }
}

fn status_error(response: &Response<Body>, url: &Url, purpose: &Purpose, token: bool) -> Error {
    let headers = response.headers();
    let said = error::shown(text(headers, "x-error-message").unwrap_or_default());
    let (status, what, page) = (response.status().as_u16(), purpose.what.clone(), purpose.page.clone());
    match status {
        401 | 403 => {
            let gated = text(headers, "x-error-code") == Some("GatedRepo");
            Error::Denied { what, status, said, gated, token, page }
        }
        404 | 410 => Error::NotFound { what, status, said, page },
        429 => {
            let seconds = text(headers, "retry-after").and_then(|text| text.trim().parse().ok());
            Error::TooManyRequests { server: url.server(), seconds }
        }
        408 | 500.. => Error::Server { server: url.server(), status, said },
        _ => Error::Status { url: url.clone(), status, said },
    }
}

/// What went wrong before there was an answer.
fn failure(error: ureq::Error, url: &Url) -> Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, UnexpectedEof};
    use ureq::{Error as E, Timeout};
    let (server, url, reason) = (url.server(), url.clone(), error::shown(&error.to_string()));
    match error {
        E::HostNotFound => Error::HostNotFound { server },
        // the standard library has no kind for it
        E::Io(error) if error.to_string().contains("lookup address") => Error::HostNotFound { server },
        E::Io(error) => match error.kind() {
            InvalidData => Error::Tls { server, reason },
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Error::Broken { url, reason },
            _ => Error::Connect { server, reason },
        },
        E::Timeout(Timeout::Resolve | Timeout::Connect) | E::ConnectionFailed | E::ConnectProxyFailed(_) => {
            Error::Connect { server, reason }
        }
        E::Tls(_) | E::Pem(_) | E::Rustls(_) | E::TlsRequired => Error::Tls { server, reason },
        E::Timeout(_) => Error::Broken { url, reason },
        _ => Error::Protocol { url, reason },
    }
}

/// Mozilla's, which are part of the program, or those of a file: a board may have none installed, a company its own.
fn root_certificates(options: &Options) -> Result<RootCerts, Error> {
    let Some(path) = &options.certificates else { return Ok(RootCerts::WebPki) };
    let wrong = |reason: String| Error::Setting {
        variable: "SSL_CERT_FILE",
        reason: format!("{}: {reason}", path.display()),
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let certificates: Vec<_> = parse_pem(&pem).filter_map(certificate).collect();
    if certificates.is_empty() {
        return Err(wrong("holds no certificate in PEM form".into()));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sha256_is_taken_for_one() {
        let hash = "A1".repeat(32);
        assert_eq!(sha256(&format!("\"{hash}\"")), Some(hash.to_lowercase()));
        assert_eq!(sha256(&hash), Some(hash.to_lowercase()));
        for text in ["", "\"\"", &hash[1..], &"g".repeat(64), &"ab".repeat(20)] {
            assert_eq!(sha256(text), None, "{text}");
        }
    }

    #[test]
    fn redirects_stay_encrypted_and_lead_somewhere() {
        let url = |text: &str| Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let to = |from: &str, location: &str| {
            let response = Response::builder().status(302).header("location", location);
            let response = response.body(Body::builder().data("")).unwrap_or_else(|error| panic!("{error}"));
            redirect(&url(from), &response, &Purpose { what: "a/b".into(), page: url(from) })
        };
        assert!(to("https://a/x", "https://b/y").is_ok_and(|to| to == url("https://b/y")));
        assert!(to("http://a/x", "https://a/y").is_ok());
        assert!(matches!(to("https://a/x", "http://a/x"), Err(Error::RedirectInsecure { .. })));
        for location in ["file:///etc/passwd", "http://", "/x y"] {
            assert!(matches!(to("http://a/x", location), Err(Error::RedirectTarget { .. })), "{location}");
        }
    }

    #[test]
    fn tokens_are_never_shown() {
        let token = Token::new("hf_secret").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(format!("{token:?}"), "Token(..)");
        for text in ["", "a b", "a\r\nhost: x", "\u{e9}"] {
            let error = Token::new(text).expect_err("no token");
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
        }
    }
}
