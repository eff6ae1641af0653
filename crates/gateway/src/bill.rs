//! Bill: what each attempt of a request has cost in tokens (F-131).
//!
//! Its record holds that of every attempt, failed and cancelled ones, too: whoever made it wants to be paid. A client gets what
//! the server told that finished its answer, and the sum where two servers wrote a part each.
//!
//! # Invariants
//! - `BILL-1`: what is told is taken as it is told; an estimate stands only in records, and says that it is one.
//! - `BILL-2`: an attempt of which nothing was heard has no number: nobody knows whether it cost anything.
//!
//! # When it misleads
//! A server that breaks off has seldom told anything, and its estimate (four bytes a token) is off where a language has
//! other tokens, or thoughts are not shown.

use evenkeel_core::AttemptId;

use crate::{
    ask::{Ask, Question},
    protocol::openai::scan::{Usage, Volume},
};

/// Bytes of a token of text, on average.
const TOKEN: u64 = 4;

/// What an answer, or a piece of one, has cost, as far as it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// As the server told it.
    pub(crate) told: Option<Usage>,
    /// How much it says.
    pub(crate) said: Volume,
}

/// What an attempt has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) usage: Usage,
    /// Nobody has told it.
    pub(crate) estimated: bool,
}

/// What the attempts of one request have cost.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    heard: Vec<(AttemptId, Counts)>,
    /// Bytes that an attempt has to read besides what was asked: of an answer to go on with, of passages to answer by.
    besides: Vec<(AttemptId, usize)>,
}

impl Bill {
    /// Notes that an attempt has to read so many bytes besides what was asked.
    pub(crate) fn reads(&mut self, attempt: AttemptId, besides: usize) {
        self.besides.push((attempt, besides));
    }

    /// Adds what a piece of an attempt's answer has cost; what is told speaks of all of it so far.
    pub(crate) fn add(&mut self, attempt: AttemptId, piece: Counts) {
        let at = self.heard.iter().position(|(it, _)| *it == attempt).unwrap_or_else(|| {
            self.heard.push((attempt, Counts::default()));
            self.heard.len() - 1
        });
        let counts = &mut self.heard[at].1;
        counts.told = piece.told.or(counts.told);
        counts.said.bytes += piece.said.bytes;
        counts.said.text += piece.said.text;
    }

    /// Returns what a client is told of an answer that was begun by one attempt and is finished by another, which tells
    /// `last`: the sum as JSON, or `null` where the first has told nothing (BILL-1).
    pub(crate) fn sum(&self, begun: Option<AttemptId>, last: Usage) -> String {
        let first = self.heard.iter().find(|(it, _)| Some(*it) == begun).and_then(|(_, counts)| counts.told);
        let Some(first) = first else { return "null".into() };
        let prompt = first.prompt_tokens.saturating_add(last.prompt_tokens);
        let completion = first.completion_tokens.saturating_add(last.completion_tokens);
        let total = prompt.saturating_add(completion);
        format!("{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{total}}}")
    }

    /// Returns what each attempt has cost.
    pub(crate) fn settle(self, ask: &Ask) -> Vec<(AttemptId, Spent)> {
        let asked = match &ask.question {
            Question::Chat(peek) => peek.text_bytes,
            Question::Embeddings(peek) => peek.text_bytes,
            Question::Infer(_) => return Vec::new(),
        };
        let tokens = |bytes: usize| (bytes as u64).div_ceil(TOKEN);
        let Self { heard, besides } = self;
        let read =
            |attempt| asked + besides.iter().filter(|(it, _)| *it == attempt).map(|(_, bytes)| bytes).sum::<usize>();
        let spent = |attempt, counts: Counts| {
            let estimate = Usage { prompt_tokens: tokens(read(attempt)), completion_tokens: tokens(counts.said.bytes) };
            Spent { usage: counts.told.unwrap_or(estimate), estimated: counts.told.is_none() }
        };
        heard.into_iter().map(|(attempt, counts)| (attempt, spent(attempt, counts))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: AttemptId = AttemptId(1);
    const SECOND: AttemptId = AttemptId(2);

    fn told(prompt_tokens: u64, completion_tokens: u64) -> Counts {
        Counts { told: Some(Usage { prompt_tokens, completion_tokens }), said: Volume { bytes: 4, text: 4 } }
    }

    #[test]
    fn f_131_a_client_is_told_the_sum_of_what_was_told_and_no_estimate() {
        let mut bill = Bill::default();
        bill.add(FIRST, Counts { told: None, ..told(0, 0) });
        let last = Usage { prompt_tokens: 12, completion_tokens: 3 };
        assert_eq!(bill.sum(Some(FIRST), last), "null", "BILL-1");
        // A server that counts as it goes: what it told last is what it cost so far.
        bill.add(FIRST, told(9, 1));
        bill.add(FIRST, told(9, 2));
        bill.add(SECOND, told(12, 3));
        let sum = r#"{"prompt_tokens":21,"completion_tokens":5,"total_tokens":26}"#;
        assert_eq!((bill.sum(Some(FIRST), last).as_str(), bill.sum(None, last).as_str()), (sum, "null"));
    }
}
