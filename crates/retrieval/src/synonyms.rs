//! Synonyms: what users say, and what the documents call it.
//!
//! ```text
//! folder, directory, dir            who asks for one of them is answered with the others, too
//! get rid of, drop => remove        who asks for the left is answered with the right, not the other way round
//! ```
//! A line that begins with `#` is a remark. Words are compared by their stems; where one phrase is part of another, the longer one
//! is taken. What is said otherwise counts [`crate::confidence::OTHER`] of what is said as asked.

use std::collections::{HashMap, HashSet};

use tantivy::tokenizer::TextAnalyzer;

use crate::language::{Language, words};

/// Bytes of a file of synonyms.
const MOST: usize = 1 << 20;
/// Parts of a question that are weighed. Of more, the first half and the last are: whoever pastes a page asks before it, or behind it.
const MOST_PARTS: usize = 256;

/// A file of synonyms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synonyms {
    text: String,
    /// What is asked, and what is looked for, too.
    rules: Vec<(String, Vec<String>)>,
}

/// Why a file of synonyms is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SynonymsError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Synonyms {
    /// Reads a file of synonyms.
    ///
    /// # Errors
    /// A line says nothing, or the file is too long.
    pub fn parse(text: &str) -> Result<Self, SynonymsError> {
        let mut rules = Vec::new();
        if text.len() > MOST {
            return Err(SynonymsError { line: 1, what: "the file has more than 1 MiB" });
        }
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what| SynonymsError { line: at + 1, what };
            let phrases = |list: &str| {
                let phrases: Vec<_> = list.split(',').map(|it| it.trim().to_owned()).collect();
                let is_whole = phrases.iter().all(|it| it.chars().any(char::is_alphanumeric));
                is_whole.then_some(phrases).ok_or(wrong("a word is missing beside a comma or `=>`"))
            };
            match line.split_once("=>") {
                Some((asked, also)) => {
                    let also = phrases(also)?;
                    rules.extend(phrases(asked)?.into_iter().map(|it| (it, also.clone())));
                }
                None => {
                    let each = phrases(line)?;
                    if each.len() < 2 {
                        return Err(wrong("a word alone has no other that says the same"));
                    }
                    rules.extend(each.iter().map(|it| (it.clone(), each.clone())));
                }
            }
        }
        Ok(Self { text: text.to_owned(), rules })
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the file as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The synonyms of one language, by stems.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others {
    by: HashMap<Vec<String>, Vec<Vec<String>>>,
    /// Words of the longest phrase.
    longest: usize,
}

impl Others {
    pub(crate) fn new(synonyms: &Synonyms, language: Language) -> Self {
        let (mut plain, mut analyzer) = (language.plain(), language.analyzer());
        let mut others = Self::default();
        for (asked, also) in &synonyms.rules {
            let key = words(&mut plain, asked);
            others.longest = others.longest.max(key.len());
            let known = others.by.entry(key.clone()).or_default();
            for also in also.iter().map(|it| words(&mut analyzer, it)) {
                if !also.is_empty() && also != key && !known.contains(&also) {
                    known.push(also);
                }
            }
        }
        others
    }
}

/// Part of a question: a word, or a phrase that has synonyms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its words, but for those that say nothing.
    pub(crate) own: Vec<String>,
    /// What says the same, each of one word or more.
    pub(crate) others: Vec<Vec<String>>,
    /// As it was written, in lower case.
    pub(crate) written: String,
}

/// A word of a question.
struct Word {
    written: String,
    /// Nothing where it says nothing of what is asked.
    own: Option<String>,
}

/// Cuts a question into its parts, each of which comes once.
///
/// # Cost
/// It grows as the question does, times the words of the longest phrase that has synonyms.
pub(crate) fn parts(question: &str, analyzers: (&mut TextAnalyzer, &mut TextAnalyzer), others: &Others) -> Vec<Part> {
    let (plain, analyzer) = analyzers;
    let (mut stream, mut stems, mut said) = (plain.token_stream(question), Vec::new(), Vec::new());
    while let Some(token) = stream.next() {
        let written = question[token.offset_from..token.offset_to].to_lowercase();
        stems.push(token.text.clone());
        said.push(Word { own: words(analyzer, &written).pop(), written });
    }
    let (mut parts, mut at) = (Vec::<Part>::new(), 0);
    let (mut places, mut taken) = (HashMap::new(), HashSet::new());
    while at < said.len() {
        let longest = others.longest.min(said.len() - at);
        let found = (1..=longest).rev().find_map(|length| Some((length, others.by.get(&stems[at..at + length])?)));
        // A word that says nothing has no synonyms either, unless it is one of a phrase.
        let (length, also) = match found {
            Some((length, also)) if length > 1 || said[at].own.is_some() => (length, also.as_slice()),
            _ => (1, &[][..]),
        };
        let (these, key) = (&said[at..at + length], &stems[at..at + length]);
        let own: Vec<_> = these.iter().filter_map(|it| it.own.clone()).collect();
        at += length;
        if own.is_empty() && also.is_empty() {
            continue;
        }
        let place = *places.entry(own.clone()).or_insert_with(|| {
            let written = these.iter().map(|it| it.written.as_str()).collect::<Vec<_>>().join(" ");
            parts.push(Part { own, others: Vec::new(), written });
            parts.len() - 1
        });
        if taken.insert((place, key)) {
            parts[place].others.extend_from_slice(also);
        }
    }
    if parts.len() > MOST_PARTS {
        parts.drain(MOST_PARTS / 2..parts.len() - MOST_PARTS / 2);
    }
    for part in &mut parts {
        part.others.sort();
        part.others.dedup();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(question: &str, synonyms: &str) -> Vec<(String, Vec<String>)> {
        let english = Language::of("en");
        let others = Others::new(&Synonyms::parse(synonyms).expect("synonyms"), english);
        let parts = parts(question, (&mut english.plain(), &mut english.analyzer()), &others);
        let joined = |it: &Vec<String>| it.join(" ");
        parts.iter().map(|it| (joined(&it.own), it.others.iter().map(joined).collect())).collect()
    }

    fn part(own: &str, others: &[&str]) -> (String, Vec<String>) {
        (own.into(), others.iter().map(|it| (*it).to_owned()).collect())
    }

    #[test]
    fn a_phrase_stands_for_what_says_the_same_the_longest_first() {
        let synonyms = "# remark\nfolder, directory\nget rid of, drop => remove, clean up\nrid => free\n";
        let asked = "How do I get rid of my folders? My folders!";
        assert_eq!(cut(asked, synonyms), [part("get rid", &["clean", "remov"]), part("folder", &["directori"])]);
        assert_eq!(cut("directory removed", synonyms), [part("directori", &["folder"]), part("remov", &[])]);
        assert_eq!(cut("of, from, to", "of => from, house"), [], "a word that says nothing stays nothing");
        assert_eq!(cut("turn it off", "turn it off => disable"), [part("turn", &["disabl"])]);
    }

    #[test]
    fn a_page_that_is_pasted_is_read_at_both_ends_and_each_of_its_words_once() {
        let page: String = (0..20_000).map(|it| format!("word{it} ")).collect();
        let parts = cut(&format!("folder {page} folder {page} directory volcano"), "folder, directory");
        let read: Vec<_> = parts.iter().map(|it| it.0.as_str()).collect();
        assert_eq!(parts.len(), MOST_PARTS);
        assert_eq!((read[0], read[1], read[MOST_PARTS / 2 - 1]), ("folder", "word0", "word126"));
        assert_eq!((read[MOST_PARTS - 2], read[MOST_PARTS - 1]), ("directori", "volcano"));
        assert_eq!(parts[0], part("folder", &["directori"]));
        let few: String = (0..MOST_PARTS).map(|it| format!("word{it} ")).collect();
        assert_eq!(cut(&few, "").last(), Some(&part("word255", &[])), "as many as are weighed are all weighed");
        assert_eq!(cut(&few, "").len(), MOST_PARTS);
    }

    #[test]
    fn a_line_that_says_nothing_is_named() {
        for (text, line) in [("a, b\n\nc\n", 3), ("a =>", 1), ("a, , b", 1), ("=> b", 1)] {
            assert_eq!(Synonyms::parse(text).map_err(|error| error.line), Err(line), "{text}");
        }
        assert!(Synonyms::parse("# nothing\n").expect("read").is_empty());
    }
}
