//! Words: what a chat was answered, as far as it is compared with a reference.
//!
//! # Invariants
//! - `WORDS-1`: an answer in one piece and the same as a stream are the same words.

use serde_json::Value;

use crate::path::Chunk;

/// Bytes of a text that are kept of a stream.
const MOST: usize = 1 << 20;

/// What a chat was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    text: String,
    /// There is a text, if an empty one.
    spoken: bool,
    /// A tool is called.
    calls: bool,
    /// Why the model ended.
    pub(crate) finish: Option<String>,
    /// The model says that it refuses.
    pub(crate) refused: bool,
}

impl Words {
    /// Reads an answer in one piece; none where it cannot be read, or has several choices.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let [choice] = &body["choices"].as_array()?[..] else { return None };
        let message = &choice["message"];
        let mut words = Self::default();
        words.ends(choice, message);
        if let Some(text) = message["content"].as_str() {
            words.says(text);
        }
        Some(words)
    }

    /// Takes an event of a stream.
    pub(crate) fn note(&mut self, chunk: &Chunk) {
        if let Some(text) = chunk.text() {
            self.says(&text);
        }
        if (chunk.says.other || chunk.says.finishes)
            && let Ok(event) = serde_json::from_slice::<Value>(&chunk.event.data)
        {
            self.ends(&event["choices"][0], &event["choices"][0]["delta"]);
        }
    }

    /// Returns the text; none where something else was said, such as a call of a tool.
    pub(crate) fn text(&self) -> Option<&str> {
        (self.spoken && !self.calls).then_some(&self.text)
    }

    fn says(&mut self, text: &str) {
        self.spoken = true;
        let room = MOST.saturating_sub(self.text.len());
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
    }

    fn ends(&mut self, choice: &Value, said: &Value) {
        let filled = |it: &Value| it.as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        self.finish = filled(&choice["finish_reason"]).or(self.finish.take());
        self.refused |= filled(&said["refusal"]).is_some();
        self.calls |= said["tool_calls"].as_array().is_some_and(|it| !it.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        protocol::openai::{event::StreamJudge, peek::peek_chat},
        sse::Scanner,
    };

    fn whole(message: Value, finish: &str) -> Words {
        let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]});
        Words::of(body.to_string().as_bytes()).expect("one choice")
    }

    fn streamed(deltas: &[Value], finish: &str) -> Words {
        let request = peek_chat(br#"{"model":"m","messages":[{}]}"#).expect("well-formed");
        let mut judge = StreamJudge::new(&request);
        let mut words = Words::default();
        let ends = [(json!({}), Some(finish))];
        for (delta, finish) in deltas.iter().map(|it| (it.clone(), None)).chain(ends) {
            let data = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
            let mut scanner = Scanner::default();
            scanner.push(format!("data: {data}\n\n").as_bytes());
            let event = scanner.event().expect("small").expect("whole");
            let judged = judge.event(&event.data);
            let counts = judged.counts();
            words.note(&Chunk { event, envelope: judged.envelope, says: judged.says, counts });
        }
        words
    }

    #[test]
    fn words_1_an_answer_in_one_piece_and_as_a_stream_says_the_same() {
        let call = json!([{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
        for (message, deltas, finish, text, refused) in [
            (
                json!({"content": "Grüße an alle"}),
                vec![
                    json!({"role": "assistant", "content": ""}),
                    json!({"content": "Grü"}),
                    json!({"content": "ße an alle"}),
                ],
                "stop",
                Some("Grüße an alle"),
                false,
            ),
            (
                json!({"content": null, "tool_calls": call}),
                vec![json!({"tool_calls": call})],
                "tool_calls",
                None,
                false,
            ),
            (
                json!({"content": null, "refusal": "I cannot."}),
                vec![json!({"refusal": "I "}), json!({"refusal": "cannot."})],
                "stop",
                None,
                true,
            ),
        ] {
            let one = whole(message, finish);
            assert_eq!(one, streamed(&deltas, finish), "{finish}");
            assert_eq!((one.text(), one.finish.as_deref(), one.refused), (text, Some(finish), refused));
        }
        assert_eq!(Words::of(br#"{"choices":[{},{}]}"#), None, "of several choices nobody knows which was taken");
    }
}
