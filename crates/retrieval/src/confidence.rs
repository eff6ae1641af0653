//! Confidence: how well a document fits a question, as a share of what the question could reach, comparable from one question
//! to another.
//!
//! # Formula
//! For a question of the distinct words `t`, each with `idf(t) = ln(1 + (N − n + ½) / (n + ½))`, and a document:
//!
//! ```text
//! f(t)     = body(t) / (¼ + ¾ · words / mean) + title(t) / (¼ + ¾ · words / mean)      BM25F, a field each, weight 1
//! fit      = Σ idf(t) · f(t) / (2 + f(t))                                              BM25 with k1 = 2, without its factor k1 + 1
//! heading  = max over the parts of the title of m² / M, of the idf of its words: m of those that are asked, M of all
//! share    = (fit + ¾ · heading) / (1¾ · Σ idf(t))                                     in [0, 1]: no document has more
//! confidence = 1.42 · share / (share + 0.42)                                           in [0, 1], 0.5 at a share of 0.228
//! ```
//!
//! A word that no document has counts among the idf of the question with the most that a word can weigh: what a question is
//! about and the documents are not lowers the confidence in each of them. The last line changes no order; it puts 0.5 where, in the
//! tuning half of `examples/support-chat/questions`, questions that documents answer part from those that none does.
//!
//! # When it misleads
//! It knows words, not what they mean: "folder" does not find "directory". A question of one word that is common in the documents
//! is answered with confidence by whatever has that word in its title. What is asked in many words, of which few matter, comes out low.
//!
//! # Source
//! S. Robertson, H. Zaragoza, M. Taylor, "Simple BM25 Extension to Multiple Weighted Fields", 2004, for `f` and `fit`; the share of
//! the attainable maximum, the heading and the constants are own, chosen on the tuning half.

/// How fast more of the same word stops counting.
const K1: f64 = 2.0;
/// How much the length of a field counts.
const B: f64 = 0.75;
/// What a whole heading weighs against all the words of a question.
const HEADING: f64 = 0.75;
/// What a word weighs that says the same as one that is asked.
pub(crate) const OTHER: f64 = 0.5;
/// Where the confidence bends: 0.5 is at a share of half this over (½ + this).
const BEND: f64 = 0.42;

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

/// Makes the confidence of a fit and a heading, for a question of this idf in all.
pub(crate) fn confidence(fit: f64, heading: f64, idf: f64) -> f64 {
    if idf <= 0.0 {
        return 0.0;
    }
    let share = ((fit + HEADING * heading) / ((1.0 + HEADING) * idf)).clamp(0.0, 1.0);
    (1.0 + BEND) * share / (share + BEND)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ret_5_the_ends_of_the_scale_and_its_middle_are_where_they_are_said_to_be() {
        let of = |share: f64| confidence(share * 1.75, 0.0, 1.0);
        for (share, expected) in [(0.0, 0.0), (0.228, 0.5), (1.0, 1.0)] {
            assert!((of(share) - expected).abs() < 0.001, "{share}: {}", of(share));
        }
        assert_eq!(confidence(1.0, 1.0, 0.0), 0.0, "a question without words fits nothing");
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
                confidence(fit, 0.0, idfs)
            };
            prop_assert!((0.0..=1.0).contains(&of(0)) && of(0) < of(more));
        }
    }
}
