//! What unit tests share.

/// Whether an emulator runs the tests (`SISKIN_RUNNER` names it): some hundred times slower where floats are computed, so tests that repeat
/// the same many times repeat it less often there.
pub fn emulated() -> bool {
    std::env::var_os("SISKIN_RUNNER").is_some_and(|runner| !runner.is_empty())
}
