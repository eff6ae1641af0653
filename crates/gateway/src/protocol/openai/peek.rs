//! Peek: reads just enough of a request to route it, and keeps its bytes.
//!
//! The body is checked to its last byte, the members that a decision needs are read, everything else is nobody's
//! business here and goes upstream byte for byte (OAI-01).
//!
//! # Invariants
//! - `PEEK-1`: a body that was peeked at is one well-formed object, and no two readers can see two requests in it: no
//!   peeked key stands there twice.
//! - `PEEK-2`: absent and `null` are the same.
//!
//! # Source
//! `docs/design/protocols.md`, section 4.1; F-036.

use std::{borrow::Cow, fmt::Display, ops::Range};

use bytes::Bytes;
use evenkeel_core::Features;

use self::field::Top;
use crate::protocol::json::{self, Flaw};

mod field;

/// The most tokens that a request may ask for; more is a slip, or an attempt to break somebody's arithmetic.
const MAX_TOKENS: u64 = 10_000_000;
/// The most choices, as OpenAI has it; also what a 128-bit set of finished choices holds.
const MAX_N: u64 = 128;
/// The widest embedding that may be asked for.
const MAX_DIMENSIONS: u64 = 1 << 20;

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRequest {
    /// The field, where one is at fault.
    pub(crate) param: Option<String>,
    /// The words for the client.
    pub(crate) message: String,
}

impl BadRequest {
    fn of(param: impl Display, message: impl Display) -> Self {
        Self { message: format!("'{param}' {message}"), param: Some(param.to_string()) }
    }
}

impl From<Flaw> for BadRequest {
    fn from(flaw: Flaw) -> Self {
        Self { param: None, message: format!("the body is not valid JSON: {flaw}") }
    }
}

/// What a chat completion asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChatPeek {
    /// The route.
    pub(crate) model: String,
    /// Where the value of `model` stands, quotes included.
    pub(crate) model_span: Range<usize>,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// Whether a stream is to end with its usage.
    pub(crate) include_usage: bool,
    /// How many choices.
    pub(crate) n: u8,
    /// What the answer must be able to do.
    pub(crate) needs: Features,
    /// Whether the last message is a tool's result, after which an empty answer is legitimate (F-006).
    pub(crate) after_tool: bool,
    /// The most tokens of the answer.
    pub(crate) max_tokens: Option<u64>,
    /// Bytes of text in messages and tools, from which tokens can be estimated.
    pub(crate) text_bytes: usize,
    /// Whether the answer is to be kept at the model, so that asking twice keeps two (F-034).
    pub(crate) store: bool,
    /// Where the bracket stands that ends `messages`.
    pub(crate) messages_end: usize,
    /// Whether the last message is an answer that the client has begun.
    pub(crate) after_assistant: bool,
}

impl ChatPeek {
    /// Says whether the log-probabilities of its tokens are wanted.
    pub(crate) fn wants_logprobs(&self) -> bool {
        self.needs.missing_in(Features::NONE.with(Features::LOGPROBS)) != self.needs
    }

    /// Says whether one lost event would break more than a word: tools and JSON are read by machines (F-128).
    pub(crate) fn is_strict(&self) -> bool {
        let strict = Features::TOOLS.with(Features::TOOL_REQUIRED).with(Features::JSON).with(Features::SCHEMA);
        self.needs.missing_in(strict) != self.needs
    }
}

/// What an embeddings request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmbeddingsPeek {
    /// The route.
    pub(crate) model: String,
    /// Where the value of `model` stands, quotes included.
    pub(crate) model_span: Range<usize>,
    /// How many inputs.
    pub(crate) count: usize,
    /// The width that is asked for.
    pub(crate) dimensions: Option<u32>,
    /// Whether vectors are wanted as base64.
    pub(crate) base64: bool,
    /// Bytes of text, from which tokens can be estimated.
    pub(crate) text_bytes: usize,
}

/// Peeks at a chat completion.
///
/// # Errors
/// Whatever the client got wrong; the answer is 400 and no upstream hears of it.
pub(crate) fn peek_chat(body: &[u8]) -> Result<ChatPeek, BadRequest> {
    let mut top = Top::new(body)?;
    let mut model = None;
    let mut messages = None;
    let (mut stream, mut store, mut include_usage, mut n, mut max_tokens) = (false, false, false, 1, None);
    let (mut needs, mut tool_bytes) = (Features::NONE, 0);
    while let Some(name) = top.next(&CHAT)? {
        let field = &mut top.field(name);
        match name {
            "model" => model = Some(field.spanned()?),
            "messages" => messages = Some(field.messages()?),
            "stream" => stream = field.boolean()?,
            "store" => store = field.boolean()?,
            "stream_options" => include_usage = field.include_usage()?,
            "n" => n = field.integer(1, MAX_N)?,
            "max_tokens" | "max_completion_tokens" => {
                let limit = field.integer(0, MAX_TOKENS)?;
                max_tokens = Some(max_tokens.map_or(limit, |other: u64| other.max(limit)));
            }
            "logprobs" => needs = needs.with(when(field.boolean()?, Features::LOGPROBS)),
            "tools" => {
                tool_bytes = field.tools()?;
                needs = needs.with(when(tool_bytes > 0, Features::TOOLS));
            }
            "tool_choice" => needs = needs.with(field.tool_choice()?),
            "response_format" => needs = needs.with(field.response_format()?),
            "modalities" => needs = needs.with(field.modalities()?),
            _ => {}
        }
    }
    top.reader.end()?;
    let (model, model_span) = required(model, "model")?;
    let messages = required(messages, "messages")?;
    needs = needs.with(messages.needs).with(when(n > 1, Features::N));
    Ok(ChatPeek {
        model,
        model_span,
        stream,
        include_usage,
        n: u8::try_from(n).expect("bounded by MAX_N"),
        needs,
        after_tool: messages.after_tool,
        max_tokens,
        text_bytes: messages.text_bytes + tool_bytes,
        store,
        messages_end: messages.end,
        after_assistant: messages.after_assistant,
    })
}

/// Peeks at an embeddings request.
///
/// # Errors
/// As [`peek_chat`].
pub(crate) fn peek_embeddings(body: &[u8]) -> Result<EmbeddingsPeek, BadRequest> {
    let mut top = Top::new(body)?;
    let (mut model, mut input, mut dimensions, mut base64) = (None, None, None, false);
    while let Some(name) = top.next(&EMBEDDINGS)? {
        let field = &mut top.field(name);
        match name {
            "model" => model = Some(field.spanned()?),
            "input" => input = Some(field.input()?),
            "dimensions" => {
                let width = field.integer(1, MAX_DIMENSIONS)?;
                dimensions = Some(u32::try_from(width).expect("bounded by MAX_DIMENSIONS"));
            }
            "encoding_format" => match &*field.string()? {
                "float" => {}
                "base64" => base64 = true,
                _ => return field.wrong("must be \"float\" or \"base64\""),
            },
            _ => {}
        }
    }
    top.reader.end()?;
    let (model, model_span) = required(model, "model")?;
    let (count, text_bytes) = required(input, "input")?;
    Ok(EmbeddingsPeek { model, model_span, count, dimensions, base64, text_bytes })
}

/// Returns the route that a request names, whatever else is wrong with it; none where that cannot be read.
pub(crate) fn peek_model(body: &[u8]) -> Option<String> {
    let mut top = Top::new(body).ok()?;
    top.next(&["model"]).ok()??;
    top.field("model").string().ok().map(Cow::into_owned)
}

/// Writes an answer that was begun behind the messages, for a model to go on with it (F-126).
pub(crate) fn begin_answer(body: &Bytes, messages_end: usize, text: &str) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + text.len() + 64);
    out.extend_from_slice(&body[..messages_end]);
    out.extend_from_slice(b",{\"role\":\"assistant\",\"content\":");
    json::push_string(&mut out, text);
    out.push(b'}');
    out.extend_from_slice(&body[messages_end..]);
    out.into()
}

/// Writes another model's name where the route's stands; everything else stays byte for byte (OAI-01).
pub(crate) fn rewrite_model(body: &Bytes, span: &Range<usize>, model: &str) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + model.len() + 2);
    out.extend_from_slice(&body[..span.start]);
    json::push_string(&mut out, model);
    out.extend_from_slice(&body[span.end..]);
    out.into()
}

fn when(needed: bool, features: Features) -> Features {
    if needed { features } else { Features::NONE }
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, BadRequest> {
    value.ok_or_else(|| BadRequest::of(name, "is required"))
}

const CHAT: [&str; 13] = [
    "model",
    "messages",
    "stream",
    "store",
    "stream_options",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "logprobs",
    "tools",
    "tool_choice",
    "response_format",
    "modalities",
];
const EMBEDDINGS: [&str; 4] = ["model", "input", "dimensions", "encoding_format"];

#[cfg(test)]
mod tests;
