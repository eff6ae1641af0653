//! Show: a reference as tables, small plots, and JSON.

use std::fmt::Write as _;

use evenkeel_signals::{
    anomaly::Unfit,
    cells::{Cells, Kind, Label, Value},
    drift::Delay,
    reference::{Column, ColumnKind, Reference, Role, Scalar},
    replay::{self, Replayed},
};
use serde_json::{Value as Json, json};

use super::{
    alarms::{replayed, replayed_json, unnoticed},
    build::rows,
    infer,
    inspect::{self, Warning},
    words::{aligned, hex, judges, of_references, percent, short, span_of, stands},
};
use crate::plot::{Axis, Figure, Series, Shape, spark};

/// Bins of a small plot, and of a figure.
const SMALL: usize = 16;
const LARGE: usize = 32;
/// Names that a figure shows.
const NAMES: usize = 12;
/// Quartile distances beyond the quartiles from which on a number is far out.
const FAR: f64 = 3.0;

/// A reference, with everything that is told of it.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) reference: &'a Reference,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) replayed: Option<Replayed>,
    /// How many rows go by until a shift of one column is noticed.
    pub(crate) delay: Option<Delay>,
}

/// What is told of a scalar.
#[derive(Debug)]
struct Told<'a> {
    scalar: Scalar,
    column: &'a Column,
    /// Of all buckets together.
    rows: u64,
    missing: u64,
    invalid: u64,
    /// Regular cells with a row.
    cells: usize,
    buckets: usize,
    /// The share of rows whose value another row has, too, and that of numbers far out; of the sample.
    ties: Option<f64>,
    far: Option<f64>,
    quantiles: Option<[f64; 6]>,
    first: Option<&'a Cells>,
}

impl<'a> Shown<'a> {
    /// Looks at a reference; alarms are wanted once in so many ns.
    pub(crate) fn of(reference: &'a Reference, every_ns: u64) -> Self {
        let asked = replay::Asked::all(every_ns);
        let replayed = replay::replay(reference, asked);
        let delay = replayed.as_ref().and_then(|it| replay::delay(reference, asked, it.every_rows));
        Self { reference, warnings: inspect::inspect(reference), replayed, delay }
    }

    /// The scalars, of an embedding the first alone.
    fn told(&self) -> Vec<Told<'a>> {
        let scalars = self.reference.scalars();
        let first = |(at, it): &(usize, &Scalar)| {
            let vector = matches!(self.reference.header().schema[it.column].kind, ColumnKind::Vector(_));
            !vector || *at == 0 || scalars[at - 1].column != it.column
        };
        let shown: Vec<(usize, Scalar)> =
            scalars.iter().enumerate().filter(first).map(|(at, it)| (at, it.clone())).collect();
        shown.into_iter().map(|(at, scalar)| self.one(at, scalar)).collect()
    }

    fn one(&self, at: usize, scalar: Scalar) -> Told<'a> {
        let buckets = self.reference.buckets(at);
        let sum = |of: &dyn Fn(&Cells) -> u64| buckets.iter().map(of).sum();
        let column = &self.reference.header().schema[scalar.column];
        let (ties, far) = self.sampled(at, &scalar).map_or((None, None), |it| (Some(ties(&it)), far(&it)));
        Told {
            rows: sum(&Cells::rows),
            missing: sum(&|it| it.counts()[0]),
            invalid: sum(&|it| it.counts().last().copied().unwrap_or(0)),
            cells: buckets
                .iter()
                .map(|it| it.counts()[1..it.counts().len() - 1].iter().filter(|it| **it > 0).count())
                .max()
                .unwrap_or(0),
            buckets: buckets.len(),
            ties,
            far: far.filter(|_| !scalar.names),
            quantiles: self.reference.spread(at).map(|it| it.at),
            first: buckets.first(),
            scalar,
            column,
        }
    }

    /// The values of a public scalar in the sample.
    fn sampled(&self, at: usize, scalar: &Scalar) -> Option<Vec<Value<'a>>> {
        let before = self.reference.scalars()[..at].iter().filter(|it| !it.private).count();
        let sample = self.reference.sample().filter(|_| !scalar.private)?;
        Some(sample.map(|it| it.2[before]).collect())
    }

    /// Writes it for people.
    pub(crate) fn text(&self, name: &str) -> String {
        let mut text = self.head(name);
        let head = [
            "column", "type", "as", "missing", "invalid", "cells", "ties", "0.1 %", "25 %", "50 %", "75 %", "99.9 %",
            "far out", "",
        ];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        table.extend(self.told().iter().map(Told::line));
        text += &aligned(&table);
        text += &self.ending();
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {}", warning.message);
        }
        text
    }

    fn head(&self, name: &str) -> String {
        let header = self.reference.header();
        let digest = hex(&self.reference.digest());
        let route = if header.route.is_empty() { "any route".into() } else { format!("route `{}`", header.route) };
        let mut text = format!("{name}: a reference for {route}, sha256:{digest}\n");
        let files = crate::cmd::counted(header.sources.len(), "file");
        let it = header.rows;
        let _ = writeln!(
            text,
            "{} of {files}; {} in the sample, {} kept, {} calibrate",
            rows(it.all),
            it.sample,
            it.kept,
            it.calibrating
        );
        let times = header.sources.iter().filter_map(|it| it.from_ns.zip(it.to_ns));
        let span = times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let _ = match span {
            Some((from, to)) => {
                let at = |ns: u64| super::time::shown(ns.into()).unwrap_or_default();
                writeln!(text, "from {} to {}: {}", at(from), at(to), span_of(to - from))
            }
            None => writeln!(text, "rows have no times"),
        };
        let seasons =
            self.reference.seasons().map(|it| format!(", {} buckets of hours", it.buckets())).unwrap_or_default();
        let labels = if header.labels { "with labels" } else { "no labels: accuracy unknown" };
        let _ = writeln!(text, "{labels}{seasons}; seed {}, made by {}\n", header.seed, header.tool);
        text
    }

    fn ending(&self) -> String {
        let mut text = String::from("\n");
        let rate = f64::from(self.reference.header().false_alarms_per_million) / 1e6;
        let most = of_references(self.rate_at_most(rate));
        let _ = writeln!(text, "row score at a false-alarm rate of {rate}: {}{most}", self.standing(rate).0);
        if let Some(meaning) = self.reference.meaning().and_then(|it| it.meaning.as_ref()) {
            let (model, standing) = (&meaning.model, self.distance(rate).0);
            let most = of_references(self.distance_rate_at_most(rate));
            let _ = writeln!(
                text,
                "distance of what texts mean, by `{model}`, at a false-alarm rate of {rate}: {standing}{most}"
            );
        }
        let _ = match &self.replayed {
            None => writeln!(text, "false alarms replayed: not enough rows, or none kept"),
            Some(it) => writeln!(text, "false alarms replayed: {}", replayed(it)),
        };
        if let (Some(delay), Some(it)) = (&self.delay, &self.replayed) {
            let _ = writeln!(text, "unnoticed, if one column alone moves: {}", unnoticed(delay, it.every_rows));
        }
        text
    }

    /// What the rate of false alarms really is, at most, in 95 of 100 references of this size; none where nothing can be called anomalous.
    fn rate_at_most(&self, rate: f64) -> Option<f64> {
        let score = self.reference.row_score().ok()?;
        judges(&score.standing(rate)).then(|| score.rate_at_most(rate))
    }

    /// What it is of the distance of a text's meaning.
    fn distance_rate_at_most(&self, rate: f64) -> Option<f64> {
        let distance = self.reference.distance()?;
        judges(&distance.standing(rate)).then(|| distance.rate_at_most(rate))
    }

    /// What the row score may be used for, in words and as a code.
    fn standing(&self, rate: f64) -> (String, &'static str) {
        let score = match self.reference.row_score() {
            Ok(score) => score,
            Err(why) => return (format!("none: {}", self.unscored(&why)), "none"),
        };
        stands(score.standing(rate))
    }

    /// What the distance of a text's meaning may be used for likewise.
    fn distance(&self, rate: f64) -> (String, &'static str) {
        match self.reference.distance() {
            Some(distance) => stands(distance.standing(rate)),
            None => ("none: of no text it is known what it means".into(), "none"),
        }
    }

    /// Says why rows have no score.
    fn unscored(&self, why: &Unfit) -> String {
        let of_schema = &self.reference.header().schema;
        let public = of_schema.iter().any(|it| it.role == Role::Input && !it.private);
        match why {
            Unfit::NoRows if self.reference.header().rows.sample > 0 && public => {
                "no row has a sound value in each public input, or all are constant".into()
            }
            Unfit::NoRows | Unfit::NoFeatures if !public => "every input is private".into(),
            Unfit::TooManyColumns { columns, limit } => {
                format!("its inputs make {columns} columns, of which {limit} may be: --drop some")
            }
            _ => "nothing varies: every public input is the same in all rows, or empty".into(),
        }
    }

    /// Writes it for programs.
    pub(crate) fn json(&self) -> Json {
        let header = serde_json::to_value(self.reference.header()).unwrap_or_default();
        let rate = f64::from(self.reference.header().false_alarms_per_million) / 1e6;
        json!({
            "digest": format!("sha256:{}", hex(&self.reference.digest())),
            "header": header,
            "columns": self.told().iter().map(Told::json).collect::<Vec<_>>(),
            "row_score": self.standing(rate).1,
            "row_score_rate_at_most": self.rate_at_most(rate),
            "distance": self.reference.meaning().map(|_| self.distance(rate).1),
            "distance_rate_at_most": self.distance_rate_at_most(rate),
            "replayed": self.replayed.as_ref().map(replayed_json),
            "unnoticed_rows": self.delay.map(|it| json!({"quarter": it.quarter, "half": it.half, "whole": it.whole})),
            "warnings": self.warnings.iter().map(Warning::json).collect::<Vec<_>>(),
        })
    }

    /// Returns a figure for each scalar, with its name.
    pub(crate) fn figures(&self) -> Vec<(String, Figure)> {
        let figure = |it: &Told<'_>| Some((it.scalar.name.clone(), it.figure()?));
        self.told().iter().filter_map(figure).collect()
    }
}

impl Told<'_> {
    fn line(&self) -> Vec<String> {
        let share = |part: u64| percent(part as f64 / self.rows.max(1) as f64);
        let role = match self.column.role {
            Role::Input => "input",
            Role::Output => "answer",
            Role::Confidence => "confidence",
            Role::Label => "label",
            Role::Meaning => "meaning",
        };
        let private = if self.column.private { ", private" } else { "" };
        let quantile = |at: usize| self.quantiles.map_or(String::new(), |it| short(it[at]));
        let cells = if self.buckets > 1 { format!("{}×{}", self.buckets, self.cells) } else { self.cells.to_string() };
        let dropped = self.first.is_none();
        vec![
            self.scalar.name.clone(),
            infer::name(self.column.kind),
            format!("{role}{private}"),
            if dropped { "cells dropped".into() } else { share(self.missing) },
            if dropped { String::new() } else { share(self.invalid) },
            cells,
            self.ties.map(percent).unwrap_or_default(),
            quantile(0),
            quantile(1),
            quantile(2),
            quantile(3),
            quantile(5),
            self.far.map(percent).unwrap_or_default(),
            self.first.map(|it| spark(&bins(it, self.quantiles, SMALL).1)).unwrap_or_default(),
        ]
    }

    fn json(&self) -> Json {
        let at = ["p001", "p25", "p50", "p75", "p99", "p999"];
        let quantiles = self.quantiles.map(|it| at.into_iter().zip(it).collect::<std::collections::BTreeMap<_, _>>());
        json!({
            "name": self.scalar.name, "column": self.column.name, "type": infer::name(self.column.kind),
            "role": self.column.role, "private": self.column.private, "rows": self.rows, "missing": self.missing,
            "invalid": self.invalid, "cells": self.cells, "buckets": self.buckets, "ties_ratio": self.ties,
            "far_out_ratio": self.far, "quantiles": quantiles,
        })
    }

    fn figure(&self) -> Option<Figure> {
        let cells = self.first?;
        let (names, shares) = bins(cells, self.quantiles, LARGE);
        let title = format!(
            "{}: {}, {} missing",
            self.scalar.name,
            rows(self.rows),
            percent(self.missing as f64 / self.rows.max(1) as f64)
        );
        let points = |at: &dyn Fn(usize) -> f64| shares.iter().enumerate().map(|(it, y)| (at(it), *y)).collect();
        let y = Axis::numbers("share of rows").showing(0.0, 0.0);
        let (x, points) = match names {
            Bins::Names(names) => (Axis::names("", names), points(&|it| it as f64)),
            Bins::Numbers { from, width } => (
                Axis::numbers(self.column.unit.as_deref().unwrap_or(&self.scalar.name)),
                points(&|it| from + width * (it as f64 + 0.5)),
            ),
        };
        let series = vec![Series::new("rows", Shape::Bars, points)];
        Some(Figure { title, x, y, series, marks: Vec::new() })
    }
}

/// What bins stand for.
enum Bins {
    Numbers { from: f64, width: f64 },
    Names(Vec<String>),
}

/// Parts a distribution into bins of equal width, or into its most frequent names; shares of all rows.
fn bins(cells: &Cells, quantiles: Option<[f64; 6]>, count: usize) -> (Bins, Vec<f64>) {
    let all = cells.rows().max(1) as f64;
    let share = |at: usize| cells.counts()[at] as f64 / all;
    let Kind::Numbers(ends) = cells.kind() else {
        let label = |at: usize| match cells.label(at) {
            Some(Label::Category(name)) => Some(name.to_owned()),
            Some(Label::Other) => Some("(others)".into()),
            Some(Label::Unseen) => Some("(once)".into()),
            _ => None,
        };
        let mut named: Vec<(String, f64)> =
            (0..cells.counts().len()).filter_map(|at| Some((label(at)?, share(at)))).collect();
        named.retain(|it| it.1 > 0.0);
        named.sort_by(|a, b| b.1.total_cmp(&a.1));
        named.truncate(NAMES);
        let (names, shares) = named.into_iter().unzip();
        return (Bins::Names(names), shares);
    };
    let ends = ends.ends();
    let (least, most) = (ends.first().copied().unwrap_or(0.0), ends.last().copied().unwrap_or(0.0));
    let (from, to) = quantiles.map_or((least, most), |it| (it[0], it[5]));
    let to = if to > from { to } else { from + 1.0 };
    let width = (to - from) / count as f64;
    let mut shares = vec![0.0; count];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at both ends")]
    let bin = |x: f64| (((x - from) / width).floor() as usize).min(count - 1);
    for at in 1..cells.counts().len() - 1 {
        let Some(Label::Interval(below, above)) = cells.label(at) else { continue };
        let (below, above) = (below.max(least.min(from)), above.min(most.max(to)));
        let (first, last) = (bin(below.next_up()), bin(above.next_down()));
        // A cell's rows lie evenly in it, as far as anybody knows.
        (first..=last).for_each(|it| shares[it] += share(at) / (last - first + 1) as f64);
    }
    (Bins::Numbers { from, width }, shares)
}

fn ties(values: &[Value<'_>]) -> f64 {
    let mut keys: Vec<(u8, u64, &str)> = values
        .iter()
        .filter_map(|it| match it {
            Value::Number(it) => Some((0, it.to_bits(), "")),
            Value::Category(it) => Some((1, 0, *it)),
            _ => None,
        })
        .collect();
    keys.sort_unstable();
    let alone = (0..keys.len()).filter(|at| {
        let own = &keys[*at];
        (*at == 0 || keys[at - 1] != *own) && keys.get(at + 1) != Some(own)
    });
    1.0 - alone.count() as f64 / keys.len().max(1) as f64
}

/// The share of numbers beyond three quartile distances.
fn far(values: &[Value<'_>]) -> Option<f64> {
    let number = |it: &Value<'_>| if let Value::Number(it) = it { Some(*it).filter(|it| it.is_finite()) } else { None };
    let mut numbers: Vec<f64> = values.iter().filter_map(number).collect();
    numbers.sort_unstable_by(f64::total_cmp);
    let (low, high) = (*numbers.get(numbers.len() / 4)?, *numbers.get(numbers.len() * 3 / 4)?);
    let wide = FAR * (high - low);
    let out = numbers.iter().filter(|it| **it < low - wide || **it > high + wide).count();
    Some(out as f64 / numbers.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_all_regular_rows_wherever_they_lie() {
        let values = (0..1_000).map(|it| Value::Number(if it % 4 == 0 { 0.0 } else { f64::from(it) }));
        let cells = Cells::numbers(values);
        for quantiles in [None, Some([0.0, 1.0, 2.0, 3.0, 900.0, 950.0])] {
            let (_, shares) = bins(&cells, quantiles, 10);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares[0] > 0.25, "{shares:?}");
        }
        assert_eq!(ties(&[1.0, 1.0, 2.0, 3.0].map(Value::Number)), 0.5);
    }
}
