//! The real command: what it writes, what it says, and what it refuses.

use crate::build::{File, Item, LAYOUTS, Tensor, tensor};
use crate::util::{Run, Siskin};
use crate::{synthetic, tiny};
use siskin::gguf::{GgmlType, Gguf};
use siskin::quantize::RECIPES;
use siskin_tools::synth::Shape;
use siskin_tools::{emulated, some};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A folder with a tiny model in F32.
fn prepared() -> Siskin {
    let siskin = Siskin::new();
    synthetic(tiny(), "F32", &siskin.dir.path().join("f32.gguf"));
    siskin
}

/// Names of the files in the folder, in order.
fn files(siskin: &Siskin) -> Vec<String> {
    let entries = fs::read_dir(siskin.dir.path()).expect("the folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// The metadata as text, without the keys that change.
fn metadata(file: &Gguf) -> Vec<String> {
    let kept = file.metadata().iter().filter(|(key, _)| {
        !["general.file_type", "general.quantization_version"].contains(key) && !key.starts_with("split.")
    });
    let mut lines: Vec<String> = kept.map(|(key, value)| format!("{key}: {}", text(&value))).collect();
    lines.sort();
    lines
}

/// A value with all its elements.
fn text(value: &siskin::gguf::Value<'_>) -> String {
    let siskin::gguf::Value::Array(array) = value else { return format!("{value:?}") };
    match array.strs() {
        Ok(strings) => format!("{:?}", strings.map(|s| s.expect("a string").to_vec()).collect::<Vec<_>>()),
        Err(_) => array.iter().map(|item| text(&item.expect("an element"))).collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn every_recipe_makes_a_model_that_runs_and_keeps_its_metadata() {
    let siskin = prepared();
    let input = Gguf::open(siskin.dir.path().join("f32.gguf")).expect("the input");
    let path = siskin.dir.path().join("new.gguf");
    // one of each kind of search on an emulated core
    for recipe in some(RECIPES, 5) {
        let report = siskin.run(["quantize", "f32.gguf", "new.gguf", recipe.name, "--json"]).json();
        let file = Gguf::open(&path).expect("a valid file");
        assert_eq!(metadata(&file), metadata(&input), "{}", recipe.name);
        assert_eq!(file.metadata().u32("general.file_type").expect("a number"), Some(recipe.file_type));
        assert_eq!(file.metadata().u32("general.quantization_version").expect("a number"), Some(2));
        let shapes = |file: &Gguf| -> Vec<_> {
            file.tensors().iter().map(|tensor| (tensor.name().to_owned(), tensor.dims().to_vec())).collect()
        };
        assert_eq!(shapes(&file), shapes(&input));
        let matrix = file.tensor("blk.0.ffn_up.weight").expect("a matrix");
        assert_eq!(matrix.ty().format(), Some(recipe.base), "{}", recipe.name);
        let size = fs::metadata(&path).expect("the file").len();
        assert_eq!((report["format"].as_str(), report["bytes"].as_u64()), (Some(recipe.name), Some(size)));
        read_by_ggus(&fs::read(&path).expect("the file"), input.tensors().len());
        let run = siskin
            .run(["generate", "-m", "new.gguf", "--tokens", "1,5,9", "-n", "3", "--temp", "0", "--json"]);
        assert_eq!(run.json()["tokens"].as_array().map(Vec::len), Some(3), "{}", recipe.name);
    }
    assert_eq!(files(&siskin), ["f32.gguf", "new.gguf"]);
}

/// A reader that is not ours.
fn read_by_ggus(bytes: &[u8], tensors: usize) {
    let file = ggus::GGuf::new(bytes).expect("ggus reads it");
    assert_eq!(file.tensors.len(), tensors);
    for tensor in file.tensors.values() {
        let info = tensor.to_info();
        assert!(info.offset() + info.nbytes() <= file.data.len());
    }
}

/// Weights of the three float types give the same file, where they are the same numbers.
#[test]
fn f16_and_bf16_are_read_too() {
    let siskin = prepared();
    for (mix, name) in some([("F16", "f16.gguf"), ("BF16", "bf16.gguf")], 2) {
        siskin.run(["quantize", "f32.gguf", name, mix]).ok();
        siskin.run(["quantize", name, "f32-again.gguf", "F32"]).ok();
        siskin.run(["quantize", name, "a.gguf", "q4_k_m"]).ok();
        siskin.run(["quantize", "f32-again.gguf", "b.gguf", "Q4_K"]).ok();
        let read = |name: &str| fs::read(siskin.dir.path().join(name)).expect("a file");
        assert!(read("a.gguf") == read("b.gguf"), "{mix}");
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let siskin = prepared();
    let bytes = |threads: &str| {
        siskin.run(["quantize", "f32.gguf", "new.gguf", "Q5_K_M", "-t", threads]).ok();
        fs::read(siskin.dir.path().join("new.gguf")).expect("a file")
    };
    let one = bytes("1");
    assert!(one == bytes("2") && one == bytes("3"));
}

#[test]
fn the_report_is_for_people_too() {
    let siskin = prepared();
    let report = siskin.run(["quantize", "f32.gguf", "new.gguf", "Q4_K_M"]).ok();
    let lines: Vec<&str> = report.lines().collect();
    assert!(lines[0].starts_with("size ") && lines[0].ends_with(" bits a weight"), "{report}");
    assert!(
        lines[1].starts_with("tensors ") && lines[1].contains(" Q4_K") && lines[1].contains(" Q6_K"),
        "{report}"
    );
    let pure = siskin.run(["quantize", "f32.gguf", "pure.gguf", "Q4_K_M", "--pure", "--json"]).json();
    assert_eq!((pure["format"].as_str(), &pure["tensors"]["Q6_K"]), (Some("Q4_K"), &serde_json::Value::Null));
}

#[test]
fn rows_that_do_not_fit_get_another_format_and_a_note() {
    let siskin = Siskin::new();
    synthetic(Shape::named("narrow").expect("a shape"), "F32", &siskin.dir.path().join("f32.gguf"));
    let run = siskin.run(["quantize", "f32.gguf", "new.gguf", "Q4_K_S", "--json"]);
    for part in ["rows of 128", "rows of 192", "256 of Q4_K: Q5_0 instead", "256 of Q6_K: Q8_0 instead"] {
        assert!(run.stderr.contains(part), "no '{part}' in: {}", run.stderr);
    }
    assert!(run.json()["fallbacks"].as_u64() > Some(10));
    siskin.run(["generate", "-m", "new.gguf", "--tokens", "1", "-n", "2"]).ok();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let siskin = prepared();
    let before = fs::read(siskin.dir.path().join("f32.gguf")).expect("the input");
    let refuse = |args: [&str; 3], code, parts: &[&str]| {
        siskin.run(["quantize"].iter().chain(&args)).fails(code, parts);
    };
    refuse(["f32.gguf", "new.gguf", "Q9_X"], 2, &["Q9_X", "expected one of", "Q4_K_M"]);
    refuse(["f32.gguf", "-", "Q8_0"], 2, &["OUT: found -", "./-"]);
    refuse(["f32.gguf", "f32.gguf", "Q8_0"], 2, &["f32.gguf", "is the input", "Try another name"]);
    refuse(["f32.gguf", "./../x/../f32.gguf", "Q8_0"], 1, &["cannot be written"]);
    refuse(["none.gguf", "new.gguf", "Q8_0"], 1, &["none.gguf"]);
    refuse(["f32.gguf", "nowhere/new.gguf", "Q8_0"], 1, &["nowhere/new.gguf", "cannot be written"]);
    refuse(["f32.gguf", ".", "Q8_0"], 1, &["cannot be written", "not a regular file"]);
    refuse(["f32.gguf", "/dev/null", "Q8_0"], 1, &["/dev/null", "not a regular file"]);
    siskin.file("text.gguf", b"hardly a model");
    refuse(["text.gguf", "new.gguf", "Q8_0"], 3, &["text.gguf"]);
    assert_eq!(files(&siskin), ["f32.gguf", "text.gguf"]);
    assert!(fs::read(siskin.dir.path().join("f32.gguf")).expect("the input") == before);
}

#[test]
#[cfg(unix)]
fn the_input_is_known_under_another_name() {
    let siskin = prepared();
    std::os::unix::fs::symlink("f32.gguf", siskin.dir.path().join("link.gguf")).expect("a link");
    siskin.run(["quantize", "f32.gguf", "link.gguf", "Q8_0"]).fails(2, &["is the input"]);
    siskin.run(["quantize", "link.gguf", "f32.gguf", "Q8_0"]).fails(2, &["is the input"]);
}

#[test]
fn quantized_weights_are_refused_and_what_stood_there_stays() {
    let siskin = prepared();
    siskin.run(["quantize", "f32.gguf", "q8.gguf", "Q8_0"]).ok();
    siskin.file("new.gguf", b"from before");
    siskin
        .run(["quantize", "q8.gguf", "new.gguf", "Q4_0"])
        .fails(3, &["q8.gguf", "is Q8_0", "F32, F16 or BF16", "Try"]);
    let vocabulary = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers/unigram.gguf");
    let vocabulary = vocabulary.to_str().expect("UTF-8");
    siskin
        .run(["quantize", vocabulary, "new.gguf", "Q8_0"])
        .fails(3, &["unigram.gguf", "no tensor in it", "Try"]);
    assert_eq!(fs::read(siskin.dir.path().join("new.gguf")).expect("the file"), b"from before");
    siskin.run(["quantize", "f32.gguf", "new.gguf", "Q4_0"]).ok();
    Gguf::open(siskin.dir.path().join("new.gguf")).expect("the new file");
    assert_eq!(files(&siskin), ["f32.gguf", "new.gguf", "q8.gguf"]);
}

/// A matrix of two rows of 256, its second row holding a weight.
fn with_weight(weight: f32) -> Vec<u8> {
    let mut matrix = tensor("blk.0.ffn_up.weight", GgmlType::F32.code(), &[256, 2], 2048);
    matrix.data.fill(0);
    matrix.data[1600..1604].copy_from_slice(&weight.to_le_bytes());
    File::empty(LAYOUTS[0]).key("general.architecture", Item::text("llama")).tensor(matrix).bytes()
}

#[test]
fn weights_that_cannot_be_stored_are_named() {
    let siskin = Siskin::new();
    for weight in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        siskin.file("in.gguf", &with_weight(weight));
        for format in ["Q8_0", "Q4_K", "BF16"] {
            let parts = ["blk.0.ffn_up.weight", "row 1", "not a number or infinite"];
            siskin.run(["quantize", "in.gguf", "new.gguf", format]).fails(3, &parts);
        }
    }
    siskin.file("in.gguf", &with_weight(1e6));
    siskin.run(["quantize", "in.gguf", "new.gguf", "F16"]).fails(3, &["row 1", "beyond 65504", "Try BF16"]);
    siskin.run(["quantize", "in.gguf", "new.gguf", "Q6_K"]).fails(3, &["row 1", "beyond 65504", "Try BF16"]);
    assert_eq!(files(&siskin), ["in.gguf"]);
    siskin.run(["quantize", "in.gguf", "new.gguf", "BF16"]).ok();
}

/// Rows of 32 weights in F16; finite ones.
fn matrix(name: &str, rows: u64) -> Tensor {
    let mut matrix = tensor(name, GgmlType::F16.code(), &[32, rows], rows as usize * 64);
    matrix.data.iter_mut().for_each(|byte| *byte &= 0x3f);
    matrix
}

/// Every type of value, strings that are not UTF-8, nested arrays, another alignment, an older version.
#[test]
fn strange_metadata_are_kept() {
    let siskin = Siskin::new();
    let matrix = matrix("blk.0.ffn_up.weight", 3);
    for version in [LAYOUTS[0], LAYOUTS[2], LAYOUTS[4]] {
        let mut file = File::sample(version).key("raw", Item::Text(vec![0xff, 0xfe])).tensor(matrix.clone());
        file.tensors.retain(|tensor| tensor.code != GgmlType::Q4_0.code());
        file = file.key("general.alignment", Item::u32(64)).key("general.file_type", Item::u32(1));
        file.alignment = 64;
        let path = siskin.file("in.gguf", &file.bytes());
        siskin.run(["quantize", "in.gguf", "new.gguf", "Q8_0"]).ok();
        let (input, output) = (Gguf::open(&path), Gguf::open(siskin.dir.path().join("new.gguf")));
        let (input, output) = (input.expect("the input"), output.expect("a valid file"));
        assert_eq!(metadata(&output), metadata(&input));
        assert!(output.metadata().str("raw").is_err_and(|error| error.to_string().contains("UTF-8")));
        assert!(output.tensors().iter().all(|tensor| tensor.offset() % 64 == 0));
        let copied = |name: &str| {
            let bytes = |file: &Gguf| file.bytes(file.tensor(name).expect("the tensor")).to_vec();
            bytes(&input) == bytes(&output)
        };
        assert!(copied("floats") && copied("bytes"));
    }
}

/// Ctrl-C once the new file is begun: nothing of it remains.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_nothing() {
    let siskin = Siskin::new();
    // large enough that it is not done before the signal
    let vocab = if emulated() { 2_000 } else { 20_000 };
    synthetic(Shape { vocab, ..tiny() }, "F16", &siskin.dir.path().join("f16.gguf"));
    let mut command = siskin.command(["quantize", "f16.gguf", "new.gguf", "Q4_K_M", "-t", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("siskin starts");
    while files(&siskin).len() < 2 {
        assert!(child.try_wait().expect("a child").is_none(), "siskin ended early");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let run = Run::from(child.wait_with_output().expect("siskin ends"));
    assert_eq!((run.code, run.stdout.as_str()), (Some(130), ""), "{}", run.stderr);
    assert_eq!(files(&siskin), ["f16.gguf"]);
}

#[test]
fn other_byte_orders_are_refused() {
    let siskin = Siskin::new();
    siskin.file("in.gguf", &File::sample(LAYOUTS[1]).bytes());
    siskin.run(["quantize", "in.gguf", "new.gguf", "Q8_0"]).fails(3, &["in.gguf", "endian"]);
}

/// The parts of a split model become one file.
#[test]
fn a_split_model_becomes_whole() {
    let siskin = Siskin::new();
    let part = |no: u16| {
        let number = |x: u16| Item::Number(2, x.to_le_bytes().into());
        let name = format!("blk.{no}.ffn_up.weight");
        let file = File::empty(LAYOUTS[0]).key("general.name", Item::text("whole"));
        let file = file.key("split.no", number(no)).key("split.count", number(2));
        let file = file.key("split.tensors.count", Item::Number(5, 2i32.to_le_bytes().into()));
        siskin.file(&format!("m-{:05}-of-00002.gguf", no + 1), &file.tensor(matrix(&name, 2)).bytes())
    };
    let parts: Vec<_> = (0..2).map(part).collect();
    siskin.run(["quantize", "m-00002-of-00002.gguf", "new.gguf", "Q8_0"]).ok();
    let file = Gguf::open(siskin.dir.path().join("new.gguf")).expect("a valid file");
    assert_eq!(file.tensors().len(), 2);
    assert!(file.metadata().iter().all(|(key, _)| !key.starts_with("split.")));
    for part in &parts {
        let name = Path::new(part).file_name().and_then(|name| name.to_str()).expect("a name");
        siskin.run(["quantize", "m-00001-of-00002.gguf", name, "Q8_0"]).fails(2, &["is the input"]);
    }
}
