//! Augment: the passages put before the messages, for a model to answer by, as many as its window holds beside them.
//!
//! # Invariants
//! - `AUG-1`: passages never fill what the window has left for the messages and an answer, as far as that can be estimated: the one
//!   that fits worst is left out first, and the best is cut where it alone is too long. A model is not asked without any.

use bytes::Bytes;
use evenkeel_retrieval::Hit;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    ask::{Ask, Question},
    path::Shortened,
    protocol::openai::peek::{ChatPeek, peek_chat},
};

const TOLD: &str = "Answer from the passages below alone, and name the id of each that you use in square brackets, as it stands \
                    before it. Where they do not answer the question, say that you do not know.";
/// Bytes of a token of text, on average.
const TOKEN: u64 = 4;
/// Tokens that an answer is given where its client does not say, and the share of the window that they are at most.
const ANSWER: u64 = 512;
const SHARE: u64 = 4;
/// The fewest bytes of a passage that are worth being read.
const WORTH: usize = 200;
const BETWEEN: &str = "\n\n---\n\n";

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: &'a RawValue,
}

/// Returns the bytes that a window of so many tokens has room for beside the messages of a request and its answer.
pub(super) fn room(peek: &ChatPeek, window: Option<u64>) -> usize {
    let Some(window) = window else { return usize::MAX };
    let answer = peek.max_tokens.unwrap_or(ANSWER.min(window / SHARE));
    let asked = (peek.text_bytes as u64).div_ceil(TOKEN);
    usize::try_from(window.saturating_sub(asked).saturating_sub(answer).saturating_mul(TOKEN)).unwrap_or(usize::MAX)
}

/// What is put before the messages.
pub(super) struct Passages {
    text: String,
    /// Of each that was to be, what there was no room for.
    pub(super) shortened: Vec<Option<Shortened>>,
}

impl Passages {
    /// Takes passages, the best first, as far as there is room.
    pub(super) fn fitting(hits: &[Hit], room: usize) -> Self {
        let mut it = Self { text: String::new(), shortened: Vec::with_capacity(hits.len()) };
        for Hit { id, title, source, passage, .. } in hits {
            let between = if it.is_empty() { format!("{TOLD}\n\n") } else { BETWEEN.into() };
            let head = format!("{between}[{id}] {title} ({source})\n");
            let left = room.saturating_sub(it.text.len() + head.len());
            let (given, shortened) = match cut(passage, left) {
                given if given.len() == passage.len() => (given, None),
                given if it.is_empty() && given.len() >= WORTH => (given, Some(Shortened::Cut)),
                _ => ("", Some(Shortened::LeftOut)),
            };
            if shortened != Some(Shortened::LeftOut) {
                it.text.push_str(&head);
                it.text.push_str(given);
            }
            it.shortened.push(shortened);
        }
        it
    }

    /// Says whether there was room for none.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns a request with the passages as its first message, a system's; none where it has no messages.
    pub(super) fn put_before(&self, ask: &Ask) -> Option<Ask> {
        let body = before_messages(&ask.body, &self.text)?;
        Some(Ask {
            question: Question::Chat(peek_chat(&body).ok()?),
            body,
            headers: ask.headers.clone(),
            decision: ask.decision.clone(),
            revision: ask.revision.clone(),
            created: ask.created,
        })
    }
}

/// Cuts a text to so many bytes, between two words.
fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = text.floor_char_boundary(most);
    let word = text[..end].rfind(char::is_whitespace).unwrap_or(0);
    text[..word].trim_end()
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

    fn hit(id: &str, words: usize) -> Hit {
        let passage = vec!["word"; words].join(" ");
        let (title, source) = (format!("About {id}"), format!("http://shop/{id}"));
        Hit { id: id.into(), title, source, verified_at: 0, confidence: 0.9, passage }
    }

    #[test]
    fn aug_1_passages_take_what_the_window_leaves_the_best_first() {
        use Shortened::{Cut, LeftOut};
        let hits = [hit("a", 100), hit("b", 100), hit("c", 20)];
        let all = Passages::fitting(&hits, usize::MAX);
        assert_eq!(all.shortened, [None; 3]);
        for (room, expected) in [
            (all.bytes(), [None, None, None]),
            (all.bytes() - 1, [None, None, Some(LeftOut)]),
            (1_000, [None, Some(LeftOut), None]),
            (800, [None, Some(LeftOut), Some(LeftOut)]),
            (600, [Some(Cut), Some(LeftOut), Some(LeftOut)]),
            (100, [Some(LeftOut); 3]),
            (0, [Some(LeftOut); 3]),
        ] {
            let some = Passages::fitting(&hits, room);
            assert!(some.bytes() <= room, "{room}: {}", some.text);
            assert_eq!((&some.shortened[..], some.is_empty()), (&expected[..], expected == [Some(LeftOut); 3]), "{room}");
            assert!(some.text.is_empty() || some.text.ends_with("word"), "cut between words: {}", some.text);
        }
        assert_eq!((cut("ééé é", 5), cut("long", 3), cut("", 0)), ("", "", ""));
    }

    #[test]
    fn aug_1_a_window_has_room_beside_what_is_asked_and_what_is_answered() {
        let peek = |more: &str| {
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]{more}}}"#, "x".repeat(400));
            peek_chat(body.as_bytes()).expect("a chat")
        };
        let asked = peek("").text_bytes;
        assert_eq!(room(&peek(""), None), usize::MAX);
        assert_eq!(room(&peek(""), Some(4_096)), (4_096 - asked.div_ceil(4) - 512) * 4);
        assert_eq!(room(&peek(""), Some(400)), (400 - asked.div_ceil(4) - 100) * 4);
        assert_eq!(room(&peek(r#","max_tokens":200"#), Some(400)), (400 - asked.div_ceil(4) - 200) * 4);
        assert_eq!(room(&peek(r#","max_tokens":4000"#), Some(400)), 0);
    }

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
