//! Confidence: how sure it is that a document answers a question, comparable from one question to another.
//!
//! # Formula
//! For a question of the distinct words `t`, each with `idf(t) = ln(1 + (N − n + ½) / (n + ½))`, and a document, whose `title` is its
//! title with the questions that it says it answers:
//!
//! ```text
//! f(t)       = body(t) / (¼ + ¾ · words / mean) + title(t) / (¼ + ¾ · words / mean)    BM25F, a field each, weight 1
//! fit        = Σ idf(t) · f(t) / (2 + f(t))                                            BM25 with k1 = 2, without its factor k1 + 1
//! heading    = max over the parts of the title, and the questions it answers, of m² / M, of the idf of its words: m asked, M all
//! strength   = (fit + ½ · heading) / √(most · Σ idf(t))                                most: the idf of a word that no document has
//! nearness   = (c − mean) / spread                                                     c: cosine of the nearest of its passages and questions
//! confidence = 1 / (1 + exp(4 + asked − 8.6 · strength))                               by words; 0 of what has none
//!            = 1 / (1 + exp(4.8 + 1.9 · asked − 6.2 · strength − 1.8 · nearness))      by words and meaning
//! asked      = 1 where the document says which questions it answers, else 0
//! ```
//!
//! A word that no document has counts among the idf of the question with the most that a word can weigh: what a question is
//! about and the documents are not lowers the confidence in each of them. Mean and spread are those of the cosines between passages
//! of the index, so that embedders whose cosines all lie close together count as others do.
//!
//! # Why the root
//! The best fit of a question that *no* document answers grows with about the 0.6th power of its idf: of many words, some are
//! somewhere by chance. Divided by the root, a threshold declines long and short ones alike; divided by the whole idf, it declines what
//! people tell at length, answered or not. `most` makes it a number of words that are as rare as can be, however many documents there are.
//!
//! # Why `asked`
//! A document that says which questions it answers has more that a question may be like by chance, whether it is answered or not: its best
//! fit is better and its nearest row nearer, by as much as this takes away. Without it, of two that answer as well the one whose
//! editor wrote questions would win, and a threshold would mean another thing as soon as they do.
//!
//! # When it misleads
//! It is a probability only where as many questions are answered by documents as are not, put as those of
//! `examples/support-chat/questions` are: its lines were fitted there (logistic regression). Words alone know nothing of what they mean:
//! "folder" does not find "directory". A question of one word that is common in the documents is answered with confidence by whatever has
//! that word in its title.
//!
//! # Source
//! S. Robertson, H. Zaragoza, M. Taylor, "Simple BM25 Extension to Multiple Weighted Fields", 2004, for `f` and `fit`; the heading, the
//! root and the constants are own, chosen on the questions for tuning.

/// How fast more of the same word stops counting.
const K1: f64 = 2.0;
/// How much the length of a field counts.
const B: f64 = 0.75;
/// What a whole heading weighs against all the words of a question.
const HEADING: f64 = 0.5;
/// What a word weighs that says the same as one that is asked.
pub(crate) const OTHER: f64 = 0.5;
/// What the odds lose where a document says which questions it answers: by words, and by words and meaning.
const ASKED: [f64; 2] = [1.0, 1.9];
/// How nearness counts where a document has no vector: as little as it does for the farthest ones.
const FAR: f64 = -3.0;

/// Returns what a word weighs that `with` of `all` documents have.
pub(crate) fn idf(with: u64, all: u64) -> f64 {
    (1.0 + (all.saturating_sub(with) as f64 + 0.5) / (with as f64 + 0.5)).ln()
}

/// A field of a document: its words, and how many a document has on average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    pub(crate) words: u32,
    pub(crate) mean: f64,
}

impl Length {
    /// Returns how often a word occurs, in proportion to the length.
    pub(crate) fn frequency(self, times: u32) -> f64 {
        f64::from(times) / (1.0 - B + B * f64::from(self.words) / self.mean.max(1.0))
    }
}

/// Returns what a word adds to the fit of a document that has it so often.
pub(crate) fn fit(idf: f64, frequency: f64) -> f64 {
    idf * frequency / (K1 + frequency)
}

/// Returns what the best part of a title adds; each word of a part comes with its idf and how
/// much of it is asked: 1 as it stands, [`OTHER`] in other words, 0 not.
pub(crate) fn heading<'a>(parts: impl Iterator<Item = &'a [(f64, f64)]>) -> f64 {
    let worth = |part: &[(f64, f64)]| {
        let all: f64 = part.iter().map(|it| it.0).sum();
        let asked: f64 = part.iter().map(|it| it.0 * it.1).sum();
        if all > 0.0 { asked * asked / all } else { 0.0 }
    };
    parts.map(worth).fold(0.0, f64::max)
}

/// Makes the strength of a fit and a heading, for a question of this idf in all, among so many documents: 0 where nothing fits.
pub(crate) fn strength(fit: f64, heading: f64, asked: f64, documents: u64) -> f64 {
    if asked > 0.0 { (fit + HEADING * heading) / (idf(0, documents) * asked).sqrt() } else { 0.0 }
}

/// Makes the confidence of a strength; `asked` where the document says which questions it answers.
pub(crate) fn by_words(strength: f64, asked: bool) -> f64 {
    if strength > 0.0 { logistic(8.6 * strength - 4.0 - ASKED[0] * share(asked)) } else { 0.0 }
}

/// Makes the confidence of a strength, and of how many spreads above their mean the cosine is; `asked` as in [`by_words`].
pub(crate) fn by_both(strength: f64, nearness: Option<f64>, asked: bool) -> f64 {
    logistic(6.2 * strength + 1.8 * nearness.unwrap_or(FAR) - 4.8 - ASKED[1] * share(asked))
}

fn share(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ret_5_the_ends_of_the_scale_and_its_middle_are_where_they_are_said_to_be() {
        let of = |share: f64| by_words(strength(share * 2.0 * idf(0, 1000), 0.0, 4.0 * idf(0, 1000), 1000), false);
        for (share, expected) in [(0.0, 0.0), (4.0 / 8.6, 0.5), (2.0, 1.0)] {
            assert!((of(share) - expected).abs() < 0.001, "{share}: {}", of(share));
        }
        assert_eq!(by_words(strength(1.0, 1.0, 0.0, 1000), false), 0.0, "a question without words fits nothing");
        let is_even = |confidence: f64| (confidence - 0.5).abs() < 1e-9;
        assert!(is_even(by_both(4.8 / 6.2, Some(0.0), false)) && is_even(by_both(0.0, Some(4.8 / 1.8), false)));
        assert!(is_even(by_words(5.0 / 8.6, true)) && is_even(by_both(6.7 / 6.2, Some(0.0), true)), "asked");
        assert_eq!(by_both(1.0, None, false), by_both(1.0, Some(-3.0), false), "what has no vector is far");
    }

    #[test]
    fn ret_5_what_is_nearer_is_surer_and_so_is_what_has_more_of_the_words() {
        for (less, more) in [((0.5, 1.0), (0.5, 1.1)), ((0.5, 1.0), (0.6, 1.0)), ((0.0, -9.0), (0.0, 9.0))] {
            let [less, more] = [less, more].map(|(strength, nearness)| by_both(strength, Some(nearness), true));
            assert!(0.0 <= less && less < more && more <= 1.0, "{less} {more}");
        }
    }

    #[test]
    fn a_heading_counts_by_its_best_part() {
        let parts: [&[(f64, f64)]; 3] = [&[(2.0, 0.0)], &[(2.0, 1.0), (2.0, 0.0)], &[(1.0, 1.0)]];
        assert_eq!(heading(parts.into_iter()), 1.0);
        assert_eq!(heading([].into_iter()), 0.0);
    }

    proptest! {
        #[test]
        fn ret_5_a_confidence_is_a_share_that_grows_with_the_words(
            words in prop::collection::vec((0u64..1000, 0u32..50), 1..10), length in 1u32..5000, more in 1u32..5,
        ) {
            let length = Length { words: length, mean: 100.0 };
            let idfs: f64 = words.iter().map(|it| idf(it.0, 1000)).sum();
            let of = |more: u32| {
                let fit = words.iter().map(|it| fit(idf(it.0, 1000), length.frequency(it.1 + more))).sum();
                by_words(strength(fit, 0.0, idfs, 1000), false)
            };
            prop_assert!((0.0..=1.0).contains(&of(0)) && of(0) < of(more));
        }
    }
}
