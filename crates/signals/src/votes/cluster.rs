//! Clusters: texts that say nearly the same vote together.

use std::collections::BTreeSet;

/// The similarity from which two texts are taken for one, as a fraction: 8 of 10 (Jaccard, of sets of three letters).
const SIMILAR: (usize, usize) = (8, 10);
/// Longer texts are compared by this many first letters: the cost of a vote is bounded.
const LETTERS: usize = 20_000;

/// Returns for each text (in canonical form) the class it votes for: the least text, by bytes, of its cluster.
///
/// Equal texts are one class; others join where they share 8 of 10 of their three-letter sequences. Clusters are joined through
/// whoever stands between (single linkage), so that they do not depend on order.
///
/// # Cost
/// O(n²) comparisons for n texts, each linear in the length.
pub fn clusters(texts: &[&str]) -> Vec<String> {
    let grams: Vec<_> = texts.iter().map(|it| three_letters(it)).collect();
    joined(texts, |a, b| texts[a] == texts[b] || similar(&grams[a], &grams[b]))
}

/// Joins what is near each other, also through whoever stands between, and returns for each the least of its cluster, by bytes.
pub(super) fn joined(texts: &[&str], near: impl Fn(usize, usize) -> bool) -> Vec<String> {
    let mut group: Vec<usize> = (0..texts.len()).collect();
    for a in 0..texts.len() {
        for b in 0..a {
            if near(a, b) {
                let (from, to) = (group[a], group[b]);
                group.iter_mut().filter(|it| **it == from).for_each(|it| *it = to);
            }
        }
    }
    let least = |of: usize| (0..texts.len()).filter(|it| group[*it] == of).map(|it| texts[it]).min();
    group.iter().map(|it| least(*it).unwrap_or_default().to_owned()).collect()
}

fn three_letters(text: &str) -> BTreeSet<[char; 3]> {
    let chars: Vec<_> = text.chars().take(LETTERS).collect();
    chars.windows(3).map(|it| [it[0], it[1], it[2]]).collect()
}

/// Compares in whole numbers: no rounding decides.
fn similar(a: &BTreeSet<[char; 3]>, b: &BTreeSet<[char; 3]>) -> bool {
    let both = a.intersection(b).count();
    let any = a.len() + b.len() - both;
    any > 0 && both * SIMILAR.1 >= any * SIMILAR.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_and_similar_texts_vote_together_in_any_order() {
        let long = "please restart router and wait two minutes before you connect again";
        let near = "please restart router and wait two minutes before you connect";
        let far = "call support during business hours";
        let found = clusters(&[long, far, near, far]);
        assert_eq!(found, [near, far, near, far]);
        assert_eq!(clusters(&[near, long, far]), [near, near, far]);
        assert_eq!(clusters(&["ab", "ab", "ac"]), ["ab", "ab", "ac"], "too short for three letters");
        assert_eq!(clusters(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_text_between_two_joins_them() {
        let letters = |from: usize, to: usize| ('a'..='z').skip(from).take(to - from).collect::<String>();
        let (a, b, c) = (letters(0, 20), letters(2, 22), letters(4, 24));
        assert_eq!(clusters(&[&a, &b, &c]), [&a[..]; 3], "16 of 20 shared with the one between");
        assert_eq!(clusters(&[&c, &a]), [&c[..], &a[..]], "14 of 22 with the other");
    }
}
