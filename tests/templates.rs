//! Real chat templates against what Python's jinja2 rendered from them (`tools/goldens/templates.py`).
#![cfg(feature = "chat")]

mod util;

use serde::Deserialize;
use siskin::chat::{Conversation, Error, Message, Specials, Template};
use siskin_tools::synth::fnv1a;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// Template, conversation, and why the rendering differs from jinja2's.
const DIFFERENT: &[(&str, &str, &str)] = &[];

/// Template, conversation, and why it is rendered here though jinja2 refuses to.
const RENDERED: &[(&str, &str, &str)] = &[];

#[derive(Deserialize)]
struct Golden {
    made_by: MadeBy,
    conversations: BTreeMap<String, Recorded>,
    templates: BTreeMap<String, Renderings>,
}

#[derive(Deserialize)]
struct MadeBy {
    now: u64,
}

#[derive(Deserialize)]
struct Recorded {
    messages: Vec<Message>,
    #[serde(default)]
    tools: Vec<serde_json::Value>,
    #[serde(default = "yes")]
    add_generation_prompt: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Renderings {
    fnv1a: String,
    #[serde(flatten)]
    of: BTreeMap<String, Rendering>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Rendering {
    Text { bytes: usize, fnv1a: String },
    Refused { error: String },
}

fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", fnv1a(bytes))
}

fn render(source: &str, recorded: &Recorded, now: u64) -> Result<String, Error> {
    let specials = Specials { bos: "<s>".to_owned(), eos: "</s>".to_owned(), unknown: "<unk>".to_owned() };
    Template::new(source, &specials)?.render(Conversation {
        messages: &recorded.messages,
        tools: &recorded.tools,
        add_generation_prompt: recorded.add_generation_prompt,
        now: UNIX_EPOCH + Duration::from_secs(now),
    })
}

/// What is wrong with a rendering, if anything.
fn judge(found: &Result<String, Error>, expected: &Rendering) -> Option<String> {
    match (found, expected) {
        (Ok(text), Rendering::Text { bytes, fnv1a }) => {
            let same = text.len() == *bytes && hash(text.as_bytes()) == *fnv1a;
            (!same).then(|| format!("{} bytes, jinja2 rendered {bytes}, or others:\n{text}", text.len()))
        }
        (Err(error), Rendering::Text { .. }) => Some(error.to_string()),
        (Ok(_), Rendering::Refused { error }) => Some(format!("rendered, but jinja2: {error}")),
        (Err(_), Rendering::Refused { .. }) => None,
    }
}

#[test]
fn real_templates_render_as_in_python() {
    let Some(dir) = util::shared("SISKIN_TEMPLATES", "templates") else { return };
    let golden: Golden = serde_json::from_str(include_str!("data/templates.json")).expect("recorded data");
    let (mut same, mut wrong) = (0, Vec::new());
    for (file, renderings) in &golden.templates {
        let source = std::fs::read_to_string(dir.join(file)).expect("a template");
        assert_eq!(hash(source.as_bytes()), renderings.fnv1a, "{file} is not the one that was recorded");
        for (name, expected) in &renderings.of {
            let excepted = |list: &[(&str, &str, &str)]| list.iter().any(|&(f, c, _)| (f, c) == (file, name));
            let found = render(&source, &golden.conversations[name], golden.made_by.now);
            match (judge(&found, expected), excepted(DIFFERENT) || excepted(RENDERED)) {
                (None, false) => same += 1,
                (Some(_), true) => {}
                (None, true) => wrong.push(format!("{file}, {name}: is no exception")),
                (Some(what), false) => wrong.push(format!("{file}, {name}: {what}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), same + wrong.len(), wrong.join("\n\n"));
    println!("{same} renderings, byte for byte");
}
