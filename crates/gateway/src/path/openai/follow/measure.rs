//! Measure: how much a stream has said, and whether it may say more (F-134).
//!
//! Tokens are estimated, since an upstream counts them only at the end: an event with text is taken for one token, but
//! never for more than its share of the text, because some servers send a token in several events. The pieces of a tool
//! call count as bytes only: their JSON is longer than what it says. The estimate is low on purpose: what keeps to its
//! limit is never ended, what has no end is ended a little late.

use crate::protocol::openai::{peek::ChatPeek, scan::Volume};

/// Bytes that a token has at most, on average; most texts have half of it.
const TOKEN_BYTES: usize = 8;
/// Tokens over the limit that nobody is ended for: short answers end in odd events.
const SLACK: u64 = 16;

/// What a stream has said.
#[derive(Debug)]
pub(super) struct Measure {
    said: Volume,
    /// Events with text.
    events: u64,
    most_bytes: usize,
    most_tokens: u64,
}

impl Measure {
    /// Starts with what the path and the client allow.
    pub(super) fn of(peek: &ChatPeek, max_answer: usize) -> Self {
        let asked = peek.max_tokens.map(|most| (most + most / 10 + SLACK).saturating_mul(peek.n.into()));
        Self { said: Volume::default(), events: 0, most_bytes: max_answer, most_tokens: asked.unwrap_or(u64::MAX) }
    }

    /// Counts one event; says whether the stream still fits.
    pub(super) fn fits(&mut self, said: Volume) -> bool {
        self.said.bytes += said.bytes;
        self.said.text += said.text;
        self.events += u64::from(said.text > 0);
        let tokens = self.events.min((self.said.text / TOKEN_BYTES) as u64);
        self.said.bytes <= self.most_bytes && tokens <= self.most_tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::openai::peek::peek_chat;

    /// Returns the event, each of so much, that is one too many of 100,000.
    fn ends(asked: &str, said: usize) -> Option<usize> {
        ends_with(asked, Volume { bytes: said, text: said })
    }

    fn ends_with(asked: &str, said: Volume) -> Option<usize> {
        let body = format!("{{\"model\":\"m\",\"messages\":[{{}}]{asked}}}");
        let mut measure = Measure::of(&peek_chat(body.as_bytes()).expect("a request"), 1 << 20);
        (1..=100_000).find(|_| !measure.fits(said))
    }

    #[test]
    fn f_134_a_stream_is_ended_by_tokens_or_by_bytes_and_never_before_its_limit() {
        assert_eq!(ends(",\"max_tokens\":100", 8), Some(127), "100 x 1.1, the slack, and one");
        assert_eq!(ends(",\"max_tokens\":100,\"n\":2", 8), Some(253), "each choice may have as many");
        assert_eq!(ends(",\"max_completion_tokens\":0", 8), Some(17));
        assert_eq!(ends(",\"max_tokens\":100", 1), Some(1_016), "one letter an event is no token an event");
        assert_eq!(ends_with(",\"max_tokens\":100", Volume { bytes: 100, text: 0 }), Some(10_486), "a tool call: by bytes");
        assert_eq!(ends("", 8), None);
        assert_eq!(ends("", 1 << 10), Some(1_025), "`max_answer`");
    }
}
