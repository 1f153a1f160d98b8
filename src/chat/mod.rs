//! Conversations: messages to the text that a model was trained on, by the Jinja template in its file.
//!
//! ```text
//! messages -> template of the model -> text with special tokens -> ids -> session
//!             template.rs python.rs    prompt.rs
//! ```
//!
//! | file | what |
//! |---|---|
//! | `message.rs` | one message, with its fields in the order of their source |
//! | `template.rs` | finding a template in a file, running it within limits |
//! | `python.rs`, `json.rs`, `clock.rs` | what templates expect of Python: functions, `tojson`, `strftime` |
//! | `prompt.rs` | the ids of rendered text |
//! | `error.rs` | one variant for each way it can fail |
//!
//! Templates are programs that come with a downloaded file, so they run in an interpreter (minijinja) that knows no files, and within
//! limits on steps, memory, depth and output ([`Limit`]). Rendering is that of Python's jinja2 as the `transformers` library sets it
//! up: `trim_blocks`, `lstrip_blocks`, loop controls, `generation` blocks, no HTML escaping.
//!
//! The room knows [`crate::gguf`] and [`crate::tokenizer`]; `session` does not know it.

mod clock;
mod error;
mod json;
mod message;
mod prompt;
mod python;
mod template;

pub use error::{Error, Limit};
pub use message::{Message, NotAMessage};
pub use prompt::encode;
pub use template::{Conversation, Specials, Template, names, source};
