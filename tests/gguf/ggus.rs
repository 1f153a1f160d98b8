//! Against another reader: a valid version 3 file written by ggus means the same to ggus and to us.

use ggus::{GGmlType as Theirs, GGufFileHeader, GGufFileWriter, GGufMetaDataValueType as Ty};
use siskin::gguf::{Gguf, Value, ValueType};

/// Keys of every type that ggus can write and read back, some arrays, and tensors of several types.
fn written(alignment: Option<usize>) -> Vec<u8> {
    let string = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let array =
        |ty: Ty, len: u64, items: &[u8]| [&(ty as u32).to_le_bytes()[..], &len.to_le_bytes(), items].concat();
    let keys = [
        ("general.architecture", Ty::String, string("llama")),
        ("a.u8", Ty::U8, vec![7]),
        ("a.i8", Ty::I8, vec![0x80]),
        ("a.u16", Ty::U16, 0xabcdu16.to_le_bytes().into()),
        ("a.i16", Ty::I16, (-2i16).to_le_bytes().into()),
        ("a.u32", Ty::U32, 0xdead_beefu32.to_le_bytes().into()),
        ("a.i32", Ty::I32, (-3i32).to_le_bytes().into()),
        ("a.f32", Ty::F32, 0.1f32.to_le_bytes().into()),
        ("a.bool", Ty::Bool, vec![1]),
        ("a.u64", Ty::U64, u64::MAX.to_le_bytes().into()),
        ("a.i64", Ty::I64, i64::MIN.to_le_bytes().into()),
        ("a.f64", Ty::F64, 0.1f64.to_le_bytes().into()),
        ("b.strings", Ty::Array, array(Ty::String, 3, &[string("x"), string(""), string("zwölf")].concat())),
        ("b.floats", Ty::Array, array(Ty::F32, 2, &[1.0f32.to_le_bytes(), (-1.0f32).to_le_bytes()].concat())),
        ("b.ints", Ty::Array, array(Ty::I32, 2, &[1i32.to_le_bytes(), (-1i32).to_le_bytes()].concat())),
    ];
    let tensors = [
        ("token_embd.weight", Theirs::Q4_0, vec![64u64, 3], 108),
        ("norm.weight", Theirs::F32, vec![5], 20),
        ("w.q8", Theirs::Q8_0, vec![32, 2, 2], 136),
        ("w.q4_k", Theirs::Q4K, vec![512, 2], 576),
        ("w.f16", Theirs::F16, vec![3, 1, 2, 2], 24),
        ("w.i8", Theirs::I8, vec![1], 1),
    ];
    let mut out = Vec::new();
    let header =
        GGufFileHeader::new(3, tensors.len() as u64, keys.len() as u64 + u64::from(alignment.is_some()));
    let mut writer = match alignment {
        Some(alignment) => GGufFileWriter::with_alignment(&mut out, header, alignment).unwrap(),
        None => GGufFileWriter::new(&mut out, header).unwrap(),
    };
    for (key, ty, value) in &keys {
        writer.write_meta_kv(key, *ty, value).unwrap();
    }
    let mut writer = writer.finish::<Vec<u8>>(true);
    for (i, (name, ty, shape, bytes)) in tensors.iter().enumerate() {
        writer.write_tensor(name, *ty, shape, vec![i as u8 + 1; *bytes]).unwrap();
    }
    writer.finish().unwrap();
    out
}

/// The bytes of a value as the file holds them.
fn raw(value: Value<'_>) -> Vec<u8> {
    match value {
        Value::U8(x) => x.to_le_bytes().into(),
        Value::I8(x) => x.to_le_bytes().into(),
        Value::U16(x) => x.to_le_bytes().into(),
        Value::I16(x) => x.to_le_bytes().into(),
        Value::U32(x) => x.to_le_bytes().into(),
        Value::I32(x) => x.to_le_bytes().into(),
        Value::F32(x) => x.to_le_bytes().into(),
        Value::Bool(x) => vec![x.into()],
        Value::Str(x) => [&(x.len() as u64).to_le_bytes(), x.as_bytes()].concat(),
        Value::U64(x) => x.to_le_bytes().into(),
        Value::I64(x) => x.to_le_bytes().into(),
        Value::F64(x) => x.to_le_bytes().into(),
        Value::Array(array) => {
            let head =
                [&(array.element_type() as u32).to_le_bytes()[..], &(array.len() as u64).to_le_bytes()]
                    .concat();
            array.iter().fold(head, |head, value| [head, raw(value.unwrap())].concat())
        }
    }
}

fn agree(bytes: &[u8]) {
    let theirs = ggus::GGuf::new(bytes).unwrap();
    let ours = Gguf::from_vec(bytes.to_vec()).unwrap();
    assert_eq!(ours.version(), theirs.header.version);

    assert_eq!(ours.metadata().len(), theirs.meta_kvs.len());
    for ((key, value), (their_key, their_value)) in ours.metadata().iter().zip(&theirs.meta_kvs) {
        assert_eq!(key, *their_key);
        assert_eq!(value.value_type() as u32, their_value.ty() as u32, "{key}");
        assert_eq!(raw(value), their_value.value_bytes(), "{key}");
    }

    assert_eq!(ours.tensors().len(), theirs.tensors.len());
    let data_start = theirs.data.as_ptr() as usize - bytes.as_ptr() as usize;
    for (tensor, (their_name, meta)) in ours.tensors().iter().zip(&theirs.tensors) {
        let info = meta.to_info();
        assert_eq!(tensor.name(), *their_name);
        assert_eq!(tensor.ty().code(), info.ty() as u32, "{their_name}");
        assert_eq!(tensor.dims(), info.shape(), "{their_name}");
        assert_eq!(tensor.offset() as usize, data_start + info.offset(), "{their_name}");
        assert_eq!(*ours.bytes(tensor), theirs.data[info.offset()..][..info.nbytes()], "{their_name}");
    }
}

#[test]
fn the_written_file_means_the_same_to_both() {
    for alignment in [None, Some(32), Some(64), Some(8)] {
        let bytes = written(alignment);
        agree(&bytes);
        let ours = Gguf::from_vec(bytes).unwrap();
        assert_eq!(ours.tensors().len(), 6);
        for (i, tensor) in ours.tensors().iter().enumerate() {
            assert!(ours.bytes(tensor).iter().all(|&byte| byte == i as u8 + 1), "{}", tensor.name());
        }
        assert_eq!(ours.metadata().array("b.strings").unwrap().unwrap().element_type(), ValueType::Str);
    }
}

#[test]
fn real_models_mean_the_same_to_both() {
    let Some(folder) = crate::real::shared("SISKIN_MODELS", "models") else { return };
    for path in crate::real::gguf_files(&folder) {
        agree(&std::fs::read(path).unwrap());
    }
}
