//! Question: what a user has asked last, for paths that answer it themselves.
//!
//! The request was peeked at before: it is well formed, and `messages` stands in it once.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

/// Returns the text of the last message of the user; none where there is none, or it has no text.
pub(crate) fn last_question(body: &[u8]) -> Option<String> {
    last_words(body).map(Cow::into_owned).filter(|text| !text.trim().is_empty())
}

/// Returns what the user has said last, be it nothing; none where no message is the user's. It is copied only where it was escaped.
pub(crate) fn last_words(body: &[u8]) -> Option<Cow<'_, str>> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    let content = body.messages.iter().rev().find(|message| message.role == "user")?.content?.get();
    if let Ok(text) = serde_json::from_str::<&str>(content) {
        return Some(text.into());
    }
    if let Ok(text) = serde_json::from_str::<String>(content) {
        return Some(text.into());
    }
    let parts: Vec<Part> = serde_json::from_str(content).ok()?;
    Some(parts.into_iter().filter_map(|part| part.text).collect::<Vec<_>>().join("\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_the_user_are_the_question() {
        for (messages, expected) in [
            (r#"{"role":"user","content":"one"}"#, Some("one")),
            (
                r#"{"role":"user","content":"one"},{"role":"assistant","content":"two"},{"role":"user","content":"three \u00e9"}"#,
                Some("three é"),
            ),
            (r#"{"role":"user","content":"one"},{"role":"assistant","content":"two"}"#, Some("one")),
            (
                r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"b"}]}"#,
                Some("a\nb"),
            ),
            (r#"{"role":"user","content":null}"#, None),
            (r#"{"role":"user"}"#, None),
            (r#"{"role":"user","content":"  "}"#, None),
            (r#"{"role":"system","content":"be nice"}"#, None),
        ] {
            let body = format!(r#"{{"model":"m","messages":[{messages}],"x":{{}}}}"#);
            assert_eq!(last_question(body.as_bytes()).as_deref(), expected, "{messages}");
        }
    }
}
