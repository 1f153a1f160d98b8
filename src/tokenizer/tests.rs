//! Small hand-made tokenizers, and the obvious algorithms beside the fast ones.

mod fixtures;
mod hostile;
mod oracle;
mod round_trip;
mod rules;
mod segment;
