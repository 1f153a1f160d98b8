//! A web server on 127.0.0.1 that does what a test tells it to, above all what a server should not do.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// No test needs more connections.
const MAX_CONNECTIONS: usize = 200;

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    headers: Vec<(String, String)>,
    /// How many requests for the same target came before.
    pub before: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first byte of `Range: bytes=N-`.
    pub fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    /// An empty `content-length` takes that header away.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection ends after so many bytes of the body.
    pub cut: Option<usize>,
    /// The connection stays open for so long after that (not over TLS).
    pub silence: Duration,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, body: body.into(), ..Reply::default() }
    }

    pub fn redirect(to: &str) -> Reply {
        Reply::new(302, "").with("location", to)
    }

    pub fn with(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn cut(self, at: usize) -> Reply {
        Reply { cut: Some(at), ..self }
    }

    /// A file, or the range of it that was asked for.
    pub fn file(request: &Request, bytes: &[u8]) -> Reply {
        match request.from() {
            None => Reply::new(200, bytes),
            Some(from) if from < bytes.len() => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Reply::new(206, &bytes[from..]).with("content-range", &range)
            }
            Some(_) => Reply::new(416, ""),
        }
    }
}

/// The server; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    sent: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    scheme: &'static str,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Server {
        Server::listen(None, answer)
    }

    /// Over TLS.
    pub fn start_tls(
        config: Arc<ServerConfig>,
        answer: impl Fn(&Request) -> Reply + Send + 'static,
    ) -> Server {
        Server::listen(Some(config), answer)
    }

    fn listen(tls: Option<Arc<ServerConfig>>, answer: impl Fn(&Request) -> Reply + Send + 'static) -> Server {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (requests, sent, stop) = (Arc::default(), Arc::default(), Arc::default());
        let (log, bytes, end) = (Arc::clone(&requests), Arc::clone(&sent), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut counts = HashMap::new();
            for stream in listener.incoming().take(MAX_CONNECTIONS) {
                let Ok(stream) = stream else { continue };
                if AtomicBool::load(&end, Ordering::SeqCst) {
                    break;
                }
                // A client that goes away in the middle is part of some tests.
                let mut exchange = Exchange { answer: &answer, counts: &mut counts, log: &log, sent: &bytes };
                let _ = exchange.accept(stream, tls.as_ref());
            }
        });
        Server { address, requests, sent, stop, thread: Some(thread), scheme }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// Requests so far whose target contains this.
    pub fn count(&self, part: &str) -> usize {
        self.requests().iter().filter(|request| request.target.contains(part)).count()
    }

    /// Bytes of bodies that were sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// One request, one answer.
struct Exchange<'a, A> {
    answer: &'a A,
    counts: &'a mut HashMap<String, usize>,
    log: &'a Mutex<Vec<Request>>,
    sent: &'a AtomicUsize,
}

impl<A: Fn(&Request) -> Reply> Exchange<'_, A> {
    fn accept(&mut self, stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let Some(config) = tls else {
            let mut stream = stream;
            let silence = self.serve(&mut stream)?;
            // meanwhile others are served
            std::thread::spawn(move || {
                std::thread::sleep(silence);
                drop(stream);
            });
            return Ok(());
        };
        let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        self.serve(&mut stream)?;
        stream.conn.send_close_notify();
        stream.flush()
    }

    /// Answers; how long the connection is to stay open after that.
    fn serve(&mut self, stream: &mut (impl Read + Write)) -> std::io::Result<Duration> {
        let Some(request) = self.read(stream)? else { return Ok(Duration::ZERO) };
        self.log.lock().expect("no panic").push(request.clone());
        let reply = (self.answer)(&request);
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
        if !reply.headers.iter().any(|(name, _)| name == "content-length") {
            head += &format!("content-length: {}\r\n", reply.body.len());
        }
        let stated =
            reply.headers.iter().filter(|(name, value)| name != "content-length" || !value.is_empty());
        stated.for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        let end = reply.cut.unwrap_or(usize::MAX).min(reply.body.len());
        for chunk in reply.body[..end].chunks(64 << 10) {
            stream.write_all(chunk)?;
            self.sent.fetch_add(chunk.len(), Ordering::SeqCst);
        }
        stream.flush()?;
        Ok(reply.silence)
    }

    /// A request up to the empty line; `None` if the client only connected.
    fn read(&mut self, stream: &mut impl Read) -> std::io::Result<Option<Request>> {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") && text.len() < 64 << 10 {
            let mut byte = [0];
            if stream.read(&mut byte)? == 0 {
                return Ok(None);
            }
            text.extend(byte);
        }
        let text = String::from_utf8_lossy(&text);
        let target = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let header =
            |line: &str| line.split_once(':').map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned()));
        let headers = text.lines().skip(1).filter_map(header).collect();
        let before = self.counts.entry(target.clone()).or_default();
        *before += 1;
        Ok(Some(Request { target, headers, before: *before - 1 }))
    }
}
