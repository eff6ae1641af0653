//! Ballots by table: rows, weights, medians, texts, and how little is told of them.

use evenkeel_config::{LearntVotes, kind::Ensemble};
use evenkeel_signals::calibrate::{Teacher, VoteCalibration, VoteState};

use super::*;
use crate::tensor::{InferAnswer, Tensor};

fn of(on: Voted, weights: Weights) -> Ensemble {
    Ensemble { on, weights, classes: 2, confidence: None, of: Default::default() }
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
fn cluster_1_texts_that_contradict_each_other_do_not_outvote_the_third() {
    let mut ballot = ballot(3, &of(Voted::Text, Weights::Given(vec![2.0, 1.5, 1.5])));
    let said = |text| read::text(&Voted::Text, text);
    let approved = "Your application for a loan has been approved by the bank in the last week.";
    ballot.ended(AttemptId(10), said("I do not know."));
    ballot.ended(AttemptId(11), said(approved));
    ballot.ended(AttemptId(12), said(&approved.replace("has been", "has not been")));
    assert_eq!(ballot.followed(), [Some(0)], "the two are not of one mind");
}

#[test]
fn vote_2_a_text_is_not_decided_by_those_who_only_stand_near_it() {
    let said = |text: &str| read::text(&Voted::Text, text);
    let near = "please restart the router and wait for some time before you connect again";
    let open = |texts: [&str; 2]| {
        let mut ballot = ballot(3, &of(Voted::Text, Weights::Equal));
        (10..).zip(texts).for_each(|(at, it)| ballot.ended(AttemptId(at), said(it)));
        ballot.tally(2).open
    };
    assert_eq!(open([near, near]), 0, "whatever the third says");
    assert_eq!(open([near, &format!("{near} then")]), 1, "the third may part them");
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
    assert_eq!(read::tensors(&label(), &answer, &[1], None), labels(&["yes", "-"]));
    let numbers = |name: &str| read::tensors(&Voted::Number(name.into(), 0.0, 0.0), &answer, &[], None);
    assert_eq!(numbers("n"), Some(Said::Numbers(vec![Some(7.0), Some(-1.0)])));
    assert_eq!(numbers("x"), Some(Said::Numbers(vec![Some(0.5), Some(1.5)])));
    let Some(Said::Labels(found)) = read::tensors(&Voted::Label("n".into()), &answer, &[], None) else {
        panic!("labels")
    };
    assert!(found[0] != found[1]);
    assert_eq!(read::tensors(&Voted::Label("z".into()), &answer, &[], None), None);
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

/// A number below 100, by row and by what it is for.
fn drawn(row: usize, of: usize) -> usize {
    (row.wrapping_mul(2_654_435_761).wrapping_add(of * 97_531) >> 9) % 100
}

/// Two members of whom it was learnt what each answer is worth: the first is right where it is sure, and on half of the rows where
/// it is not; the second on seven of ten, sure or not.
fn learnt() -> (Ensemble, VoteCalibration) {
    let row = |at: usize| {
        let (sure, truth) = (at.is_multiple_of(2), if drawn(at, 1) < 50 { "a" } else { "b" });
        let said = |right: bool, confidence: f64| {
            let label = if right == (truth == "a") { "a" } else { "b" };
            Some(calibrate::Said { label: label.into(), confidence: Some(confidence) })
        };
        let first = said(sure || drawn(at, 2) < 50, if sure { 0.9 } else { 0.2 });
        calibrate::Asked { said: vec![first, said(drawn(at, 3) < 70, 0.5)], truth: truth.into() }
    };
    let rows: Vec<_> = (0..2_000).map(row).collect();
    let learnt = VoteCalibration::taught(Teacher::Labels, 0, &rows).expect("rows");
    let bounds = (0..2).map(|it| learnt.bounds(0, it)).collect();
    let votes = LearntVotes { route: "r".into(), of: Default::default(), as_of: 0, n: 2_000, learnt: learnt.clone() };
    let spec = of(label(), Weights::Learnt(Arc::new(Learnt { sha256: [7; 32], votes: Arc::new(votes), bounds })));
    (spec, learnt)
}

fn sure(values: &[(&str, Option<f64>)]) -> Option<Said> {
    let labels = values.iter().map(|it| (it.0 != "-").then(|| it.0.to_owned())).collect();
    Some(Said::Sure(labels, values.iter().map(|it| it.1).collect()))
}

#[test]
fn each_answer_has_the_weight_that_was_learnt_of_it() {
    let (spec, learnt) = learnt();
    let mut ballot = ballot(2, &spec);
    ballot.ended(AttemptId(10), sure(&[("a", Some(0.9)), ("a", Some(0.2)), ("a", Some(0.9))]));
    ballot.ended(AttemptId(11), sure(&[("b", Some(0.5)), ("b", Some(0.5)), ("a", None)]));
    assert_eq!(ballot.followed(), [Some(0), Some(1), Some(0)], "the first where it is sure");
    let weight = |member, label: &str, confidence| {
        learnt.weight(0, member, &calibrate::Said { label: label.into(), confidence })
    };
    let cast: Vec<_> = ballot.cast().into_iter().map(|it| it.1.weight).collect();
    let first = (2 * weight(0, "a", Some(0.9)) + weight(0, "a", Some(0.2))) / 3;
    let second = (2 * weight(1, "b", Some(0.5)) + weight(1, "a", None)) / 3;
    assert_eq!(cast, [first, second], "their mean");

    let worth = ballot.worth().expect("it was learnt");
    let rows = worth.rows.clone().expect("both voted in each row");
    let expected = |ballots: [(&str, Option<f64>); 2]| {
        let ballot = |(voter, it): (usize, &(&str, Option<f64>))| votes::Ballot {
            voter,
            weight: weight(voter, it.0, it.1),
            class: it.0.into(),
        };
        let tally = votes::Tally::of(&ballots.iter().enumerate().map(ballot).collect::<Vec<_>>());
        (learnt.confidence(0, &tally).expect("both voted").p * 1e3).floor() as u16
    };
    assert_eq!(rows[1], expected([("a", Some(0.2)), ("b", Some(0.5))]));
    assert_eq!((worth.least(), worth.n), (rows.iter().min().copied(), 2_000));
    assert_eq!(ballot.tally(2).agreement, Permille::new(rows[1]), "what `at_least` is compared with");
    assert_ne!(worth.share, rows[1], "and not the share");
    assert_eq!(
        worth.sure().map(|it| it.render()).map(|it| (it.kind, it.value)),
        Some(("votes".into(), format!("0.{:03}", rows[1])))
    );
}

#[test]
fn vote_2_nobody_is_waited_for_whose_heaviest_answer_could_not_change_the_winner() {
    let (spec, learnt) = learnt();
    let mut first_is_sure = ballot(2, &spec);
    first_is_sure.ended(AttemptId(10), sure(&[("a", Some(0.9))]));
    assert!(
        learnt.bounds(0, 1).most < learnt.weight(0, 0, &calibrate::Said { label: "a".into(), confidence: Some(0.9) })
    );
    assert_eq!(first_is_sure.tally(1).open, 0, "whatever the second says");
    let mut first_doubts = ballot(2, &spec);
    first_doubts.ended(AttemptId(10), sure(&[("a", Some(0.2))]));
    assert_eq!(first_doubts.tally(1).open, 1);
    let mut second = ballot(2, &spec);
    second.ended(AttemptId(11), sure(&[("b", Some(0.5))]));
    assert_eq!(second.tally(1).open, 1, "the first may be sure");
}

#[test]
fn a_vote_that_lacks_a_member_is_worth_what_such_votes_are_and_nothing_where_that_is_not_known() {
    let (spec, learnt) = learnt();
    let mut alone = ballot(2, &spec);
    alone.ended(AttemptId(10), None);
    alone.ended(AttemptId(11), sure(&[("b", Some(0.5))]));
    let worth = alone.worth().expect("it was learnt").least().expect("of the second alone");
    assert!((600..=800).contains(&worth), "right on seven of ten: {worth}");

    let Weights::Learnt(by) = &spec.weights else { panic!("it was learnt") };
    let whole = VoteCalibration::of(&VoteState { parts: Vec::new(), ..learnt.state() }).expect("sound");
    let votes = Arc::new(LearntVotes { learnt: whole, ..(*by.votes).clone() });
    let spec = of(label(), Weights::Learnt(Arc::new(Learnt { votes, ..(**by).clone() })));
    let mut unknown = ballot(2, &spec);
    unknown.ended(AttemptId(10), None);
    unknown.ended(AttemptId(11), sure(&[("b", Some(0.5))]));
    let worth = unknown.worth().expect("there is a share");
    assert_eq!((worth.least(), worth.sure()), (None, None));
    assert_eq!(unknown.tally(1).agreement, Permille::new(0), "of what nobody knows nothing can be promised");
}

#[test]
fn fields_are_voted_on_together_and_an_answer_is_always_one_that_a_member_gave() {
    let names = || vec!["label".to_owned(), "amount".to_owned()];
    let count = |absolute: f64, said: &[&str]| {
        let on = Voted::Fields(names(), absolute, 0.0);
        let mut ballot = ballot(said.len(), &of(on.clone(), Weights::Equal));
        let read = said.iter().map(|it| read::text(&on, it));
        read.enumerate().for_each(|(at, it)| ballot.ended(AttemptId(10 + at as u64), it));
        (ballot.followed(), ballot.tally(1).votes)
    };
    let said = [
        r#"{"label": "Receipt", "amount": 10}"#,
        r#"so: {"label": "invoice", "amount": 10.0}"#,
        r#"{"label": "Invoice", "amount": 10.5}"#,
    ];
    assert_eq!(count(0.0, &said), (vec![Some(0)], 3), "no two agree in both");
    assert_eq!(count(0.5, &said), (vec![Some(1)], 3), "with its own words, and not with the amount of another");
    assert_eq!(count(0.5, &[said[0], r#"{"label": "invoice"}"#]).1, 1, "who leaves a field out has no vote");
}

#[test]
fn where_texts_may_join_nothing_is_decided_by_the_lead_over_one_of_them() {
    let on = Voted::Fields(vec!["x".into()], 1.0, 0.0);
    let mut ballot = ballot(6, &of(on.clone(), Weights::Given(vec![3.0, 3.0, 2.0, 2.0, 0.5, 0.5])));
    for (at, said) in [(0, 10), (1, 10), (2, 1), (3, 3)] {
        ballot.ended(AttemptId(10 + at), read::text(&on, &format!("{{\"x\": {said}}}")));
    }
    assert_eq!(ballot.tally(1).open, 0, "6 against 4 and 1 more");
    let mut exact = self::ballot(6, &of(on.clone(), Weights::Given(vec![2.0, 2.0, 2.0, 1.5, 0.5, 0.5])));
    for (at, said) in [(0, 10), (1, 10), (2, 1), (3, 3)] {
        exact.ended(AttemptId(10 + at), read::text(&on, &format!("{{\"x\": {said}}}")));
    }
    assert_eq!(exact.tally(1).open, 1, "a 2 would join 1 and 3, which together may pass");
}
