//! Closely: what of a document is only looked at once it may be an answer: the parts of its title, the questions that it answers, and
//! its passages.

use std::collections::BTreeMap;

use tantivy::tokenizer::TextAnalyzer;

use crate::{
    confidence::{Length, heading},
    index::asked::Asked,
    language::words,
    passage::{passages, shown},
    question::Weigh,
};

/// Words of a passage, more or less.
const PASSAGE: f64 = 60.0;
/// What divides a title into parts, such as a page and its section.
const PARTS: [char; 5] = [':', '›', '|', '–', '—'];

/// Returns what the best part of a title adds, or the best of the questions that a document answers, by how much of each word is asked.
pub(crate) fn heading_of<'a, W: Weigh>(
    title: &'a str,
    questions: impl Iterator<Item = &'a str>,
    shares: &BTreeMap<&str, f64>,
    analyzer: &mut TextAnalyzer,
    weights: &mut W,
) -> Result<f64, W::Error> {
    let mut parts = Vec::new();
    for part in title.split(PARTS).chain(questions) {
        let words = words(analyzer, part);
        let weighed =
            words.iter().map(|word| Ok((weights.weigh(word)?.0, shares.get(&**word).copied().unwrap_or(0.0))));
        parts.push(weighed.collect::<Result<Vec<_>, W::Error>>()?);
    }
    Ok(heading(parts.iter().map(Vec::as_slice)))
}

/// Cuts the passage that has most of what is asked.
pub(crate) fn best_passage(body: &str, asked: &[Asked], analyzer: &mut TextAnalyzer) -> String {
    let mut best = (f64::MIN, 0..0);
    for passage in passages(body) {
        let words = words(analyzer, &body[passage.clone()]);
        let length = Length { words: words.len() as u32, mean: PASSAGE };
        let mut times = BTreeMap::<&str, u32>::new();
        words.iter().for_each(|word| *times.entry(word).or_default() += 1);
        let frequency = |word: &str| times.get(word).map_or(0.0, |times| length.frequency(*times));
        let fits = asked.iter().map(|asked| asked.fit(frequency)).sum();
        if fits > best.0 {
            best = (fits, passage);
        }
    }
    shown(body, best.1)
}
