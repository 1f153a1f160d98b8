//! Where a user's own files are, by the XDG base directory specification.

use std::path::PathBuf;

/// The folder that a variable such as `XDG_CONFIG_HOME` names, else the one below the home folder; `None` where there is neither.
pub fn of_user(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))
}
