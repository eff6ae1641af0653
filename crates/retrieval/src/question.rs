//! Question: what the parts of a question look for, by what each word weighs among the documents, wherever those are.

use tantivy::tokenizer::TextAnalyzer;

use crate::{
    index::asked::{Asked, Weighed},
    language::words,
    spelling::{halves, slips},
    synonyms::Part,
};

/// Words of a question that are looked for, the rarest: a page that is pasted into a chat is no question.
const MOST_WORDS: usize = 32;
/// Words that no document has of which it is asked what else they may be.
const MOST_SLIPS: usize = 3;

/// Says what a word weighs, and whether any document has it.
pub(crate) trait Weigh {
    /// Why it cannot be said.
    type Error;

    /// Weighs a word.
    fn weigh(&mut self, word: &str) -> Result<(f64, bool), Self::Error>;
}

/// Weighs the parts of a question; those that weigh most come first.
pub(crate) fn asked<W: Weigh>(
    parts: &[Part],
    analyzer: &mut TextAnalyzer,
    weights: &mut W,
) -> Result<Vec<Asked>, W::Error> {
    let (mut asked, mut slips) = (Vec::new(), 0);
    for part in parts {
        let mut weighed = Asked::new(part, |word| weights.weigh(word))?;
        if slips < MOST_SLIPS && weighed.is_unknown(|word| weights.weigh(word).is_ok_and(|it| it.1)) {
            slips += 1;
            meant(part, &mut weighed, analyzer, weights)?;
        }
        asked.push((&part.own, weighed));
    }
    asked.sort_by(|(a_own, a), (b_own, b)| b.idf.total_cmp(&a.idf).then_with(|| a_own.cmp(b_own)));
    asked.truncate(MOST_WORDS);
    Ok(asked.into_iter().map(|it| it.1).collect())
}

/// Looks for what a word that no document has may have been meant to be: the most common word that is one slip away, or two.
fn meant<W: Weigh>(
    part: &Part,
    asked: &mut Asked,
    analyzer: &mut TextAnalyzer,
    weights: &mut W,
) -> Result<(), W::Error> {
    let mut best: Option<Weighed> = None;
    for slip in slips(&part.written) {
        for word in words(analyzer, &slip) {
            let (idf, is_known) = weights.weigh(&word)?;
            if is_known && best.as_ref().is_none_or(|best| idf < best.idf) {
                best = Some(Weighed { word, idf });
            }
        }
    }
    if let Some(best) = best {
        asked.or(vec![best]);
        return Ok(());
    }
    for (first, second) in halves(&part.written) {
        let mut both = Vec::new();
        for word in [first, second].iter().flat_map(|half| words(analyzer, half)).collect::<Vec<_>>() {
            let (idf, is_known) = weights.weigh(&word)?;
            both.extend(is_known.then_some(Weighed { word, idf }));
        }
        if both.len() == 2 {
            asked.or(both);
            return Ok(());
        }
    }
    Ok(())
}
