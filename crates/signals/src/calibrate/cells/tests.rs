//! Tests of the cell calibrator: the oracle of `signals.md` §8, kinds, decay, merge laws.

use proptest::prelude::*;

use super::{super::HALF_LIFE_NS, *};

/// Rows of a label at a confidence, of which the first are right.
fn rows(label: &'static str, confidence: f64, n: usize, right: usize) -> impl Iterator<Item = Row<'static>> {
    (0..n).map(move |at| Row { label, confidence: Some(confidence), right: at < right })
}

#[test]
fn a_cell_is_pulled_towards_its_label_and_that_towards_its_path() {
    // Path 150 of 200, label 40 of 60, cell 9 of 10.
    let all: Vec<_> = rows("a", 0.9, 10, 9).chain(rows("a", 0.1, 50, 31)).chain(rows("b", 0.1, 140, 110)).collect();
    let taught = Calibrator::taught(Teacher::Labels, 0, &all);
    let p = |label: &str, confidence| (taught.read(0, label, confidence).p * 1e6).round() / 1e6;
    assert_eq!(p("a", Some(0.9)), 0.788_435);
    assert_eq!(p("new", Some(0.9)), 0.738_095, "a new label says what the path says");
    assert_eq!(p("a", None), 0.676_871, "nothing was missing so far: the label's value");
    assert_eq!(p("a", Some(f64::NAN)), 0.676_871);
}

#[test]
fn a_kind_needs_a_teacher_and_fifty_rows() {
    let kind =
        |teacher, n| Calibrator::taught(teacher, 0, &rows("a", 0.5, n, n).collect::<Vec<_>>()).read(0, "a", None).kind;
    assert_eq!(kind(Teacher::Labels, 49), Kind::None);
    assert_eq!(kind(Teacher::Labels, 50), Kind::Calibrated);
    assert_eq!(kind(Teacher::Primary, 50), Kind::Agreement);
    let old = Calibrator::taught(Teacher::Labels, 0, &rows("a", 0.5, 90, 90).collect::<Vec<_>>());
    let reading = old.read(HALF_LIFE_NS, "a", None);
    assert_eq!((reading.n, reading.kind, reading.as_of), (45.0, Kind::None, 0), "a week later half of it is left");
}

#[test]
fn another_grid_or_another_teacher_is_refused() {
    let mut one = Calibrator::new(Teacher::Labels, &[0.1, 0.2]);
    assert_eq!(one.merge(&Calibrator::new(Teacher::Labels, &[0.1, 0.3, 0.4])), Err(Incompatible::Grid));
    assert_eq!(one.merge(&Calibrator::new(Teacher::Primary, &[0.1, 0.2])), Err(Incompatible::Teacher));
}

#[test]
fn what_is_kept_is_read_again_and_what_cannot_be_is_refused() {
    let mut taught = Calibrator::taught(Teacher::Labels, 5, &rows("a", 0.9, 70, 60).collect::<Vec<_>>());
    taught.update(HALF_LIFE_NS * 2 + HALF_LIFE_NS / 3, &Row { label: "b", confidence: None, right: true });
    let state = taught.state();
    let again = Calibrator::of(&state).expect("sound");
    let now = HALF_LIFE_NS * 3;
    for (label, confidence) in [("a", Some(0.9)), ("b", None), ("c", None)] {
        let (a, b) = (taught.read(now, label, confidence), again.read(now, label, confidence));
        assert!((a.p - b.p).abs() < 1e-12 && (a.n - b.n).abs() < 1e-9 && a.as_of == b.as_of, "{a:?} {b:?}");
    }
    let broken = |change: fn(&mut CalibratorState)| {
        let mut state = state.clone();
        change(&mut state);
        Calibrator::of(&state).err()
    };
    assert_eq!(broken(|it| it.cells[0].right = 1e9), Some(Incompatible::Counts));
    assert_eq!(broken(|it| it.cells[0].n = f64::NAN), Some(Incompatible::Counts));
    assert_eq!(broken(|it| it.cells[0].bin = 99), Some(Incompatible::Counts));
    assert_eq!(broken(|it| it.ends = vec![2.0, 1.0]), Some(Incompatible::Grid));
}

prop_compose! {
    /// Rows of a few labels over ten weeks.
    fn history()(of in prop::collection::vec((0_u8..3, 0_u8..5, any::<bool>(), 0_u64..70), 0..60)) -> Vec<(u64, u8, u8, bool)> {
        of.into_iter().map(|(label, confidence, right, day)| (day * 86_400_000_000_000, label, confidence, right)).collect()
    }
}

/// Counts a history on a grid that all histories share.
fn count(of: &[(u64, u8, u8, bool)]) -> Calibrator {
    let mut calibrator = Calibrator::new(Teacher::Labels, &[0.0, 1.0, 2.0, 3.0]);
    for (at, label, confidence, right) in of {
        let label = ["a", "b", "c"][usize::from(*label)];
        let confidence = (*confidence < 4).then(|| f64::from(*confidence));
        calibrator.update(*at, &Row { label, confidence, right: *right });
    }
    calibrator
}

proptest! {
    #[test]
    fn order_does_not_matter_and_merges_are_lawful(a in history(), b in history(), c in history()) {
        let all: Vec<_> = [a.clone(), b.clone(), c.clone()].concat();
        let mut back = all.clone();
        back.reverse();
        let (x, y, z) = (count(&a), count(&b), count(&c));
        let merged = |parts: &[&Calibrator]| {
            let mut first = parts[0].clone();
            parts[1..].iter().for_each(|it| first.merge(it).expect("one grid"));
            first
        };
        let whole = count(&all);
        prop_assert_eq!(&whole, &count(&back), "order of rows");
        prop_assert_eq!(&merged(&[&x, &y, &z]), &whole, "a merge of parts is the whole");
        prop_assert_eq!(&merged(&[&z, &merged(&[&y, &x])]), &whole, "in any order and grouping");
    }
}

#[test]
fn a_table_of_chances_says_what_is_read() {
    let all: Vec<_> = rows("a", 0.9, 40, 31).chain(rows("b", 0.2, 60, 11)).chain(rows("a", 0.1, 30, 9)).collect();
    let taught = Calibrator::taught(Teacher::Labels, 5, &all);
    let now = HALF_LIFE_NS / 3;
    let chances = taught.chances(now);
    for label in ["a", "b", "new"] {
        for confidence in [None, Some(0.05), Some(0.2), Some(0.9), Some(f64::NAN), Some(7.0)] {
            assert_eq!(chances.p(label, confidence), taught.read(now, label, confidence).p, "{label} {confidence:?}");
        }
    }
    let mut one_by_one = Calibrator { decay: Decay::at(5), ..Calibrator::new(Teacher::Labels, &[0.9, 0.2, 0.1]) };
    let same_bins = Calibrator { labels: BTreeMap::new(), ..taught.clone() };
    one_by_one.grid = same_bins.grid;
    all.iter().for_each(|row| one_by_one.update(5, row));
    assert_eq!(one_by_one, taught, "taught at once or one by one");
}
