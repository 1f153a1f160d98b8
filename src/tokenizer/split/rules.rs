//! Which pre-tokenizer each name in `tokenizer.ggml.pre` means. Data only; names and meanings as llama.cpp
//! knows them.

use super::Stage::{self, *};
use super::chameleon;
use super::class::{is_letter, is_newline, is_number, is_punctuation, is_space};
use super::deepseek::{self, SignTail};
use super::kimi;
use super::sets::*;
use super::words::{Letters, WordShape};

/// How one pre-tokenizer cuts text, and the settings that llama.cpp ties to its name.
pub(in crate::tokenizer) struct Rule {
    /// The name of this rule in messages.
    pub name: &'static str,
    pub(super) stages: &'static [Stage],
    /// Whether tokens spell bytes as the characters of GPT-2. If not, they are plain UTF-8 with `▁` for a
    /// blank, and `<0xXX>` for bytes without a token.
    pub byte_level: bool,
    /// A word that is a token is that token, whatever the merges say.
    pub ignore_merges: bool,
    /// BOS is added unless the file says otherwise.
    pub add_bos: bool,
    /// BOS is added even if the file says otherwise: files of Gemma 4 are known to be wrong.
    pub force_bos: bool,
    /// A run of line ends that is a token is that token.
    pub whole_newlines: bool,
}

/// The settings most rules have.
const PLAIN: Rule = Rule {
    name: "",
    stages: &[],
    byte_level: true,
    ignore_merges: false,
    add_bos: false,
    force_bos: false,
    whole_newlines: false,
};

const NO_TAIL: (fn(char) -> bool, usize) = (is_newline, 0);
const NEWLINES: (fn(char) -> bool, usize) = (is_newline, usize::MAX);
const NEWLINES_SLASHES: (fn(char) -> bool, usize) = (is_newline_or_slash, usize::MAX);

/// The words of Llama 3, of which the others are variants.
const COMMON: WordShape =
    WordShape { contraction: true, letters: Letters::Plain, numbers: 3, tail: NEWLINES };
static LLAMA3_WORDS: WordShape = COMMON;
static QWEN2_WORDS: WordShape = WordShape { numbers: 1, ..COMMON };
static QWEN35_WORDS: WordShape = WordShape { numbers: 1, letters: Letters::Marked, ..COMMON };
static UFAKZEKA_WORDS: WordShape = WordShape { contraction: false, numbers: 1, ..COMMON };
static SEED_CODER_WORDS: WordShape = WordShape { numbers: 1, tail: NO_TAIL, ..COMMON };
static MINICPM5_WORDS: WordShape = WordShape { numbers: usize::MAX, ..COMMON };
static EXAONE_MOE_WORDS: WordShape =
    WordShape { numbers: 1, letters: Letters::Phrase, tail: (is_newline_or_slash, 1), ..COMMON };
static GPT4O_WORDS: WordShape = WordShape {
    contraction: false,
    letters: Letters::Cased { marks: false, suffix: true },
    numbers: 3,
    tail: NEWLINES_SLASHES,
};
static GRANITE_EMBED_WORDS: WordShape = WordShape {
    contraction: false,
    letters: Letters::Cased { marks: true, suffix: true },
    numbers: 3,
    tail: NEWLINES_SLASHES,
};
static TEKKEN_WORDS: WordShape = WordShape {
    contraction: false,
    letters: Letters::Cased { marks: false, suffix: false },
    numbers: 1,
    tail: NEWLINES_SLASHES,
};
static YOUTU_WORDS: WordShape =
    WordShape { contraction: false, letters: Letters::MarkedSuffix, numbers: 1, tail: NEWLINES_SLASHES };
static TINY_AYA_WORDS: WordShape =
    WordShape { contraction: false, letters: Letters::MarkedSuffix, numbers: 3, tail: NEWLINES_SLASHES };

const EACH_NUMBER: Stage = Runs { of: is_number, min: 1, max: 1 };
const ALL_NUMBERS: Stage = Runs { of: is_number, min: 1, max: usize::MAX };
const THREE_NUMBERS: Stage = Runs { of: is_number, min: 1, max: 3 };
const THREE_DIGITS: Stage = Runs { of: is_ascii_digit, min: 3, max: 3 };
const EACH_NEWLINE: Stage = Runs { of: is_newline, min: 1, max: 1 };
const LINES: Stage = Runs { of: is_not_line_feed, min: 1, max: usize::MAX };
const POROUS: Stage = LedRuns { lead: is_blank, of: is_porous };
const CHINESE: Stage = Runs { of: deepseek::is_chinese, min: 1, max: usize::MAX };
const HAN_OR_KANA: Stage = Runs { of: deepseek::is_han_or_kana, min: 1, max: usize::MAX };

/// What is used when the file names no pre-tokenizer, or one that is not known.
pub(in crate::tokenizer) static DEFAULT: Rule = Rule {
    name: "default",
    stages: &[Runs { of: is_default_punctuation, min: 1, max: usize::MAX }, Gpt2, ALL_NUMBERS, THREE_DIGITS],
    ..PLAIN
};
static LLAMA3: Rule =
    Rule { name: "llama-bpe", stages: &[Words(&LLAMA3_WORDS)], ignore_merges: true, add_bos: true, ..PLAIN };
static DBRX: Rule = Rule { name: "dbrx", stages: &[Words(&LLAMA3_WORDS)], ..PLAIN };
static GLM4: Rule = Rule { name: "glm4", stages: &[Words(&LLAMA3_WORDS)], ignore_merges: true, ..PLAIN };
static JAIS2: Rule = Rule { name: "jais-2", stages: &[Words(&LLAMA3_WORDS), Powers], ..PLAIN };
static QWEN2: Rule = Rule { name: "qwen2", stages: &[Words(&QWEN2_WORDS)], ..PLAIN };
static QWEN35: Rule = Rule { name: "qwen35", stages: &[Words(&QWEN35_WORDS)], ..PLAIN };
static UFAKZEKA: Rule = Rule { name: "ufakzeka", stages: &[Words(&UFAKZEKA_WORDS)], ..PLAIN };
static SEED_CODER: Rule = Rule { name: "seed-coder", stages: &[Words(&SEED_CODER_WORDS)], ..PLAIN };
static EXAONE_MOE: Rule = Rule { name: "exaone-moe", stages: &[Words(&EXAONE_MOE_WORDS)], ..PLAIN };
static MINICPM5: Rule =
    Rule { name: "minicpm5", stages: &[THREE_NUMBERS, Words(&MINICPM5_WORDS)], ignore_merges: true, ..PLAIN };
static LAGUNA: Rule = Rule { name: "laguna", stages: &[LINES, Words(&QWEN2_WORDS)], ..PLAIN };
static GPT4O: Rule = Rule { name: "gpt-4o", stages: &[Words(&GPT4O_WORDS)], ..PLAIN };
static GRANITE_EMBED: Rule = Rule {
    name: "granite-embed-multi-97m",
    stages: &[Words(&GRANITE_EMBED_WORDS)],
    ignore_merges: true,
    ..PLAIN
};
static TEKKEN: Rule =
    Rule { name: "tekken", stages: &[Words(&TEKKEN_WORDS)], ignore_merges: true, add_bos: true, ..PLAIN };
static YOUTU: Rule = Rule {
    name: "youtu",
    stages: &[
        Runs { of: is_hangul, min: 1, max: usize::MAX },
        Runs { of: is_chinese_punctuation, min: 1, max: usize::MAX },
        Runs { of: is_bopomofo, min: 1, max: usize::MAX },
        HAN_OR_KANA,
        Words(&YOUTU_WORDS),
    ],
    ignore_merges: true,
    ..PLAIN
};
static TINY_AYA: Rule = Rule { name: "tiny_aya", stages: &[NumberGroups, Words(&TINY_AYA_WORDS)], ..PLAIN };
static KIMI_K2: Rule = Rule { name: "kimi-k2", stages: &[Found(kimi::word)], ..PLAIN };
static CHAMELEON: Rule = Rule {
    name: "chameleon",
    stages: &[
        Found(chameleon::sentinel),
        Found(chameleon::image),
        Found(chameleon::indent),
        EACH_NUMBER,
        Runs { of: is_any_punctuation, min: 1, max: 1 },
        Gpt2,
    ],
    add_bos: true,
    ..PLAIN
};
static GPT2: Rule = Rule { name: "gpt-2", stages: &[Gpt2], ..PLAIN };
static STARCODER: Rule = Rule { name: "starcoder", stages: &[EACH_NUMBER, Gpt2], ..PLAIN };
static FALCON: Rule = Rule {
    name: "falcon",
    stages: &[Runs { of: is_falcon_punctuation, min: 1, max: usize::MAX }, Gpt2, THREE_DIGITS],
    ..PLAIN
};
static SUPERBPE: Rule = Rule { name: "superbpe", stages: &[ALL_NUMBERS, Thousands], ..PLAIN };
static BLOOM: Rule = Rule { name: "bloom", stages: &[POROUS], ..PLAIN };
static VIKING: Rule = Rule { name: "viking", stages: &[POROUS, EACH_NUMBER], ..PLAIN };
static DEEPSEEK_LLM: Rule = Rule {
    name: "deepseek-llm",
    stages: &[
        EACH_NEWLINE,
        LedRuns { lead: is_space, of: deepseek::is_listed_letter },
        LedRuns { lead: is_space, of: deepseek::is_punctuation },
        FinalSpaces,
        CHINESE,
        ALL_NUMBERS,
    ],
    ..PLAIN
};
static DEEPSEEK_CODER: Rule = Rule {
    name: "deepseek-coder",
    stages: &[
        EACH_NEWLINE,
        LedRuns { lead: is_space, of: is_letter },
        LedRuns { lead: is_space, of: is_punctuation },
        CHINESE,
        EACH_NUMBER,
    ],
    ..PLAIN
};
static DEEPSEEK3: Rule = Rule {
    name: "deepseek-v3",
    stages: &[THREE_NUMBERS, HAN_OR_KANA, DeepSeek3(SignTail::Newlines)],
    ..PLAIN
};
static AFMOE: Rule = Rule {
    name: "afmoe",
    stages: &[
        NumberGroups,
        Runs { of: is_east_asian, min: 1, max: usize::MAX },
        DeepSeek3(SignTail::Newlines),
    ],
    ..PLAIN
};
static SPARK: Rule = Rule {
    name: "spark2_5",
    stages: &[THREE_NUMBERS, HAN_OR_KANA, DeepSeek3(SignTail::None), EACH_NUMBER],
    ..PLAIN
};
static GEMMA4: Rule = Rule {
    name: "gemma4",
    stages: &[LINES],
    byte_level: false,
    force_bos: true,
    whole_newlines: true,
    ..PLAIN
};
static SARVAM: Rule = Rule { name: "sarvam-moe", stages: &[LINES], byte_level: false, ..PLAIN };

/// Names and their rules.
static NAMES: &[(&str, &Rule)] = &[
    ("default", &DEFAULT),
    ("llama3", &LLAMA3),
    ("llama-v3", &LLAMA3),
    ("llama-bpe", &LLAMA3),
    ("falcon3", &LLAMA3),
    ("falcon-h1", &LLAMA3),
    ("pixtral", &LLAMA3),
    ("midm-2.0", &LLAMA3),
    ("lfm2", &LLAMA3),
    ("jina-v5-nano", &LLAMA3),
    ("dbrx", &DBRX),
    ("smaug-bpe", &DBRX),
    ("glm4", &GLM4),
    ("glm5", &GLM4),
    ("chatglm-bpe", &DBRX),
    ("jais-2", &JAIS2),
    ("qwen2", &QWEN2),
    ("deepseek-r1-qwen", &QWEN2),
    ("kormo", &QWEN2),
    ("f2llmv2", &QWEN2),
    ("megrez", &QWEN2),
    ("stablelm2", &QWEN2),
    ("hunyuan", &QWEN2),
    ("solar-open", &QWEN2),
    ("grok-2", &QWEN2),
    ("bailingmoe", &QWEN2),
    ("bailingmoe2", &QWEN2),
    ("llada-moe", &QWEN2),
    ("qwen35", &QWEN35),
    ("ufakzeka", &UFAKZEKA),
    ("seed-coder", &SEED_CODER),
    ("exaone-moe", &EXAONE_MOE),
    ("minicpm5", &MINICPM5),
    ("laguna", &LAGUNA),
    ("gpt-4o", &GPT4O),
    ("llama4", &GPT4O),
    ("kanana2", &GPT4O),
    ("talkie", &GPT4O),
    ("minimax-m2", &GPT4O),
    ("granite-embed-multi-97m", &GRANITE_EMBED),
    ("tekken", &TEKKEN),
    ("youtu", &YOUTU),
    ("tiny_aya", &TINY_AYA),
    ("cohere2moe", &TINY_AYA),
    ("kimi-k2", &KIMI_K2),
    ("chameleon", &CHAMELEON),
    ("gpt-2", &GPT2),
    ("phi-2", &GPT2),
    ("mpt", &GPT2),
    ("olmo", &GPT2),
    ("jais", &GPT2),
    ("trillion", &GPT2),
    ("granite-docling", &GPT2),
    ("exaone4", &GPT2),
    ("gigachat", &GPT2),
    ("a.x-4.0", &GPT2),
    ("mellum", &GPT2),
    ("modern-bert", &GPT2),
    ("roberta-bpe", &GPT2),
    ("jina-es", &GPT2),
    ("jina-de", &GPT2),
    ("jina-v1-en", &GPT2),
    ("jina-v2-es", &GPT2),
    ("jina-v2-de", &GPT2),
    ("jina-v2-code", &GPT2),
    ("starcoder", &STARCODER),
    ("refact", &STARCODER),
    ("command-r", &STARCODER),
    ("smollm", &STARCODER),
    ("codeshell", &STARCODER),
    ("exaone", &STARCODER),
    ("minerva-7b", &STARCODER),
    ("mellum2", &STARCODER),
    ("falcon", &FALCON),
    ("superbpe", &SUPERBPE),
    ("bloom", &BLOOM),
    ("poro-chat", &BLOOM),
    ("gpt3-finnish", &BLOOM),
    ("viking", &VIKING),
    ("deepseek-llm", &DEEPSEEK_LLM),
    ("deepseek-coder", &DEEPSEEK_CODER),
    ("deepseek-v3", &DEEPSEEK3),
    ("hunyuan-dense", &DEEPSEEK3),
    ("joyai-llm", &DEEPSEEK3),
    ("hy_v4", &DEEPSEEK3),
    ("afmoe", &AFMOE),
    ("spark2_5", &SPARK),
    ("gemma4", &GEMMA4),
    ("granite-embed-multi-311m", &GEMMA4),
    ("sarvam-moe", &SARVAM),
];

/// Names that llama.cpp knows and that are refused here: of embedding models, whose texts are changed before
/// they are cut.
pub(in crate::tokenizer) const REFUSED: &[&str] = &["whitespace"];

/// The rule of that name, if it is known.
pub(in crate::tokenizer) fn rule(name: &str) -> Option<&'static Rule> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule)
}

/// Every name that [`rule`] knows.
pub(in crate::tokenizer) fn supported_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}
