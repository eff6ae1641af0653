//! Content: faults in what an answer says, before it is written plain or as a stream.
//!
//! It is not framing, events or time; those are `stream`.
//!
//! # Invariants
//! - `CONTENT-1`: an edit hits the plain and the streamed form of an answer alike, because both are written from it.

use std::time::Duration;

use super::{Empty, Fault};
use crate::{
    protocol::{
        oip::{Answer, Output},
        openai::{Chat, Completion, Embeddings, Say, Usage},
    },
    reply::Reply,
};

/// What an answer says.
#[derive(Debug)]
pub(crate) enum Content {
    Chat(Chat),
    Embeddings(Embeddings),
    Infer(Answer),
    /// Written already: metadata and errors.
    Ready(Reply),
}

/// Usage that cannot be: more parts than the whole.
const ABSURD: Usage = Usage { prompt: 0, completion: 9_007_199_254_740_993, total: 7 };

/// Edits what an answer says, if the fault is of that kind.
pub(crate) fn edit(content: &mut Content, fault: &Fault) {
    match content {
        Content::Chat(chat) => edit_chat(&mut chat.completion, fault),
        Content::Embeddings(embeddings) => edit_embeddings(embeddings, fault),
        Content::Infer(answer) => edit_outputs(answer, fault),
        Content::Ready(_) => {}
    }
}

fn edit_chat(completion: &mut Completion, fault: &Fault) {
    match fault {
        Fault::EmptyAnswer { what: Empty::Choices } => completion.choices.clear(),
        Fault::EmptyAnswer { what: Empty::Text } => {
            for choice in &mut completion.choices {
                (choice.say, choice.finish) = (Say::Text(Vec::new()), Some("stop".to_owned()));
            }
            if let Some(usage) = &mut completion.usage {
                (usage.completion, usage.total) = (0, usage.prompt);
            }
        }
        Fault::FinishMissing {} => completion.choices.iter_mut().for_each(|choice| choice.finish = None),
        Fault::FinishReason { reason } => {
            completion.choices.iter_mut().for_each(|choice| choice.finish = Some(reason.clone()));
        }
        Fault::UsageMissing {} => completion.usage = None,
        Fault::UsageAbsurd {} => completion.usage = Some(ABSURD),
        Fault::WrongModel { name } => completion.model.clone_from(name),
        Fault::Logprobs { each: None } => completion.choices.iter_mut().for_each(|choice| choice.logprobs.clear()),
        Fault::Logprobs { each: Some(each) } => {
            completion.choices.iter_mut().for_each(|choice| choice.logprobs.iter_mut().for_each(|it| *it = *each));
        }
        Fault::Reasoning { tokens, every_ms } => {
            completion.reasoning_delay = Duration::from_millis(*every_ms);
            for choice in &mut completion.choices {
                choice.reasoning = (0..*tokens).map(|_| " hmm".to_owned()).collect();
            }
        }
        _ => {}
    }
}

fn edit_embeddings(embeddings: &mut Embeddings, fault: &Fault) {
    match fault {
        Fault::EmptyAnswer { what: Empty::Data } => embeddings.vectors.clear(),
        Fault::EmptyAnswer { what: Empty::Embedding } => embeddings.resize(0),
        Fault::EmbeddingWidth { width } => embeddings.resize(*width),
        Fault::UsageMissing {} => embeddings.usage = None,
        Fault::UsageAbsurd {} => embeddings.usage = Some(ABSURD),
        Fault::WrongModel { name } => embeddings.model.clone_from(name),
        _ => {}
    }
}

fn edit_outputs(answer: &mut Answer, fault: &Fault) {
    match fault {
        Fault::EmptyAnswer { what: Empty::Outputs } => answer.outputs.clear(),
        Fault::OutputMissing {} => drop(answer.outputs.pop()),
        Fault::OutputNonfinite { form, row } => {
            let float = answer.outputs.iter().position(Output::is_float).unwrap_or(0);
            if let Some(output) = answer.outputs.get_mut(float) {
                output.spoil_row(*row as usize, form.token());
            }
        }
        Fault::OutputWrongShape {} => {
            if let Some(first) = answer.outputs.first_mut() {
                match first.shape.first_mut() {
                    Some(batch) => *batch += 1,
                    None => first.shape.push(2),
                }
            }
        }
        Fault::OutputWrongDtype {} => {
            if let Some(first) = answer.outputs.first_mut() {
                first.datatype = if first.datatype == "FP64" { "FP32" } else { "FP64" }.to_owned();
            }
        }
        Fault::OutputOutOfRange { value } => {
            for output in &mut answer.outputs {
                output.fill(*value);
            }
        }
        _ => {}
    }
}
