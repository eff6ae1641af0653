//! Respond: from a call and its fault to what happens on the wire.
//!
//! It is not the breaking: it says in which order the layers may break, and hands each its part.
//!
//! # Invariants
//! - `RESPOND-1`: a fault is carried out at exactly one layer: in place of an answer, in place of its content, in its
//!   content, or in its bytes.

use std::time::Duration;

use crate::{
    draw::Draw,
    fault::{
        Fault,
        content::{self, Content},
        refusal, stream,
    },
    protocol::{Ask, Call, Dialect, oip, openai},
    reply::{Asked, Reply},
    server::Shared,
    wire::Script,
};

/// What a provider says of itself on every answer.
const PROVIDER: [(&str, &str); 4] = [
    ("server", "evenkeel-mock"),
    ("set-cookie", "mock=1; Path=/"),
    ("openai-processing-ms", "1"),
    ("x-ratelimit-remaining-requests", "9999"),
];

/// Makes the script of one request.
pub(crate) fn script(shared: &Shared, call: Call, fault: Option<&Fault>, draw: &mut Draw, asked: Asked) -> Script {
    if let Some(script) = fault.and_then(refusal::unanswered) {
        return script;
    }
    let dialect = call.dialect;
    if let Some(reply) = fault.and_then(|fault| refusal::instead(fault, &call)) {
        return sign(reply, dialect, draw.number()).script(asked);
    }
    let wait = shared.options.pace(&call.model).first_token;
    let mut content = match call.ask {
        Ok(Ask::Ready(reply)) => Content::Ready(*reply),
        Ok(Ask::Chat(chat)) => Content::Chat(chat),
        Ok(Ask::Embeddings(embeddings)) => Content::Embeddings(embeddings),
        Ok(Ask::Infer(infer)) => match infer.answer(&shared.options.oip) {
            Ok(answer) => Content::Infer(answer),
            Err(error) => Content::Ready(error.reply(call.dialect)),
        },
        Err(error) => Content::Ready(error.reply(call.dialect)),
    };
    if let Some(fault) = fault {
        content::edit(&mut content, fault);
    }
    let mut reply = render(&content, wait);
    if let Some(fault) = fault {
        stream::edit(&mut reply, fault, &content, draw);
    }
    sign(reply, dialect, draw.number()).script(asked)
}

/// Adds the headers by which a provider tells of itself, those too that a gateway must not pass on.
fn sign(reply: Reply, dialect: Dialect, number: u64) -> Reply {
    if dialect == Dialect::Oip {
        return reply;
    }
    let request = format!("req-{number}");
    PROVIDER.iter().fold(reply, |reply, (name, value)| reply.header(name, *value)).header("x-request-id", request)
}

/// Writes content as its protocol does; what is no chat starts after `wait`.
fn render(content: &Content, wait: Duration) -> Reply {
    match content {
        Content::Ready(reply) => reply.clone(),
        Content::Chat(chat) if chat.stream => Reply::stream(openai::events(chat)),
        Content::Chat(chat) => {
            let tokens =
                chat.completion.choices.iter().map(|choice| choice.say.tokens().len() as u32).max().unwrap_or(0);
            let reasoning =
                chat.completion.choices.iter().map(|choice| choice.reasoning.len() as u32).max().unwrap_or(0);
            let mut reply = Reply::plain(200, "application/json", openai::body(&chat.completion));
            reply.pieces[0].tokens = tokens;
            // A plain answer takes as long as the stream of it would.
            reply.late = chat.first_token
                + chat.token_delay * tokens.saturating_sub(1)
                + chat.completion.reasoning_delay * reasoning;
            reply
        }
        Content::Embeddings(embeddings) => Reply::plain(200, "application/json", embeddings.body()).late(wait),
        Content::Infer(answer) => match answer.body() {
            (body, None) => Reply::plain(200, "application/json", body).late(wait),
            (body, Some(json)) => {
                let reply = Reply::plain(200, "application/octet-stream", body).late(wait);
                reply.header(oip::JSON_LENGTH, json.to_string())
            }
        },
    }
}
