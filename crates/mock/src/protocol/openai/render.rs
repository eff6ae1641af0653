//! Render: a completion as bytes, plain or as server-sent events.
//!
//! It is not the deciding: what is absent from the completion is absent from the bytes.

use serde::Serialize;
use serde_json::{Value, json};

use super::{CREATED, Chat, Completion, Say, Usage};
use crate::reply::{Kind, Piece};

/// What the mock calls its build.
const FINGERPRINT: &str = "fp_mock";

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<PlainChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct PlainChoice<'a> {
    index: usize,
    message: Message,
    logprobs: Option<Value>,
    finish_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: Option<String>,
    refusal: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Value; 1]>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'static str,
    choices: &'a [ChunkChoice<'a>],
    /// Absent where usage was not asked for, else `null` on every chunk but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Value>>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<Value>,
    finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Value; 1]>,
}

fn usage(usage: Usage) -> Value {
    let Usage { prompt, completion, total } = usage;
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total})
}

/// Writes how sure a model is of tokens; nothing where that was not asked for.
fn logprobs(tokens: &[String], sure: &[f64]) -> Option<Value> {
    let token = |(token, logprob): (&String, &f64)| json!({"token": token, "logprob": logprob, "bytes": token.as_bytes(), "top_logprobs": []});
    let content: Vec<_> = tokens.iter().zip(sure).map(token).collect();
    (!sure.is_empty()).then(|| json!({"content": content, "refusal": null}))
}

/// Writes a completion as one JSON object.
pub(crate) fn body(completion: &Completion) -> Vec<u8> {
    let choices = completion.choices.iter().enumerate().map(|(index, choice)| {
        let (content, tool_calls) = match &choice.say {
            Say::Text(tokens) => (Some(tokens.concat()), None),
            Say::Tool { id, name, arguments } => {
                let function = json!({"name": name, "arguments": arguments.concat()});
                (None, Some([json!({"id": id, "type": "function", "function": function})]))
            }
        };
        let reasoning_content = (!choice.reasoning.is_empty()).then(|| choice.reasoning.concat());
        let message = Message { role: "assistant", content, refusal: (), reasoning_content, tool_calls };
        let logprobs = logprobs(choice.say.tokens(), &choice.logprobs);
        PlainChoice { index, message, logprobs, finish_reason: choice.finish.as_deref() }
    });
    let body = Body {
        id: &completion.id,
        object: "chat.completion",
        created: CREATED,
        model: &completion.model,
        choices: choices.collect(),
        usage: completion.usage.map(usage),
        system_fingerprint: FINGERPRINT,
    };
    serde_json::to_vec(&body).expect("a completion is plain data")
}

/// Writes a completion as events: role, reasoning, content token by token, finish, usage if asked for, `[DONE]`.
pub(crate) fn events(chat: &Chat) -> Vec<Piece> {
    let mut writer = Writer { chat, pieces: Vec::new() };
    let choices = &chat.completion.choices;
    for (index, choice) in choices.iter().enumerate() {
        writer.lead(index, &choice.say);
    }
    if choices.is_empty() {
        writer.push(Kind::Lead, &[], None);
    }
    writer.tokens();
    for (index, choice) in choices.iter().enumerate() {
        if let Some(reason) = choice.finish.as_deref() {
            let choice = ChunkChoice { index, delta: Delta::default(), logprobs: None, finish_reason: Some(reason) };
            writer.push(Kind::Finish, &[choice], None);
        }
    }
    if let Some(counted) = chat.completion.usage.filter(|_| chat.include_usage) {
        writer.push(Kind::Usage, &[], Some(usage(counted)));
    }
    writer.pieces.push(Piece::event(Kind::Done, "[DONE]"));
    writer.pieces
}

/// Writes one event of a completion with the given content, as a fault needs it.
pub(crate) fn delta_event(completion: &Completion, kind: Kind, role: bool, content: Option<&str>) -> Piece {
    let delta = Delta { role: role.then_some("assistant"), content, ..Delta::default() };
    let choice = ChunkChoice { index: 0, delta, logprobs: None, finish_reason: None };
    Piece::new(kind, event(completion, &[choice], None))
}

fn event(completion: &Completion, choices: &[ChunkChoice<'_>], usage: Option<Option<Value>>) -> Vec<u8> {
    let chunk = Chunk {
        id: &completion.id,
        object: "chat.completion.chunk",
        created: CREATED,
        model: &completion.model,
        system_fingerprint: FINGERPRINT,
        choices,
        usage,
    };
    let mut bytes = b"data: ".to_vec();
    serde_json::to_writer(&mut bytes, &chunk).expect("a chunk is plain data");
    bytes.extend_from_slice(b"\n\n");
    bytes
}

/// The events of one stream, being written.
struct Writer<'a> {
    chat: &'a Chat,
    pieces: Vec<Piece>,
}

impl Writer<'_> {
    fn push(&mut self, kind: Kind, choices: &[ChunkChoice<'_>], usage: Option<Value>) {
        let usage = (self.chat.include_usage && self.chat.completion.usage.is_some()).then_some(usage);
        self.pieces.push(Piece::new(kind, event(&self.chat.completion, choices, usage)));
    }

    fn delta(&mut self, kind: Kind, index: usize, delta: Delta<'_>) {
        self.push(kind, &[ChunkChoice { index, delta, logprobs: None, finish_reason: None }], None);
    }

    /// Writes a token, with how sure the model is of it where that was asked for.
    fn token(&mut self, (index, at): (usize, usize), token: &String, delta: Delta<'_>) {
        let sure = self.chat.completion.choices[index].logprobs.get(at);
        let logprobs = sure.and_then(|sure| logprobs(std::slice::from_ref(token), &[*sure]));
        self.push(Kind::Token, &[ChunkChoice { index, delta, logprobs, finish_reason: None }], None);
    }

    /// Opens a choice. A tool call is opened with its name and empty arguments.
    fn lead(&mut self, index: usize, say: &Say) {
        let role = Some("assistant");
        let delta = match say {
            Say::Text(_) => Delta { role, content: Some(""), ..Delta::default() },
            Say::Tool { id, name, .. } => {
                let function = json!({"name": name, "arguments": ""});
                let call = json!({"index": 0, "id": id, "type": "function", "function": function});
                Delta { role, tool_calls: Some([call]), ..Delta::default() }
            }
        };
        self.delta(Kind::Lead, index, delta);
    }

    /// Writes all tokens: reasoning first, then content, the choices in turn.
    fn tokens(&mut self) {
        let choices = &self.chat.completion.choices;
        let longest = |count: fn(&super::Choice) -> usize| choices.iter().map(count).max().unwrap_or(0);
        for at in 0..longest(|choice| choice.reasoning.len()) {
            for (index, choice) in choices.iter().enumerate() {
                if let Some(token) = choice.reasoning.get(at) {
                    self.delta(Kind::Token, index, Delta { reasoning_content: Some(token), ..Delta::default() });
                    self.wait(self.chat.completion.reasoning_delay, 0);
                }
            }
        }
        for at in 0..longest(|choice| choice.say.tokens().len()) {
            let mut wait = if at == 0 { self.chat.first_token } else { self.chat.token_delay };
            for (index, choice) in choices.iter().enumerate() {
                let Some(token) = choice.say.tokens().get(at) else { continue };
                let delta = match choice.say {
                    Say::Text(_) => Delta { content: Some(token), ..Delta::default() },
                    Say::Tool { .. } => {
                        let call = json!({"index": 0, "function": {"arguments": token}});
                        Delta { tool_calls: Some([call]), ..Delta::default() }
                    }
                };
                self.token((index, at), token, delta);
                // The choices speak at once: only the first of them waits.
                self.wait(std::mem::take(&mut wait), 1);
            }
        }
    }

    /// Gives the last piece its pause and its tokens.
    fn wait(&mut self, wait: std::time::Duration, tokens: u32) {
        if let Some(piece) = self.pieces.last_mut() {
            (piece.wait, piece.tokens) = (wait, tokens);
        }
    }
}
