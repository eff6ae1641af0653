//! Binary: tensors as bytes behind the JSON of a request or an answer.
//!
//! Not every datatype: FP16 and BF16 have no form here, and text must be UTF-8; what has none is refused.
//!
//! # Source
//! `protocols.md`, section 2.3.

use serde::Deserialize;
use serde_json::Value;

use super::TensorData;

/// Says how many bytes of a body are JSON.
pub(crate) const JSON_LENGTH: &str = "inference-header-content-length";

/// What is said of how one tensor travels.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Transport {
    pub(super) binary_data_size: Option<usize>,
    pub(super) binary_data: Option<bool>,
}

/// Reads the elements of a datatype from their bytes; none where they are no such elements.
pub(super) fn read(datatype: &str, bytes: &[u8]) -> Option<TensorData> {
    macro_rules! numbers {
        ($kind:ident, $read:ty, $as:ty) => {{
            let elements = bytes.chunks(size_of::<$read>()).map(|it| Some(<$read>::from_le_bytes(it.try_into().ok()?)));
            TensorData::$kind(elements.map(|it| <$as>::try_from(it?).ok()).collect::<Option<_>>()?)
        }};
    }
    Some(match datatype {
        "BOOL" => TensorData::Booleans(bytes.iter().map(|it| *it != 0).collect()),
        "BYTES" => TensorData::Texts(texts(bytes)?),
        "FP32" => numbers!(Floats, f32, f64),
        "FP64" => numbers!(Floats, f64, f64),
        "INT8" => numbers!(Integers, i8, i64),
        "INT16" => numbers!(Integers, i16, i64),
        "INT32" => numbers!(Integers, i32, i64),
        "INT64" => numbers!(Integers, i64, i64),
        "UINT8" => numbers!(Integers, u8, i64),
        "UINT16" => numbers!(Integers, u16, i64),
        "UINT32" => numbers!(Integers, u32, i64),
        "UINT64" => numbers!(Integers, u64, i64),
        _ => return None,
    })
}

fn texts(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        texts.push(str::from_utf8(text).ok()?.to_owned());
        bytes = rest;
    }
    Some(texts)
}

/// Appends an element, given as its JSON, in the bytes of a datatype; none where there are none of it.
pub(super) fn write(out: &mut Vec<u8>, datatype: &str, element: &str) -> Option<()> {
    macro_rules! number {
        ($type:ty) => {
            out.extend(element.parse::<$type>().ok()?.to_le_bytes())
        };
    }
    match datatype {
        "BOOL" => out.push((element == "true").into()),
        "BYTES" => {
            let Ok(Value::String(text)) = serde_json::from_str(element) else { return None };
            out.extend((text.len() as u32).to_le_bytes());
            out.extend(text.into_bytes());
        }
        "FP32" => number!(f32),
        "FP64" => number!(f64),
        "INT8" => number!(i8),
        "INT16" => number!(i16),
        "INT32" => number!(i32),
        "INT64" => number!(i64),
        "UINT8" => number!(u8),
        "UINT16" => number!(u16),
        "UINT32" => number!(u32),
        "UINT64" => number!(u64),
        _ => return None,
    }
    Some(())
}
