//! Chat templates. An input is a template, the byte 0xff, and what the user said.

use super::{SOME_MEMORY, split};
use crate::fuzz::{Target, seeds};
use siskin::chat::{Conversation, Message, Specials, Template};
use std::time::SystemTime;

/// Programs that a file brings along: an error or a text, within their limits.
pub const TEMPLATE: Target = Target {
    name: "template",
    run,
    seeds: seeds::templates,
    words: &[
        "{%",
        "%}",
        "{{",
        "}}",
        "{%-",
        "{#",
        "#}",
        "for",
        "in",
        "if",
        "else",
        "elif",
        "endif",
        "endfor",
        "set",
        "macro",
        "endmacro",
        "range(9999999)",
        "messages",
        "loop.index0",
        "| tojson(indent=4)",
        "| length",
        "| trim",
        ".split(' ')",
        "[::-1]",
        "namespace()",
        "raise_exception('x')",
        "~",
        "|map(attribute='role')|list",
        "strftime_now('%Y')",
        "is defined",
        "* 99999",
        "'a'",
        "none",
        "{% break %}",
        "generation",
        "recursive",
        "loop(",
    ],
    memory: |_| SOME_MEMORY,
};

/// Bytes rendered at most, with the room that a last text may take.
const MAX_OUTPUT: usize = 16 << 20;

fn run(bytes: Vec<u8>) {
    let (source, said) = split(&bytes);
    let source = String::from_utf8_lossy(source);
    let specials = Specials { bos: "<s>".into(), eos: "</s>".into(), unknown: "<unk>".into() };
    let Ok(template) = Template::new(&source, &specials) else { return };
    let messages = [
        Message::new("system", "Be brief."),
        Message::new("user", String::from_utf8_lossy(said)),
        Message::new("assistant", "So be it."),
    ];
    for add_generation_prompt in [true, false] {
        let conversation = Conversation {
            messages: &messages,
            tools: &[],
            add_generation_prompt,
            now: SystemTime::UNIX_EPOCH,
        };
        match template.render(conversation) {
            Ok(text) => assert!(text.len() <= MAX_OUTPUT, "{} bytes", text.len()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
