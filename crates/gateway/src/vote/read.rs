//! What the answer of a member says, in the form in which equal answers are equal.

use evenkeel_config::{Confidence, Voted};
use evenkeel_signals::votes::{Read, Spoken, read};
use serde_json::Value;

use super::Said;
use crate::{
    judge,
    tensor::{Datatype, InferAnswer, Tensor},
};

/// Reads tensors, but for the rows of which the model is not sure; none where the output is not there. Where it is asked how sure
/// the model is of the others, that stands beside what it says.
pub(crate) fn tensors(
    on: &Voted,
    answer: &InferAnswer,
    unsure: &[usize],
    confidence: Option<&Confidence>,
) -> Option<Said> {
    let sure = |row: usize| unsure.binary_search(&row).is_err();
    match on {
        Voted::Label(name) => {
            let labels = labels(answer.output(name)?).into_iter().enumerate();
            let labels = labels.map(|(row, it)| Some(it).filter(|_| sure(row))).collect();
            Some(match confidence {
                Some(confidence) => Said::Sure(labels, judge::sureness(answer, confidence)),
                None => Said::Labels(labels),
            })
        }
        Voted::Number(name, ..) => {
            let numbers = answer.output(name)?.to_f64()?.into_iter().enumerate();
            let usable = |(row, it): (usize, f64)| Some(it).filter(|it| it.is_finite() && sure(row));
            Some(Said::Numbers(numbers.map(usable).collect()))
        }
        Voted::Text | Voted::Field(_) | Voted::Fields(..) | Voted::Choice(_) => None,
    }
}

/// Returns each element as a text that no other element has: as people write it, where it can be written.
pub(crate) fn labels(tensor: &Tensor) -> Vec<String> {
    // What is no text is told apart by its bytes, behind a mark that no text has.
    let escaped = |bytes: &[u8]| bytes.iter().fold("\u{fffe}".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map_or_else(|_| escaped(bytes), str::to_owned);
    let bare = |datatype: Datatype| tensor.data().chunks_exact(datatype.size().unwrap_or(1)).map(escaped);
    match tensor.datatype() {
        Datatype::Bytes => tensor.strings().map(text).collect(),
        Datatype::Bool => tensor.data().iter().map(|it| (*it != 0).to_string()).collect(),
        other => match judge::whole(tensor) {
            // One beyond 63 bits is told apart by its bytes.
            Some(values) => {
                values.iter().zip(bare(other)).map(|(it, bare)| it.map_or(bare, |it| it.to_string())).collect()
            }
            None => bare(other).collect(),
        },
    }
}

/// Reads a text; none where it has no answer of the kind that is voted on.
pub(crate) fn text(on: &Voted, text: &str) -> Option<Said> {
    let label = |how: &Read| Some(Said::Labels(vec![Some(read(text, how)?)]));
    match on {
        Voted::Text => read(text, &Read::Whole).map(|it| Said::Text(Spoken::of(it, text))),
        Voted::Field(name) => label(&Read::Field(name.clone())),
        Voted::Fields(names, ..) => {
            let field = |name: &String| read(text, &Read::Field(name.clone()));
            names.iter().map(field).collect::<Option<_>>().map(Said::Record)
        }
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
