//! Tensor: the elements of an input or output, typed, and their JSON.
//!
//! It is not a numeric library: it checks, carries and writes.

use serde_json::Value;

/// A tensor as a model takes and gives it: flat, in row order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The name.
    pub name: String,
    /// The datatype in the protocol's words.
    pub datatype: String,
    /// The shape, batch first.
    pub shape: Vec<u64>,
    /// The elements, as many as the shape has places.
    pub data: TensorData,
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// Of FP16, BF16, FP32 and FP64.
    Floats(Vec<f64>),
    /// Of all INT and UINT.
    Integers(Vec<i64>),
    /// Of BOOL.
    Booleans(Vec<bool>),
    /// Of BYTES.
    Texts(Vec<String>),
}

impl TensorData {
    /// Reads elements of a datatype; the error is the first that is none.
    pub(super) fn read(datatype: &str, elements: Vec<Value>) -> Result<TensorData, Value> {
        fn all<T>(elements: Vec<Value>, one: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, Value> {
            elements.into_iter().map(|element| one(&element).ok_or(element)).collect()
        }
        Ok(match datatype {
            "BOOL" => TensorData::Booleans(all(elements, Value::as_bool)?),
            "BYTES" => TensorData::Texts(all(elements, |element| element.as_str().map(str::to_owned))?),
            "FP16" | "BF16" | "FP32" | "FP64" => TensorData::Floats(all(elements, Value::as_f64)?),
            _ => TensorData::Integers(all(elements, Value::as_i64)?),
        })
    }

    /// Returns how many elements there are.
    pub(super) fn len(&self) -> usize {
        match self {
            TensorData::Floats(all) => all.len(),
            TensorData::Integers(all) => all.len(),
            TensorData::Booleans(all) => all.len(),
            TensorData::Texts(all) => all.len(),
        }
    }

    /// Writes each element as JSON; what is no finite number is a bare token, as servers write it.
    pub(super) fn write(&self, datatype: &str) -> Vec<String> {
        let float = |number: &f64| {
            let narrow = *number as f32;
            // The shortest digits that give the same number back, in the width that the tensor has.
            let (digits, number) = if datatype == "FP64" {
                (format!("{number:?}"), *number)
            } else {
                (format!("{narrow:?}"), narrow.into())
            };
            match number {
                number if number.is_nan() => "NaN".to_owned(),
                f64::INFINITY => "Infinity".to_owned(),
                f64::NEG_INFINITY => "-Infinity".to_owned(),
                _ => digits,
            }
        };
        match self {
            TensorData::Floats(numbers) => numbers.iter().map(float).collect(),
            TensorData::Integers(numbers) => numbers.iter().map(i64::to_string).collect(),
            TensorData::Booleans(flags) => flags.iter().map(bool::to_string).collect(),
            TensorData::Texts(texts) => texts.iter().map(|text| Value::from(text.as_str()).to_string()).collect(),
        }
    }
}
