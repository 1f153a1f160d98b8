//! Files on disk: the part that is there of a file, its hash as it grows, and the whole file under its own name in the end.

use super::error::Error;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read or written at once.
pub(super) const CHUNK: usize = 256 << 10;

/// A file that is not whole yet. It is locked, so that two programs do not write to it at once.
#[derive(Debug)]
pub(super) struct Part {
    dest: PathBuf,
    path: PathBuf,
    file: File,
    len: u64,
    hasher: Sha256,
}

impl Part {
    /// Opens what is there of the file that is to become `dest`, or begins it. Parts of other versions of that file are deleted:
    /// `identity` tells versions apart; without one, it begins from the start.
    ///
    /// What is there counts only once [`Part::read_back`] has hashed it.
    pub fn open(dest: &Path, identity: Option<&str>) -> Result<Part, Error> {
        let path = with_suffix(dest, &format!(".{}.part", identity.unwrap_or("new")));
        let disk = |source| Error::Disk { path: path.clone(), source };
        if let Some(folder) = dest.parent() {
            fs::create_dir_all(folder).map_err(disk)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(disk)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path }),
            // network folders may know no locks
            Err(TryLockError::Error(error)) => log::debug!("{}: cannot be locked: {error}", path.display()),
            Ok(()) => {}
        }
        // whoever held the lock before may have been done with it in this moment
        if !path.exists() {
            return Err(Error::Busy { path });
        }
        if identity.is_none() {
            file.set_len(0).map_err(disk)?;
        }
        delete_other_parts(dest, &path);
        Ok(Part { dest: dest.to_owned(), path, file, len: 0, hasher: Sha256::new() })
    }

    /// Bytes that are there and hashed.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads and hashes what is there already; `sink` gets it piece by piece. More than `limit` bytes cannot be right: then it
    /// begins from the start.
    pub fn read_back(
        &mut self,
        limit: u64,
        mut sink: impl FnMut(&[u8], u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.file.metadata().map_err(|error| self.disk(error))?.len() > limit {
            return self.restart();
        }
        let mut chunk = vec![0; CHUNK];
        self.file.seek(SeekFrom::Start(0)).map_err(|error| self.disk(error))?;
        loop {
            let n = self.file.read(&mut chunk).map_err(|error| self.disk(error))?;
            let Some(read) = chunk.get(..n).filter(|read| !read.is_empty()) else { return Ok(()) };
            self.hasher.update(read);
            self.len += n as u64;
            sink(read, self.len)?;
        }
    }

    /// Drops what is there.
    pub fn restart(&mut self) -> Result<(), Error> {
        let empty = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        empty.map_err(|error| self.disk(error))?;
        (self.len, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|error| self.disk(error))?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The SHA-256 of what is there.
    pub fn sha256(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }

    /// Gives the file its name, once it is on the disk; what had this name before is replaced at once.
    pub fn finish(self, sha256: Option<&str>) -> Result<(), Error> {
        self.file.sync_all().map_err(|error| self.disk(error))?;
        // an old hash must not stand beside the new file, not even if the power fails now
        remove(&sum_path(&self.dest))?;
        fs::rename(&self.path, &self.dest).map_err(|error| self.disk(error))?;
        sync_folder(&self.dest);
        sha256.map_or(Ok(()), |sha256| write_sum(&self.dest, sha256))
    }

    /// Deletes it.
    pub fn discard(self) -> Result<(), Error> {
        remove(&self.path)
    }

    fn disk(&self, source: io::Error) -> Error {
        Error::Disk { path: self.path.clone(), source }
    }
}

/// Whether a file is there as it should be. A hash that was not kept is computed, and kept.
pub(super) fn is_present(dest: &Path, bytes: u64, sha256: Option<&str>) -> Result<bool, Error> {
    if !fs::metadata(dest).is_ok_and(|metadata| metadata.is_file() && metadata.len() == bytes) {
        return Ok(false);
    }
    let Some(expected) = sha256 else { return Ok(true) };
    if let Some(found) = read_sum(dest) {
        return Ok(found == expected);
    }
    let found = hash(dest).map_err(|source| Error::Disk { path: dest.to_owned(), source })?;
    if found == expected {
        write_sum(dest, expected)?;
    }
    Ok(found == expected)
}

/// Bytes of a file's part that is there.
pub(super) fn part_bytes(dest: &Path, identity: Option<&str>) -> u64 {
    let path = identity.map(|identity| with_suffix(dest, &format!(".{identity}.part")));
    path.and_then(|path| fs::metadata(path).ok()).map_or(0, |metadata| metadata.len())
}

/// Bytes that may be written to a folder's disk; `None` where the system does not tell. The folder need not exist.
pub(super) fn free_space(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.is_dir())?;
    #[cfg(target_os = "linux")]
    {
        let disk = rustix::fs::statvfs(existing).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = existing;
        None
    }
}

fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(chunk.get(..n).unwrap_or_default()),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sum_path(dest: &Path) -> PathBuf {
    with_suffix(dest, ".sha256")
}

/// The hash that stands beside a file.
fn read_sum(dest: &Path) -> Option<String> {
    let text = fs::read_to_string(sum_path(dest)).ok()?;
    super::http::sha256(text.split_ascii_whitespace().next()?)
}

fn write_sum(dest: &Path, sha256: &str) -> Result<(), Error> {
    let path = sum_path(dest);
    let name = dest.file_name().unwrap_or_default().to_string_lossy();
    fs::write(&path, format!("{sha256}  {name}\n")).map_err(|source| Error::Disk { path, source })
}

/// Deletes a file if it is there.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Disk { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Makes a rename last through a loss of power; where folders cannot be synchronized, it lasts a little later.
fn sync_folder(dest: &Path) {
    let folder = dest.parent().and_then(|folder| File::open(folder).ok());
    if let Some(Err(error)) = folder.map(|folder| folder.sync_all()) {
        log::debug!("{}: its folder is not synchronized: {error}", dest.display());
    }
}

/// Deletes parts of other versions of the file, unless somebody is writing to them.
fn delete_other_parts(dest: &Path, keep: &Path) {
    let (Some(folder), Some(name)) = (dest.parent(), dest.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let prefix = format!("{name}.");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_part = entry.file_name().to_str().is_some_and(|name| {
            name.strip_prefix(&prefix)
                .is_some_and(|rest| rest.strip_suffix(".part").is_some_and(|id| !id.contains('.')))
        });
        let is_free = || File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if is_part && path != keep && is_free() && fs::remove_file(&path).is_ok() {
            log::debug!("{}: deleted, it is of another version", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "abc", from FIPS 180-4's examples.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_part_grows_and_becomes_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("a/m.gguf");
        let mut part = Part::open(&dest, Some("1")).unwrap();
        part.write(b"ab").unwrap();
        assert!(matches!(Part::open(&dest, Some("1")), Err(Error::Busy { .. })));
        drop(part);
        assert_eq!(part_bytes(&dest, Some("1")), 2);
        let mut part = Part::open(&dest, Some("1")).unwrap();
        let mut seen = Vec::new();
        part.read_back(3, |bytes, _| {
            seen.extend(bytes);
            Ok(())
        })
        .unwrap();
        part.write(b"c").unwrap();
        assert_eq!((seen.as_slice(), part.len(), part.sha256().as_str()), (&b"ab"[..], 3, ABC));
        part.finish(Some(ABC)).unwrap();
        assert_eq!(fs::read(&dest).unwrap(), b"abc");
        assert_eq!(fs::read_to_string(sum_path(&dest)).unwrap(), format!("{ABC}  m.gguf\n"));
        assert_eq!(fs::read_dir(dest.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn another_version_begins_from_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("m.gguf");
        Part::open(&dest, Some("1")).unwrap().write(b"old").unwrap();
        Part::open(&dest, None).unwrap().write(b"nameless").unwrap();
        fs::write(dir.path().join("m.gguf.x.gguf.1.part"), "another file's").unwrap();
        for identity in [Some("2"), None] {
            let mut part = Part::open(&dest, identity).unwrap();
            part.read_back(99, |_, _| panic!("there is something")).unwrap();
            assert_eq!((part.len(), part_bytes(&dest, Some("1"))), (0, 0));
        }
        assert!(dir.path().join("m.gguf.x.gguf.1.part").exists());
    }

    #[test]
    fn too_long_a_part_begins_from_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("m.gguf");
        Part::open(&dest, Some("1")).unwrap().write(b"1234").unwrap();
        let mut part = Part::open(&dest, Some("1")).unwrap();
        part.read_back(3, |_, _| panic!("it is too long")).unwrap();
        assert_eq!((part.len(), part_bytes(&dest, Some("1"))), (0, 0));
    }

    #[test]
    fn a_file_is_present_if_size_and_hash_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("m.gguf");
        let present = |bytes, sha256: Option<&str>| is_present(&dest, bytes, sha256).unwrap();
        assert!(!present(3, None));
        fs::write(&dest, "abc").unwrap();
        assert!(present(3, None) && !present(4, None));
        assert!(!present(3, Some(&"0".repeat(64))) && !sum_path(&dest).exists());
        assert!(present(3, Some(ABC)) && sum_path(&dest).exists());
        fs::write(sum_path(&dest), format!("{}  m.gguf\n", "0".repeat(64))).unwrap();
        assert!(!present(3, Some(ABC)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn space_of_a_folder_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_space(&dir.path().join("no/such")).is_some_and(|bytes| bytes > 0));
    }
}
