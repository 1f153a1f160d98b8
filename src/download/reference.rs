//! How users name a model that is to be downloaded: `OWNER/REPO`, `OWNER/REPO:Q4_K_M`, `OWNER/REPO:FILE.gguf`, the
//! first with `@REVISION` where not the newest is meant, or a URL.

use super::Error;
use super::quant::Wanted;
use super::url::Url;
use std::fmt;

/// Servers whose web addresses are read as names of repositories.
const HUBS: [&str; 3] = ["huggingface.co", "www.huggingface.co", "hf.co"];
/// Longest name of an owner or a repository.
const MAX_NAME: usize = 96;
/// The branch that is meant unless a URL names another.
pub const MAIN: &str = "main";

/// What is to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A model in a repository of the hub.
    Hub {
        /// User or organization.
        owner: String,
        /// Repository.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// Which of its models.
        wanted: Wanted,
    },
    /// A file anywhere; of a split model, any part.
    Url(Url),
}

impl Reference {
    /// Reads what a user typed.
    ///
    /// # Errors
    ///
    /// [`Error::Reference`] with the reason.
    pub fn parse(text: &str) -> Result<Reference, Error> {
        let parsed = if text.contains("://") { from_url(text) } else { from_name(text) };
        parsed.map_err(|reason| Error::Reference { text: super::error::shown(text), reason })
    }
}

/// As it can be typed again.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Url(url) => url.fmt(f),
            Reference::Hub { owner, repo, revision, wanted } => {
                write!(f, "{owner}/{repo}")?;
                if revision != MAIN {
                    write!(f, "@{revision}")?;
                }
                match wanted {
                    Wanted::Default => Ok(()),
                    Wanted::Quant(name) | Wanted::File(name) => write!(f, ":{name}"),
                }
            }
        }
    }
}

/// `OWNER/REPO`, perhaps with `@REVISION`, then perhaps a colon and a format or a file.
fn from_name(text: &str) -> Result<Reference, &'static str> {
    let known_host = HUBS.iter().find_map(|host| text.strip_prefix(host)?.strip_prefix('/'));
    let text = known_host.unwrap_or(text);
    let (name, wanted) = match text.split_once(':') {
        None => (text, Wanted::Default),
        Some((_, "")) => return Err("nothing stands after the colon"),
        Some((name, file)) if file.to_ascii_lowercase().ends_with(".gguf") => {
            (name, Wanted::File(safe_path(file)?))
        }
        Some((name, quant)) if quant.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) => {
            (name, Wanted::Quant(quant.to_owned()))
        }
        Some(_) => {
            return Err("what stands after the colon is neither a format nor a file that ends with .gguf");
        }
    };
    let Some((owner, repo)) = name.split_once('/') else { return Err("there is no slash in it") };
    let (repo, revision) = repo.split_once('@').unwrap_or((repo, MAIN));
    hub(owner, repo, revision, wanted)
}

/// A page or file of the hub, or a file anywhere else.
fn from_url(text: &str) -> Result<Reference, &'static str> {
    let url = Url::parse(text)?;
    if HUBS.contains(&url.server().as_str()) {
        return from_hub_path(url.path());
    }
    let segments: Vec<&str> = url.path().split('/').skip(1).collect();
    if !url.path().to_ascii_lowercase().ends_with(".gguf") {
        return Err("the URL's path does not end with .gguf");
    }
    if !segments.iter().all(|segment| is_safe_name(segment)) {
        return Err("the URL's path cannot be the path of a file");
    }
    Ok(Reference::Url(url))
}

/// `/OWNER/REPO`, `/OWNER/REPO/tree/REVISION`, or `/OWNER/REPO/{resolve,blob}/REVISION/FILE`.
fn from_hub_path(path: &str) -> Result<Reference, &'static str> {
    let path = decode(path)?;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments[..] {
        [owner, repo] => hub(owner, repo, MAIN, Wanted::Default),
        [owner, repo, "tree", revision] => hub(owner, repo, revision, Wanted::Default),
        [owner, repo, "resolve" | "blob", revision, ref file @ ..] if !file.is_empty() => {
            hub(owner, repo, revision, Wanted::File(safe_path(&file.join("/"))?))
        }
        _ => Err("it is no page of a repository and no file in one"),
    }
}

fn hub(owner: &str, repo: &str, revision: &str, wanted: Wanted) -> Result<Reference, &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fine = |name: &str| name.len() <= MAX_NAME && is_safe_name(name) && name.bytes().all(allowed);
    if !fine(owner) || !fine(repo) {
        return Err("names of owners and repositories hold only letters, digits, '-', '_' and '.'");
    }
    if !fine(revision) {
        return Err("the revision is not a branch, tag or commit of such characters");
    }
    let [owner, repo, revision] = [owner, repo, revision].map(str::to_owned);
    Ok(Reference::Hub { owner, repo, revision, wanted })
}

/// Whether a path from outside stays below the folder it is put into, and names a file on every system.
///
/// # Errors
///
/// Why not, for a message.
pub fn safe_path(path: &str) -> Result<String, &'static str> {
    if path.len() <= 1024 && path.split('/').all(is_safe_name) {
        return Ok(path.to_owned());
    }
    Err("the name of the file leaves its folder or has characters that names of files do not have")
}

/// A name that is neither empty, nor `.` or `..`, nor holds anything with which a path goes elsewhere.
pub fn is_safe_name(name: &str) -> bool {
    let banned = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.contains(banned)
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "it has a wrong escape after a percent sign";
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).ok_or(WRONG)?;
        out.push(u8::from_str_radix(digits, 16).map_err(|_| WRONG)?);
        out.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(out).map_err(|_| WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Reference {
        Reference::parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn expected(revision: &str, wanted: Wanted) -> Reference {
        let [owner, repo, revision] = ["own-er", "Re.po_1", revision].map(str::to_owned);
        Reference::Hub { owner, repo, revision, wanted }
    }

    #[test]
    fn names_and_web_addresses_of_repositories() {
        let file = |name: &str| Wanted::File(name.into());
        for (text, revision, wanted) in [
            ("own-er/Re.po_1", "main", Wanted::Default),
            ("own-er/Re.po_1:q4_k_m", "main", Wanted::Quant("q4_k_m".into())),
            ("hf.co/own-er/Re.po_1:UD-Q4_K_XL", "main", Wanted::Quant("UD-Q4_K_XL".into())),
            ("own-er/Re.po_1:sub/m.gguf", "main", file("sub/m.gguf")),
            ("own-er/Re.po_1@v2:Q8_0", "v2", Wanted::Quant("Q8_0".into())),
            ("https://huggingface.co/own-er/Re.po_1/", "main", Wanted::Default),
            ("https://huggingface.co/own-er/Re.po_1/tree/v2", "v2", Wanted::Default),
            ("https://hf.co/own-er/Re.po_1/blob/main/sub/m%20x.gguf", "main", file("sub/m x.gguf")),
            ("https://huggingface.co/own-er/Re.po_1/resolve/abc/m.gguf?download=true", "abc", file("m.gguf")),
        ] {
            assert_eq!(parsed(text), expected(revision, wanted), "{text}");
        }
        for text in ["a/b", "a/b:Q8_0", "a/b@v1:m.gguf"] {
            assert_eq!(parsed(text).to_string(), text);
        }
    }

    #[test]
    fn files_anywhere() {
        let url = parsed("http://127.0.0.1:1/x/m.gguf?signature=1");
        assert_eq!(url.to_string(), "http://127.0.0.1:1/x/m.gguf");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "../b",
            "a/..",
            "a/b:",
            "a/b:c d",
            "a/b:../m.gguf",
            "a/b:/m.gguf",
            "a/b:x/../m.gguf",
            "a b/c",
            "ftp://a/m.gguf",
            "https://a/m.bin",
            "https://a/../m.gguf",
            "https://a/x//m.gguf",
            "https://huggingface.co/a",
            "https://huggingface.co/a/b/blob/main",
            "https://huggingface.co/a/b/resolve/main/%2e%2e/m.gguf",
            "https://huggingface.co/a/b/resolve/main/%zz.gguf",
            "a/b:x\\m.gguf",
            "a/b:.hidden.gguf",
        ] {
            assert!(matches!(Reference::parse(text), Err(Error::Reference { .. })), "{text:?}");
        }
    }
}
