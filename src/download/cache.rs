//! Where downloaded models are kept.
//!
//! ```text
//! CACHE/hub/OWNER/REPO/FILE.gguf            a model of the hub; folders of the repository are folders here
//! CACHE/hub/OWNER/REPO@REVISION/FILE.gguf   the same, if another revision than `main` was asked for
//! CACHE/url/SERVER/PATH/FILE.gguf           a file from anywhere else; SERVER is HOST, or HOST_PORT
//! CACHE/.../FILE.gguf.sha256                its hash, as `sha256sum -c` reads it; absent if its source states none
//! CACHE/.../FILE.gguf.IDENTITY.part         what is there of a file that is not whole yet
//! ```
//!
//! CACHE is `SISKIN_CACHE`, or else `siskin` in `XDG_CACHE_HOME`, or else `~/.cache/siskin`. Files may be deleted at any time, by
//! any means; nothing but their names says what they are.

use super::error::Error;
use super::quant::{self, NoChoice, Wanted};
use super::reference::{MAIN, Reference};
use super::url::Url;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders in folders that are looked at for models.
const MAX_DEPTH: usize = 8;

/// The folder of downloaded models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

/// A model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// `OWNER/REPO:QUANT`, or another name that can be given for it; of a file from elsewhere, its path.
    pub name: String,
    /// Its (first) file.
    pub path: PathBuf,
    /// Size of all its files, in bytes.
    pub bytes: u64,
}

impl Cache {
    /// The cache that the environment names.
    ///
    /// # Errors
    ///
    /// [`Error::NoCacheFolder`].
    pub fn from_env() -> Result<Cache, Error> {
        let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let absolute = |path: &PathBuf| path.is_absolute();
        let xdg = || folder("XDG_CACHE_HOME").filter(absolute).map(|path| path.join("siskin"));
        let home = || folder("HOME").filter(absolute).map(|path| path.join(".cache/siskin"));
        let root = folder("SISKIN_CACHE").or_else(xdg).or_else(home).ok_or(Error::NoCacheFolder)?;
        Ok(Cache { root })
    }

    /// A cache in this folder, which need not exist.
    pub fn at(root: PathBuf) -> Cache {
        Cache { root }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a repository.
    pub(super) fn repository(&self, owner: &str, repo: &str, revision: &str) -> PathBuf {
        let repo = if revision == MAIN { repo.to_owned() } else { format!("{repo}@{revision}") };
        self.root.join("hub").join(owner).join(repo)
    }

    /// The path of a file that is no repository's.
    pub(super) fn file(&self, url: &Url) -> PathBuf {
        let server: String = url.server().chars().map(|c| if ":[]".contains(c) { '_' } else { c }).collect();
        let folder = self.root.join("url").join(server);
        url.path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .fold(folder, |path, segment| path.join(segment))
    }

    /// The (first) file of a model that was downloaded as a whole, if it was.
    ///
    /// # Errors
    ///
    /// [`Error::Ambiguous`] if several fit, [`Error::MissingPart`] if the model is split and not whole.
    pub fn find(&self, reference: &Reference) -> Result<Option<PathBuf>, Error> {
        let (folder, paths, wanted) = match reference {
            Reference::Hub { owner, repo, revision, wanted } => {
                let folder = self.repository(owner, repo, revision);
                let paths = models_below(&folder);
                (folder, paths, wanted.clone())
            }
            Reference::Url(url) => {
                let path = self.file(url);
                let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
                let name = name.to_string_lossy().into_owned();
                (folder.to_owned(), files_in(folder), Wanted::File(name))
            }
        };
        let what = reference.to_string();
        match quant::choose(&paths, &wanted) {
            Ok(model) => Ok(Some(folder.join(model.path))),
            Err(NoChoice::NoModels | NoChoice::NotFound(_)) => Ok(None),
            Err(NoChoice::Ambiguous(files)) => Err(Error::Ambiguous { what, files }),
            Err(NoChoice::MissingPart(part)) => Err(Error::MissingPart { what, part }),
        }
    }

    /// Every model that is there as a whole, by name.
    pub fn models(&self) -> Vec<Cached> {
        let mut out = Vec::new();
        let hub = self.root.join("hub");
        for owner in folders_in(&hub) {
            for repo in folders_in(&hub.join(&owner)) {
                let folder = hub.join(&owner).join(&repo);
                out.extend(models_in(&folder, |model, alike| {
                    let unique = !model.quant.is_empty() && alike == 1;
                    let which = if unique { &model.quant } else { &model.path };
                    format!("{owner}/{repo}:{which}")
                }));
            }
        }
        let url = self.root.join("url");
        out.extend(models_in(&url, |model, _| url.join(&model.path).display().to_string()));
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }
}

/// The whole models below a folder; `name` gets each, and how many state the same format.
fn models_in(folder: &Path, name: impl Fn(&quant::Candidate, usize) -> String) -> Vec<Cached> {
    let paths = models_below(folder);
    let models = quant::candidates(&paths);
    let alike = |quant: &str| models.iter().filter(|model| model.quant == quant).count();
    let size = |path: &String| fs::metadata(folder.join(path)).map_or(0, |metadata| metadata.len());
    let whole = models.iter().filter(|model| model.missing.is_none());
    whole
        .map(|model| Cached {
            name: name(model, alike(&model.quant)),
            path: folder.join(&model.path),
            bytes: model.files.iter().filter_map(|&i| paths.get(i)).map(size).sum(),
        })
        .collect()
}

/// Paths of GGUF files below a folder, relative to it and with `/` between names, sorted.
fn models_below(folder: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut folders = vec![(String::new(), 0)];
    while let Some((below, depth)) = folders.pop() {
        let here = folder.join(&below);
        out.extend(files_in(&here).into_iter().map(|name| format!("{below}{name}")));
        if depth < MAX_DEPTH {
            folders.extend(folders_in(&here).into_iter().map(|name| (format!("{below}{name}/"), depth + 1)));
        }
    }
    out.sort();
    out
}

fn files_in(folder: &Path) -> Vec<String> {
    let is_model = |name: &String| name.to_ascii_lowercase().ends_with(".gguf");
    entries(folder, Path::is_file).into_iter().filter(is_model).collect()
}

fn folders_in(folder: &Path) -> Vec<String> {
    entries(folder, Path::is_dir)
}

/// Names in a folder, sorted; a folder that cannot be read is empty.
fn entries(folder: &Path, fits: fn(&Path) -> bool) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| fits(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_with(files: &[&str]) -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "1234567").unwrap();
        }
        let cache = Cache::at(dir.path().to_owned());
        (dir, cache)
    }

    fn find(cache: &Cache, name: &str) -> Option<PathBuf> {
        let found = cache.find(&Reference::parse(name).unwrap()).unwrap();
        found.map(|path| path.strip_prefix(cache.root()).unwrap().to_owned())
    }

    #[test]
    fn models_are_found_by_name() {
        let (_dir, cache) = cache_with(&[
            "hub/a/b/m-Q8_0.gguf",
            "hub/a/b/m-Q8_0.gguf.sha256",
            "hub/a/b/m-Q4_K_M.gguf.0123.part",
            "hub/a/b/x/m-F16-00001-of-00002.gguf",
            "hub/a/b/x/m-F16-00002-of-00002.gguf",
            "hub/a/b@v2/m-Q4_0.gguf",
            "url/127.0.0.1_81/y/m.gguf",
        ]);
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(find(&cache, "a/b"), path("hub/a/b/m-Q8_0.gguf"));
        assert_eq!(find(&cache, "a/b:f16"), path("hub/a/b/x/m-F16-00001-of-00002.gguf"));
        assert_eq!(find(&cache, "a/b@v2"), path("hub/a/b@v2/m-Q4_0.gguf"));
        assert_eq!(find(&cache, "http://127.0.0.1:81/y/m.gguf?x"), path("url/127.0.0.1_81/y/m.gguf"));
        for name in ["a/b:Q4_K_M", "a/c", "c/b", "http://127.0.0.1/y/m.gguf"] {
            assert_eq!(find(&cache, name), None, "{name}");
        }
        let listed: Vec<(String, u64)> =
            cache.models().into_iter().map(|model| (model.name, model.bytes)).collect();
        let elsewhere = cache.root().join("url/127.0.0.1_81/y/m.gguf").display().to_string();
        let mut expected = [("a/b:F16", 14), ("a/b:Q8_0", 7), ("a/b@v2:Q4_0", 7), (elsewhere.as_str(), 7)]
            .map(|(name, bytes)| (name.to_owned(), bytes));
        expected.sort();
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_split_model_that_is_not_whole_is_not_used() {
        let (_dir, cache) = cache_with(&["hub/a/b/m-F16-00001-of-00002.gguf"]);
        let error = cache.find(&Reference::parse("a/b").unwrap()).unwrap_err();
        assert!(matches!(error, Error::MissingPart { part, .. } if part == "m-F16-00002-of-00002.gguf"));
        assert_eq!(cache.models(), []);
    }

    #[test]
    fn a_cache_that_is_not_there_is_empty() {
        let cache = Cache::at("/nonexistent/siskin".into());
        assert_eq!((find(&cache, "a/b"), cache.models()), (None, vec![]));
    }
}
