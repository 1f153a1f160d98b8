//! `siskin inspect`: what is in a model file, from its header alone; also for families that cannot be run.

use super::args::Inspect;
use super::output::Answer;
use super::{CliError, Outcome, report, setup};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use siskin::gguf::{Gguf, Metadata, TensorInfo, Value};
use siskin::memory::group_of;
use siskin::model::arch;
use std::collections::BTreeMap;

/// Elements of an array that are shown.
const SHOWN: usize = 8;

/// Runs the command.
pub fn run(args: &Inspect) -> Result<Outcome, CliError> {
    let file = match &args.file {
        Some(path) => setup::open_path(path)?,
        None => setup::open(&args.model)?,
    };
    let summary = Summary::new(&file);
    let mut answer = Answer::new();
    if args.json {
        answer.line(&summary.json(&file, args.all).to_string())?;
    } else {
        answer.print(&summary.text())?;
        if args.all {
            answer.print(&listing(&file))?;
        }
    }
    Ok(Outcome::Done)
}

/// Tensors of one group and one type.
#[derive(Debug, Default, Serialize)]
struct Group {
    tensors: usize,
    parameters: u64,
    bytes: u64,
}

/// What is worth knowing about a file, family or not.
struct Summary {
    facts: Vec<(&'static str, Json)>,
    groups: BTreeMap<(&'static str, &'static str), Group>,
}

impl Summary {
    fn new(file: &Gguf) -> Summary {
        let mut groups: BTreeMap<_, Group> = BTreeMap::new();
        for tensor in file.tensors() {
            let group = groups.entry((group_of(tensor.name()), tensor.ty().name())).or_default();
            group.tensors += 1;
            group.parameters += tensor.dims().iter().product::<u64>();
            group.bytes += tensor.bytes();
        }
        let mut summary = Summary { facts: facts(file), groups };
        let total = |f: fn(&Group) -> u64| summary.groups.values().map(f).sum::<u64>();
        let (parameters, bytes) = (total(|group| group.parameters), total(|group| group.bytes));
        summary.facts.push(("parameters", parameters.into()));
        summary.facts.push(("tensor_bytes", bytes.into()));
        summary
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.facts {
            let value = match value {
                Json::String(text) => text.clone(),
                Json::Number(n) if name.ends_with("bytes") => report::bytes(n.as_u64().unwrap_or_default()),
                other => other.to_string(),
            };
            out += &format!("{:<20} {value}\n", name.replace('_', " "));
        }
        if !self.groups.is_empty() {
            out += &format!(
                "\n{:<18} {:<8} {:>7} {:>14} {:>10}\n",
                "group", "type", "tensors", "parameters", "size"
            );
        }
        for ((name, ty), group) in &self.groups {
            let size = report::bytes(group.bytes);
            out += &format!("{name:<18} {ty:<8} {:>7} {:>14} {size:>10}\n", group.tensors, group.parameters);
        }
        out
    }

    fn json(&self, file: &Gguf, all: bool) -> Json {
        let mut object: Map<String, Json> =
            self.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let group = |((name, ty), group): (&(&str, &str), &Group)| json!({"group": name, "type": ty, "tensors": group.tensors, "parameters": group.parameters, "bytes": group.bytes});
        object.insert("groups".into(), self.groups.iter().map(group).collect());
        if all {
            let metadata =
                file.metadata().iter().map(|(key, value)| (key.to_owned(), json_value(&value))).collect();
            object.insert("metadata".into(), Json::Object(metadata));
            object.insert("tensors".into(), file.tensors().iter().map(json_tensor).collect());
        }
        Json::Object(object)
    }
}

/// The facts of the header, in the order in which they are shown; those that the file does not state are left out.
fn facts(file: &Gguf) -> Vec<(&'static str, Json)> {
    let metadata = file.metadata();
    let arch = text(metadata, "general.architecture").unwrap_or_default();
    let of_arch = |name: &str| number(metadata, &format!("{arch}.{name}"));
    let of_tokenizer = |name: &str| number(metadata, &format!("tokenizer.ggml.{name}"));
    let vocabulary = match metadata.get("tokenizer.ggml.tokens") {
        Some(Value::Array(tokens)) => Some(tokens.len().into()),
        _ => of_arch("vocab_size"),
    };
    let facts = [
        ("gguf_version", Some(file.version().into())),
        ("byte_order", Some(format!("{:?}", file.byte_order()).to_lowercase().into())),
        ("file_bytes", Some(file.file_bytes().into())),
        ("architecture", Some(arch.clone().into())),
        ("supported", Some(arch::find(&arch).is_ok().into())),
        ("name", text(metadata, "general.name").map(Json::from)),
        ("context", of_arch("context_length")),
        ("layers", of_arch("block_count")),
        ("embedding", of_arch("embedding_length")),
        ("feed_forward", of_arch("feed_forward_length")),
        ("heads", of_arch("attention.head_count")),
        ("kv_heads", of_arch("attention.head_count_kv")),
        ("head_dim", of_arch("attention.key_length")),
        ("rope_base", of_arch("rope.freq_base")),
        ("tokenizer", text(metadata, "tokenizer.ggml.model").map(Json::from)),
        ("pre_tokenizer", text(metadata, "tokenizer.ggml.pre").map(Json::from)),
        ("vocabulary", vocabulary),
        ("bos", of_tokenizer("bos_token_id")),
        ("eos", of_tokenizer("eos_token_id")),
        ("chat_template", text(metadata, "tokenizer.chat_template").map(|_| true.into())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn text(metadata: &Metadata, key: &str) -> Option<String> {
    match metadata.get(key) {
        Some(Value::Str(text)) => Some(text.to_owned()),
        _ => None,
    }
}

fn number(metadata: &Metadata, key: &str) -> Option<Json> {
    metadata.get(key).map(|value| json_value(&value)).filter(|value| value.is_number() || value.is_array())
}

fn json_tensor(tensor: &TensorInfo) -> Json {
    json!({"name": tensor.name(), "type": tensor.ty().name(), "shape": tensor.dims(), "bytes": tensor.bytes()})
}

/// A metadata value; of an array, the type, the length and the first elements.
fn json_value(value: &Value<'_>) -> Json {
    match value {
        Value::U8(n) => (*n).into(),
        Value::I8(n) => (*n).into(),
        Value::U16(n) => (*n).into(),
        Value::I16(n) => (*n).into(),
        Value::U32(n) => (*n).into(),
        Value::I32(n) => (*n).into(),
        Value::U64(n) => (*n).into(),
        Value::I64(n) => (*n).into(),
        Value::F32(x) => (*x).into(),
        Value::F64(x) => (*x).into(),
        Value::Bool(b) => (*b).into(),
        Value::Str(text) => (*text).into(),
        Value::Array(array) => {
            let first =
                array.iter().take(SHOWN).map(|value| value.map_or(Json::Null, |value| json_value(&value)));
            json!({"length": array.len(), "first": first.collect::<Vec<_>>()})
        }
    }
}

/// Every metadata entry and every tensor, a line each.
fn listing(file: &Gguf) -> String {
    let mut out = String::from("\nmetadata\n");
    for (key, value) in file.metadata().iter() {
        out += &format!("{key} = {}\n", json_value(&value));
    }
    out += "\ntensors\n";
    for tensor in file.tensors() {
        let size = report::bytes(tensor.bytes());
        out += &format!("{:<32} {:<8} {:?} {size}\n", tensor.name(), tensor.ty().name(), tensor.dims());
    }
    out
}
