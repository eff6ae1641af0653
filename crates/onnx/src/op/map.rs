//! `DictVectorizer` and `CastMap`: a map to one row.
//!
//! A map is no tensor: it comes as two lists, its keys and its values.
//!
//! # Source
//! ONNX-ML operators, version 1.

use std::collections::BTreeMap;

use super::{
    Operator,
    keys::{Keys, truncated},
    made, room,
};
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, Tensor},
};

/// The widest row that a number asks for; wider ones no data stand behind.
const MAX_WIDTH: usize = 1 << 16;

/// Takes a map apart, which must not have a key twice.
fn entries<'a>(inputs: &[&'a Tensor]) -> Result<(&'a Data, &'a Data, Keys), String> {
    let [keys, values] = inputs else { return Err("it takes a map".into()) };
    if keys.shape().len() != 1 || keys.shape() != values.shape() {
        return Err(format!("the keys have the shape {:?}, the values {:?}", keys.shape(), values.shape()));
    }
    let found = Keys::of(keys.data().clone(), false, false);
    match (0..keys.data().len()).all(|at| found.find(keys.data(), at) == Some(at)) {
        true => Ok((keys.data(), values.data(), found)),
        false => Err("the map has a key twice".into()),
    }
}

/// The values of a list of keys; zero, or nothing, where there is none.
#[derive(Debug)]
pub(super) struct DictVectorizer {
    vocabulary: Data,
}

impl DictVectorizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let (texts, numbers) = (attributes.texts("string_vocabulary"), attributes.ints("int64_vocabulary"));
        match (texts.is_empty(), numbers.is_empty()) {
            (false, true) => Ok(Self { vocabulary: Data::Text(texts) }),
            (true, false) => Ok(Self { vocabulary: Data::I64(numbers.into()) }),
            _ => Err("exactly one vocabulary must be given".into()),
        }
    }
}

impl Operator for DictVectorizer {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (_, values, keys) = entries(inputs)?;
        if !keys.are_of(&self.vocabulary) {
            return Err("the keys are of another kind than the vocabulary".into());
        }
        let found = (0..self.vocabulary.len()).map(|at| keys.find(&self.vocabulary, at));
        let data = match values {
            Data::F32(it) => Data::F32(found.map(|at| at.map_or(0.0, |at| it[at])).collect()),
            Data::F64(it) => Data::F64(found.map(|at| at.map_or(0.0, |at| it[at])).collect()),
            Data::I64(it) => Data::I64(found.map(|at| at.map_or(0, |at| it[at])).collect()),
            Data::Text(it) => {
                // Each text may be asked for once for every word of the vocabulary.
                let long: usize = found.clone().flatten().map(|at| it[at].len()).sum();
                room(&[long])?;
                Data::Text(found.map(|at| at.map_or_else(String::new, |at| it[at].clone())).collect())
            }
            Data::I32(_) | Data::Bool(_) => return Err("the values are of a kind that it does not take".into()),
        };
        made(vec![1, self.vocabulary.len()], data)
    }

    fn extent(&self, _: &[Extent]) -> Vec<Extent> {
        vec![Extent::Mixed]
    }
}

/// What the values become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Float,
    Text,
    Whole,
}

/// The values of a map with numbers as keys, in their order.
#[derive(Debug)]
pub(super) struct CastMap {
    to: To,
    /// Keys are places in a row of such a width; else the values stand side by side.
    sparse: Option<usize>,
}

impl CastMap {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let to = match attributes.text("cast_to").as_deref() {
            None | Some("TO_FLOAT") => To::Float,
            Some("TO_STRING") => To::Text,
            Some("TO_INT64") => To::Whole,
            Some(other) => return Err(format!("`cast_to` has {other:?}, which is none of its words")),
        };
        let width = usize::try_from(attributes.int("max_map").unwrap_or(1)).ok().filter(|it| *it <= MAX_WIDTH);
        let sparse = match attributes.text("map_form").as_deref() {
            None | Some("DENSE") => None,
            Some("SPARSE") => Some(width.ok_or_else(|| format!("`max_map` is below 0 or above {MAX_WIDTH}"))?),
            Some(other) => return Err(format!("`map_form` has {other:?}, which is none of its words")),
        };
        Ok(Self { to, sparse })
    }
}

impl Operator for CastMap {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (keys, values, _) = entries(inputs)?;
        let Data::I64(keys) = keys else { return Err("the keys are whole numbers".into()) };
        let order: BTreeMap<i64, usize> = keys.iter().copied().zip(0..).collect();
        let places: Vec<Option<usize>> = match self.sparse {
            None => order.values().copied().map(Some).collect(),
            Some(_) if order.keys().next().is_some_and(|it| *it < 0) => return Err("a key is below 0".into()),
            Some(width) => (0..width as i64).map(|at| order.get(&at).copied()).collect(),
        };
        let places = places.iter();
        let data = match (self.to, values) {
            (To::Float, Data::F32(it)) => Data::F32(places.map(|at| at.map_or(0.0, |at| it[at])).collect()),
            (To::Whole, Data::F32(it)) => {
                Data::I64(places.map(|at| at.map_or(0, |at| truncated(f64::from(it[at])))).collect())
            }
            (To::Text, Data::F32(it)) => {
                Data::Text(places.map(|at| at.map_or_else(|| "0.f".into(), |at| written(it[at]))).collect())
            }
            (To::Float, Data::Text(it)) => Data::F32(read(places, it, 0.0)?),
            (To::Whole, Data::Text(it)) => Data::I64(read(places, it, 0)?),
            (To::Text, Data::Text(it)) => {
                Data::Text(places.map(|at| at.map_or_else(|| "0.f".into(), |at| it[at].clone())).collect())
            }
            _ => return Err("the values are neither F32 nor texts".into()),
        };
        made(vec![1, data.len()], data)
    }

    fn extent(&self, _: &[Extent]) -> Vec<Extent> {
        vec![Extent::Mixed]
    }
}

/// Writes a number with six digits behind the point, as C does.
fn written(number: f32) -> String {
    match number.is_nan() {
        true if number.is_sign_negative() => "-nan".into(),
        true => "nan".into(),
        false => format!("{number:.6}"),
    }
}

/// Reads texts that are numbers from their first letter to their last.
fn read<'a, T: std::str::FromStr + Copy>(
    places: impl Iterator<Item = &'a Option<usize>>,
    texts: &[String],
    none: T,
) -> Result<Vec<T>, String> {
    let number = |at: &Option<usize>| match at {
        None => Ok(none),
        Some(at) => texts[*at].trim_start().parse().map_err(|_| format!("{:?} is no number", texts[*at])),
    };
    places.map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{AttributeProto, NodeProto};

    fn node(attributes: &[(&str, &str)], ints: &[(&str, &[i64])]) -> NodeProto {
        let text = |(name, it): &(&str, &str)| AttributeProto {
            name: (*name).into(),
            s: it.as_bytes().into(),
            strings: it.split(' ').map(|it| it.as_bytes().into()).collect(),
            ..Default::default()
        };
        let whole = |(name, it): &(&str, &[i64])| AttributeProto {
            name: (*name).into(),
            i: it[0],
            ints: it.to_vec(),
            ..Default::default()
        };
        let attribute = attributes.iter().map(text).chain(ints.iter().map(whole)).collect();
        NodeProto { attribute, ..Default::default() }
    }

    fn run(operator: &dyn Operator, keys: Data, values: Data) -> Result<Data, String> {
        let made = operator.run(&[&Tensor::list(keys), &Tensor::list(values)])?;
        assert_eq!(made[0].shape()[0], 1);
        Ok(made[0].data().clone())
    }

    fn texts(list: &[&str]) -> Data {
        Data::Text(list.iter().map(|it| (*it).into()).collect())
    }

    #[test]
    fn a_map_of_texts_becomes_a_row_by_its_keys() {
        let cast = |to: &str, form: &str| {
            let node = node(&[("cast_to", to), ("map_form", form)], &[("max_map", &[4])]);
            let operator = CastMap::new(Attributes::of(&node)).expect("it is sound");
            run(&operator, Data::I64(vec![2, 0]), texts(&["12", " -7"]))
        };
        assert_eq!(cast("TO_FLOAT", "SPARSE"), Ok(Data::F32(vec![-7.0, 0.0, 12.0, 0.0])));
        assert_eq!(cast("TO_INT64", "DENSE"), Ok(Data::I64(vec![-7, 12])));
        assert_eq!(cast("TO_STRING", "SPARSE"), Ok(texts(&[" -7", "0.f", "12", "0.f"])));
        let node = node(&[], &[("int64_vocabulary", &[2, 7])]);
        let operator = DictVectorizer::new(Attributes::of(&node)).expect("it is sound");
        assert_eq!(run(&operator, Data::I64(vec![2, 0]), texts(&["a", "b"])), Ok(texts(&["a", ""])));
        let doubles = run(&operator, Data::I64(vec![7]), Data::F64(vec![0.1]));
        assert_eq!(doubles, Ok(Data::F64(vec![0.0, 0.1])));
        assert_eq!(run(&operator, Data::I64(vec![]), Data::I64(vec![])), Ok(Data::I64(vec![0, 0])), "an empty map");
    }

    #[test]
    fn onnx_1_a_map_that_contradicts_itself_is_refused() {
        let node = node(&[("string_vocabulary", "a b")], &[]);
        let operator = DictVectorizer::new(Attributes::of(&node)).expect("it is sound");
        let refused = |keys: Data, values: Data, words: &str| {
            let why = run(&operator, keys, values).expect_err(words);
            assert!(why.contains(words), "{why}");
        };
        refused(texts(&["a", "a"]), Data::F32(vec![1.0, 2.0]), "a key twice");
        refused(texts(&["a"]), Data::F32(vec![]), "the values");
        refused(Data::I64(vec![1]), Data::F32(vec![1.0]), "another kind");
    }
}
