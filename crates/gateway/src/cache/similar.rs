//! Similar: what was asked in other words by the same client, and how near it is (F-147).
//!
//! It holds on to nothing: what a question means is kept with the answer to it, and gone with that.
//!
//! # Invariants
//! - `SIMILAR-1`: only questions of one scope are compared ([`Key::apart`]), and only vectors of one length.
//! - `SIMILAR-2`: of a scope no more are compared than its route says; what was kept first goes first.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
};

use evenkeel_core::{Near, Permille, Stored};
use evenkeel_signals::{cosine::Unit, wording::differs};
use jiff::Timestamp;

use super::{Entry, Key};

/// Questions that are kept before what is gone of all scopes is swept away.
const SWEEP: u32 = 1_024;
/// Of the nearest so many are read word by word.
const READ: usize = 8;

/// What the question of a kept answer means.
#[derive(Debug)]
pub(crate) struct Meant {
    /// Under which the answer is kept.
    pub(super) key: Key,
    /// What else was asked, by whom.
    pub(super) scope: Key,
    pub(super) question: Arc<str>,
    pub(super) unit: Arc<Unit>,
    /// The decision that the answer was first given by.
    pub(super) first: Arc<str>,
}

impl Meant {
    /// Returns its bytes, and what it costs to be found.
    pub(super) fn size(&self) -> usize {
        self.unit.numbers() * 4 + self.question.len() + self.first.len() + 192
    }
}

/// An earlier answer to other words.
#[derive(Clone, Debug)]
pub(crate) struct Similar {
    pub(crate) entry: Arc<Entry>,
    /// How near its question is, in thousandths.
    pub(crate) similarity_permille: u16,
    /// The decision that it was first given by.
    pub(crate) first: Arc<str>,
}

impl Similar {
    /// Says what the core has to know.
    pub(crate) fn near(&self, now: Timestamp) -> Near {
        let stored = Stored { age: self.entry.age_nanos(now), tier: self.entry.tier };
        Near { similarity: Permille::new(self.similarity_permille), stored }
    }
}

/// What was asked, by scope.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    all: BTreeMap<Key, VecDeque<Weak<Meant>>>,
    added: u32,
}

impl Scopes {
    /// Says whether anything is held of a scope but the answer under one key.
    pub(super) fn has_others(&self, scope: &Key, key: &Key) -> bool {
        let other = |it: &Weak<Meant>| it.upgrade().is_some_and(|it| it.key != *key);
        self.all.get(scope).is_some_and(|of| of.iter().any(other))
    }

    /// Returns what is held of a scope.
    pub(super) fn of(&self, scope: &Key) -> Vec<Arc<Meant>> {
        self.all.get(scope).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    /// Adds what was asked, in place of the same asked before; false, and nothing, where it is of another length than the others.
    pub(super) fn add(&mut self, meant: &Arc<Meant>, most: usize) -> bool {
        self.added += 1;
        if self.added >= SWEEP {
            self.added = 0;
            self.all.retain(|_, of| of.iter().any(|it| it.strong_count() > 0));
        }
        let of = self.all.entry(meant.scope).or_default();
        let (key, numbers) = (meant.key, meant.unit.numbers());
        of.retain(|it| it.upgrade().is_some_and(|it| it.key != key));
        if of.iter().filter_map(Weak::upgrade).any(|it| it.unit.numbers() != numbers) {
            return false;
        }
        of.push_back(Arc::downgrade(meant));
        while of.len() > most {
            of.pop_front();
        }
        true
    }
}

/// What comparing came to.
#[derive(Debug)]
pub(super) enum Compared {
    /// These, the nearest first: none of them asks for something else by a word that tells.
    Near(Vec<(u16, Arc<Meant>)>),
    /// Each that is near asks for something else.
    Otherwise,
    /// None is a vector of this length.
    Unlike,
}

/// Compares a question with what was asked before.
pub(super) fn compare(all: Vec<Arc<Meant>>, question: &str, unit: &Unit) -> Compared {
    let alike = all.into_iter().filter(|it| it.unit.numbers() == unit.numbers());
    let mut near: Vec<_> = alike.map(|it| (it.unit.similarity_permille(unit), it)).collect();
    if near.is_empty() {
        return Compared::Unlike;
    }
    // Of two that are as near the one that was kept later.
    near.reverse();
    near.sort_by_key(|it| std::cmp::Reverse(it.0));
    near.truncate(READ);
    near.retain(|it| !differs(question, &it.1.question));
    if near.is_empty() { Compared::Otherwise } else { Compared::Near(near) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(number: u64, scope: u64, question: &str, vector: &[f32]) -> Arc<Meant> {
        let unit = Arc::new(Unit::of(vector).expect("it has a direction"));
        let (key, scope) = (Key::of_number(number), Key::of_number(1 << 32 | scope));
        Arc::new(Meant { key, scope, question: question.into(), unit, first: "d".into() })
    }

    #[test]
    fn similar_2_of_a_scope_the_oldest_goes_first_and_nothing_of_another_is_compared() {
        let (mut scopes, mut kept) = (Scopes::default(), Vec::new());
        for number in 0..5 {
            kept.push(meant(number, number % 2, "q", &[1.0]));
            assert!(scopes.add(&kept[number as usize], 2));
        }
        let of = |scopes: &Scopes, scope: usize| -> Vec<Key> {
            scopes.of(&kept[scope].scope).iter().map(|it| it.key).collect()
        };
        assert_eq!(of(&scopes, 0), [kept[2].key, kept[4].key]);
        assert_eq!(of(&scopes, 1), [kept[1].key, kept[3].key]);
        assert!(scopes.has_others(&kept[0].scope, &kept[4].key));
        let again = meant(2, 0, "q", &[1.0]);
        assert!(scopes.add(&again, 2));
        assert_eq!(of(&scopes, 0), [kept[4].key, kept[2].key], "in place of the same");
    }

    #[test]
    fn similar_1_what_is_of_another_length_is_not_kept_until_the_others_are_gone() {
        let mut scopes = Scopes::default();
        let first = meant(1, 0, "q", &[1.0, 0.0]);
        assert!(scopes.add(&first, 8));
        let other = meant(2, 0, "q", &[1.0]);
        assert!(!scopes.add(&other, 8));
        assert!(!scopes.has_others(&first.scope, &first.key));
        drop(first);
        assert!(scopes.add(&other, 8), "it begins anew");
    }

    #[test]
    fn kept_2_what_is_gone_of_answers_is_gone_here() {
        let mut scopes = Scopes::default();
        let stays = meant(0, 0, "q", &[1.0]);
        assert!(scopes.add(&stays, 8));
        for number in 1..3_000 {
            assert!(scopes.add(&meant(number, number, "q", &[1.0]), 8));
            assert!(scopes.all.len() <= SWEEP as usize + 1, "{number}");
        }
        assert_eq!(scopes.of(&stays.scope).len(), 1);
    }

    #[test]
    fn f_147_the_nearest_comes_first_and_none_that_a_word_tells_apart() {
        let all = || {
            vec![
                meant(1, 0, "how do I open port 81", &[1.0, 0.0]),
                meant(2, 0, "in what way do I open port 80", &[1.0, 0.5]),
                meant(3, 0, "please open port 80", &[1.0, 0.1]),
                meant(4, 0, "please, open port 80", &[1.0, 0.1]),
            ]
        };
        let unit = |vector: &[f32]| Unit::of(vector).expect("it has a direction");
        let Compared::Near(near) = compare(all(), "how do I open port 80", &unit(&[1.0, 0.0])) else { panic!("near") };
        let near: Vec<_> = near.into_iter().map(|(similarity, it)| (similarity, it.key)).collect();
        assert_eq!(near, [(995, Key::of_number(4)), (995, Key::of_number(3)), (894, Key::of_number(2))]);
        assert!(matches!(compare(all(), "how do I open port 82", &unit(&[1.0, 0.0])), Compared::Otherwise));
        assert!(matches!(compare(all(), "how do I open port 80", &unit(&[1.0])), Compared::Unlike));
    }
}
