//! What happens when a page of a mapped file cannot be had any more, because another process shortened the file or its disk failed: the
//! system sends SIGBUS to whoever reads such a page, which by default ends the process with a core dump.
//!
//! `map.rs` keeps the list of mapped files; a program that wants a message and an exit code instead calls [`exit_on_lost_page`]. The
//! handler does only what POSIX calls async-signal-safe: it reads atomics, and calls `write`, `sigaction`, `raise` and `_exit`.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// A place for a mapped file in the list. Places are never freed, so that a handler may walk the list at any time; those whose file is
/// gone are used again.
struct Place {
    taken: AtomicBool,
    /// Address of the first byte; 0 while there is no file here.
    start: AtomicUsize,
    end: AtomicUsize,
    name: AtomicPtr<u8>,
    name_len: AtomicUsize,
    next: OnceLock<&'static Place>,
}

impl Place {
    const fn new() -> Place {
        Place {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            name: AtomicPtr::new(std::ptr::null_mut()),
            name_len: AtomicUsize::new(0),
            next: OnceLock::new(),
        }
    }

    /// Takes this place if nobody has it.
    fn take(&self) -> bool {
        self.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether the file here holds the address. A place that changes hands meanwhile holds neither file.
    fn holds(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::Acquire);
        let end = self.end.load(Ordering::Acquire);
        start != 0 && (start..end).contains(&address) && self.start.load(Ordering::Acquire) == start
    }
}

static FIRST: Place = Place::new();

fn places() -> impl Iterator<Item = &'static Place> {
    std::iter::successors(Some(&FIRST), |place| place.next.get().copied())
}

/// A place that is now ours.
fn take() -> &'static Place {
    let mut place = &FIRST;
    while !place.take() {
        place = place.next.get_or_init(|| Box::leak(Box::new(Place::new())));
    }
    place
}

/// A mapped file in the list, as long as this lives.
pub(super) struct Listed {
    place: &'static Place,
    /// What the place points to.
    _name: String,
}

impl Listed {
    /// Lists a file that is mapped at `bytes`. Must be dropped before the file is unmapped.
    pub(super) fn new(path: &Path, bytes: &[u8]) -> Listed {
        let name = path.to_string_lossy().into_owned();
        let place = take();
        place.end.store(bytes.as_ptr() as usize + bytes.len(), Ordering::Release);
        place.name.store(name.as_ptr().cast_mut(), Ordering::Release);
        place.name_len.store(name.len(), Ordering::Release);
        // last: from now on the handler takes the place for complete
        place.start.store(bytes.as_ptr() as usize, Ordering::Release);
        Listed { place, _name: name }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.place.start.store(0, Ordering::Release);
        self.place.taken.store(false, Ordering::Release);
    }
}

#[cfg(target_os = "linux")]
pub use handler::exit_on_lost_page;

/// Does nothing: this system is not known to send a signal that could be caught.
///
/// # Errors
/// None here.
#[cfg(not(target_os = "linux"))]
pub fn exit_on_lost_page(_prefix: &'static str, _code: u8) -> std::io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod handler {
    use super::{Place, places};
    use libc::{c_int, c_void, sigaction, siginfo_t};
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    const REASON: &[u8] = b": a part of the file is lost: another program shortened it while it was in use, or its disk failed. \
        Try again with a copy of the file that nothing changes\n";

    /// What the program asked for, and what the signal did before.
    struct Setting {
        prefix: &'static str,
        code: u8,
        before: sigaction,
    }

    static SETTING: OnceLock<Setting> = OnceLock::new();

    /// From now on, reading a part of a mapped model file that is lost ends the process with exit code `code`, after a line on stderr that
    /// begins with `prefix` and names the file. For programs, not for libraries: it sets the process's handler of SIGBUS. Other causes of that
    /// signal are left to the handler that was there before. Only the first call counts.
    ///
    /// What was written to a `BufWriter` and not flushed is lost, and files that are being written are left as they are.
    ///
    /// # Errors
    /// If the system refuses the handler.
    pub fn exit_on_lost_page(prefix: &'static str, code: u8) -> io::Result<()> {
        let before = current()?;
        if SETTING.set(Setting { prefix, code, before }).is_err() {
            return Ok(());
        }
        // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask, the default handler; what differs is set below.
        let mut action: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = on_sigbus as *const () as usize;
        // on the alternate stack, which Rust gives its threads: the faulting one's own may be short
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the action is initialized, and its handler has the signature that SA_SIGINFO asks for.
        check(unsafe { sigaction(libc::SIGBUS, &action, ptr::null_mut()) })
    }

    fn current() -> io::Result<sigaction> {
        let mut now = MaybeUninit::uninit();
        // SAFETY: without a new action the call only writes the present one.
        check(unsafe { sigaction(libc::SIGBUS, ptr::null(), now.as_mut_ptr()) })?;
        // SAFETY: it has just been written.
        Ok(unsafe { now.assume_init() })
    }

    fn check(result: c_int) -> io::Result<()> {
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    extern "C" fn on_sigbus(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
        // SAFETY: with SA_SIGINFO the system passes a valid description, and SIGBUS has the address in it.
        let (cause, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
        let Some(setting) = SETTING.get() else { return };
        // positive: the processor's doing, and not somebody's who sent the signal
        match places().find(|place| cause > 0 && place.holds(address)) {
            Some(place) => end(setting, place),
            None => give_back(setting, cause),
        }
    }

    fn end(setting: &Setting, place: &Place) -> ! {
        say(setting.prefix.as_bytes());
        let name = place.name.load(Ordering::Acquire);
        // SAFETY: the faulting thread reads the mapping of this place, so its `Listed` is alive, with the name that these two describe.
        say(unsafe { std::slice::from_raw_parts(name, place.name_len.load(Ordering::Acquire)) });
        say(REASON);
        // SAFETY: ends the process at once, without destructors or locks.
        unsafe { libc::_exit(setting.code.into()) }
    }

    fn say(text: &[u8]) {
        // SAFETY: the pointer and the length are those of a slice. Of a failure nobody could be told.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }

    /// Lets the handler that was there before have this signal: a fault happens again on return, a sent signal is sent again.
    fn give_back(setting: &Setting, cause: c_int) {
        // SAFETY: the action is the one that the system gave us. Both calls may be made in a handler.
        unsafe {
            sigaction(libc::SIGBUS, &setting.before, ptr::null_mut());
            if cause <= 0 {
                libc::raise(libc::SIGBUS);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_address_while_they_are_listed() {
        let (a, b) = (vec![0u8; 100], vec![0u8; 100]);
        let at = |bytes: &[u8], i: usize| bytes.as_ptr() as usize + i;
        let known = |address| places().filter(|place| place.holds(address)).count();
        let first = Listed::new(Path::new("a"), &a);
        let second = Listed::new(Path::new("b"), &b);
        assert_eq!([known(at(&a, 0)), known(at(&a, 99)), known(at(&b, 50)), known(0)], [1, 1, 1, 0]);
        drop(first);
        assert_eq!([known(at(&a, 0)), known(at(&b, 50))], [0, 1]);
        let place = second.place as *const Place;
        drop(second);
        assert_eq!(known(at(&b, 50)), 0);
        // other tests may have taken it meanwhile
        assert!(places().any(|other| std::ptr::eq(other, place)));
    }

    #[test]
    fn a_place_is_used_again() {
        let bytes = [0u8; 8];
        for _ in 0..1000 {
            drop(Listed::new(Path::new("again"), &bytes));
        }
        assert!(places().count() < 500);
    }
}
