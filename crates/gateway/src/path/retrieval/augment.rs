//! Augment: the passages put before the messages, for a model to answer by.

use bytes::Bytes;
use evenkeel_retrieval::Hit;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    ask::{Ask, Question},
    protocol::openai::peek::peek_chat,
};

const TOLD: &str = "Answer from the passages below alone, and name the id of each that you use in square brackets, as it stands \
                    before it. Where they do not answer the question, say that you do not know.";

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: &'a RawValue,
}

/// Returns a request with the passages as its first message, a system's; none where it has no messages.
pub(super) fn augmented(ask: &Ask, hits: &[Hit]) -> Option<Ask> {
    let body = before_messages(&ask.body, &message(hits))?;
    Some(Ask {
        question: Question::Chat(peek_chat(&body).ok()?),
        body,
        headers: ask.headers.clone(),
        decision: ask.decision.clone(),
        revision: ask.revision.clone(),
        created: ask.created,
    })
}

fn message(hits: &[Hit]) -> String {
    let passage = |Hit { id, title, source, passage, .. }: &Hit| format!("[{id}] {title} ({source})\n{passage}");
    let passages: Vec<_> = hits.iter().map(passage).collect();
    format!("{TOLD}\n\n{}", passages.join("\n\n---\n\n"))
}

/// Inserts a system's message before all others; every other byte stays as it is.
fn before_messages(body: &Bytes, text: &str) -> Option<Bytes> {
    let whole = std::str::from_utf8(body).ok()?;
    let messages = serde_json::from_str::<Body<'_>>(whole).ok()?.messages.get();
    // The raw value is a part of the text that it was read from.
    let at = messages.as_ptr() as usize - whole.as_ptr() as usize + 1;
    let is_empty = messages[1..].trim_start().starts_with(']');
    let message = json!({"role": "system", "content": text}).to_string();
    let between = if is_empty { "" } else { "," };
    Some([&whole[..at], &message, between, &whole[at..]].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_come_before_the_messages_and_all_else_stays_as_it_was() {
        let body =
            Bytes::from_static(br#"{"x": [1], "messages" : [ {"role":"user","content":"\u00e9"} ] , "model":"m"}"#);
        let told = before_messages(&body, "say \"it\"").expect("it has messages");
        let expected = r#"{"x": [1], "messages" : [{"role":"system","content":"say \"it\""}, {"role":"user","content":"\u00e9"} ] , "model":"m"}"#;
        let normal = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).expect("JSON");
        assert_eq!(normal(&told), normal(expected.as_bytes()));
        assert!(
            std::str::from_utf8(&told)
                .expect("text")
                .ends_with(r#", {"role":"user","content":"\u00e9"} ] , "model":"m"}"#)
        );
        assert_eq!(before_messages(&Bytes::from_static(b"{}"), "x"), None);
    }
}
