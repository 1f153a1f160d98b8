//! Writing the new file: some rows of a tensor at a time, encoded by all threads, into a file that gets its name when it is whole.

use super::encode::{MAX_F16, encode};
use super::{Error, Plan, Planned};
use crate::threads::Team;
use siskin_simd::Format;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are encoded before they are written, if a row is not longer.
const BATCH_BYTES: usize = 4 << 20;

/// What a thread needs: room for a row of floats.
type Scratch = Vec<f32>;

impl Plan<'_> {
    /// Writes the new file, beside `path` first and in place of it when it is whole. `progress` is called with the bytes that
    /// were written since it was last, and ends the work by breaking.
    ///
    /// # Errors
    ///
    /// If `path` is a file of the input, a weight cannot be stored, the output cannot be written, or `progress` breaks. The path is
    /// then as it was.
    pub fn save(
        &self,
        path: &Path,
        team: &mut Team,
        progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.refuse_input(path)?;
        let failed = |source| Error::Io { path: path.to_owned(), source };
        // a folder cannot be replaced by a file, and a device must not be
        if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let partial = Partial::create(path).map_err(failed)?;
        let outcome = partial.reserve(self.bytes()).map_err(failed);
        outcome
            .and_then(|()| self.write(&partial.file, team, progress))
            .and_then(|()| partial.finish(path).map_err(failed))
            .map_err(|error| self.with_path(error, path))
    }

    /// Errors of the output are its path's; a full disk is one of its own.
    fn with_path(&self, error: Error, path: &Path) -> Error {
        match error {
            Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Error::DiskFull { path: path.to_owned(), needed: self.bytes() }
            }
            Error::Io { source, .. } => Error::Io { path: path.to_owned(), source },
            other => other,
        }
    }

    fn refuse_input(&self, path: &Path) -> Result<(), Error> {
        let Ok(output) = path.canonicalize() else { return Ok(()) };
        let inputs = self.tensors.iter().map(|planned| planned.tensor.file()).chain([self.file.path()]);
        let mut inputs = inputs.filter_map(|input| input.canonicalize().ok());
        match inputs.any(|input| input == output) {
            true => Err(Error::SameFile { path: path.to_owned() }),
            false => Ok(()),
        }
    }

    /// Writes the new file to any output. `progress` as in [`Plan::save`].
    ///
    /// # Errors
    ///
    /// If a weight cannot be stored, the output cannot be written, or `progress` breaks.
    pub fn write(
        &self,
        mut out: impl Write,
        team: &mut Team,
        mut progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut emit = |bytes: &[u8]| {
            out.write_all(bytes).map_err(|source| Error::Io { path: PathBuf::new(), source })?;
            match progress(bytes.len() as u64) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Error::Cancelled),
            }
        };
        emit(&self.header)?;
        for planned in &self.tensors {
            self.write_tensor(planned, team, &mut emit)?;
            let padding = planned.bytes().next_multiple_of(self.alignment) - planned.bytes();
            emit(&vec![0; padding as usize])?;
        }
        Ok(())
    }

    fn write_tensor(
        &self,
        planned: &Planned<'_>,
        team: &mut Team,
        mut emit: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let bytes = self.file.bytes(planned.tensor);
        let Some((from, to)) = planned.conversion() else {
            return bytes.chunks(BATCH_BYTES).try_for_each(emit);
        };
        let rows = Rows { from, to, cols: planned.tensor.cols() as usize };
        let (source, target) = (rows.bytes(from), rows.bytes(to));
        let mut scratch: Vec<Scratch> = (0..team.threads()).map(|_| vec![0.0; rows.cols]).collect();
        let batch = (BATCH_BYTES / target).max(1);
        let mut out = vec![0; batch.min(planned.tensor.rows() as usize) * target];
        for (index, input) in bytes.chunks(batch * source).enumerate() {
            let out = &mut out[..input.len() / source * target];
            rows.encode(team, &mut scratch, input, out).map_err(|(row, fault)| {
                fault.error(planned.tensor.name(), (index * batch) as u64 + row, to)
            })?;
            emit(out)?;
            // a page of the input is used once
            bytes.release(index * batch * source..index * batch * source + input.len());
        }
        Ok(())
    }
}

/// Why a row cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NotFinite,
    TooLarge,
}

impl Fault {
    fn error(self, tensor: &str, row: u64, format: Format) -> Error {
        let tensor = tensor.to_owned();
        match self {
            Fault::NotFinite => Error::NotFinite { tensor, row },
            Fault::TooLarge => Error::TooLarge { tensor, row, format },
        }
    }
}

/// Rows of one tensor.
#[derive(Clone, Copy)]
struct Rows {
    from: Format,
    to: Format,
    cols: usize,
}

impl Rows {
    fn bytes(&self, format: Format) -> usize {
        format.row_bytes(self.cols).expect("formats were chosen to fit the rows")
    }

    /// Encodes rows, each by one thread; the number of the first that cannot be, and why.
    fn encode(
        &self,
        team: &mut Team,
        scratch: &mut [Scratch],
        input: &[u8],
        out: &mut [u8],
    ) -> Result<(), (u64, Fault)> {
        let (source, target) = (self.bytes(self.from), self.bytes(self.to));
        let first_bad = AtomicU64::new(u64::MAX);
        team.chunks_with(scratch, out, target, |floats, row, out| {
            self.from.decode(&input[row * source..][..source], floats);
            match self.fault(floats) {
                None => encode(self.to, floats, out),
                Some(fault) => {
                    first_bad.fetch_min(
                        (row as u64) << 1 | u64::from(fault == Fault::TooLarge),
                        Ordering::Relaxed,
                    );
                }
            }
        });
        match first_bad.into_inner() {
            u64::MAX => Ok(()),
            bad => Err((bad >> 1, if bad & 1 == 0 { Fault::NotFinite } else { Fault::TooLarge })),
        }
    }

    fn fault(&self, row: &[f32]) -> Option<Fault> {
        if !row.iter().all(|x| x.is_finite()) {
            return Some(Fault::NotFinite);
        }
        let narrow = ![Format::BF16, Format::F32].contains(&self.to);
        (narrow && row.iter().any(|x| x.abs() > MAX_F16)).then_some(Fault::TooLarge)
    }
}

/// A file beside the one that it will become; removed unless it does.
struct Partial {
    file: File,
    path: PathBuf,
}

impl Partial {
    fn create(target: &Path) -> io::Result<Partial> {
        let mut name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let path = target.with_file_name(name);
        // one that is there already is of a process that was killed
        let file = File::create(&path)?;
        Ok(Partial { file, path })
    }

    /// Takes the space on the disk, where the file system can do that, so that a full one is known at once.
    #[cfg(target_os = "linux")]
    fn reserve(&self, bytes: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            Err(rustix::io::Errno::NOSPC) => Err(io::ErrorKind::StorageFull.into()),
            Err(rustix::io::Errno::FBIG) => Err(io::ErrorKind::FileTooLarge.into()),
            _ => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn finish(&self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // after a rename there is nothing left to remove
        let _ = fs::remove_file(&self.path);
    }
}
