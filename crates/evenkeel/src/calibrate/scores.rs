//! Scores: a map from a tier's scores to the primary's scale, and how it fares on rows that have not taught it.

use std::fmt::Write as _;

use anyhow::ensure;
use evenkeel_config::MappedScores;
use evenkeel_signals::{
    calibrate::scale_error,
    score_map::{Learner, Match, Scale, ScoreMap, apply_classes},
};
use serde_json::{Value, json};

use crate::plot::{self, Figure};

/// Parts of the rows, by their place in the file: each is judged by a map that the others have taught.
const FOLDS: usize = 5;
/// Standard deviations that the correlation of ranks is above 0 at the least: by chance it is once in 740 times.
const RELATED: f64 = 3.0;
/// Thresholds at which actions are counted, where scores are probabilities and none was given.
const THRESHOLDS: [f64; 4] = [0.3, 0.5, 0.7, 0.9];

/// What a tier said of a row, and the primary.
type Row = (Vec<f64>, Vec<f64>);

/// What a map has learnt, and how it fared on rows that taught it nothing.
#[derive(Debug)]
pub(crate) struct Learnt {
    pub(crate) mapped: MappedScores,
    keeps: Match,
    before: Fit,
    after: Fit,
    actions: Vec<Action>,
    figure: Figure,
    why_not: Option<&'static str>,
}

/// How scores stand to the primary's.
#[derive(Clone, Copy, Debug)]
struct Fit {
    /// How far a score is from the mean of the primary's where it stands, on average.
    scale: f64,
    /// How far the mean of all is from the mean of all of the primary's.
    mean: f64,
    /// How far a score is from the primary's for the same row, on average.
    row: f64,
}

/// How often a threshold is passed.
#[derive(Clone, Copy, Debug)]
struct Action {
    at: f64,
    primary: f64,
    before: f64,
    after: f64,
    /// The share of rows that are on another side than the primary's, before and after.
    sides: (f64, f64),
}

/// Learns from rows that both answered: the tier's values, the primary's; one value a row, or one a class.
///
/// # Errors
/// There are too few rows to judge by, rows of other widths, a value that is no number, or one side that never moves.
pub(crate) fn learn(rows: &[Row], keeps: Match, thresholds: &[f64]) -> anyhow::Result<Learnt> {
    let width = rows.first().map_or(0, |it| it.0.len());
    ensure!(width > 0 && rows.len() >= 10, "{} rows are too few to learn from", rows.len());
    let even = rows.iter().all(|it| it.0.len() == width && it.1.len() == width);
    ensure!(even, "the tier and the primary do not answer as many values a row");
    let odd = rows.iter().position(|it| !it.0.iter().chain(&it.1).all(|it| it.is_finite()));
    ensure!(odd.is_none(), "row {} has a score that is no number", odd.unwrap_or_default() + 1);
    let rows: Vec<_> = rows.iter().collect();
    moves(&rows, "the tier's", |it| &it.0)?;
    moves(&rows, "the primary's", |it| &it.1)?;
    // Each row is judged by a map that it has not taught; the map that is kept is taught by all.
    let mut mapped: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
    for fold in 0..FOLDS {
        let apart = |at: usize| at % FOLDS == fold;
        let teach: Vec<_> = rows.iter().enumerate().filter(|(at, _)| !apart(*at)).map(|it| *it.1).collect();
        let maps = maps(&teach, width, keeps);
        for at in (0..rows.len()).filter(|at| apart(*at)) {
            mapped[at] = apply(&maps, &rows[at].0);
        }
    }
    let maps = maps(&rows, width, keeps);
    let pairs = |of: &dyn Fn(usize) -> Vec<f64>| -> Vec<(f64, f64)> {
        rows.iter().enumerate().flat_map(|(at, it)| of(at).into_iter().zip(it.1.clone())).collect()
    };
    let before = pairs(&|at| rows[at].0.clone());
    let after = pairs(&|at| mapped[at].clone());
    let given = if thresholds.is_empty() && maps[0].scale() == Scale::Probability { &THRESHOLDS } else { thresholds };
    let actions = given.iter().map(|at| action(*at, &before, &after)).collect();
    let figure = plot::reliability(
        "Scores beside the primary's",
        ("the tier's score", "the primary's score, mean"),
        &[("before", &before), ("after", &after)],
    );
    let why_not = unfit(&rows, &maps);
    let (before, after) = (fit(&before), fit(&after));
    Ok(Learnt { mapped: MappedScores { n: rows.len() as u64, maps }, keeps, before, after, actions, figure, why_not })
}

/// Refuses scores that are the same in all rows: there is nothing that a map could be learnt of.
fn moves(rows: &[&Row], whose: &str, of: fn(&Row) -> &Vec<f64>) -> anyhow::Result<()> {
    let first = of(rows[0]);
    ensure!(
        rows.iter().any(|it| of(it) != first),
        "{whose} score is {} in all {} rows: is the column another one? Nothing can be learnt of it",
        first.iter().map(f64::to_string).collect::<Vec<_>>().join(", "),
        rows.len()
    );
    Ok(())
}

/// Says why scores have nothing to do with the primary's, whatever their figures say: the mean of all would do as well.
fn unfit(rows: &[&Row], maps: &[ScoreMap]) -> Option<&'static str> {
    if maps.iter().all(|it| it.knots().is_empty()) {
        // Too few to teach a map are too few to say that.
        return None;
    }
    let class = |class: usize| {
        let pairs: Vec<_> = rows.iter().map(|it| (it.0[class], it.1[class])).collect();
        rank_correlation(&pairs) * ((rows.len() - 1) as f64).sqrt()
    };
    let related: Vec<f64> = (0..maps.len()).map(class).collect();
    if related.iter().all(|it| *it < -RELATED) {
        return Some("its scores fall where the primary's rise: is it the score of another class?");
    }
    let flat = maps.iter().all(ScoreMap::is_flat);
    let unrelated = related.iter().all(|it| *it < RELATED);
    (flat || unrelated).then_some("its scores do not rise with the primary's: they have nothing to do with one another")
}

/// Returns the correlation of ranks (Spearman 1904), ties at the middle of theirs; 0 where one side has one rank alone.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |of: fn(&(f64, f64)) -> f64| {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_unstable_by(|a, b| of(&pairs[*a]).total_cmp(&of(&pairs[*b])));
        let mut ranks = vec![0.0; pairs.len()];
        let mut below = 0;
        for tie in order.chunk_by(|a, b| of(&pairs[*a]) == of(&pairs[*b])) {
            // From the middle of all, so that the mean is 0.
            let middle = below as f64 + tie.len() as f64 / 2.0 - pairs.len() as f64 / 2.0;
            tie.iter().for_each(|at| ranks[*at] = middle);
            below += tie.len();
        }
        ranks
    };
    let (a, b) = (ranks(|it| it.0), ranks(|it| it.1));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let spread = (product(&a, &a) * product(&b, &b)).sqrt();
    if spread > 0.0 { product(&a, &b) / spread } else { 0.0 }
}

fn maps(rows: &[&Row], width: usize, keeps: Match) -> Vec<ScoreMap> {
    let class = |class: usize| {
        let pairs: Vec<_> = rows.iter().map(|it| (it.0[class], it.1[class])).collect();
        Learner::taught(0, &pairs).fit(0, keeps)
    };
    (0..width).map(class).collect()
}

fn apply(maps: &[ScoreMap], scores: &[f64]) -> Vec<f64> {
    match maps {
        [one] => scores.iter().map(|it| one.apply(*it).unwrap_or(*it)).collect(),
        classes => apply_classes(classes, scores).unwrap_or_else(|| scores.to_vec()),
    }
}

fn fit(pairs: &[(f64, f64)]) -> Fit {
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    Fit {
        scale: scale_error(pairs).unwrap_or(0.0),
        mean: mean(&|it| it.0 - it.1),
        row: mean(&|it| (it.0 - it.1).abs()),
    }
}

fn action(at: f64, before: &[(f64, f64)], after: &[(f64, f64)]) -> Action {
    let share = |pairs: &[(f64, f64)], of: &dyn Fn(&(f64, f64)) -> bool| {
        pairs.iter().filter(|it| of(it)).count() as f64 / pairs.len() as f64
    };
    let sides = |pairs: &[(f64, f64)]| share(pairs, &|it| (it.0 >= at) != (it.1 >= at));
    Action {
        at,
        primary: share(before, &|it| it.1 >= at),
        before: share(before, &|it| it.0 >= at),
        after: share(after, &|it| it.0 >= at),
        sides: (sides(before), sides(after)),
    }
}

impl Learnt {
    /// Says whether the map does what it is for on rows that have not taught it: less error of the scale, or actions that are as
    /// frequent as the primary's.
    pub(crate) fn is_better(&self) -> bool {
        self.why_not().is_none()
    }

    /// Says why the map is not worth having; none where it is.
    pub(crate) fn why_not(&self) -> Option<&'static str> {
        let gap = |of: &dyn Fn(&Action) -> f64| self.actions.iter().map(|it| (of(it) - it.primary).abs()).sum::<f64>();
        let better = match self.keeps {
            Match::Rate if !self.actions.is_empty() => gap(&|it| it.after) < gap(&|it| it.before),
            _ => self.after.scale < self.before.scale,
        };
        let worse = (!better).then_some("the map does no better than the scores as they are");
        self.why_not.or(worse)
    }

    /// Returns how far scores are on the primary's scale, before and after.
    pub(crate) fn figure(&self) -> &Figure {
        &self.figure
    }

    /// Writes what it is and how it fared, as a table of Markdown.
    pub(crate) fn table(&self) -> String {
        let Self { mapped, before, after, actions, .. } = self;
        let shape = mapped.maps.first().map(|it| it.shape().to_string()).unwrap_or_default();
        let mut text = format!("{shape}, {} rows; each is judged by a map that it has not taught\n\n", mapped.n);
        text += "| | before | after |\n|---|---:|---:|\n";
        for (what, before, after) in [
            ("error of the scale against the primary's", before.scale, after.scale),
            ("mean score less the primary's", before.mean, after.mean),
            ("distance from the primary's score of the same row", before.row, after.row),
        ] {
            let _ = writeln!(text, "| {what} | {before:.4} | {after:.4} |");
        }
        if !actions.is_empty() {
            text += "\n| at or above | primary | before | after | other side than the primary, before | after |\n|---:|---:|---:|---:|---:|---:|\n";
        }
        for Action { at, primary, before, after, sides } in actions {
            let (a, b) = sides;
            let _ = writeln!(text, "| {at} | {primary:.3} | {before:.3} | {after:.3} | {a:.3} | {b:.3} |");
        }
        text
    }

    /// Writes the same for programs.
    pub(crate) fn json(&self) -> Value {
        let fit = |it: &Fit| json!({"scale_error": it.scale, "mean_error": it.mean, "row_error": it.row});
        let action = |it: &Action| {
            json!({
                "at": it.at, "primary": it.primary, "before": it.before, "after": it.after,
                "sides_before": it.sides.0, "sides_after": it.sides.1,
            })
        };
        let shape = self.mapped.maps.first().map(|it| it.shape().to_string());
        json!({
            "shape": shape, "n": self.mapped.n, "is_better": self.is_better(), "why_not": self.why_not(), "before": fit(&self.before),
            "after": fit(&self.after), "actions": self.actions.iter().map(action).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learnt_is_judged_on_rows_that_taught_nothing() {
        let row = |at: usize| {
            let score = (at * 7_919 % 2_000) as f64 / 2_000.0;
            (vec![score], vec![score * score])
        };
        let rows: Vec<_> = (0..2_000).map(row).collect();
        let learnt = learn(&rows, Match::Mean, &[]).expect("rows");
        assert!(learnt.mapped.n == 2_000 && learnt.is_better());
        assert!(learnt.before.scale > 0.1 && learnt.after.scale < 0.005, "{learnt:?}");
        assert_eq!(learnt.actions.len(), 4);
        assert!(learnt.actions.iter().all(|it| (it.after - it.primary).abs() < 0.01 && it.sides.1 <= it.sides.0));
        assert!(learnt.table().starts_with("isotonic, 2000 rows; each is judged by a map that it has not taught\n"));
        assert!(learn(&rows[..5], Match::Mean, &[]).is_err());
        let same: Vec<_> = rows.iter().map(|it| (it.1.clone(), it.1.clone())).collect();
        assert!(!learn(&same, Match::Mean, &[]).expect("rows").is_better(), "what is right already gets no better");
    }

    #[test]
    fn scores_that_do_not_move_or_have_nothing_to_do_with_the_primary_s_teach_no_map() {
        let drawn = |at: usize, of: usize| (((at + 1) * (of + 7) * 2_654_435_761) >> 7) % 1_000;
        let row = |at: usize| (vec![drawn(at, 0) as f64 / 1_000.0], vec![drawn(at, 3_001) as f64 / 4_000.0 + 0.5]);
        let rows: Vec<Row> = (0..1_500).map(row).collect();
        for keeps in [Match::Mean, Match::Rate] {
            let learnt = learn(&rows, keeps, &[]).expect("rows");
            assert!(learnt.after.scale < learnt.before.scale, "by its figures alone it would be better: {learnt:?}");
            assert!(learnt.why_not().is_some_and(|it| it.contains("nothing to do with one another")), "{learnt:?}");
            let turned: Vec<Row> = rows.iter().map(|it| (it.0.clone(), vec![1.0 - it.0[0] / 2.0])).collect();
            let learnt = learn(&turned, keeps, &[]).expect("rows");
            assert!(learnt.why_not().is_some_and(|it| it.contains("of another class")), "{learnt:?}");
        }
        let constant: Vec<Row> = rows.iter().map(|it| (it.0.clone(), vec![0.5])).collect();
        let refused = learn(&constant, Match::Mean, &[]).expect_err("constant").to_string();
        assert!(refused.starts_with("the primary's score is 0.5 in all 1500 rows"), "{refused}");
        let constant: Vec<Row> = rows.iter().map(|it| (vec![0.25], it.1.clone())).collect();
        let refused = learn(&constant, Match::Mean, &[]).expect_err("constant").to_string();
        assert!(refused.starts_with("the tier's score is 0.25 in all 1500 rows"), "{refused}");
        let few = learn(&rows[..100], Match::Mean, &[]).expect("rows");
        assert!(few.why_not().is_some_and(|it| it.contains("no better than")), "{few:?}");
        let mut odd = rows;
        odd[7].0[0] = f64::NAN;
        let refused = learn(&odd, Match::Mean, &[]).expect_err("NaN").to_string();
        assert_eq!(refused, "row 8 has a score that is no number");
    }

    #[test]
    fn the_correlation_of_ranks_is_that_of_the_book() {
        // 1 − 6·Σd²/(n(n²−1)), d = 1 1 1 1 0; with ties by the middle of their ranks.
        let pairs = [(1.0, 20.0), (2.0, 10.0), (3.0, 40.0), (4.0, 30.0), (5.0, 50.0)];
        assert!((rank_correlation(&pairs) - 0.8).abs() < 1e-12);
        assert!((rank_correlation(&[(0.0, 1.0), (0.0, 1.0), (1.0, 2.0)]) - 1.0).abs() < 1e-12);
        assert_eq!(rank_correlation(&[(0.0, 1.0), (0.0, 2.0)]), 0.0);
    }

    #[test]
    fn each_class_has_a_map() {
        let row = |at: usize| {
            let score = (at * 7_919 % 2_000) as f64 / 2_000.0;
            (vec![score], vec![score * score])
        };
        let rows: Vec<Row> = (0..2_000).map(row).collect();
        let classes: Vec<_> = rows.iter().map(|(a, b)| (vec![a[0], 1.0 - a[0]], vec![b[0], 1.0 - b[0]])).collect();
        let learnt = learn(&classes, Match::Mean, &[]).expect("rows");
        assert!(learnt.mapped.maps.len() == 2 && learnt.after.scale < 0.01, "{learnt:?}");
    }
}
