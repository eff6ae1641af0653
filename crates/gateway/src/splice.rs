//! Splice: drops what a second model repeats of a stream that broke, as long as it is the same (F-123, F-124).
//!
//! Texts are compared as they decode, byte for byte: how a server cuts them into events, or escapes them, is no difference.
//! Reasoning is not compared: two models seldom think alike, and nobody was promised the same thoughts.
//!
//! # Invariants
//! - `SPL-1`: what a client gets of a splice is exactly what the second model says, once.
//! - `SPL-2`: at most [`MOST`] bytes are kept of what was sent; a stream that has said more cannot be said again.

use crate::path::Chunk;

/// Bytes of text that are kept for each stream: more than a quarter of a million tokens of most texts.
const MOST: usize = 1 << 20;

/// What was sent of a stream, as its client reads it.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    text: String,
    /// There is something in it that is no text, or more than is kept.
    lost: bool,
}

impl Sent {
    /// Notes an event that is sent; says whether since this one what was sent cannot be said again.
    pub(crate) fn note(&mut self, chunk: &Chunk) -> bool {
        if self.lost {
            return false;
        }
        let text = chunk.text().unwrap_or_default();
        self.lost = chunk.says.other || self.text.len() + text.len() > MOST;
        match self.lost {
            true => self.text = String::new(),
            false => self.text.push_str(&text),
        }
        self.lost
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// How an event of a second model compares with what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// It says nothing that was not sent, and there is more to come.
    Same,
    /// With it everything is said again; what it says from this byte of its text on is new.
    Reached(usize),
    /// It says something else, or ends before everything is said again.
    Differs,
}

/// How far a second model has come.
#[derive(Debug, Default)]
pub(crate) struct Repeated(usize);

impl Repeated {
    /// Compares the next event.
    pub(crate) fn meet(&mut self, sent: &str, chunk: &Chunk) -> Met {
        let (text, left) = (chunk.text().unwrap_or_default(), &sent[self.0..]);
        let says = !text.is_empty() || chunk.says.finishes;
        match () {
            () if chunk.says.other => Met::Differs,
            () if text.len() >= left.len() && text.starts_with(left) && says => Met::Reached(left.len()),
            () if left.starts_with(&*text) && !chunk.says.finishes => {
                self.0 += text.len();
                // Where not a word was sent, the first word is new.
                Met::Same
            }
            () => Met::Differs,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        protocol::openai::{event::StreamJudge, peek::peek_chat},
        sse::Scanner,
    };

    fn chunk(delta: serde_json::Value, finish: Option<&str>) -> Chunk {
        let data = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        let mut scanner = Scanner::default();
        scanner.push(format!("data: {data}\n\n").as_bytes());
        let event = scanner.event().expect("small").expect("whole");
        let request = peek_chat(br#"{"model":"m","messages":[{}]}"#).expect("well-formed");
        let judged = StreamJudge::new(&request).event(&event.data);
        let counts = judged.counts();
        Chunk { event, envelope: judged.envelope, says: judged.says, counts }
    }

    fn says(text: &str) -> Chunk {
        chunk(json!({"content": text}), None)
    }

    fn sent(pieces: &[&str]) -> Sent {
        let mut sent = Sent::default();
        assert!(pieces.iter().all(|piece| !sent.note(&says(piece))));
        sent
    }

    /// Lets a second model say these pieces; returns what it came to.
    fn meets(before: &[&str], pieces: &[Chunk]) -> Vec<Met> {
        let (sent, mut repeated) = (sent(before), Repeated::default());
        pieces.iter().map(|piece| repeated.meet(sent.text(), piece)).collect()
    }

    #[test]
    fn f_123_what_matches_is_dropped_and_what_follows_begins_in_the_middle_of_an_event() {
        let before = ["Gr\u{fc}\u{df}e", " an \"alle\""];
        let role = || chunk(json!({"role": "assistant", "content": ""}), None);
        let thinks = || chunk(json!({"reasoning": "hm"}), None);
        let cut_otherwise = [role(), thinks(), says("Gr"), says("\u{fc}\u{df}e an"), says(" \"alle\", und")];
        assert_eq!(meets(&before, &cut_otherwise)[2..], [Met::Same, Met::Same, Met::Reached(7)]);
        assert_eq!(meets(&before, &[says("Gr\u{fc}\u{df}e an \"alle\"")]), [Met::Reached(17)], "and not a word more");
        assert_eq!(meets(&["a"], &[chunk(json!({"content": "ab"}), Some("stop"))]), [Met::Reached(1)]);
        assert_eq!(meets(&[], &[role(), thinks(), says("x")]), [Met::Same, Met::Same, Met::Reached(0)]);
    }

    #[test]
    fn f_124_the_first_byte_that_differs_ends_it() {
        assert_eq!(meets(&["one two"], &[says("one"), says(" too")]), [Met::Same, Met::Differs]);
        assert_eq!(meets(&["one"], &[says("One")]), [Met::Differs]);
        assert_eq!(meets(&["\u{e9}"], &[says("e\u{301}")]), [Met::Differs], "the same to the eye is not the same");
        assert_eq!(meets(&["one two"], &[says("one"), chunk(json!({}), Some("stop"))]), [Met::Same, Met::Differs]);
        assert_eq!(meets(&["one"], &[chunk(json!({"tool_calls": [{"index": 0}]}), None)]), [Met::Differs]);
    }

    #[test]
    fn f_124_calls_and_more_than_is_kept_cannot_be_said_again() {
        let mut sent = Sent::default();
        let call = chunk(json!({"tool_calls": [{"index": 0}]}), None);
        assert_eq!(
            [sent.note(&says("x")), sent.note(&call), sent.note(&call)],
            [false, true, false],
            "it is told once"
        );
        let mut sent = Sent::default();
        let long = says(&"x".repeat(300 << 10));
        let told: Vec<_> = (0..5).map(|_| sent.note(&long)).collect();
        assert_eq!((told, sent.text()), (vec![false, false, false, true, false], ""), "SPL-2");
    }

    proptest! {
        #[test]
        fn spl_1_however_both_are_cut_the_client_reads_the_second_answer_once(
            text in "[a-z\u{e9}\"\\\\ \u{1f600}]{1,40}", at in 0_usize..40, cuts in prop::collection::vec(1_usize..6, 40),
        ) {
            let letters: Vec<char> = text.chars().collect();
            let at = at.min(letters.len());
            let first: String = letters[..at].iter().collect();
            let (sent, mut repeated) = (sent(&[&first]), Repeated::default());
            let (mut got, mut from, mut reached) = (first.clone(), 0, false);
            for cut in cuts {
                let piece: String = letters[from.min(letters.len())..(from + cut).min(letters.len())].iter().collect();
                from += cut;
                if reached || piece.is_empty() {
                    got.push_str(&piece);
                    continue;
                }
                match repeated.meet(sent.text(), &says(&piece)) {
                    Met::Same => {}
                    Met::Reached(new) => {
                        reached = true;
                        got.push_str(&piece[new..]);
                    }
                    Met::Differs => prop_assert!(false, "it says the same"),
                }
            }
            prop_assert_eq!(got, text);
        }
    }
}
