//! What the answer of a member says, in the form in which equal answers are equal.

use evenkeel_config::Voted;
use evenkeel_signals::votes::{Read, read};
use serde_json::Value;

use super::Said;
use crate::tensor::{Datatype, InferAnswer, Tensor};

/// Reads tensors, but for the rows of which the model is not sure; none where the output is not there.
pub(crate) fn tensors(on: &Voted, answer: &InferAnswer, unsure: &[usize]) -> Option<Said> {
    let sure = |row: usize| unsure.binary_search(&row).is_err();
    match on {
        Voted::Label(name) => {
            let labels = labels(answer.output(name)?).into_iter().enumerate();
            Some(Said::Labels(labels.map(|(row, it)| Some(it).filter(|_| sure(row))).collect()))
        }
        Voted::Number(name, ..) => {
            let numbers = answer.output(name)?.to_f64()?.into_iter().enumerate();
            let usable = |(row, it): (usize, f64)| Some(it).filter(|it| it.is_finite() && sure(row));
            Some(Said::Numbers(numbers.map(usable).collect()))
        }
        Voted::Text | Voted::Field(_) | Voted::Choice(_) => None,
    }
}

/// Returns each element as a text that no other element has, in the order of their bytes.
fn labels(tensor: &Tensor) -> Vec<String> {
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
    match tensor.datatype() {
        Datatype::Bytes => tensor.strings().map(text).collect(),
        other => tensor.data().chunks_exact(other.size().unwrap_or(1)).map(text).collect(),
    }
}

/// Reads a text; none where it has no answer of the kind that is voted on.
pub(crate) fn text(on: &Voted, text: &str) -> Option<Said> {
    let label = |how: &Read| Some(Said::Labels(vec![Some(read(text, how)?)]));
    match on {
        Voted::Text => read(text, &Read::Whole).map(Said::Text),
        Voted::Field(name) => label(&Read::Field(name.clone())),
        Voted::Choice(letters) => label(&Read::Choice(letters.clone())),
        Voted::Label(_) | Voted::Number(..) => None,
    }
}

/// Returns the text of a whole chat answer; none where it has something else to say, such as a call of a tool.
pub(crate) fn of_chat(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let message = &body["choices"][0]["message"];
    let calls = message["tool_calls"].as_array().is_some_and(|it| !it.is_empty());
    message["content"].as_str().filter(|_| !calls).map(str::to_owned)
}
