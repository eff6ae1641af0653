//! Ballots by table: rows, weights, medians, texts, and how little is told of them.

use evenkeel_config::kind::Ensemble;

use super::*;
use crate::tensor::{InferAnswer, Tensor};

fn of(on: Voted, weights: Weights) -> Ensemble {
    Ensemble { on, weights, classes: 2 }
}

fn label() -> Voted {
    Voted::Label("y".into())
}

fn labels(values: &[&str]) -> Option<Said> {
    Some(Said::Labels(values.iter().map(|it| (*it != "-").then(|| (*it).to_owned())).collect()))
}

/// A vote in which everybody has been asked, by numbers from 10 on.
fn ballot(members: usize, spec: &Ensemble) -> Ballot {
    let mut ballot = Ballot::new(0, members, spec);
    (0..members).for_each(|at| ballot.start(at, AttemptId(10 + at as u64)));
    ballot
}

#[test]
fn each_row_follows_its_own_winner() {
    let mut ballot = ballot(3, &of(label(), Weights::Equal));
    ballot.ended(AttemptId(10), labels(&["a", "b", "c"]));
    assert_eq!(ballot.tally(2).votes, 1);
    ballot.ended(AttemptId(11), labels(&["a", "c", "-"]));
    let tally = ballot.tally(2);
    assert_eq!((tally.votes, tally.open), (1, 2), "two agree on the first row, so the third cannot change that");
    ballot.ended(AttemptId(12), labels(&["b", "c", "d"]));
    let tally = ballot.tally(2);
    assert_eq!((tally.heard, tally.votes, tally.open, tally.leader), (3, 2, 0, AttemptId(10)));
    assert_eq!(ballot.followed(), [Some(0), Some(1), Some(0)], "of one vote each the earlier member");
    let cast: Vec<_> = ballot.cast().iter().map(|(_, it)| (it.rows, it.agreed)).collect();
    assert_eq!(cast, [(3, 2), (2, 2), (3, 1)]);
}

#[test]
fn one_who_is_right_nine_times_of_ten_outweighs_two_of_seven_and_loses_to_two_of_eight() {
    for (others, winner) in [(0.7, 0), (0.8, 1)] {
        let spec = of(label(), Weights::Accuracies(vec![0.9, others, others]));
        let mut ballot = ballot(3, &spec);
        ballot.ended(AttemptId(10), labels(&["a"]));
        ballot.ended(AttemptId(11), labels(&["b"]));
        assert_eq!(ballot.tally(2).open, u64::from(winner == 1), "the third cannot help two of seven either");
        ballot.ended(AttemptId(12), labels(&["b"]));
        assert_eq!(ballot.followed(), [Some(winner)]);
        let classes: Vec<_> = ballot.cast().into_iter().map(|(_, it)| it.class).collect();
        let other = u32::from(winner == 0);
        assert_eq!(classes, [Some(1 - other), Some(other), Some(other)]);
        if winner == 0 {
            assert_eq!(ballot.tally(2).agreement, Permille::new(623), "signals §10");
        }
    }
}

#[test]
fn ballot_1_any_order_of_arrival_gives_the_same() {
    let spec = of(label(), Weights::Given(vec![2.0, 1.0, 1.0, 0.5]));
    let said = [labels(&["a", "x"]), labels(&["b", "x"]), labels(&["b", "y"]), None];
    let count = |order: &[usize]| {
        let mut ballot = ballot(4, &spec);
        order.iter().for_each(|at| ballot.ended(AttemptId(10 + *at as u64), said[*at].clone()));
        (ballot.tally(2), ballot.followed(), ballot.cast())
    };
    let expected = count(&[0, 1, 2, 3]);
    for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        assert_eq!(count(&order), expected, "{order:?}");
    }
    assert_eq!(expected.1, [Some(1), Some(0)], "two of one outweigh one of two by their number");
}

#[test]
fn of_numbers_the_median_is_followed_and_those_near_it_agree() {
    let mut ballot = ballot(3, &of(Voted::Number("y".into(), 0.5, 0.0), Weights::Equal));
    ballot.ended(AttemptId(10), Some(Said::Numbers(vec![Some(1.0)])));
    ballot.ended(AttemptId(11), Some(Said::Numbers(vec![Some(100.0)])));
    assert_eq!(ballot.tally(2).open, 1);
    ballot.ended(AttemptId(12), Some(Said::Numbers(vec![Some(1.25)])));
    let tally = ballot.tally(2);
    assert_eq!((tally.votes, tally.open, tally.leader), (3, 0, AttemptId(12)));
    assert_eq!(tally.agreement, Permille::new(666), "two of three");
    assert_eq!(ballot.cast().iter().map(|(_, it)| it.agreed).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn texts_that_say_nearly_the_same_vote_together_and_the_winner_keeps_its_own_words() {
    let mut ballot = ballot(3, &of(Voted::Text, Weights::Equal));
    let said = |text| read::text(&Voted::Text, text);
    ballot.ended(AttemptId(10), said("Berlin is the capital."));
    ballot.ended(AttemptId(11), said("**Paris**"));
    ballot.ended(AttemptId(12), said("paris!"));
    assert_eq!(ballot.followed(), [Some(1)]);
    assert_eq!(ballot.tally(2).votes, 3);
}

#[test]
fn who_fails_or_abstains_has_no_vote_and_leaves_less_to_wait_for() {
    let mut ballot = ballot(3, &of(label(), Weights::Given(vec![2.0, 2.0, 1.0])));
    ballot.ended(AttemptId(10), labels(&["a"]));
    assert_eq!(ballot.tally(1).open, 1, "the others weigh more");
    assert_eq!(ballot.any_out(), Some(AttemptId(11)));
    ballot.ended(AttemptId(11), None);
    let tally = ballot.tally(1);
    assert_eq!((tally.heard, tally.votes, tally.open), (2, 1, 0), "the last one alone cannot pass it");
}

#[test]
fn what_is_voted_on_is_read_from_tensors_of_any_type() {
    let answer = InferAnswer::of([
        Tensor::from_bytes("y", vec![2], &["yes", "no"]).expect("it fits"),
        Tensor::from_i64("n", vec![2], &[7, -1]).expect("it fits"),
        Tensor::from_f64("x", vec![2, 1], &[0.5, 1.5]).expect("it fits"),
    ]);
    assert_eq!(read::tensors(&label(), &answer, &[1]), labels(&["yes", "-"]));
    let numbers = |name: &str| read::tensors(&Voted::Number(name.into(), 0.0, 0.0), &answer, &[]);
    assert_eq!(numbers("n"), Some(Said::Numbers(vec![Some(7.0), Some(-1.0)])));
    assert_eq!(numbers("x"), Some(Said::Numbers(vec![Some(0.5), Some(1.5)])));
    let Some(Said::Labels(found)) = read::tensors(&Voted::Label("n".into()), &answer, &[]) else { panic!("labels") };
    assert!(found[0] != found[1]);
    assert_eq!(read::tensors(&Voted::Label("z".into()), &answer, &[]), None);
}

#[test]
fn a_chat_is_read_for_its_text_a_field_of_it_or_a_letter() {
    let body = br#"{"choices":[{"message":{"content":"{\"label\": \"Spam\"}"}}]}"#;
    let text = read::of_chat(body).expect("it says something");
    assert_eq!(read::text(&Voted::Field("label".into()), &text), labels(&["spam"]));
    assert_eq!(read::text(&Voted::Choice("ABC".into()), "The answer is (B)."), labels(&["b"]));
    assert_eq!(read::text(&Voted::Field("other".into()), &text), None);
    assert_eq!(read::of_chat(br#"{"choices":[{"message":{"content":null,"tool_calls":[{}]}}]}"#), None);
    assert_eq!(read::of_chat(b"<html>"), None);
}
