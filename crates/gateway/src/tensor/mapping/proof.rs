//! Proof: that answers which are known beforehand become what their route promises, whatever is asked (F-163).
//!
//! # Invariants
//! - `PROOF-1`: a tier that is made ready cannot miss by its map: each of its values has been through it.

use evenkeel_core::ResultCode;

use super::{Mapping, bare};
use crate::tensor::{Count, Datatype, Extra, Form, Infer, InferAnswer, Input, Parameters, Prepared, Tensor};

impl Mapping {
    /// Makes what is written down into what the route promises, for any number of rows.
    ///
    /// # Errors
    /// Which output it does not become, and why.
    pub(crate) fn prepared(&self, given: Vec<Prepared>) -> Result<Vec<Prepared>, String> {
        if self.is_plain() {
            return Ok(given);
        }
        let tensors = |rows| given.iter().map(|it| it.tensor(rows)).collect::<Option<Vec<_>>>();
        // What becomes the same with one row and with two does so with any number.
        self.proven(tensors(2).map(|it| (it, 2)))?;
        let answer = self.proven(tensors(1).map(|it| (it, 1)))?;
        let prepared = |tensor: Tensor| {
            let port = self.contract.outputs.iter().find(|port| port.name == tensor.name() && port.is_batched());
            let written = || tensor.shape().iter().map(|it| i64::try_from(*it).unwrap_or(i64::MAX)).collect();
            let shape = port.map_or_else(written, |port| port.shape.clone());
            let (name, datatype) = (tensor.name().into(), tensor.datatype());
            Prepared { name, datatype, shape, data: tensor.data().to_vec() }
        };
        Ok(answer.into_iter().map(prepared).collect())
    }

    /// Tries all that a tier may ever answer, in so many rows; none where it cannot be told. Returns what becomes of it.
    ///
    /// # Errors
    /// Which output it does not become, and why.
    pub(crate) fn proves(&self, answers: Option<(Vec<Tensor>, u64)>) -> Result<Vec<Tensor>, String> {
        match self.is_plain() && self.scale.is_none() {
            true => Ok(answers.ok_or("a value does not fit its datatype")?.0),
            false => self.proven(answers),
        }
    }

    /// Maps answers to a request that stands for all, one output after the other.
    fn proven(&self, answers: Option<(Vec<Tensor>, u64)>) -> Result<Vec<Tensor>, String> {
        let asked = answers.and_then(|(answers, rows)| Some((answers, stand_in(rows)?)));
        let (answers, request) = asked.ok_or("a value does not fit its datatype")?;
        let one = |name: &str| {
            let request = Infer { outputs: vec![bare(name)], ..request.clone() };
            let answer = self.accept(InferAnswer::of(answers.clone()), &request);
            let answer = answer.map_err(|result| format!("`map` does not make `{name}` of it: {}", words(result)))?;
            Ok(answer.outputs.into_iter().map(|it| it.tensor))
        };
        let outputs = self.contract.outputs.iter().map(|port| one(&port.name));
        Ok(outputs.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect())
    }
}

/// Makes a request of so many rows, whatever is in them.
fn stand_in(rows: u64) -> Option<Infer> {
    let data = vec![0; usize::try_from(rows).ok()?];
    let tensor = Tensor::new("rows".into(), Datatype::Uint8, vec![rows], data.into()).ok()?;
    let (parameters, extra) = (Parameters::new(), Extra::new());
    let inputs = vec![Input { tensor, parameters: parameters.clone(), extra: extra.clone() }];
    let count = Count { rows, empty: rows == 0 };
    Some(Infer { id: None, parameters, inputs, outputs: Vec::new(), form: Form::Bytes, extra, count })
}

fn words(miss: ResultCode) -> &'static str {
    match miss {
        ResultCode::ContractDtype => "its type is not, and does not become, the one that the route promises",
        ResultCode::ContractShape => "its shape is not, and does not become, the one that the route promises",
        ResultCode::ContractRange => {
            "one of its values has no place in the type, the labels or the range of the output"
        }
        ResultCode::ContractNonfinite => "one of its values is no finite number",
        ResultCode::OutputMissing => "there is nothing to make it of",
        _ => "it becomes something that no client can be sent",
    }
}
