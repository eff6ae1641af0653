//! Document: a text that somebody has verified, and until when it holds.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use sha2::{Digest, Sha256};

use crate::language::Language;

/// Bytes of a document of which a passage is cut.
pub const MOST_BODY: usize = 256 << 10;

/// Questions that a document may say it answers: each is a row of numbers where it counts what texts mean.
pub(crate) const MOST_QUESTIONS: usize = 50;
/// Bytes of one of them.
pub(crate) const MOST_QUESTION: usize = 1_000;

/// A moment, in seconds since 1970.
pub type Moment = i64;

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name, of which there is one in an index.
    pub id: String,
    /// What it is about, in a few words on one line.
    pub title: String,
    /// Questions that it answers, as users put them; each is one line.
    pub questions: Vec<String>,
    /// Its text, without markup but for headings, lists and code, which are as in Markdown.
    pub body: String,
    /// When somebody last looked at it and found it right.
    pub verified_at: Moment,
    /// When it stops holding; none for never.
    pub expires_at: Option<Moment>,
    /// Where it comes from, for people to look at.
    pub source: String,
    /// What it is written in.
    pub language: Language,
}

impl Document {
    /// Returns the questions that it answers, a line each.
    pub fn asked(&self) -> String {
        self.questions.join("\n")
    }

    /// Returns what it says it is about: its title and the questions that it answers, a line each.
    pub fn about(&self) -> String {
        about(&self.title, &self.questions)
    }

    /// Returns the digest of everything in it: what has the same is not indexed again.
    pub fn digest(&self) -> String {
        let Self { id, title, questions, body, verified_at, expires_at, source, language } = self;
        let mut hash = Sha256::new();
        let questions = questions.iter().map(String::as_str);
        for text in [id, title, body, source, language.code()].into_iter().chain(questions) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update(verified_at.to_le_bytes());
        hash.update(expires_at.unwrap_or(i64::MAX).to_le_bytes());
        hex(&hash.finalize())
    }
}

/// Joins a title and questions to what is counted of both.
pub(crate) fn about(title: &str, questions: &[String]) -> String {
    let lines: Vec<_> = [title].into_iter().chain(questions.iter().map(String::as_str)).collect();
    lines.join("\n")
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a moment: a day, which begins at midnight UTC, or a time with its zone.
pub(crate) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    match text.parse::<Timestamp>() {
        Ok(time) => Some(time.as_second()),
        // What has a time but no zone could be any of 26 hours.
        Err(_) if text.len() > 10 => None,
        Err(_) => Some(day()?.timestamp().as_second()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_or_a_time_with_its_zone() {
        for (text, expected) in [
            ("1970-01-02", Some(86_400)),
            (" 1970-01-01T01:00:00Z ", Some(3_600)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T01:00:00", None),
            ("1970-02-30", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(moment(text), expected, "{text}");
        }
    }

    #[test]
    fn whatever_changes_in_a_document_changes_its_digest() {
        let whole = Document {
            id: "a".into(),
            title: "b".into(),
            questions: vec!["how?".into()],
            body: "c".into(),
            verified_at: 1,
            expires_at: None,
            source: "d".into(),
            language: Language::of("en"),
        };
        let others = [
            Document { id: "ab".into(), title: String::new(), ..whole.clone() },
            Document { title: "x".into(), ..whole.clone() },
            Document { questions: Vec::new(), ..whole.clone() },
            Document { questions: vec!["how?".into(), "why?".into()], ..whole.clone() },
            Document { questions: vec!["how".into(), "?".into()], ..whole.clone() },
            Document { body: "x".into(), ..whole.clone() },
            Document { verified_at: 2, ..whole.clone() },
            Document { expires_at: Some(2), ..whole.clone() },
            Document { source: "x".into(), ..whole.clone() },
            Document { language: Language::of("de"), ..whole.clone() },
        ];
        assert_eq!(whole.digest(), whole.clone().digest());
        assert!(others.iter().all(|other| other.digest() != whole.digest()));
    }
}
