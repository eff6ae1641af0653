//! Tests of `cascade`.

use super::{gain::NOBODY, policy::Hand, *};
use crate::calibrate::Said;

fn said(label: &str, confidence: f64) -> Option<Said> {
    Some(Said { label: label.into(), confidence: Some(confidence) })
}

/// A cheap path that is right where it is sure, and a dear one that is always right.
fn rows() -> Vec<Asked> {
    let row = |at: u32| {
        let sure = at.is_multiple_of(2);
        let cheap = if sure || at.is_multiple_of(4) { "yes" } else { "no" };
        Asked { said: vec![said(cheap, if sure { 0.9 } else { 0.4 }), said("yes", 0.7)], truth: "yes".into() }
    };
    (0..400).map(row).collect()
}

fn taught(rows: &[Asked], costs: &[f64]) -> (Cascade, Placed) {
    let rows: Vec<_> = rows.iter().collect();
    let cascade = Cascade::taught(0, &rows, costs).expect("rows that fit");
    let placed = cascade.place(&rows);
    (cascade, placed)
}

#[test]
fn the_dear_path_is_asked_only_where_the_cheap_one_is_unsure() {
    let (cascade, placed) = taught(&rows(), &[1.0, 10.0]);
    let frontier = cascade.frontier(&placed);
    let best = &frontier[0];
    assert_eq!((best.0.first(), best.1.right), (0, 400));
    assert_eq!(best.1.cost, 400.0 + 200.0 * 10.0, "half of the rows ask the dear path, too");
    let cheapest = frontier.last().expect("a policy");
    assert_eq!((cheapest.1.right, cheapest.1.cost), (200, 400.0));
    let falls = |it: &[(Policy, Given)]| it[0].1.cost > it[1].1.cost && it[0].1.right > it[1].1.right;
    assert!(frontier.windows(2).all(falls), "safest first, and what is less safe is cheaper");
    assert!(frontier.iter().all(|(policy, given)| policy.given(&placed) == *given));
    assert!(best.0.lambda() < cheapest.0.lambda());
}

#[test]
fn casc_1_and_3_at_most_three_paths_are_asked_and_none_twice() {
    // Four paths that are right on rows of their own and know it: everybody is worth asking for ever.
    let row = |at: usize| {
        let of = |path: usize| said(if at % 4 == path { "yes" } else { ["a", "b", "c", "d"][path] }, 0.5);
        Asked { said: (0..4).map(of).collect(), truth: "yes".into() }
    };
    let rows: Vec<_> = (0..400).map(row).collect();
    let (cascade, placed) = taught(&rows, &[1.0, 1.0, 1.0, 1.0]);
    let mut most: f64 = 0.0;
    for policy in cascade.sweep() {
        for (_, cost) in policy.play(&placed) {
            most = most.max(cost);
        }
        for (cell, next) in policy.table.next.iter().enumerate().filter(|it| *it.1 != NOBODY) {
            let stage = cell / policy.table.places / 2;
            assert!(![stage / 5, stage % 5].contains(&usize::from(*next)), "asked already");
        }
    }
    assert_eq!(most, 3.0);
    assert!(cascade.sweep().len() <= 4 * SWEEP);
}

#[test]
fn casc_2_the_surer_answer_stands_and_a_tie_keeps_what_stood() {
    let answer = |p, class| Answer { p, place: 0, class, right: false };
    let row = [answer(0.6, 0), answer(0.8, 1), answer(0.8, 2), answer(0.9, 1)];
    let holder = |first: usize, next: usize| Hand::first(first).asked(&row, next).holder;
    assert_eq!([holder(0, 1), holder(1, 0), holder(1, 2), holder(2, 1)], [1, 1, 1, 2]);
    assert_eq!(holder(1, 3), 1, "the same answer stays with whom it was");
    let hand = Hand::first(0).asked(&row, 1);
    assert!(hand.knows(0) && hand.knows(1) && !hand.knows(2));
}

#[test]
fn silence_and_what_was_never_said_have_places_of_their_own() {
    let mut rows = rows();
    for row in rows.iter_mut().take(100) {
        row.said[0] = None;
    }
    let (cascade, placed) = taught(&rows, &[1.0, 10.0]);
    assert!(placed.rows().take(100).all(|row| row[0].p == 0.0 && !row[0].right), "silence is never right");
    let both_silent = Asked { said: vec![None, None], truth: "yes".into() };
    let new = Asked { said: vec![said("maybe", 0.9), said("perhaps", 0.9)], truth: "maybe".into() };
    let placed = cascade.place(&[&both_silent, &new]);
    let row: Vec<_> = placed.rows().collect();
    assert!(row[0][0].class != row[0][1].class, "two that are silent do not agree");
    assert!(row[1][0].class != row[1][1].class && row[1][0].place != row[0][0].place);
    assert_eq!((row[1][0].right, placed.right(0).collect::<Vec<_>>()), (true, vec![false, true]));
}

#[test]
fn rows_and_costs_that_do_not_fit_are_refused() {
    let rows = rows();
    let rows: Vec<_> = rows.iter().collect();
    let refused = |rows: &[&Asked], costs: &[f64]| Cascade::taught(0, rows, costs).is_err();
    assert!(refused(&[], &[1.0, 2.0]) && refused(&rows, &[1.0]) && refused(&rows, &[]));
    assert!(refused(&rows, &[1.0, f64::NAN]) && refused(&rows, &[1.0, -1.0]) && refused(&rows, &[1.0; 17]));
    let free = Cascade::taught(0, &rows, &[0.0, 0.0]).expect("paths that cost nothing");
    assert_eq!(free.frontier(&free.place(&rows)).len(), 1, "where nothing costs, the best is all there is");
}
