//! Valid files: every value and tensor comes out as it went in, in all versions and byte orders.

use siskin::gguf::{ByteOrder, ErrorKind, GgmlType, Gguf, Value, ValueType};

use crate::build::{File, Item, LAYOUTS, tensor};

#[test]
fn every_value_comes_out_as_it_went_in() {
    for layout in LAYOUTS {
        let model = File::sample(layout).open();
        let m = model.metadata();
        assert_eq!((model.version(), model.byte_order()), layout);
        assert!(matches!(m.get("u8"), Some(Value::U8(200))));
        assert!(matches!(m.get("i8"), Some(Value::I8(-2))));
        assert!(matches!(m.get("u16"), Some(Value::U16(60_000))));
        assert!(matches!(m.get("i16"), Some(Value::I16(-300))));
        assert!(matches!(m.get("u32"), Some(Value::U32(4_000_000_000))));
        assert!(matches!(m.get("i32"), Some(Value::I32(-70_000))));
        assert!(matches!(m.get("f32"), Some(Value::F32(1.5))));
        assert!(matches!(m.get("true"), Some(Value::Bool(true))));
        assert!(matches!(m.get("false"), Some(Value::Bool(false))));
        assert!(matches!(m.get("u64"), Some(Value::U64(x)) if x == 1 << 40));
        assert!(matches!(m.get("i64"), Some(Value::I64(x)) if x == -1 << 40));
        assert!(matches!(m.get("f64"), Some(Value::F64(-0.25))));
        assert!(matches!(m.get("text"), Some(Value::Str("grün"))));
        assert!(m.get("absent").is_none());
        let keys: Vec<_> = m.iter().map(|(key, _)| key).collect();
        assert_eq!((keys.len(), keys[0], keys[18]), (m.len(), "u8", "text"), "in the order of the file");
    }
}

/// Of all layouts, and of a header that is longer than what is looked at first.
#[test]
fn a_header_alone_is_the_model_without_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    for layout in LAYOUTS {
        let mut file = File::sample(layout);
        if layout == LAYOUTS[0] {
            file.keys.push((b"long".to_vec(), Item::Text(vec![b'x'; 20 << 20])));
        }
        let bytes = file.bytes();
        let whole = Gguf::from_vec(bytes.clone()).unwrap();
        let header = whole.tensors().iter().map(|tensor| tensor.offset()).min().unwrap() as usize;
        for len in [bytes.len(), header] {
            std::fs::write(&path, &bytes[..len]).unwrap();
            let alone = Gguf::open_header(&path).unwrap();
            assert_eq!((alone.file_bytes(), alone.version()), (whole.file_bytes(), whole.version()));
            assert!(
                alone.metadata().iter().map(|(key, _)| key).eq(whole.metadata().iter().map(|(key, _)| key))
            );
            assert_eq!(alone.metadata().str("text").unwrap(), Some("grün"));
            for (found, expected) in alone.tensors().iter().zip(whole.tensors()) {
                assert_eq!((found.name(), found.bytes()), (expected.name(), expected.bytes()));
                assert_eq!(*alone.bytes(found), vec![0; expected.bytes() as usize]);
            }
        }
        std::fs::write(&path, &bytes[..header - 64]).unwrap();
        let error = Gguf::open_header(&path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::HeaderCutOff { .. }), "{error}");
    }
}

#[test]
fn arrays_come_out_as_they_went_in() {
    for layout in LAYOUTS {
        let model = File::sample(layout).open();
        let array = |key| model.metadata().array(key).unwrap().unwrap();
        let texts: Vec<_> = array("texts").strs().unwrap().map(Result::unwrap).collect();
        assert_eq!(texts, [&b"a"[..], b"", b"\xffx"]);
        assert_eq!(array("floats").f32s().unwrap(), [0.5, -2.0]);
        assert_eq!(array("shorts").i32s().unwrap(), [-7, 300]);
        assert_eq!(array("shorts").element_type(), ValueType::I16);
        assert!(array("nothing").is_empty());
        let bools: Vec<_> =
            array("bools").iter().map(|value| matches!(value, Ok(Value::Bool(true)))).collect();
        assert_eq!(bools, [true, false, true]);
    }
}

#[test]
fn arrays_of_arrays_come_out_as_they_went_in() {
    for layout in LAYOUTS {
        let model = File::sample(layout).open();
        let outer = model.metadata().array("pairs").unwrap().unwrap();
        assert_eq!((outer.len(), outer.element_type()), (3, ValueType::Array));
        let inner: Vec<_> = outer
            .iter()
            .map(|value| match value {
                Ok(Value::Array(inner)) => inner,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(inner[0].i32s().unwrap(), [1, 2]);
        assert_eq!(inner[1].strs().unwrap().next().unwrap().unwrap(), b"deep");
        assert_eq!(inner[2].i32s().unwrap(), [3, 4]);
    }
}

#[test]
fn arrays_nest_four_deep() {
    for layout in LAYOUTS {
        let deep = (0..3).fold(Item::Array(0, vec![Item::u8(7)]), |inner, _| Item::Array(9, vec![inner]));
        let model = File::empty(layout).key("deep", deep).open();
        let mut value = model.metadata().get("deep");
        for _ in 0..4 {
            let Some(Value::Array(array)) = value else { panic!("{value:?}") };
            value = array.iter().next().map(Result::unwrap);
        }
        assert!(matches!(value, Some(Value::U8(7))));
    }
}

#[test]
fn tensors_come_out_as_they_went_in() {
    for layout in LAYOUTS {
        let file = File::sample(layout);
        let model = file.open();
        let names: Vec<_> = model.tensors().iter().map(|tensor| tensor.name()).collect();
        assert_eq!(names, ["floats", "quants", "bytes"]);
        let quants = model.tensor("quants").unwrap();
        assert_eq!((quants.ty(), quants.dims()), (GgmlType::Q4_0, &[64, 3][..]));
        assert_eq!((quants.cols(), quants.rows(), quants.elements(), quants.bytes()), (64, 3, 192, 108));
        assert!(model.tensor("absent").is_none());
        let first = model.tensors()[0].offset();
        assert_eq!(quants.offset(), first + 32);
        for (tensor, made) in model.tensors().iter().zip(&file.tensors) {
            assert_eq!(*model.bytes(tensor), made.data);
            assert_eq!(tensor.offset() % 32, 0);
        }
        assert_eq!(model.file_bytes(), file.bytes().len() as u64);
    }
}

#[test]
fn bytes_outlive_the_model() {
    let model = File::sample(LAYOUTS[0]).open();
    let bytes = model.bytes(&model.tensors()[2]).clone();
    drop(model);
    assert_eq!(*bytes, [0, 1, 2]);
}

#[test]
fn another_alignment_is_followed() {
    for layout in LAYOUTS {
        // Miri takes minutes for megabytes
        for alignment in [1u32, 8, 64, if cfg!(miri) { 1 << 10 } else { 1 << 20 }] {
            let file = File { alignment: alignment as usize, ..File::sample(layout) };
            let file = file.key("general.alignment", Item::u32(alignment));
            let model = file.open();
            assert!(model.tensors().iter().all(|tensor| tensor.offset() % u64::from(alignment) == 0));
            assert_eq!(*model.bytes(&model.tensors()[1]), file.tensors[1].data);
        }
    }
}

#[test]
fn a_file_without_keys_and_tensors_is_valid() {
    for layout in LAYOUTS {
        let model = File::empty(layout).open();
        assert!(model.metadata().is_empty() && model.tensors().is_empty());
    }
}

#[test]
fn built_in_bytes_open_like_a_file() {
    let bytes: &'static [u8] = File::sample(LAYOUTS[0]).bytes().leak();
    let model = Gguf::from_static(bytes).unwrap();
    assert_eq!(model.path().to_str(), Some("built-in model"));
    let tensor = &model.tensors()[0];
    let inside = bytes.as_ptr_range().contains(&model.bytes(tensor).as_ptr());
    assert!(inside, "the data is used in place");
}

#[test]
fn integers_of_any_width_convert_where_they_fit() {
    for layout in LAYOUTS {
        let model = File::sample(layout).open();
        let m = model.metadata();
        assert_eq!(m.u32("u8").unwrap(), Some(200));
        assert_eq!(m.u32("u16").unwrap(), Some(60_000));
        assert_eq!(m.u64("u32").unwrap(), Some(4_000_000_000));
        assert_eq!(m.i64("i32").unwrap(), Some(-70_000));
        assert_eq!(m.u32("absent").unwrap(), None);
        for (key, found) in [("u64", 1i128 << 40), ("i8", -2)] {
            let error = m.u32(key).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::ValueRange { found: f, .. } if *f == found), "{error}");
        }
    }
}

#[test]
fn a_getter_names_key_found_and_expected_type() {
    let model = File::sample(LAYOUTS[0]).open();
    let m = model.metadata();
    let errors = [
        (m.u32("text").unwrap_err(), ["\"text\"", "string", "integer"]),
        (m.u64("true").unwrap_err(), ["\"true\"", "bool", "integer"]),
        (m.f32("u8").unwrap_err(), ["\"u8\"", "u8", "f32"]),
        (m.bool("u8").unwrap_err(), ["\"u8\"", "u8", "bool"]),
        (m.str("floats").unwrap_err(), ["\"floats\"", "array of f32", "string"]),
        (m.array("text").unwrap_err(), ["\"text\"", "string", "array"]),
        (
            m.array("floats").unwrap().unwrap().i32s().unwrap_err(),
            ["\"floats\"", "array of f32", "array of integers"],
        ),
        (
            m.array("shorts").unwrap().unwrap().f32s().unwrap_err(),
            ["\"shorts\"", "array of i16", "array of f32"],
        ),
        (
            m.array("shorts").unwrap().unwrap().strs().err().unwrap(),
            ["\"shorts\"", "i16", "array of strings"],
        ),
    ];
    for (error, words) in errors {
        assert!(matches!(error.kind(), ErrorKind::WrongType { .. }), "{error}");
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    }
    assert_eq!(m.f32("f64").unwrap(), Some(-0.25));
    assert_eq!(m.bool("true").unwrap(), Some(true));
    assert!(m.missing("absent").to_string().contains("key \"absent\" is missing"));
}

#[test]
fn text_is_checked_when_it_is_read() {
    for layout in LAYOUTS {
        let model = File::sample(layout).key("bad", Item::Text(vec![0xc3, 0x28])).open();
        let m = model.metadata();
        let error = m.str("bad").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ValueUtf8 { index: None, .. }), "{error}");
        assert!(matches!(m.get("bad"), Some(Value::Array(bytes)) if bytes.i32s().unwrap() == [0xc3, 0x28]));
        let error = m.array("texts").unwrap().unwrap().iter().find_map(Result::err).unwrap();
        assert!(matches!(error.kind(), ErrorKind::ValueUtf8 { index: Some(2), .. }), "{error}");
        assert!(error.to_string().contains("\"texts\"") && error.to_string().contains("element 2"));
    }
}

#[test]
fn only_the_native_byte_order_runs() {
    for layout in LAYOUTS {
        let refused = File::sample(layout).open().require_native();
        assert_eq!(refused.is_ok(), layout.1 == ByteOrder::NATIVE);
        if let Err(error) = refused {
            assert!(matches!(error.kind(), ErrorKind::ForeignByteOrder { .. }) && !error.is_io());
            assert!(error.to_string().contains("-endian") && error.to_string().contains("Try"), "{error}");
        }
    }
}

#[test]
fn every_tensor_type_has_its_size() {
    for ty in GgmlType::all() {
        let (cols, bytes) = (ty.block_len() as u64 * 2, ty.block_bytes() * 6);
        let file = File::empty(LAYOUTS[0]).tensor(tensor("t", ty.code(), &[cols, 3], bytes));
        let model = file.open();
        let tensor = &model.tensors()[0];
        assert_eq!((tensor.ty(), tensor.bytes()), (ty, bytes as u64));
    }
}

/// The table against that of the Python package `gguf`, recorded in tests/data/gguf.
#[test]
fn tensor_types_agree_with_the_python_package() {
    let recorded = include_str!("../data/gguf/quant_sizes.txt");
    let mut unknown_to_python: Vec<_> = GgmlType::all().collect();
    for line in recorded.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split(' ').collect();
        let ty = GgmlType::from_code(words[0].parse().unwrap()).unwrap();
        unknown_to_python.retain(|&other| other != ty);
        assert_eq!((ty.name(), ty.block_len().to_string()), (words[1], words[2].to_owned()));
        // the package takes Q8_1 for two f32 and 32 quants; in ggml's block_q8_1 both are f16
        let bytes = if ty == GgmlType::Q8_1 { "40" } else { &ty.block_bytes().to_string() };
        assert_eq!(bytes, words[3], "{ty}");
    }
    assert_eq!(unknown_to_python, [GgmlType::Q2_0], "younger than the recorded version");
}
