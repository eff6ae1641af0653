//! Lexemes: the words of a document and of a question, as PostgreSQL reads them.
//!
//! Words are cut here, by the analyzer of the index in files, and not by the server's dictionaries: so that a question finds in both
//! the same documents, in every language, whatever dictionaries a server has.
//!
//! # Source
//! PostgreSQL's documentation, sections 8.11 (text search types) and 12.9: a position is at most 16,383, a lexeme has at most 256 of
//! them, a vector less than 1 MiB.

use std::{collections::BTreeMap, fmt::Write as _};

/// Positions that are kept of a word in a field: they serve to rank, and more of them say little more.
const MOST_POSITIONS: usize = 64;
/// The highest position that can be written.
const LAST: usize = 16_383;
/// Bytes that a vector may have, a little less than what PostgreSQL takes.
const MOST_BYTES: usize = 1_000_000;

/// Writes the words of a title and of a body as a `tsvector`: those of the title weigh A, those of the body B.
pub(crate) fn vector(title: &[String], body: &[String]) -> String {
    let mut places: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
    let mut bytes = 0;
    for (at, (field, word)) in title.iter().map(|it| (0, it)).chain(body.iter().map(|it| (1, it))).enumerate() {
        let place = (at + 1).min(LAST);
        let known = places.contains_key(word.as_str());
        // What a document has beyond that is found by its other words.
        let more = if known { 2 } else { word.len() + 8 };
        if bytes + more > MOST_BYTES {
            continue;
        }
        let of_field = &mut places.entry(word).or_default()[field];
        if of_field.len() < MOST_POSITIONS && of_field.last() != Some(&place) {
            of_field.push(place);
            bytes += more;
        }
    }
    let mut text = String::new();
    for (word, fields) in &places {
        let _ = write!(text, "{}:", quoted(word));
        let marked =
            fields.iter().zip(['A', 'B']).flat_map(|(places, weight)| places.iter().map(move |it| (it, weight)));
        let marked: Vec<_> = marked.map(|(place, weight)| format!("{place}{weight}")).collect();
        let _ = write!(text, "{} ", marked.join(","));
    }
    text
}

/// Writes a word as a `tsquery`.
pub(crate) fn query(word: &str) -> String {
    quoted(word)
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn words_stand_with_their_places_and_their_field() {
        assert_eq!(vector(&words("b a"), &words("a c a")), "'a':2A,3B,5B 'b':1A 'c':4B ");
        assert_eq!(vector(&[], &[]), "");
        assert_eq!(query("it's \\"), "'it''s \\\\'");
    }

    #[test]
    fn a_vector_is_bounded() {
        let many = vector(&[], &vec!["a".to_owned(); 100_000]);
        assert_eq!(many.matches('B').count(), MOST_POSITIONS);
        let distinct: Vec<_> = (0..200_000).map(|it| format!("word{it}")).collect();
        let long = vector(&[], &distinct);
        assert!(long.contains("'word1':") && !long.contains("'word199999'"), "the first words are kept");
        let lexemes: usize = long.split_whitespace().map(|it| it.split(':').next().unwrap_or_default().len()).sum();
        assert!(lexemes < 1 << 20);
    }
}
