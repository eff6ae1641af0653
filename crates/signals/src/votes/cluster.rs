//! Clusters: texts that say nearly the same vote together, and those that contradict each other never do.
//!
//! # Invariants
//! - `CLUSTER-1`: no cluster holds two texts of which one says what the other does not by a number, a name, a "not" or the order of
//!   its words ([`Wording::differs`]); but for what is equal in canonical form.
//! - `CLUSTER-2`: clusters do not depend on the order of the texts.
//!
//! # When it misleads
//! "Approved" and "declined" are two other words, and nothing here knows that they are opposites: in texts that share eight tenths of
//! their letters they vote together. Ask for a field or a letter where that may be.

use std::collections::{BTreeMap, BTreeSet};

use super::plain;
use crate::wording::Wording;

/// The similarity from which two texts are taken for one, as a fraction: 8 of 10 (Jaccard, of sets of three letters).
const SIMILAR: (usize, usize) = (8, 10);
/// Longer texts are compared by this many first letters: the cost of a vote is bounded.
const LETTERS: usize = 20_000;

/// A text that is voted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// In canonical form ([`super::canonical`]).
    pub canonical: String,
    /// As it was said, without mark-up: names are told by how they are written.
    plain: String,
}

impl Spoken {
    /// Reads a text in canonical form, as it was said.
    pub fn of(canonical: String, said: &str) -> Self {
        Self { canonical, plain: plain(said) }
    }
}

/// Returns for each text the class it votes for: the least text in canonical form, by bytes, of its cluster.
///
/// Equal texts are one class; others join where they share 8 of 10 of their three-letter sequences, and no word tells them apart.
/// Clusters are joined through whoever stands between (single linkage), so that they do not depend on order. Where that would join
/// two that contradict each other, only those of them are one who are near to the very same texts.
///
/// # Cost
/// O(n²) comparisons for n texts, each linear in the length.
pub fn clusters(texts: &[&Spoken]) -> Vec<String> {
    let mut nodes: BTreeMap<&str, Vec<Wording>> = BTreeMap::new();
    for it in texts {
        nodes.entry(&it.canonical).or_default().push(Wording::of(&it.plain));
    }
    let names: Vec<&str> = nodes.keys().copied().collect();
    let grams: Vec<_> = names.iter().map(|it| three_letters(it)).collect();
    let said: Vec<&Vec<Wording>> = nodes.values().collect();
    let contradict = |a: usize, b: usize| a != b && said[a].iter().any(|a| said[b].iter().any(|b| a.differs(b)));
    let near = |a: usize, b: usize| a == b || similar(&grams[a], &grams[b]) && !contradict(a, b);
    let joined = joined(&names, near);
    let is_sound = |class: &str| {
        let of: Vec<usize> = (0..names.len()).filter(|it| joined[*it] == class).collect();
        of.iter().all(|a| of.iter().all(|b| !contradict(*a, *b)))
    };
    let class = |at: usize| match is_sound(&joined[at]) {
        true => joined[at].clone(),
        false => {
            let neighbours = |a: usize| (0..names.len()).filter(|b| near(a, *b)).collect::<Vec<_>>();
            let same = (0..names.len()).find(|it| neighbours(*it) == neighbours(at)).unwrap_or(at);
            names[same].to_owned()
        }
    };
    let classes: BTreeMap<&str, String> = names.iter().enumerate().map(|(at, name)| (*name, class(at))).collect();
    texts.iter().map(|it| classes[it.canonical.as_str()].clone()).collect()
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
    use proptest::prelude::*;

    use super::*;

    fn classes(texts: &[&str]) -> Vec<String> {
        let spoken: Vec<_> = texts.iter().map(|it| Spoken::of(super::super::canonical(it), it)).collect();
        clusters(&spoken.iter().collect::<Vec<_>>())
    }

    #[test]
    fn equal_and_similar_texts_vote_together_in_any_order() {
        let long = "please restart router and wait two minutes before you connect again";
        let near = "please restart router and wait two minutes before you connect";
        let far = "call support during business hours";
        let found = classes(&[long, far, near, far]);
        assert_eq!(found, [near, far, near, far]);
        assert_eq!(classes(&[near, long, far]), [near, near, far]);
        assert_eq!(classes(&["ab", "ab", "ac"]), ["ab", "ab", "ac"], "too short for three letters");
        assert_eq!(classes(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_text_between_two_joins_them() {
        let letters = |from: usize, to: usize| ('a'..='z').skip(from).take(to - from).collect::<String>();
        let (a, b, c) = (letters(0, 20), letters(2, 22), letters(4, 24));
        assert_eq!(classes(&[&a, &b, &c]), [&a[..]; 3], "16 of 20 shared with the one between");
        assert_eq!(classes(&[&c, &a]), [&c[..], &a[..]], "14 of 22 with the other");
    }

    #[test]
    fn cluster_1_texts_that_contradict_each_other_are_two_classes() {
        for (one, other) in [
            (
                "Your application for a loan has been approved by the bank.",
                "Your application for a loan has not been approved by the bank.",
            ),
            (
                "You can return the shoes that you bought within 30 days.",
                "You can return the shoes that you bought within 14 days.",
            ),
            (
                "Take 5 mg of the medicine every morning with a glass of water",
                "Take 50 mg of the medicine every morning with a glass of water",
            ),
            (
                "The head office of this company has always been in Paris.",
                "The head office of this company has always been in Parma.",
            ),
            (
                "Move the money from the savings account to the checking account",
                "Move the money from the checking account to the savings account",
            ),
        ] {
            let (a, b) = (super::super::canonical(one), super::super::canonical(other));
            assert!(similar(&three_letters(&a), &three_letters(&b)), "{one}: the letters do not tell them apart");
            assert_eq!(classes(&[one, other]), [a, b]);
        }
        let said = ["**Restart** the router: about 1,000 of them do", "Restart the router; about 1000 of them do so"];
        assert_eq!(classes(&said)[0], classes(&said)[1], "marks, and how a number is written, are no contradiction");
    }

    #[test]
    fn cluster_1_whoever_stands_between_does_not_join_two_that_contradict_each_other() {
        let rest = "and take with you what you have packed for the whole of the journey, which is a long one";
        let [one, same, between, other] = [
            format!("go on and see Parma {rest}"),
            format!("go on and see Parma {rest} too"),
            format!("go on and see parma {rest}."),
            format!("go on and see {rest}"),
        ];
        let found = classes(&[&one, &other]);
        assert_ne!(found[0], found[1], "only one has the name");
        let all = [one.as_str(), same.as_str(), other.as_str(), between.as_str()];
        let found = classes(&all);
        assert_eq!(found[0], found[3], "equal but for the capital");
        assert_ne!(found[0], found[2], "CLUSTER-1");
        let chain = [one.clone(), format!("go on and see parma {rest} indeed"), other.clone()];
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        assert_eq!(classes(&chain[..2])[0], classes(&chain[..2])[1]);
        assert_eq!(classes(&chain[1..])[0], classes(&chain[1..])[1]);
        let found = classes(&chain);
        assert_eq!(BTreeSet::from_iter(&found).len(), 3, "who stands between joins neither");
    }

    proptest! {
        #[test]
        fn cluster_1_no_class_holds_a_contradiction_and_cluster_2_order_does_not_matter(
            picked in prop::collection::vec((0_usize..4, 0_usize..4, 0_usize..3), 1..7), turn in 0_usize..7,
        ) {
            let names = ["to Parma", "to parma", "", "to Pisa"];
            let ways = ["the bank pays the shop", "the shop pays the bank", "the shop is paid", "the bank is paid"];
            let ends = ["", " too", " indeed"];
            let rest = "for all that was bought there in the course of the last years of the old century";
            let texts: Vec<String> =
                picked.iter().map(|(name, way, end)| format!("so {} {} {rest}{}", ways[*way], names[*name], ends[*end])).collect();
            let all: Vec<&str> = texts.iter().map(String::as_str).collect();
            let found = classes(&all);
            for (a, of_a) in all.iter().zip(&found) {
                for (b, of_b) in all.iter().zip(&found).filter(|it| it.1 == of_a) {
                    let equal = super::super::canonical(a) == super::super::canonical(b);
                    let said = |it: &str| Wording::of(&plain(it));
                    prop_assert!(equal || !said(a).differs(&said(b)), "{a:?} {b:?} {of_b}");
                }
            }
            let mut turned = all.clone();
            turned.rotate_left(turn % all.len());
            let mut expected = found.clone();
            expected.rotate_left(turn % all.len());
            prop_assert_eq!(classes(&turned), expected);
        }
    }
}
