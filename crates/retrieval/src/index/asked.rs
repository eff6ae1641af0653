//! Asked: what a question looks for: its words, each with what it weighs, and what says the same.

use std::collections::BTreeMap;

use crate::{
    confidence::{OTHER, fit},
    synonyms::Part,
};

/// Phrases that are looked for in place of one that is asked.
const MOST_OTHERS: usize = 12;

/// A word with what it weighs.
#[derive(Clone, Debug)]
pub(crate) struct Weighed {
    pub(crate) word: String,
    pub(crate) idf: f64,
}

/// A word that is asked, or a phrase that has synonyms.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    own: Vec<Weighed>,
    others: Vec<Vec<Weighed>>,
    /// What a document could reach that has all of it.
    pub(crate) idf: f64,
}

impl Asked {
    /// Weighs a part of a question; `idf` says what a word weighs, and whether any document has it.
    pub(crate) fn new<E>(part: &Part, mut idf: impl FnMut(&str) -> Result<(f64, bool), E>) -> Result<Self, E> {
        let (mut own, mut others, mut is_known) = (Vec::new(), Vec::new(), false);
        for word in &part.own {
            let (idf, known) = idf(word)?;
            is_known |= known;
            own.push(Weighed { word: word.clone(), idf });
        }
        for phrase in &part.others {
            let (mut weighed, mut all) = (Vec::new(), true);
            for word in phrase {
                let (idf, known) = idf(word)?;
                all &= known;
                weighed.push(Weighed { word: word.clone(), idf });
            }
            if all && others.len() < MOST_OTHERS {
                others.push(weighed);
            }
        }
        let mut asked = Self { own, others, idf: 0.0 };
        let other = asked.others.iter().map(|phrase| mean(phrase, |it| it.idf)).fold(0.0, f64::max);
        asked.idf = match other {
            // Documents say it in other words alone: no document could reach more.
            other if other > 0.0 && !is_known => OTHER * other,
            _ => asked.own.iter().map(|it| it.idf).sum(),
        };
        Ok(asked)
    }

    /// Looks for something else, too, which may have been meant; what could be reached stays as it is.
    pub(crate) fn or(&mut self, phrase: Vec<Weighed>) {
        self.others.push(phrase);
    }

    /// Says whether nothing of it is known, in no words.
    pub(crate) fn is_unknown(&self, mut with: impl FnMut(&str) -> bool) -> bool {
        self.others.is_empty() && !self.own.iter().any(|it| with(&it.word))
    }

    /// Returns its own words.
    pub(crate) fn own(&self) -> impl Iterator<Item = &str> {
        self.own.iter().map(|it| it.word.as_str())
    }

    /// Returns the words that are looked for in place of its own.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().flatten().map(|it| it.word.as_str())
    }

    /// Returns what it adds to the fit of a document that has its words so often: in its own words, or in the best of the others.
    pub(crate) fn fit(&self, frequency: impl Fn(&str) -> f64) -> f64 {
        let one = |it: &Weighed| fit(it.idf, frequency(&it.word));
        let own = self.own.iter().map(one).sum::<f64>();
        self.others.iter().map(|phrase| OTHER * mean(phrase, one)).fold(own, f64::max)
    }
}

/// Returns how much of each word is asked: 1 where it is, [`OTHER`] where it is in other words.
pub(crate) fn shares(asked: &[Asked]) -> BTreeMap<&str, f64> {
    let mut shares = BTreeMap::new();
    shares.extend(asked.iter().flat_map(Asked::others).map(|word| (word, OTHER)));
    shares.extend(asked.iter().flat_map(Asked::own).map(|word| (word, 1.0)));
    shares
}

fn mean(phrase: &[Weighed], of: impl Fn(&Weighed) -> f64) -> f64 {
    phrase.iter().map(of).sum::<f64>() / phrase.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(own: &[&str], others: &[&[&str]]) -> Asked {
        let owned = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let others = others.iter().map(|it| owned(it)).collect();
        let part = Part { own: owned(own), others, written: String::new() };
        Asked::new::<()>(&part, |word| Ok((4.0, word != "unknown"))).expect("weighed")
    }

    #[test]
    fn what_is_said_in_other_words_counts_half() {
        let has = |word: &'static str| move |it: &str| if it == word { 2.0 } else { 0.0 };
        let both = asked(&["folder"], &[&["directori"], &["build", "path"], &["unknown"]]);
        assert_eq!([has("folder"), has("directori"), has("path")].map(|has| both.fit(has)), [2.0, 1.0, 0.5]);
        assert_eq!(
            both.others().collect::<Vec<_>>(),
            ["directori", "build", "path"],
            "what no document has is left out"
        );
        assert_eq!((both.idf, asked(&["unknown"], &[&["path"]]).idf, asked(&["unknown"], &[]).idf), (4.0, 2.0, 4.0));
        assert_eq!(shares(&[both]).get("path"), Some(&OTHER));
    }
}
