//! What the tests of the real binary share: running it in a temporary directory, and finding the models that are not in the repository.
#![allow(dead_code)] // each test file uses a part

pub mod group;
#[cfg(target_os = "linux")]
pub mod terminal;

use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin_simd::Kernels;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command, unless it is left out of this build.
const BINARY: Option<&str> = option_env!("CARGO_BIN_EXE_siskin");

/// The command under test in a directory of its own: the one that cargo has built beside the tests, or the file that `SISKIN_BINARY` names.
/// `SISKIN_RUNNER` (such as `qemu-aarch64 -cpu cortex-a53`) runs it when the host cannot.
pub struct Siskin {
    pub dir: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Siskin {
    pub fn new() -> Siskin {
        Siskin { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A command that has not been started.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let runner = std::env::var("SISKIN_RUNNER").unwrap_or_default();
        let binary = std::env::var("SISKIN_BINARY").ok();
        let binary = binary.as_deref().or(BINARY).expect("the command is built with feature cli");
        let mut words = runner.split_whitespace().chain([binary]);
        let mut command = Command::new(words.next().expect("at least the binary"));
        command.args(words).args(args).current_dir(self.dir.path());
        command.env_remove("SISKIN_MODEL").env_remove("SISKIN_ISA");
        // nobody's own settings
        command.env_remove("SISKIN_CONFIG").env("XDG_CONFIG_HOME", self.dir.path().join(".config"));
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.run_with_stdin(args, b"")
    }

    pub fn run_with_stdin<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, stdin: &[u8]) -> Run {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("siskin starts");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        // A command that fails early does not read its input.
        let _ = pipe.write_all(stdin);
        drop(pipe);
        Run::from(child.wait_with_output().expect("siskin ends"))
    }

    /// Writes a file in the directory and returns its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file in the temporary directory");
        path
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Run {
    /// The run succeeded; its stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The run succeeded and printed JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let stdout = self.ok();
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    /// The run failed with a code and a message that contains every part, and printed nothing on stdout.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "no '{part}' in: {}", self.stderr);
        }
    }
}

/// A folder of test data that is not in the repository: `variable` names it, else it is `../shared/NAME` beside the checkout.
/// `None`, with a word about it, when it is absent; a failure when `SISKIN_REQUIRE` contains `shared`.
pub fn shared(variable: &str, name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    let dir = std::env::var_os(variable).map_or(beside, PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    skip("shared", &format!("{} is missing", dir.display()));
    None
}

/// Says why a test does not test what it could; a failure when `SISKIN_REQUIRE`, a comma-separated list, has the word for what it lacks.
#[track_caller]
pub fn skip(word: &str, why: &str) {
    let required = std::env::var("SISKIN_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|required| required == word), "SISKIN_REQUIRE has `{word}`: {why}");
    eprintln!("skipped: {why}");
}

/// The folder of trained test models.
pub fn models() -> Option<PathBuf> {
    shared("SISKIN_MODELS", "models")
}

/// The model that the tests run: the one in the repository.
pub fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/builtin.gguf")
}

/// The same as it stands on a command line.
pub fn model_name() -> String {
    model().to_str().expect("a UTF-8 path").to_owned()
}

/// The kernels of this machine, and a team of so many threads.
pub fn cpu(threads: usize) -> Cpu {
    Cpu { kernels: Kernels::best(), team: Team::new(threads).expect("threads") }
}

/// Bytes from their hexadecimal digits.
pub fn from_hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The rows of a NumPy file of `f32`, as `--logits` writes it.
pub fn npy(path: &Path) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(path).expect("logits");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = String::from_utf8_lossy(&bytes[10..header]).into_owned();
    let cols: usize = text
        .split_once("), ")
        .and_then(|(shape, _)| shape.rsplit(' ').next()?.parse().ok())
        .expect("a shape");
    let values: Vec<f32> =
        bytes[header..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    values.chunks_exact(cols).map(<[f32]>::to_vec).collect()
}
