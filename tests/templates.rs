//! Real chat templates against what Python's jinja2 rendered from them (`tools/goldens/templates.py`).
#![cfg(feature = "chat")]

mod util;

use serde::Deserialize;
use siskin::chat::{Conversation, Error, Message, Specials, Template};
use siskin_tools::synth::fnv1a;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// What renders otherwise than in Python, and why: the first list here differs, the second is rendered though Python refuses.
const DIFFERENT: &[(&str, &[&str], &str)] = &[(
    "meetkai-functionary-medium-v3.1.jinja",
    &["tools"],
    "text added to a text marked `safe` becomes HTML there: quotes in descriptions of tools become &#34;",
)];
const RENDERED: &[(&str, &[&str], &str)] = &[
    ("CohereForAI-c4ai-command-r-plus-tool_use.jinja", NO_TOOLS, LOOP_OVER_NONE),
    ("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja", NO_TOOLS, LOOP_OVER_NONE),
    ("NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja", NO_TOOLS, LOOP_OVER_NONE),
    (
        "llama-cpp-deepseek-r1.jinja",
        &["tools"],
        "`tojson` of what `map` gives: a list here, a generator there",
    ),
];
const NO_TOOLS: &[&str] = &["finished", "no_system", "one_turn", "system"];
const LOOP_OVER_NONE: &str = "a loop over the absent tools: none here, an error there";

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
            let excepted = |list: &[(&str, &[&str], &str)]| {
                list.iter().any(|(template, of, _)| template == file && of.contains(&name.as_str()))
            };
            let found = render(&source, &golden.conversations[name], golden.made_by.now);
            let refused = matches!(expected, Rendering::Refused { .. });
            let exception = if refused { excepted(RENDERED) } else { excepted(DIFFERENT) } && found.is_ok();
            match (judge(&found, expected), exception) {
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
