//! The hub's list of files: `GET /api/models/OWNER/REPO` for the commit, and the tree of that commit for sizes and hashes.
//! The format is the one of Hugging Face's public API, which mirrors copy.

use super::OnEvent;
use super::error::{self, Error};
use super::http::{self, Answer, Client, Purpose};
use super::reference::{self, MAIN, is_safe_name};
use super::url::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Bytes of an answer of the API, at most.
const MAX_ANSWER: u64 = 16 << 20;
/// Pages of the list of files, at most.
const MAX_PAGES: usize = 20;

/// A repository of the hub.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repository<'a> {
    pub owner: &'a str,
    pub repo: &'a str,
    pub revision: &'a str,
}

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Path in the repository; checked to stay below the folder it is put into.
    pub path: String,
    pub bytes: u64,
    pub sha256: Option<String>,
}

/// The GGUF files of a repository at one commit.
#[derive(Debug)]
pub(super) struct Listing {
    pub commit: String,
    pub files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Info {
    sha: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
}

/// Of a file that is not kept in git itself: its SHA-256 and its size.
#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Repository<'_> {
    /// What messages call it.
    pub fn purpose(&self, hub: &Url) -> Purpose {
        let Repository { owner, repo, .. } = *self;
        Purpose { what: format!("{owner}/{repo}"), page: hub.with_path([owner, repo]) }
    }

    /// The URL of a file at a commit.
    pub fn file(&self, hub: &Url, commit: &str, path: &str) -> Url {
        hub.with_path([self.owner, self.repo, "resolve", commit].into_iter().chain(path.split('/')))
    }

    /// Its GGUF files.
    pub fn list(&self, client: &Client, on_event: &mut OnEvent<'_>) -> Result<Listing, Error> {
        let purpose = self.purpose(client.hub());
        let api = client.hub().with_path(["api", "models", self.owner, self.repo]);
        let at = if self.revision == MAIN { api.clone() } else { api.with_path(["revision", self.revision]) };
        let (info, _) = json::<Info>(client, &at, &purpose, on_event)?;
        let is_commit = |sha: &String| sha.len() == 40 && is_safe_name(sha);
        let commit = info.sha.filter(is_commit).unwrap_or_else(|| self.revision.to_owned());

        let mut next = Some(api.with_path(["tree", &commit]).with_query("recursive=true"));
        let (mut files, mut pages) = (Vec::new(), 0);
        while let Some(url) = next {
            let (entries, following) = json::<Vec<Entry>>(client, &url, &purpose, on_event)?;
            pages += 1;
            if following.is_some() && pages == MAX_PAGES {
                let reason = format!("it has more than {MAX_PAGES} pages");
                return Err(Error::Answer { url, reason });
            }
            next = following;
            for entry in entries.into_iter().filter(is_gguf) {
                files.push(listed(entry, &purpose)?);
            }
        }
        Ok(Listing { commit, files })
    }
}

fn is_gguf(entry: &Entry) -> bool {
    entry.kind == "file" && entry.path.to_ascii_lowercase().ends_with(".gguf")
}

fn listed(entry: Entry, purpose: &Purpose) -> Result<Listed, Error> {
    let path = reference::safe_path(&entry.path).map_err(|_| Error::UnsafeName {
        what: purpose.what.clone(),
        name: format!("{:?}", error::shown(&entry.path)),
    })?;
    Ok(match entry.lfs {
        Some(lfs) => Listed { path, bytes: lfs.size, sha256: http::sha256(&lfs.oid) },
        None => Listed { path, bytes: entry.size, sha256: None },
    })
}

/// An answer of the API, and the URL of the next page if there is one.
fn json<T: DeserializeOwned>(
    client: &Client,
    url: &Url,
    purpose: &Purpose,
    on_event: &mut OnEvent<'_>,
) -> Result<(T, Option<Url>), Error> {
    client.retrying(on_event, || {
        let Answer { mut response, .. } = client.get(url, purpose, 0)?;
        let next = http::text(response.headers(), "link").and_then(next_page);
        let wrong = |reason: String| Error::Answer { url: url.clone(), reason };
        let next = next.map(|next| url.join(next)).transpose().map_err(|reason| wrong(reason.into()))?;
        let bytes = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let bytes = bytes.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(limit) => wrong(format!("it is longer than {limit} bytes")),
            error => Error::Broken { url: url.clone(), reason: error::shown(&error.to_string()) },
        })?;
        let value =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error::shown(&error.to_string())))?;
        Ok((value, next))
    })
}

/// The target of `<URL>; rel="next"` in a `Link` header.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (target, rest) = part.trim().strip_prefix('<')?.split_once('>')?;
        rest.contains("rel=\"next\"").then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page() {
        assert_eq!(next_page("<http://a/x?cursor=1>; rel=\"next\""), Some("http://a/x?cursor=1"));
        assert_eq!(next_page("</a>; rel=\"prev\", </b>; rel=\"next\""), Some("/b"));
        assert_eq!(next_page("</a>; rel=\"prev\""), None);
        assert_eq!(next_page(""), None);
    }

    #[test]
    fn entries_of_the_tree() {
        let purpose =
            Purpose { what: "a/b".into(), page: Url::parse("http://a").unwrap_or_else(|e| panic!("{e}")) };
        let entry =
            |text: &str| serde_json::from_str::<Entry>(text).unwrap_or_else(|error| panic!("{error}"));
        let lfs = entry(&format!(
            r#"{{"type":"file","oid":"1","size":5,"path":"x/m.gguf","lfs":{{"oid":"{}","size":7,"pointerSize":9}}}}"#,
            "ab".repeat(32)
        ));
        let expected = Listed { path: "x/m.gguf".into(), bytes: 7, sha256: Some("ab".repeat(32)) };
        assert_eq!(listed(lfs, &purpose).unwrap_or_else(|error| panic!("{error}")), expected);
        let plain = entry(r#"{"type":"file","oid":"1","size":5,"path":"m.gguf"}"#);
        assert!(is_gguf(&plain) && listed(plain, &purpose).is_ok_and(|file| file.sha256.is_none()));
        for path in
            ["../m.gguf", "/m.gguf", "a/../../m.gguf", "a\\\\m.gguf", "a//m.gguf", "\\u0000.gguf", "c:m.gguf"]
        {
            let entry = entry(&format!(r#"{{"type":"file","size":1,"path":"{path}"}}"#));
            assert!(matches!(listed(entry, &purpose), Err(Error::UnsafeName { .. })), "{path}");
        }
        assert!(serde_json::from_str::<Entry>(r#"{"type":"file","size":-1,"path":"m.gguf"}"#).is_err());
    }
}
