//! Sample: a request of the Open Inference Protocol, read for what it says of its tensors, and not for what they hold.
//!
//! Accepted: a body as clients send it, in JSON. Rejected: one without tensors, two of one name, a datatype that is none.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.4.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::schema::contract::{Datatype, InputTensor};

/// Dimensions of a tensor, at most.
const MAX_RANK: usize = 16;
/// Tensors of a request, at most.
const MAX_INPUTS: usize = 1024;

#[derive(Deserialize)]
struct Request {
    inputs: Vec<Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    name: String,
    datatype: Datatype,
    shape: Vec<u32>,
}

/// Reads a request. The first dimension is taken for the rows where it is the same in all tensors that have one.
///
/// # Errors
/// Why it shows nothing, to be said of the file.
pub(crate) fn read(text: &str) -> Result<BTreeMap<String, InputTensor>, String> {
    let request: Request = serde_json::from_str(text).map_err(|error| format!("is no request: {error}"))?;
    let inputs = request.inputs;
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        return Err(format!("has {} inputs; it should have 1 to {MAX_INPUTS}", inputs.len()));
    }
    let mut firsts = inputs.iter().filter_map(|it| it.shape.first());
    let first = firsts.next();
    let counted = firsts.all(|it| Some(it) == first);
    let mut tensors = BTreeMap::new();
    for Tensor { name, datatype, shape } in inputs {
        if shape.len() > MAX_RANK {
            return Err(format!("has an input `{name}` of more than {MAX_RANK} dimensions"));
        }
        let dimension = |(at, it): (usize, &u32)| if counted && at == 0 { -1 } else { i64::from(*it) };
        let shape = shape.iter().enumerate().map(dimension).collect();
        let tensor = InputTensor { datatype, shape, min: None, max: None, categories: Vec::new(), required: true };
        if name.is_empty() || tensors.contains_key(&name) {
            return Err(format!("has two inputs `{name}`, or one without a name"));
        }
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tensor: its name, its datatype, its dimensions.
    type Shown = (String, &'static str, Vec<i64>);

    fn shapes(inputs: &str) -> Result<Vec<Shown>, String> {
        let read = read(&format!("{{\"inputs\": [{inputs}]}}"))?;
        Ok(read.into_iter().map(|(name, it)| (name, it.datatype.name(), it.shape)).collect())
    }

    #[test]
    fn a_request_shows_names_datatypes_and_dimensions_and_rows_where_all_have_as_many() {
        let image = r#"{"name":"image","datatype":"UINT8","shape":[2,4,4,3],"data":[0]}"#;
        let age = |rows: u32| {
            format!(r#"{{"name":"age","datatype":"FP32","shape":[{rows}],"data":[1.5],"parameters":{{}}}}"#)
        };
        let scalar = r#"{"name":"k","datatype":"INT64","shape":[]}"#;
        let found = |name: &str, datatype, shape: &[i64]| (name.to_owned(), datatype, shape.to_vec());
        for (inputs, expected) in [
            (image.to_owned(), vec![found("image", "UINT8", &[-1, 4, 4, 3])]),
            (format!("{image},{}", age(2)), vec![found("age", "FP32", &[-1]), found("image", "UINT8", &[-1, 4, 4, 3])]),
            (format!("{image},{}", age(3)), vec![found("age", "FP32", &[3]), found("image", "UINT8", &[2, 4, 4, 3])]),
            (format!("{},{scalar}", age(2)), vec![found("age", "FP32", &[-1]), found("k", "INT64", &[])]),
            (scalar.to_owned(), vec![found("k", "INT64", &[])]),
        ] {
            assert_eq!(shapes(&inputs), Ok(expected), "{inputs}");
        }
    }

    #[test]
    fn what_shows_nothing_is_refused() {
        for (text, words) in [
            ("", "is no request"),
            ("[1]", "is no request"),
            (r#"{"inputs":[]}"#, "has 0 inputs"),
            (r#"{"inputs":[{"name":"x","datatype":"STRING","shape":[1]}]}"#, "is no request"),
            (r#"{"inputs":[{"name":"x","datatype":"FP32","shape":[-1]}]}"#, "is no request"),
            (r#"{"inputs":[{"name":"","datatype":"FP32","shape":[1]}]}"#, "without a name"),
            (
                r#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1]},{"name":"x","datatype":"FP32","shape":[1]}]}"#,
                "two inputs `x`",
            ),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(words), "{text}: {why}");
        }
        let deep = format!(r#"{{"name":"x","datatype":"FP32","shape":{:?}}}"#, [1; 17]);
        assert!(shapes(&deep).expect_err("too deep").contains("dimensions"));
    }
}
