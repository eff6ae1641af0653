//! Chat: a chat completion, asked for and thought up, before it is written plain or as a stream.
//!
//! It is not its bytes: `render` writes them. A fault on content edits the completion, and so hits both forms alike.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::answer_id;
use crate::{Options, draw::digest, model, protocol::error::ApiError};

/// The most choices of one answer.
const MAX_CHOICES: u32 = 128;
/// The most tokens of one answer, whatever is asked for.
const MAX_TOKENS: u32 = 1_000_000;

/// A chat request, with all that its answer follows from.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) completion: Completion,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) first_token: Duration,
    pub(crate) token_delay: Duration,
}

/// A completion.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) usage: Option<Usage>,
    /// The pause before each token of reasoning.
    pub(crate) reasoning_delay: Duration,
}

/// One choice of a completion.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) reasoning: Vec<String>,
    pub(crate) say: Say,
    /// The log-probability of each token of a text; none where they were not asked for.
    pub(crate) logprobs: Vec<f64>,
    pub(crate) finish: Option<String>,
}

/// What a choice says, in tokens.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Text(Vec<String>),
    Tool { id: String, name: String, arguments: Vec<String> },
}

impl Say {
    /// Returns its tokens.
    pub(crate) fn tokens(&self) -> &[String] {
        match self {
            Say::Text(tokens) => tokens,
            Say::Tool { arguments, .. } => arguments,
        }
    }
}

/// The count of tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) total: u64,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    logprobs: Option<bool>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    tools: Option<Vec<Tool>>,
    tool_choice: Option<Value>,
    response_format: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Tool {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    parameters: Option<Value>,
}

/// Understands a chat request: whether it streams, its model, and what to answer.
pub(super) fn read(options: &Options, body: &[u8]) -> (bool, String, Result<Chat, ApiError>) {
    let request: Request<'_> = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => {
            return (false, String::new(), Err(ApiError::invalid(format!("the body is no chat request: {error}"))));
        }
    };
    let (stream, model) = (request.stream == Some(true), request.model.as_deref().unwrap_or_default().to_owned());
    let chat = answer(options, &model, &request);
    (stream, model, chat)
}

fn answer(options: &Options, model: &str, request: &Request<'_>) -> Result<Chat, ApiError> {
    if model.is_empty() {
        return Err(ApiError { param: Some("model"), ..ApiError::invalid("`model` is missing") });
    }
    let messages = request.messages.map(RawValue::get).filter(|text| text.starts_with('[') && text.len() > 2);
    let Some(messages) = messages else {
        return Err(ApiError {
            param: Some("messages"),
            ..ApiError::invalid("`messages` must be a list that is not empty")
        });
    };
    let n = request.n.unwrap_or(1);
    if n == 0 || n > MAX_CHOICES {
        return Err(ApiError { param: Some("n"), ..ApiError::invalid(format!("`n` must be from 1 to {MAX_CHOICES}")) });
    }
    let pace = options.pace(model);
    let limit = request.max_completion_tokens.or(request.max_tokens).unwrap_or(u32::MAX).min(MAX_TOKENS);
    let number = digest(&[model.as_bytes(), messages.as_bytes(), &options.seed.to_le_bytes()]);
    let voice = if options.alike { "" } else { model };
    let choice = |part: u32| {
        let mut draw = model::voice(options.seed, voice, messages.as_bytes(), part.into());
        choose(request, &mut draw, (pace.tokens, limit), (number, part))
    };
    let choices: Vec<Choice> = (0..n).map(choice).collect();
    let prompt = messages.len() as u64 / 4 + 1;
    let said = choices.iter().map(|choice| choice.say.tokens().len() as u64).sum();
    Ok(Chat {
        completion: Completion {
            id: answer_id("chatcmpl", number),
            model: model.to_owned(),
            choices,
            usage: Some(Usage { prompt, completion: said, total: prompt + said }),
            reasoning_delay: Duration::ZERO,
        },
        stream: request.stream == Some(true),
        include_usage: request.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true),
        first_token: pace.first_token,
        token_delay: pace.token_delay,
    })
}

/// Thinks up one choice: a tool call where one is required, JSON where it is asked for, else text.
fn choose(
    request: &Request<'_>,
    draw: &mut crate::draw::Draw,
    (tokens, limit): (u32, u32),
    (number, part): (u64, u32),
) -> Choice {
    let (say, natural) = if let Some(function) = called(request) {
        let schema = function.parameters.clone().unwrap_or_default();
        let arguments = match model::sample(&schema, draw) {
            Value::Null => "{}".to_owned(),
            value => value.to_string(),
        };
        let id = format!("call_{:016x}", number.wrapping_add(part.into()));
        let arguments = model::tokenise(&arguments);
        (Say::Tool { id, name: function.name.clone(), arguments }, "tool_calls")
    } else if let Some(value) = structured(request, draw) {
        (Say::Text(model::tokenise(&value.to_string())), "stop")
    } else {
        (Say::Text(model::text(draw, tokens.min(limit))), if tokens > limit { "length" } else { "stop" })
    };
    let mut choice = Choice { reasoning: Vec::new(), say, logprobs: Vec::new(), finish: Some(natural.to_owned()) };
    let said = match &mut choice.say {
        Say::Text(tokens) | Say::Tool { arguments: tokens, .. } => tokens,
    };
    if said.len() > limit as usize {
        said.truncate(limit as usize);
        choice.finish = Some("length".to_owned());
    }
    if let (Some(true), Say::Text(tokens)) = (request.logprobs, &choice.say) {
        choice.logprobs = (0_u64..).zip(tokens).map(|(at, token)| logprob(number, at, token)).collect();
    }
    choice
}

/// Says how sure a model is of a token: between 0 and -0.5, by what it says.
fn logprob(number: u64, at: u64, token: &str) -> f64 {
    let drawn = digest(&[&number.to_le_bytes(), &at.to_le_bytes(), token.as_bytes()]) % 500;
    -(drawn as f64) / 1e3
}

/// Says whether a request ends in a message of the assistant, which the model is to go on with.
pub(crate) fn is_prefilled(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Talk {
        #[serde(default)]
        messages: Vec<Message>,
    }
    #[derive(Deserialize)]
    struct Message {
        role: Option<String>,
    }
    let talk: Option<Talk> = serde_json::from_slice(body).ok();
    talk.and_then(|talk| talk.messages.last()?.role.clone()).is_some_and(|role| role == "assistant")
}

/// Returns the function that must be called.
fn called<'a>(request: &'a Request<'_>) -> Option<&'a Function> {
    let mut functions = request.tools.iter().flatten().filter_map(|tool| tool.function.as_ref());
    match request.tool_choice.as_ref()? {
        Value::String(word) if word == "required" => functions.next(),
        named => {
            let name = named.pointer("/function/name")?.as_str()?;
            functions.find(|function| function.name == name)
        }
    }
}

/// Returns the JSON that must be the content.
fn structured(request: &Request<'_>, draw: &mut crate::draw::Draw) -> Option<Value> {
    let format = request.response_format.as_ref()?;
    match format.get("type")?.as_str()? {
        "json_object" => Some(model::object(draw)),
        "json_schema" => Some(model::sample(format.pointer("/json_schema/schema")?, draw)),
        _ => None,
    }
}
