//! A small hub: its API for one repository, mostly `own/repo`, and the command with its own cache beside it.

use crate::server::{Reply, Request, Server};
use crate::util::{Run, Siskin, model};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// What the hub calls the newest commit.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of the repository, with what the list says of it.
#[derive(Clone)]
pub struct Listed {
    pub path: String,
    pub bytes: Vec<u8>,
    pub size: u64,
    pub sha256: Option<String>,
}

pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn listed(path: &str, bytes: &[u8]) -> Listed {
    let (size, sha256) = (bytes.len() as u64, Some(hash(bytes)));
    Listed { path: path.into(), bytes: bytes.into(), size, sha256 }
}

/// The model in the repository: a real one of 1.9 MB.
pub fn model_bytes() -> Vec<u8> {
    std::fs::read(model()).expect("the built-in model")
}

/// What the API answers, and the files themselves.
pub fn reply(files: &[Listed], request: &Request) -> Reply {
    reply_for("own/repo", files, request)
}

/// The same for a repository of another name.
pub fn reply_for(repository: &str, files: &[Listed], request: &Request) -> Reply {
    let path = request.target.split('?').next().unwrap_or_default();
    if path == format!("/api/models/{repository}") {
        let siblings: Vec<_> = files.iter().map(|file| serde_json::json!({"rfilename": file.path})).collect();
        return Reply::new(200, serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string());
    }
    if path == format!("/api/models/{repository}/tree/{COMMIT}") {
        let entry = |file: &Listed| {
            let mut entry =
                serde_json::json!({"type": "file", "oid": "1", "size": file.size, "path": file.path});
            if let Some(sha256) = &file.sha256 {
                entry["lfs"] = serde_json::json!({"oid": sha256, "size": file.size, "pointerSize": 130});
            }
            entry
        };
        return Reply::new(200, serde_json::Value::from_iter(files.iter().map(entry)).to_string());
    }
    let file = path.strip_prefix(&format!("/{repository}/resolve/{COMMIT}/"));
    match files.iter().find(|listed| file == Some(&listed.path)) {
        Some(listed) => Reply::file(request, &listed.bytes),
        None => Reply::new(404, "").with("x-error-message", "Entry not found"),
    }
}

/// A hub that behaves.
pub fn hub(files: Vec<Listed>) -> Server {
    Server::start(move |request| reply(&files, request))
}

/// A hub with one model whose file is answered for as a test wants; everything else behaves.
pub fn hub_with(answer: impl Fn(&Request, &[u8]) -> Reply + Send + 'static) -> Server {
    let files = vec![listed("m-Q4_0.gguf", &model_bytes())];
    Server::start(move |request| match request.target.contains("/resolve/") {
        true => answer(request, &files[0].bytes),
        false => reply(&files, request),
    })
}

/// The command with a hub and a cache.
pub struct Puller {
    pub siskin: Siskin,
    endpoint: String,
    token: Option<&'static str>,
}

impl Puller {
    pub fn new(hub: &Server) -> Puller {
        Puller { siskin: Siskin::new(), endpoint: hub.url(""), token: None }
    }

    pub fn with_token(hub: &Server, token: &'static str) -> Puller {
        Puller { token: Some(token), ..Puller::new(hub) }
    }

    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[])
    }

    /// With more environment; an empty value takes a variable away.
    pub fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Run {
        let mut command = self.siskin.command(args);
        for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE", "HF_TOKEN", "XDG_CACHE_HOME"]
        {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("HF_ENDPOINT", &self.endpoint).env("SISKIN_CACHE", self.siskin.dir.path().join("cache"));
        command.envs(self.token.map(|token| ("HF_TOKEN", token)));
        for (name, value) in environment {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        Run::from(command.output().expect("siskin runs"))
    }

    /// Pulls with a single repetition, so that failing takes little time.
    pub fn pull(&self, name: &str) -> Run {
        self.run(&["pull", "--retries", "1", name])
    }

    /// A path in the repository's folder of the cache.
    pub fn cached(&self, name: &str) -> PathBuf {
        self.siskin.dir.path().join("cache/hub/own/repo").join(name)
    }

    /// Every file in the directory of this test.
    pub fn files(&self) -> Vec<String> {
        let root = self.siskin.dir.path();
        let (mut folders, mut out) = (vec![root.to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    out.push(path.strip_prefix(root).expect("below").display().to_string());
                }
            }
        }
        out.sort();
        out
    }
}
