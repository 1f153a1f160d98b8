//! A web server on 127.0.0.1 that does what a test tells it to, above all what a server should not do.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

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
    /// The connection stays open for so long after that.
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
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Server {
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
                let _ = serve(stream, &answer, &mut counts, &log, &bytes);
            }
        });
        Server { address, requests, sent, stop, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
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
fn serve(
    mut stream: TcpStream,
    answer: &impl Fn(&Request) -> Reply,
    counts: &mut HashMap<String, usize>,
    log: &Mutex<Vec<Request>>,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in lines.take(100) {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let before = counts.entry(target.clone()).or_default();
    let request = Request { target, headers, before: *before };
    *before += 1;
    log.lock().expect("no panic").push(request.clone());

    let reply = answer(&request);
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| name == "content-length") {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    let stated = reply.headers.iter().filter(|(name, value)| name != "content-length" || !value.is_empty());
    stated.for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    let end = reply.cut.unwrap_or(usize::MAX).min(reply.body.len());
    for chunk in reply.body[..end].chunks(64 << 10) {
        stream.write_all(chunk)?;
        sent.fetch_add(chunk.len(), Ordering::SeqCst);
    }
    std::thread::sleep(reply.silence);
    Ok(())
}
