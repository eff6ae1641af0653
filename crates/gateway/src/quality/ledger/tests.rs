//! The ledger, with a clock that is passed.

use std::sync::Arc;

use evenkeel_config as config;
use http::HeaderMap;
use jiff::Timestamp;
use ulid::Ulid;

use super::*;
use crate::quality::{Answered, Malformed, Said, copies::Copied, item, shown::Shown, wall};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// When the test begins, ns.
const BEGIN: u64 = 1_700_000_000 * SECOND;

const FILE: &str = r#"
version: 1
routes:
  score:
    protocol: oip
    output: {tensors: {y: {datatype: FP32}}}
    quality: {output: y, abs_tol: 0.05KEYS}
    tiers: [{name: primary, fixed: {outputs: {y: 0.5}}}]
"#;

fn spec(keys: &str) -> Arc<config::Quality> {
    let loaded = config::load_text("e.yaml", &FILE.replace("KEYS", keys), std::path::Path::new("."));
    loaded.deployment.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).routes[0].quality.clone()
}

/// A ledger whose tiers are known since ever.
fn ledger(keys: &str) -> Ledger {
    let spec = spec(keys);
    let mut ledger = Ledger::new(spec.clone());
    ledger.applied(spec, &[("primary".into(), Timestamp::UNIX_EPOCH), ("small".into(), Timestamp::UNIX_EPOCH)]);
    ledger
}

fn id(at: u64, number: u128) -> u128 {
    Ulid::from_parts(at / 1_000_000, number).0
}

/// Holds an answer of these rows: the tier, what it said, how sure it was.
fn decide(ledger: &mut Ledger, (at, id): (u64, u128), rows: &[(u8, f64, Option<u16>)], private: bool) -> Vec<Arc<str>> {
    let said = |it: &(u8, f64, Option<u16>)| Said { tier: Some(it.0), value: Some(Value::Number(it.1)) };
    let whose = whose(&HeaderMap::new(), &[]);
    let answered = Answered { whose, private, rows: rows.iter().map(said).collect(), lesson: None };
    let row = |it: &(u8, f64, Option<u16>)| Row::new(it.0, (!private).then_some(Value::Number(it.1)), it.2);
    let rows = rows.iter().map(row).collect();
    let tiers = vec!["primary".into(), "small".into()];
    ledger.decided(Decided { id, at, route: "score".into(), tiers, steps: 0, answered, rows })
}

fn feedback(id: u128, more: &str) -> Item {
    let text = format!(r#"{{"decision": "{}", {more}}}"#, Ulid(id));
    item::parse(text.as_bytes()).expect("JSON").items.remove(0).expect("sound")
}

fn label(ledger: &mut Ledger, at: u64, (id, more): (u128, &str)) -> Result<Joined, Refused> {
    ledger.label((at, &HeaderMap::new()), &feedback(id, more))
}

#[test]
fn a_label_counts_once_and_the_last_one_wins() {
    let mut ledger = ledger("");
    let one = id(BEGIN, 1);
    decide(&mut ledger, (BEGIN, one), &[(0, 0.5, None)], false);
    let at = BEGIN + DAY;
    assert_eq!(label(&mut ledger, at, (one, r#""label": 0.9"#)), Ok(Joined::Counted));
    assert_eq!(label(&mut ledger, at + 1, (one, r#""label": 0.54"#)), Ok(Joined::Replaced), "within abs_tol");
    let tier = ledger.read("score", at + 1).tiers.remove(0);
    let accuracy = tier.accuracy.expect("a label");
    assert_eq!((tier.labels, accuracy.value, accuracy.n, accuracy.as_of), (1, 1.0, 1, wall(at)));
    assert_eq!(tier.bounds, Some([1.0, 1.0]));
}

#[test]
fn se_12_late_unknown_foreign_and_private_labels_have_a_clear_answer_and_change_nothing() {
    let mut ledger = ledger("");
    let (one, private) = (id(BEGIN, 1), id(BEGIN, 2));
    decide(&mut ledger, (BEGIN, one), &[(0, 0.5, None)], false);
    decide(&mut ledger, (BEGIN, private), &[(0, 0.5, None)], true);
    let mut refused = |at: u64, of: (u128, &str)| label(&mut ledger, at, of).expect_err("refused");
    assert_eq!(refused(BEGIN, (id(BEGIN, 3), r#""correct": true"#)), Refused::Unknown);
    assert_eq!(refused(BEGIN + 15 * DAY, (id(BEGIN, 3), r#""correct": true"#)), Refused::Late, "by the time in its id");
    assert_eq!(refused(BEGIN + 14 * DAY + 1, (one, r#""correct": true"#)), Refused::Late);
    assert_eq!(refused(BEGIN, (private, r#""label": 0.5"#)), Refused::Private);
    assert_eq!(refused(BEGIN, (private, r#""score": 1"#)), Refused::Private);
    assert_eq!(refused(BEGIN, (one, r#""label": "good""#)), Refused::Unlike("a number"));
    assert_eq!(refused(BEGIN, (one, r#""labels": [1, 2]"#)), Refused::RowCount);
    assert_eq!(refused(BEGIN, (one, r#""rows": [1], "labels": [1]"#)), Refused::NoSuchRow);
    let mut other = HeaderMap::new();
    other.insert("authorization", "Bearer other".parse().expect("a value"));
    let item = feedback(one, r#""correct": true"#);
    assert_eq!(ledger.label((BEGIN, &other), &item), Err(Refused::Unknown), "LED-3");
    assert!(ledger.read("score", BEGIN).tiers.iter().all(|it| it.labels == 0 && it.accuracy.is_none()));
    let note = ledger.read("score", BEGIN).tiers[0].note.clone();
    assert_eq!(note.as_deref(), Some("no labels: accuracy unknown"));
    assert_eq!(label(&mut ledger, BEGIN, (private, r#""correct": false"#)), Ok(Joined::Counted));
    for why in [Refused::Unknown, Refused::Late, Refused::Private, Refused::NoLabels, Refused::NotSaid] {
        assert!(why.message().len() > 20, "{why:?}");
    }
    assert_eq!(Refused::Malformed(Malformed("x")).kind(), "refused");
}

#[test]
fn quality_from_and_vary_say_whose_labels_count() {
    let with = |name: &'static str, value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a value"));
        headers
    };
    let (one, other) = (with("x-tenant", "a"), with("x-tenant", "b"));
    for (keys, expected) in [("", true), (", vary: [X-Tenant]", false), (", vary: [x-tenant], from: anyone", true)] {
        let mut ledger = ledger(keys);
        let id = id(BEGIN, 1);
        let answered = Answered { whose: whose(&one, &ledger.spec.vary), ..Answered::default() };
        let rows = vec![Row::new(0, None, None)];
        ledger.decided(Decided {
            id,
            at: BEGIN,
            route: "score".into(),
            tiers: vec!["primary".into()],
            steps: 0,
            answered,
            rows,
        });
        let item = feedback(id, r#""correct": true"#);
        assert_eq!(ledger.label((BEGIN, &other), &item).is_ok(), expected, "{keys}");
        assert!(ledger.label((BEGIN, &one), &item).is_ok());
    }
}

#[test]
fn quality_memory_is_kept_to_and_the_oldest_leave_first() {
    let held = |keys: &str| {
        let mut ledger = ledger(keys);
        let mut left = Vec::new();
        for number in 0..2_000 {
            let at = BEGIN + number * SECOND;
            left.extend(decide(&mut ledger, (at, id(at, 7)), &[(1, 0.5, None)], false));
        }
        assert_eq!((ledger.held.len() + left.len(), ledger.forgotten), (2_000, left.len() as u64));
        assert!(left.iter().all(|it| **it == *"small"));
        let first = ledger.held.first_key_value().map(|it| it.1.at);
        assert_eq!(first, Some(BEGIN + left.len() as u64 * SECOND), "the oldest went");
        assert!(ledger.size as u64 <= ledger.spec.memory);
        ledger.held.len()
    };
    let (small, large) = (held(", memory: 64KiB"), held(", memory: 128KiB"));
    assert!(small < large && large < 2_000, "{small} {large}");
    let mut ledger = ledger("");
    decide(&mut ledger, (BEGIN, id(BEGIN, 1)), &[(0, 0.5, None)], false);
    let later = BEGIN + 15 * DAY;
    decide(&mut ledger, (later, id(later, 1)), &[(0, 0.5, None)], false);
    assert_eq!(
        (ledger.held.len(), ledger.forgotten),
        (1, 0),
        "what is too old for labels goes, and is missed by nobody"
    );
}

#[test]
fn quality_tolerances_and_right_at_say_what_is_right() {
    let right = |keys: &str, more: &str| {
        let mut ledger = ledger(keys);
        let one = id(BEGIN, 1);
        decide(&mut ledger, (BEGIN, one), &[(0, f64::from(0.9_f32), None)], false);
        label(&mut ledger, BEGIN, (one, more)).expect("sound");
        ledger.read("score", BEGIN).tiers[0].accuracy.as_ref().expect("a label").value == 1.0
    };
    assert!(right("", r#""label": 0.94"#) && !right("", r#""label": 0.96"#), "abs_tol");
    assert!(right(", rel_tol: 0.1", r#""label": 0.99"#) && !right("", r#""label": 0.99"#), "rel_tol");
    assert!(right("", r#""score": 0.5"#) && !right("", r#""score": 0.49"#));
    assert!(!right(", right_at: 0.7", r#""score": 0.5"#));
}

#[test]
fn rows_count_for_the_tiers_that_answered_them_and_an_item_counts_whole_or_not() {
    let mut ledger = ledger("");
    let one = id(BEGIN, 1);
    decide(&mut ledger, (BEGIN, one), &[(0, 1.0, None), (1, 2.0, None), (1, 3.0, None)], false);
    assert_eq!(label(&mut ledger, BEGIN, (one, r#""labels": [1, "x", 3]"#)), Err(Refused::Unlike("a number")));
    assert_eq!(ledger.read("score", BEGIN).tiers[0].labels, 0, "LED-2");
    assert_eq!(label(&mut ledger, BEGIN, (one, r#""rows": [2, 0], "labels": [3, 1]"#)), Ok(Joined::Counted));
    assert_eq!(label(&mut ledger, BEGIN, (one, r#""labels": [null, 7, null]"#)), Ok(Joined::Counted));
    let tiers = ledger.read("score", BEGIN).tiers;
    let counts = |at: usize| (tiers[at].labels, tiers[at].accuracy.as_ref().map(|it| it.value));
    assert_eq!([counts(0), counts(1)], [(1, Some(1.0)), (2, Some(0.5))]);
}

#[test]
fn what_a_tier_said_before_it_became_another_is_not_measured() {
    let mut ledger = ledger("");
    let one = id(BEGIN, 1);
    decide(&mut ledger, (BEGIN, one), &[(0, 1.0, None)], false);
    label(&mut ledger, BEGIN, (one, r#""correct": true"#)).expect("sound");
    let spec = ledger.spec.clone();
    ledger.applied(spec, &[("primary".into(), wall(BEGIN + 1)), ("small".into(), Timestamp::UNIX_EPOCH)]);
    let tier = ledger.read("score", BEGIN).tiers.remove(0);
    assert_eq!((tier.rows, tier.labels, tier.accuracy), (0, 0, None));
}

#[test]
fn confidences_are_used_until_labels_show_that_they_are_off() {
    let mut ledger = ledger("");
    for number in 0..3_000_u64 {
        let at = BEGIN + number * 60 * SECOND;
        let sure = Some(if number % 3 == 0 { 700 } else { 800 });
        decide(&mut ledger, (at, id(at, 1)), &[(0, 1.0, sure)], false);
        // Told to be right in about three of four rows, it is in half of them.
        if number.is_multiple_of(2) {
            let right = number.is_multiple_of(4);
            label(&mut ledger, at, (id(at, 1), &format!(r#""correct": {right}"#))).expect("sound");
        }
        if number == 30 {
            let tier = ledger.read("score", at).tiers.remove(0);
            let said = tier.label_free.expect("enough rows");
            assert_eq!((said.method.as_str(), said.n), ("label_free", 31));
            assert!(said.assumption.contains("when the calibrator was taught") && tier.withdrawn.is_none());
        }
    }
    let now = BEGIN + 3_000 * 60 * SECOND;
    let tier = ledger.read("score", now).tiers.remove(0);
    assert_eq!(tier.label_free, None);
    assert!(tier.withdrawn.is_some_and(|since| since < wall(BEGIN + 1_000 * 60 * SECOND)));
    let powered = tier.powered.expect("labels and confidences");
    assert!((powered.value - 0.5).abs() < 0.03 && powered.n == 1_500, "{powered:?}");
}

#[test]
fn a_mean_of_confidences_is_told_of_the_last_rows_beside_all_of_them() {
    let mut ledger = ledger("");
    let read = |ledger: &Ledger, now| ledger.read("score", now).tiers.remove(0);
    for number in 0..3_000_u64 {
        let at = BEGIN + number * SECOND;
        decide(&mut ledger, (at, id(at, 1)), &[(0, 1.0, Some(if number < 2_000 { 900 } else { 600 }))], false);
        if number == 999 {
            let tier = read(&ledger, at);
            assert_eq!(tier.label_free.map(|it| it.n), Some(1_000));
            assert_eq!(tier.label_free_recent, None, "it would be the same");
        }
    }
    let tier = read(&ledger, BEGIN + 3_000 * SECOND);
    let (all, last) =
        (tier.label_free.clone().expect("rows"), tier.label_free_recent.clone().expect("more than 1,000"));
    assert_eq!((all.n, last.n, last.method.as_str()), (3_000, 1_000, "label_free_recent"));
    assert!((all.value - 0.8).abs() < 1e-9 && (last.value - 0.6).abs() < 1e-9, "{all:?} {last:?}");
    assert_eq!(tier.figures().count(), 2);
}

#[test]
fn qual_4_figures_are_computed_where_something_has_changed_or_aged_and_read_as_they_stand() {
    let (shown, mut ledger) = (Shown::default(), ledger(""));
    assert!(shown.all().is_empty(), "nothing is computed for who reads");
    let mut now = BEGIN;
    decide(&mut ledger, (now, id(now, 1)), &[(0, 1.0, None)], false);
    shown.tick("score", &mut ledger, now);
    let first = shown.all().remove(0);
    assert_eq!((first.held, first.as_of), (1, wall(now)));
    now += 59 * SECOND;
    shown.tick("score", &mut ledger, now);
    assert!(Arc::ptr_eq(&first, &shown.all()[0]), "nothing has changed");
    let asked = shown.asked("score", &mut ledger, now);
    assert_eq!(asked.as_of, wall(now), "who asks is not given what is a minute old");
    assert!(Arc::ptr_eq(&asked, &shown.asked("score", &mut ledger, now + 4 * SECOND)));
    decide(&mut ledger, (now, id(now, 2)), &[(0, 1.0, None)], false);
    assert_eq!(shown.all()[0].held, 1, "who reads computes nothing");
    shown.tick("score", &mut ledger, now + SECOND);
    assert_eq!(shown.all()[0].held, 2);
    label(&mut ledger, now, (id(now, 2), r#""correct": true"#)).expect("sound");
    assert_eq!(shown.asked("score", &mut ledger, now + SECOND).tiers[0].labels, 1, "a label is a change");
    shown.tick("score", &mut ledger, now + 61 * SECOND);
    assert_eq!(shown.all()[0].as_of, wall(now + 61 * SECOND), "it has aged");
    shown.keep(|name| name != "score");
    assert!(shown.all().is_empty());
}

#[test]
fn f_150_copies_say_what_another_tier_would_have_given() {
    let mut ledger = ledger("");
    for number in 0..400_u64 {
        let at = BEGIN + number * SECOND;
        let one = id(at, 1);
        decide(&mut ledger, (at, one), &[(0, 1.0, None)], false);
        if number.is_multiple_of(4) {
            // The copy is right in three of four.
            let said = if number.is_multiple_of(16) { 9.0 } else { 1.0 };
            let said = vec![Some(Value::Number(said))];
            ledger.copied(Copied { id: one, at, route: "score".into(), path: "small".into(), said, compared: (1, 1) });
        }
        label(&mut ledger, at + DAY, (one, r#""label": 1"#)).expect("sound");
    }
    let tier = ledger.read("score", BEGIN + 2 * DAY).tiers.remove(1);
    let copies = tier.copies.expect("a hundred copies");
    assert!((copies.value - 0.75).abs() < 1e-9 && copies.low < 0.75 && copies.high > 0.75, "{copies:?}");
    assert_eq!((copies.method.as_str(), copies.n, tier.labels), ("doubly_robust", 400, 0));
    assert!(tier.agreement.is_some_and(|it| it.value == 1.0 && it.n == 100));
    assert_eq!(tier.note.as_deref(), Some("no labels: accuracy unknown"));
}

/// In what way requests of eight rows are unlike those that are independent, and labelled as they come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Odd {
    /// All rows of a request are wrong together.
    Batches,
    /// What the last model answered is labelled a day later than the rest.
    Tiers,
    /// It is not labelled at all.
    OneTier,
    /// Wrong answers are labelled an hour before the others.
    Wrong,
}

/// A ledger whose route has a certificate of 0.02.
fn certified() -> Ledger {
    let mut ledger = ledger("");
    let tier = |name: &str| config::CertifiedTier { name: name.into(), ..config::CertifiedTier::default() };
    let mut certified = config::Certified::new("score".into(), vec![tier("primary"), tier("small")], 0.9);
    (certified.epsilon, certified.delta) = (0.02, 0.05);
    let of =
        config::Issued { sha256: [1; 32], certified: certified.into(), void: None, enforced: false, ladder: vec![] };
    ledger.certified(Some(&(Arc::new(of), Timestamp::UNIX_EPOCH)));
    ledger
}

#[test]
fn trial_1_and_5_a_row_is_judged_by_its_first_label_whether_the_copy_comes_before_another_or_after() {
    let fate = |copy_first: bool| {
        let (mut ledger, one) = (certified(), id(BEGIN, 1));
        decide(&mut ledger, (BEGIN, one), &[(0, 9.0, None)], false);
        let copy = |ledger: &mut Ledger| {
            let said = vec![Some(Value::Number(1.0))];
            ledger.copied(Copied {
                id: one,
                at: BEGIN,
                route: "score".into(),
                path: "small".into(),
                said,
                compared: (1, 1),
            });
        };
        if copy_first {
            copy(&mut ledger);
        }
        label(&mut ledger, BEGIN + 1, (one, r#""label": 1.0"#)).expect("sound");
        let first = ledger.compared(one);
        label(&mut ledger, BEGIN + 2, (one, r#""label": 9.0"#)).expect("sound");
        if !copy_first {
            copy(&mut ledger);
        }
        assert_eq!(first.is_some(), copy_first);
        ledger.compared(one)
    };
    assert_eq!([true, false].map(fate), [Some(Fate::Lost(1.0)); 2]);
}

/// Plays a promise of 0.02 that is kept just so: the primary answers half of all requests, and is wrong on 40 of 1,000 of them; says
/// whether it was called broken.
fn called_broken(seed: u64, odd: Odd) -> bool {
    let mut ledger = certified();
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    };
    let mut labels = Vec::new();
    for number in 0..1_500 {
        let at = BEGIN + number * SECOND;
        let (one, cheaper, wrong) = (id(at, u128::from(draw())), draw() % 2 == 0, draw() % 1_000 < 40);
        let said = if cheaper && wrong { 9.0 } else { 1.0 };
        decide(&mut ledger, (at, one), &[(u8::from(!cheaper), said, None); 8], false);
        if cheaper {
            let said = vec![Some(Value::Number(1.0)); 8];
            ledger.copied(Copied { id: one, at, route: "score".into(), path: "small".into(), said, compared: (8, 8) });
        }
        let late = match odd {
            Odd::Batches => Some(0),
            Odd::Tiers => Some(if cheaper { 0 } else { DAY }),
            Odd::OneTier => cheaper.then_some(0),
            Odd::Wrong => Some(if wrong { 0 } else { 3_600 * SECOND }),
        };
        labels.extend(late.map(|late| (at + late, one)));
    }
    labels.sort_unstable();
    let claims = Claims::Each(vec![Some(Claim::Label(Value::Number(1.0))); 8]);
    for (at, decision) in labels {
        let item = Item { decision, rows: None, claims: claims.clone() };
        assert_eq!(ledger.label((at, &HeaderMap::new()), &item), Ok(Joined::Counted));
    }
    let tested = ledger.trial.as_ref().expect("a certificate").read();
    assert!(tested.void.is_some() || tested.rows > 1_300, "all but the last window: {tested:?}");
    tested.void.is_some()
}

#[test]
fn trial_1_and_5_a_kept_promise_is_kept_whose_rows_fail_together_and_whose_labels_come_in_any_order() {
    for odd in [Odd::Batches, Odd::Tiers, Odd::OneTier, Odd::Wrong] {
        // At α = 0.01 less than one time in 1,000 more than 4 of 60 are called broken.
        let broken = (0..60).filter(|seed| called_broken(*seed, odd)).count();
        assert!(broken <= 4, "{odd:?}: {broken} of 60");
    }
}

#[test]
fn young_labels_are_weighed_and_bounds_assume_nothing() {
    let mut ledger = ledger("");
    // Labels take one to four hours; right ones are as late as wrong ones.
    for number in 0..200_u64 {
        let at = BEGIN + number * 120 * SECOND;
        decide(&mut ledger, (at, id(at, 1)), &[(0, 1.0, None)], false);
    }
    let now = BEGIN + 200 * 120 * SECOND;
    for number in 0..200_u64 {
        let at = BEGIN + number * 120 * SECOND;
        let came = at + (1 + number % 4) * 3_600 * SECOND;
        if came <= now {
            let right = number % 5 != 0;
            label(&mut ledger, came, (id(at, 1), &format!(r#""correct": {right}"#))).expect("sound");
        }
    }
    let tier = ledger.read("score", now).tiers.remove(0);
    let [low, high] = tier.bounds.expect("labels");
    assert!(low < 0.8 && 0.8 < high && tier.labels < 200, "{low} {high}");
    let delayed = tier.delayed.expect("old enough");
    assert!((delayed.value - 0.8).abs() < 0.05 && delayed.method == "delayed", "{delayed:?}");
}
