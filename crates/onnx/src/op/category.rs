//! `OneHotEncoder`, `LabelEncoder` and `CategoryMapper`: categories to numbers, and back.
//!
//! # Source
//! ONNX-ML operators, versions 1, 2 and 4.

use super::{Operator, keys::Keys, keys::truncated, made, pick, room};
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, Tensor},
};

/// A column for each category: one in its own, zero in the others.
#[derive(Debug)]
pub(super) struct OneHotEncoder {
    keys: Keys,
    count: usize,
    /// A category that nobody listed is a row of zeros; else it is an error.
    zeros: bool,
}

impl OneHotEncoder {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let (numbers, texts) = (attributes.ints("cats_int64s"), attributes.texts("cats_strings"));
        let (list, count) = match (numbers.is_empty(), texts.is_empty()) {
            (false, true) => (Data::I64(numbers.into()), numbers.len()),
            (true, false) => (Data::Text(texts.clone()), texts.len()),
            _ => return Err("exactly one list of categories must be given".into()),
        };
        Ok(Self { keys: Keys::of(list, false, true), count, zeros: attributes.flag("zeros", true) })
    }
}

impl Operator for OneHotEncoder {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let input = inputs[0];
        if input.shape().len() > 2 {
            return Err(format!("the shape {:?} is no table", input.shape()));
        }
        let mut shape = input.shape().to_vec();
        shape.push(self.count);
        let mut out = vec![0.0; room(&shape)?];
        let is_text = matches!(input.data(), Data::Text(_));
        if is_text != self.keys.are_of(&Data::Text(Vec::new())) {
            return Err(format!("the categories are no {:?}", input.kind()));
        }
        let find = |at: usize| match input.data() {
            Data::F32(it) => self.keys.find_whole(truncated(f64::from(it[at]))),
            Data::F64(it) => self.keys.find_whole(truncated(it[at])),
            data => self.keys.find(data, at),
        };
        for at in 0..input.data().len() {
            match find(at) {
                Some(category) => out[at * self.count + category] = 1.0,
                None if self.zeros => {}
                None => return Err("a category is not listed, and `zeros` is 0".into()),
            }
        }
        made(shape, Data::F32(out))
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![match inputs {
            [Extent::Rows(rank)] => Extent::Rows(rank + 1),
            _ => Extent::Mixed,
        }]
    }
}

/// A value for each key, and one for all else.
#[derive(Debug)]
pub(super) struct Lookup {
    /// One table, or one each way.
    tables: Vec<Table>,
}

#[derive(Debug)]
struct Table {
    keys: Keys,
    /// What the keys become, and behind them what all else becomes.
    values: Data,
}

impl Table {
    fn new(keys: Data, values: Data, nan_is_itself: bool, last_counts: bool) -> Result<Self, String> {
        if keys.len() == 0 || keys.len() + 1 != values.len() {
            return Err(format!("there are {} keys and {} values", keys.len(), values.len().saturating_sub(1)));
        }
        Ok(Self { keys: Keys::of(keys, nan_is_itself, last_counts), values })
    }
}

impl Lookup {
    /// Labels, by any of three versions.
    pub(super) fn labels(attributes: Attributes<'_>, version: i64) -> Result<Self, String> {
        if version < 2 || attributes.is_given("classes_strings") {
            let classes = attributes.texts("classes_strings");
            let numbers = (0..classes.len() as i64).collect();
            return Self::both_ways(attributes, (classes, numbers));
        }
        let keys = list(attributes, "keys")?;
        let mut values = list(attributes, "values")?;
        let default = attributes.tensor("default_tensor")?.filter(|it| it.data().len() > 0);
        let default = default.map(|it| pick(it.data(), 0..1)).transpose()?;
        match (&mut values, default) {
            (Data::I64(it), None) => it.push(attributes.int("default_int64").unwrap_or(-1)),
            (Data::F32(it), None) => it.push(attributes.float("default_float").unwrap_or(-0.0)),
            (Data::F64(it), None) => it.push(-0.0),
            (Data::I32(it), None) => it.push(-1),
            (Data::Text(it), None) => it.push(attributes.text("default_string").unwrap_or_else(|| "_Unused".into())),
            (Data::I64(it), Some(Data::I64(default))) => it.extend(default),
            (Data::F32(it), Some(Data::F32(default))) => it.extend(default),
            (Data::F64(it), Some(Data::F64(default))) => it.extend(default),
            (Data::I32(it), Some(Data::I32(default))) => it.extend(default),
            (Data::Text(it), Some(Data::Text(default))) => it.extend(default),
            _ => return Err("`default_tensor` is of another type than the values".into()),
        }
        Ok(Self { tables: vec![Table::new(keys, values, version >= 4, false)?] })
    }

    /// Categories: texts to numbers, and numbers to texts.
    pub(super) fn categories(attributes: Attributes<'_>) -> Result<Self, String> {
        Self::both_ways(attributes, (attributes.texts("cats_strings"), attributes.ints("cats_int64s").into()))
    }

    fn both_ways(attributes: Attributes<'_>, (texts, numbers): (Vec<String>, Vec<i64>)) -> Result<Self, String> {
        let (mut to_numbers, mut to_texts) = (numbers.clone(), texts.clone());
        to_numbers.push(attributes.int("default_int64").unwrap_or(-1));
        to_texts.push(attributes.text("default_string").unwrap_or_else(|| "_Unused".into()));
        let there = Table::new(Data::Text(texts), Data::I64(to_numbers), false, true)?;
        let back = Table::new(Data::I64(numbers), Data::Text(to_texts), false, true)?;
        Ok(Self { tables: vec![there, back] })
    }
}

/// Reads keys or values: a list of one type, or a tensor.
fn list(attributes: Attributes<'_>, what: &str) -> Result<Data, String> {
    let named = |kind: &str| format!("{what}_{kind}");
    if let Some(tensor) = attributes.tensor(&named("tensor"))? {
        return Ok(tensor.into_parts().1);
    }
    if attributes.is_given(&named("strings")) {
        return Ok(Data::Text(attributes.texts(&named("strings"))));
    }
    Ok(match attributes.is_given(&named("floats")) {
        true => Data::F32(attributes.floats(&named("floats")).into()),
        false => Data::I64(attributes.ints(&named("int64s")).into()),
    })
}

impl Operator for Lookup {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let data = inputs[0].data();
        let table = self.tables.iter().find(|it| it.keys.are_of(data));
        let table = table.ok_or_else(|| format!("{:?} is no kind of its keys", inputs[0].kind()))?;
        let other = table.values.len() - 1;
        let places: Vec<usize> = (0..data.len()).map(|at| table.keys.find(data, at).unwrap_or(other)).collect();
        Ok(vec![inputs[0].with(pick(&table.values, places.into_iter())?)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_each(inputs)]
    }
}
