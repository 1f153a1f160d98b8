//! A file that takes the place of another in one step; called by prompt caches, and by the command for conversations.
//!
//! It is written under a name of its own beside the other one, `.NAME.PROCESS.new`, and locked meanwhile. What a killed process left under such a name
//! nobody holds a lock on: whoever writes next deletes it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Writes a file beside `path` and gives it that name, once it is whole and on disk: whoever reads `path` finds the old file or the new one, and after
/// a failure the old one stays. The new file is readable for its owner only. Where `path` is a link, the file behind it is replaced.
///
/// # Errors
/// When `write` fails, or the file cannot be made or named.
pub fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    // behind a link, the file itself
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    sweep(folder, &name);
    let new = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = create(&new).and_then(|file| {
        // where no locks are known, nothing is deleted either
        let _ = file.try_lock();
        write(&file)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    // the name too; some systems cannot, and the file is there all the same
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A new file for this user alone: prompts are private.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // left by a process that was killed and had the same number
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Deletes what processes that were killed have left of a file of this name.
fn sweep(folder: &Path, name: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_left(&entry.file_name().to_string_lossy(), name) && is_abandoned(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether this is what [`replace`] calls its new files.
fn is_left(found: &str, name: &str) -> bool {
    let process = || found.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new");
    process().is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether nobody writes to it.
fn is_abandoned(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    is_file && OpenOptions::new().write(true).open(path).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_killed_writers_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".a.99999999.new", ".a.new", ".a.1x.new", ".b.1.new"] {
            fs::write(at(name), "left").unwrap();
        }
        let other = create(&at(".a.1.new")).unwrap();
        other.try_lock().unwrap();
        replace(&at("a"), |mut file| file.write_all(b"one")).unwrap();
        assert_eq!(fs::read(at("a")).unwrap(), b"one");
        assert_eq!(names(folder.path()), [".a.1.new", ".a.1x.new", ".a.new", ".b.1.new", "a"]);
        drop(other);
        replace(&at("a"), |mut file| file.write_all(b"two")).unwrap();
        assert_eq!(names(folder.path()), [".a.1x.new", ".a.new", ".b.1.new", "a"]);
    }

    #[test]
    fn what_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let failed = replace(&path, |mut file| {
            file.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((fs::read(&path).unwrap(), names(folder.path()).len()), (b"old".to_vec(), 1));
    }
}
