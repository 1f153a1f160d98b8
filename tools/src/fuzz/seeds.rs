//! Sound inputs of every target: small, made by code, the same everywhere.

use super::writer::{self, LAYOUTS, Layout, Tensor, Value};
use crate::synth::{Mix, Model, SHAPES, Shape};

/// Small vocabularies, one for each algorithm that `tests/data/tokenizers` has.
const FILES: [&[u8]; 2] = [
    include_bytes!("../../../tests/data/tokenizers/wordpiece.gguf"),
    include_bytes!("../../../tests/data/tokenizers/unigram.gguf"),
];

/// Model files: every value type, arrays of arrays, tensors of three types, in every version and byte order; a vocabulary.
pub fn files() -> Vec<Vec<u8>> {
    LAYOUTS.into_iter().map(everything).chain([sentence_piece(), b"GGUF\x03\0\0\0".to_vec()]).collect()
}

const TENSORS: [Tensor<'_>; 3] =
    [("floats", 0, &[4, 2], 32), ("quants", 2, &[64, 3], 108), ("bytes", 24, &[3], 3)];

fn everything(layout: Layout) -> Vec<u8> {
    let number = |code, bytes: &[u8]| Value::Number(code, bytes.to_vec());
    let pair = |a, b| Value::List(4, vec![Value::u32(a), Value::u32(b)]);
    let keys = [
        ("u8", number(0, &[200])),
        ("i8", number(1, &[0xfe])),
        ("u16", number(2, &60_000u16.to_le_bytes())),
        ("i16", number(3, &(-300i16).to_le_bytes())),
        ("general.alignment", Value::u32(32)),
        ("i32", number(5, &(-70_000i32).to_le_bytes())),
        ("f32", number(6, &1.5f32.to_le_bytes())),
        ("bool", Value::bool(true)),
        ("u64", number(10, &(1u64 << 40).to_le_bytes())),
        ("i64", number(11, &(-1i64 << 40).to_le_bytes())),
        ("f64", number(12, &(-0.25f64).to_le_bytes())),
        ("texts", Value::texts(["a", "", "bc"])),
        ("floats", Value::List(6, [0.5f32, -2.0].map(|x| number(6, &x.to_le_bytes())).into())),
        ("shorts", Value::List(3, [-7i16, 300].map(|x| number(3, &x.to_le_bytes())).into())),
        ("nothing", Value::texts([])),
        ("pairs", Value::List(9, vec![pair(1, 2), Value::texts(["deep"]), pair(3, 4)])),
        ("text", Value::Text("grün")),
    ];
    writer::file(layout, &keys, &TENSORS)
}

/// Headers of tiny models of several families.
pub fn headers() -> Vec<Vec<u8>> {
    let tiny = SHAPES.iter().filter(|shape| shape.name == "tiny" || shape.name.starts_with("tiny-"));
    let mixes = ["F32", "Q4_0", "Q8_0", "F16"];
    let header =
        |(shape, mix): (&Shape, &&str)| Model::new(*shape, Mix::named(mix).expect("a mix"), 1).header();
    tiny.zip(mixes.iter().cycle()).map(header).collect()
}

/// Files with vocabularies: SentencePiece, byte-level BPE, WordPiece, Unigram.
pub fn vocabularies() -> Vec<Vec<u8>> {
    let files = FILES.into_iter().map(<[u8]>::to_vec);
    [sentence_piece(), byte_pairs("gpt-2"), byte_pairs("llama-bpe"), byte_pairs("qwen2")]
        .into_iter()
        .chain(files)
        .collect()
}

fn sentence_piece() -> Vec<u8> {
    let bytes: Vec<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
    let words =
        ["\u{2581}", "t", "h", "e", "\u{2581}t", "he", "\u{2581}the", "\u{2581}\u{2581}", "<tool>", "\u{e9}"];
    let texts = ["<unk>", "<s>", "</s>"].into_iter().chain(bytes.iter().map(String::as_str)).chain(words);
    let texts: Vec<&str> = texts.collect();
    let kind = |i: usize, text: &str| match (i, text) {
        (0, _) => 2,
        (1 | 2, _) => 3,
        (3..259, _) => 6,
        (_, "<tool>") => 4,
        _ => 1,
    };
    let kinds = texts.iter().enumerate().map(|(i, text)| kind(i, text)).collect::<Vec<_>>();
    let scores = (0..texts.len()).map(|i| Value::Number(6, (-(i as f32)).to_le_bytes().to_vec())).collect();
    let keys = [
        ("tokenizer.ggml.model", Value::Text("llama")),
        ("tokenizer.ggml.tokens", Value::texts(texts)),
        ("tokenizer.ggml.scores", Value::List(6, scores)),
        ("tokenizer.ggml.token_type", Value::i32s(kinds)),
        ("tokenizer.ggml.bos_token_id", Value::u32(1)),
        ("tokenizer.ggml.eos_token_id", Value::u32(2)),
        ("tokenizer.ggml.unknown_token_id", Value::u32(0)),
        ("tokenizer.ggml.add_bos_token", Value::bool(true)),
    ];
    writer::file(LAYOUTS[0], &keys, &[])
}

/// A vocabulary of single bytes and some merges.
fn byte_pairs(pre: &str) -> Vec<u8> {
    // The characters that stand for bytes: those that can be seen for themselves, the others from U+0100 on.
    let visible = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let hidden = (0..256).filter(|&byte| !visible(byte)).count() as u32;
    let characters = (0..256).filter(|&byte| visible(byte)).chain((0..hidden).map(|i| 256 + i));
    let mut texts: Vec<String> = characters.filter_map(char::from_u32).map(String::from).collect();
    let merges = ["t h", "th e", "\u{120} the", "i n", "\u{120} \u{120}", "\u{c3} \u{a9}", "1 2"];
    texts.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    texts.extend(["<|end|>", "<tool>"].map(String::from));
    let special = texts.len() - 2;
    let kinds = (0..texts.len()).map(|i| {
        if i == special {
            3
        } else if i > special {
            4
        } else {
            1
        }
    });
    let keys = [
        ("tokenizer.ggml.model", Value::Text("gpt2")),
        ("tokenizer.ggml.pre", Value::Text(pre)),
        ("tokenizer.ggml.tokens", Value::texts(texts.iter().map(String::as_str))),
        ("tokenizer.ggml.token_type", Value::i32s(kinds)),
        ("tokenizer.ggml.merges", Value::texts(merges)),
        ("tokenizer.ggml.eos_token_id", Value::u32(special as u32)),
    ];
    writer::file(LAYOUTS[0], &keys, &[])
}

const TEXT: &str =
    "Hello  the\u{e9} caf\u{e9}, it's 12345 \u{4f60}\u{597d}\n\n<tool>the end</s> \u{1f600}\t x1";

/// For the tokenizer: a text and a vocabulary.
pub fn texts() -> Vec<Vec<u8>> {
    vocabularies().into_iter().map(|file| [TEXT.as_bytes(), b"\xff", &file].concat()).collect()
}

/// For the detokenizer: a vocabulary, a cut, ids.
pub fn ids() -> Vec<Vec<u8>> {
    let ids: Vec<u8> = (0..200u16).flat_map(|i| (i * 7 % 300).to_le_bytes()).collect();
    (0..6).map(|which| [&[which, which], ids.as_slice()].concat()).collect()
}

/// Templates as models have them, with a message.
pub fn templates() -> Vec<Vec<u8>> {
    let templates = [
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
        "{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}{%- set system = messages[0]['content'] -%}{%- set rest = messages[1:] -%}\
         {%- else -%}{%- set rest = messages -%}{%- endif -%}{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}\
         {{ raise_exception('roles must alternate') }}{% endif %}[INST] {{ m['content'] }} [/INST]{{ eos_token }}{% endfor %}",
        "{%- macro show(x, depth=0) -%}{{ x }}{%- if depth < 3 -%}{{ show(x, depth + 1) }}{%- endif -%}{%- endmacro -%}\
         {% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ show(m.content) }}{{ ns.n }}{% endfor %}",
        "{{ messages | tojson(indent=2) }}{{ strftime_now('%d %b %Y') }}{{ 'a b'.split(' ')[-1].upper() }}{{ range(3) | list }}{{ {'a': 1}.items() | list }}",
        "{% for m in messages recursive %}{% generation %}{{ m.content.replace('a', 'b') }}{% endgeneration %}{% if loop.index > 2 %}{% break %}{% endif %}{% endfor %}",
    ];
    templates.map(|template| [template.as_bytes(), b"\xffHello <s> \"you\""].concat()).into()
}

/// Options, stop texts, a regular expression and text.
pub fn stops() -> Vec<Vec<u8>> {
    let prose = "Mr. X said: \"No. 5!\" Then {\"a\": [1, \"}\"]} came.\n\nIt cost 3.14 END of it. \u{4f60}\u{3002}\u{597d}\n- one\n- two\n";
    let seed = |settings: &[u8], texts: &str, regex: &str| {
        [settings, b"\xff", texts.as_bytes(), b"\xff", regex.as_bytes(), b"\xff", prose.as_bytes()].concat()
    };
    vec![
        seed(&[2, 0, 0, 0, 0, 0, 0, 0], "END\nof it", ""),
        seed(&[4, 1, 0, 0, 0, 0, 0, 0], "END", "[a-z]+ of"),
        seed(&[0, 0, 0, 1, 0, 0, 0, 0], "", "(?m)^- (one|two)$"),
        seed(&[3, 0, 0, 0, 7, 0, 0, 0], "", ""),
        seed(&[5, 1, 0, 0, 0, 3, 0, 0], "", ""),
        seed(&[6, 0, 0, 0, 0, 0, 7, 81], "xyz", ""),
        seed(&[1, 1, 1, 0, 3, 0, 0, 41], "END", ""),
    ]
}
