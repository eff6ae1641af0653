//! Tests of tallies: the oracles of `signals.md` §10, ties, early stop, order of arrival.

use proptest::prelude::*;

use super::{super::weight, *};

/// One vote.
fn vote(voter: usize, p: f64, class: &str) -> Ballot {
    Ballot { voter, weight: weight(p, 2), class: class.to_owned() }
}

/// The class that wins.
fn winner(ballots: &[Ballot]) -> String {
    Tally::of(ballots).leader().expect("somebody voted").class.clone()
}

#[test]
fn one_sure_member_beats_two_unsure_ones_and_loses_to_two_good_ones() {
    let unsure = [vote(0, 0.7, "no"), vote(1, 0.7, "no"), vote(2, 0.9, "yes")];
    assert_eq!(winner(&unsure), "yes");
    let share = Tally::of(&unsure).raw_share(2).expect("a share");
    assert!((share - 0.623_077).abs() < 5e-7, "{share}");
    assert_eq!(Tally::of(&unsure).share(2), Some(6_231));

    let good = [vote(0, 0.8, "no"), vote(1, 0.8, "no"), vote(2, 0.9, "yes")];
    assert_eq!(winner(&good), "no");
    assert_eq!(Tally::of(&good).standings()[0].weight, 2_772_588);
    assert_eq!(Tally::of(&good).agreement(), Some(6_667));
}

#[test]
fn one_voter_alone_has_its_own_probability_as_share() {
    for (p, classes, share) in [(0.9, 2, 9_000), (0.6, 10, 6_000), (0.25, 4, 2_500)] {
        let ballot = Ballot { voter: 0, weight: weight(p, classes), class: "a".into() };
        assert_eq!(Tally::of(&[ballot]).share(classes), Some(share));
    }
    assert_eq!(Tally::of(&[]).share(2), None);
}

#[test]
fn ties_go_by_voters_then_by_the_place_of_the_best_voter_then_by_bytes() {
    let ballot = |voter, weight, class: &str| Ballot { voter, weight, class: class.into() };
    assert_eq!(winner(&[ballot(0, 2, "a"), ballot(1, 1, "b"), ballot(2, 1, "b")]), "b", "more voters");
    assert_eq!(winner(&[ballot(1, 2, "a"), ballot(0, 2, "b")]), "b", "earlier in the tier");
    assert_eq!(winner(&[ballot(0, 2, "b"), ballot(0, 2, "a")]), "a", "bytes");
    let tally = Tally::of(&[ballot(0, 1, "a"), ballot(2, 5, "a"), ballot(1, 5, "a")]);
    assert_eq!(tally.leader().map(|it| it.best), Some(1), "most weight, then earlier");
}

#[test]
fn a_leader_is_decided_when_it_cannot_be_passed() {
    let ballot = |voter, weight, class: &str| Ballot { voter, weight, class: class.into() };
    let two = Tally::of(&[ballot(0, 10, "a"), ballot(1, 10, "a")]);
    assert!(two.decided(&[Bounds::exactly(10)], Rivals::Apart), "two of three");
    assert!(!two.decided(&[Bounds::exactly(10); 2], Rivals::Apart), "two more could tie");
    let split = Tally::of(&[ballot(0, 30, "a"), ballot(1, 11, "b"), ballot(2, 10, "c")]);
    assert!(split.decided(&[Bounds::exactly(18)], Rivals::Apart));
    assert!(!split.decided(&[Bounds::exactly(18)], Rivals::MayJoin), "b and c may become one");
    let doubted = Tally::of(&[ballot(0, 30, "a"), ballot(1, -12, "b")]);
    assert!(doubted.decided(&[Bounds::exactly(20)], Rivals::Apart));
    assert!(!doubted.decided(&[Bounds::exactly(20)], Rivals::MayJoin), "b may join a, and take from it");
    let against = Bounds { least: -20, most: 1 };
    assert!(!split.decided(&[against], Rivals::Apart), "a vote of less than nothing for the leader");
    assert!(!Tally::of(&[]).decided(&[], Rivals::Apart));
    assert!(!Tally::of(&[ballot(0, -5, "a")]).decided(&[Bounds::exactly(1)], Rivals::Apart), "a new class stands at 0");
}

prop_compose! {
    /// Votes of up to seven members for up to four classes, with ties among them.
    fn ballots()(votes in prop::collection::vec((-4_i64..5, 0_u8..4), 1..8)) -> Vec<Ballot> {
        votes.iter().enumerate().map(|(voter, (weight, class))| Ballot {
            voter,
            weight: weight * 500_000,
            class: format!("c{class}"),
        }).collect()
    }
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same_bytes(ballots in ballots(), turn in 0_usize..8, back in any::<bool>()) {
        let mut other = ballots.clone();
        other.rotate_left(turn % ballots.len());
        if back {
            other.reverse();
        }
        let (a, b) = (Tally::of(&ballots), Tally::of(&other));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(a.raw_share(4).map(f64::to_bits), b.raw_share(4).map(f64::to_bits));
    }

    #[test]
    fn what_is_decided_early_is_what_all_would_have_decided(ballots in ballots(), seen in 1_usize..8) {
        let seen = seen.min(ballots.len());
        let out: Vec<_> = ballots[seen..].iter().map(|it| Bounds::exactly(it.weight)).collect();
        let early = Tally::of(&ballots[..seen]);
        if early.decided(&out, Rivals::Apart) {
            prop_assert_eq!(&early.leader().expect("a leader").class, &winner(&ballots));
        }
    }
}
