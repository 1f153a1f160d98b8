//! A pseudo-terminal with a program on it: what it shows, keys that are pressed, signals.

use super::Run;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};

pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";

/// What of a program is connected to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Input and output; messages are taken apart.
    Output,
    /// Input and messages; output is taken apart.
    Messages,
}

/// A terminal and the program that runs on it.
pub struct Terminal {
    screen: File,
    seen: Vec<u8>,
    child: Child,
}

impl Terminal {
    /// A terminal of so many columns.
    pub fn start(mut command: Command, on: On, columns: u16) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it opens");
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("it has a size");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let open = || {
            let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
            OpenOptions::new().read(true).write(true).open(path).expect("the other end")
        };
        command.env("TERM", "xterm").stdin(open());
        match on {
            On::Output => command.stdout(open()).stderr(Stdio::piped()),
            On::Messages => command.stdout(Stdio::piped()).stderr(open()),
        };
        let child = command.spawn().expect("siskin starts");
        Terminal { screen: File::from(master), seen: Vec::new(), child }
    }

    /// More of what the screen shows; whether there was any before the program ended.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 1024];
        let n = self.screen.read(&mut bytes).unwrap_or(0);
        self.seen.extend(&bytes[..n]);
        n > 0
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Waits until the screen shows a text, and takes away all up to its end.
    pub fn wait_for(&mut self, text: &str) {
        let find = |seen: &[u8]| seen.windows(text.len()).position(|part| part == text.as_bytes());
        let at = loop {
            if let Some(at) = find(&self.seen) {
                break at;
            }
            assert!(self.read(), "the program ended before it showed {text:?}: {:?}", self.text());
        };
        self.seen.drain(..at + text.len());
    }

    pub fn press(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).expect("keys arrive");
    }

    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }

    /// Waits until the program ends; what the screen showed besides, and the run without it.
    pub fn watch(mut self) -> (String, Run) {
        while self.read() {}
        (self.text(), Run::from(self.child.wait_with_output().expect("siskin ends")))
    }

    pub fn end(self) -> Run {
        Run::from(self.child.wait_with_output().expect("siskin ends"))
    }
}
