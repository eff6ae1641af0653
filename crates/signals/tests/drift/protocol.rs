//! Protocol of `S-DRIFT`: null streams of six kinds, a clock whose rate changes, shifts; for the tests in small, for `bench/signals/drift`
//! in large.

use std::sync::{Arc, LazyLock};

use evenkeel_signals::{
    cells::{Cells, Value},
    drift::{Hold, Panel, Settings, Watched, share},
    eproc::Every,
    math,
};

/// Draws by a seed.
pub(crate) struct Draw {
    seed: u64,
    at: u64,
}

impl Draw {
    pub(crate) fn of(seed: u64) -> Self {
        Self { seed: seed.wrapping_mul(0xd134_2543_de82_ef95), at: 0 }
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.at += 1;
        share(self.seed ^ self.at, 1)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        (self.uniform() * 9_007_199_254_740_992.0) as u64
    }

    /// Marsaglia's polar method.
    pub(crate) fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                return x * (-2.0 * math::ln(s) / s).sqrt();
            }
        }
    }
}

/// What null streams are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Normal,
    /// Poisson of mean 2: a handful of values.
    Ties,
    /// Twelve, the k-th as frequent as 1/k.
    Categories,
    /// Three hundred, all alike: more than have a cell.
    Alike,
    /// Names without end, each a little rarer than the one before.
    Tail,
    /// Normal, 5 % missing.
    Missing,
}

pub(crate) const CASES: [Case; 6] =
    [Case::Normal, Case::Ties, Case::Categories, Case::Alike, Case::Tail, Case::Missing];
static MANY: LazyLock<Vec<String>> = LazyLock::new(|| (0..4_000).map(|at| format!("name {at}")).collect());
const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

impl Case {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Ties => "ties (Poisson, mean 2)",
            Self::Categories => "12 categories, 1/k",
            Self::Alike => "300 categories, alike",
            Self::Tail => "categories without end, each 1 % rarer",
            Self::Missing => "normal, 5 % missing",
        }
    }

    pub(crate) fn value(self, draw: &mut Draw) -> Value<'static> {
        match self {
            Self::Missing if draw.uniform() < 0.05 => Value::Missing,
            Self::Normal | Self::Missing => Value::Number(draw.normal()),
            Self::Ties => {
                let (mut product, mut count) = (draw.uniform(), 0);
                // e^-2
                while product > 0.135_335_283_236_612_7 {
                    (product, count) = (product * draw.uniform(), count + 1);
                }
                Value::Number(f64::from(count))
            }
            Self::Alike => Value::Category(&MANY[(draw.uniform() * 300.0) as usize]),
            Self::Tail => {
                Value::Category(&MANY[((-math::ln(draw.uniform().max(1e-300)) * 100.0) as usize).min(MANY.len() - 1)])
            }
            Self::Categories => {
                let all: f64 = (1..=12_u32).map(|k| 1.0 / f64::from(k)).sum();
                let mut left = draw.uniform() * all;
                let name = (1..=12_u32).zip(NAMES).find(|(k, _)| {
                    left -= 1.0 / f64::from(*k);
                    left < 0.0
                });
                Value::Category(name.map_or("l", |it| it.1))
            }
        }
    }

    pub(crate) fn cells(self, draw: &mut Draw, rows: usize) -> Cells {
        // Of names that chance chooses every fourth row is not counted.
        let rows = if matches!(self, Self::Alike | Self::Tail) { rows + rows / 3 + 10 } else { rows };
        let column: Vec<_> = (0..rows).map(|_| self.value(draw)).collect();
        match self {
            Self::Categories | Self::Alike | Self::Tail => Cells::categories(column),
            Self::Normal | Self::Ties | Self::Missing => Cells::numbers(column),
        }
    }
}

/// How null streams are run.
#[derive(Clone, Copy)]
pub(crate) struct Nulls {
    pub(crate) streams: u64,
    /// T.
    pub(crate) every: u64,
    /// Where a run is cut, in T.
    pub(crate) cut: u64,
    pub(crate) reference: usize,
    pub(crate) enforced: bool,
}

/// What null streams gave: times to the first alarm, cut.
pub(crate) struct Runs {
    /// Streams with an alarm before the cut.
    pub(crate) alarms: usize,
    /// The mean run, cut: the true one is greater.
    pub(crate) mean: f64,
    /// Its lower bound, one-sided, 99 %.
    pub(crate) low: f64,
}

impl Runs {
    pub(crate) fn of(runs: &[u64], cut: u64) -> Self {
        let n = runs.len() as f64;
        let mean = runs.iter().map(|it| *it as f64).sum::<f64>() / n;
        let squares: f64 = runs.iter().map(|it| (*it as f64 - mean) * (*it as f64 - mean)).sum();
        let error = (squares / (n - 1.0) / n).sqrt();
        Self { alarms: runs.iter().filter(|it| **it < cut).count(), mean, low: mean - 2.326 * error }
    }
}

/// A panel of one stream.
pub(crate) fn panel(cells: Cells, every: Every, enforced: bool) -> Panel {
    let settings = Settings { every, enforced, hold: Hold { nanos: 0, rows: 0 }, seasons: None };
    let watched = Watched { name: "x".into(), weight: 1.0, cells: vec![Arc::new(cells)] };
    Panel::new(settings, vec![watched]).expect("a sound panel")
}

/// Runs null streams, each with a reference of its own.
pub(crate) fn nulls(case: Case, of: Nulls) -> Runs {
    let cut = of.every * of.cut;
    let run = |seed: u64| {
        let mut draw = Draw::of(seed);
        let mut panel = panel(case.cells(&mut draw, of.reference), Every::Rows(of.every), of.enforced);
        let alarms = |at: &u64| panel.update(*at, draw.bits(), &[Some(case.value(&mut draw))]).is_some();
        (1..cut).find(alarms).unwrap_or(cut)
    };
    Runs::of(&(0..of.streams).map(run).collect::<Vec<_>>(), cut)
}

/// Runs normal null streams by the clock: ten rows a unit of time by day, one by night, each a twentieth of T. In units of time.
pub(crate) fn clocked(of: Nulls) -> Runs {
    const UNIT: u64 = 1_000_000;
    let (cut, half) = (of.every * of.cut * UNIT, of.every * UNIT / 20);
    let run = |seed: u64| {
        let mut draw = Draw::of(seed + 1_000_000);
        let cells = Case::Normal.cells(&mut draw, of.reference);
        let mut panel = panel(cells, Every::Nanos(of.every * UNIT), of.enforced);
        let mut at = 0;
        while at < cut {
            at += if at / half % 2 == 0 { UNIT / 10 } else { UNIT };
            if panel.update(at, draw.bits(), &[Some(Value::Number(draw.normal()))]).is_some() {
                break;
            }
        }
        at.min(cut) / UNIT
    };
    Runs::of(&(0..of.streams).map(run).collect::<Vec<_>>(), cut / UNIT)
}

/// A change: x becomes `x · times + plus`.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) plus: f64,
    pub(crate) times: f64,
}

pub(crate) const CHANGES: [Change; 4] = [
    Change { plus: 0.25, times: 1.0 },
    Change { plus: 0.5, times: 1.0 },
    Change { plus: 1.0, times: 1.0 },
    Change { plus: 0.0, times: 1.5 },
];

/// Null rows between the reference and the change.
pub(crate) const BEFORE: usize = 1_000;
/// Rows after the change: who has not alarmed by then has missed it.
pub(crate) const AFTER: usize = 5_000;

/// The rows of one stream of the comparison: reference, null rows, rows that are to be changed.
pub(crate) fn stream(seed: u64, reference: usize) -> Vec<f64> {
    let mut draw = Draw::of(seed + 2_000_000);
    (0..reference + BEFORE + AFTER).map(|_| draw.normal()).collect()
}

/// Returns after how many rows of a change the first alarm comes; none where it is missed. An alarm before the change is false, and
/// all starts again after it.
pub(crate) fn delay(rows: &[f64], reference: usize, (every, enforced): (u64, bool), change: Change) -> Option<usize> {
    let cells = Cells::numbers(rows[..reference].iter().map(|it| Value::Number(*it)));
    let mut panel = panel(cells, Every::Rows(every), enforced);
    let mut draw = Draw::of(rows[0].to_bits());
    let mut alarms = |at: usize, x: f64| panel.update(at as u64, draw.bits(), &[Some(Value::Number(x))]).is_some();
    for (at, x) in rows[reference..reference + BEFORE].iter().enumerate() {
        alarms(at, *x);
    }
    let changed = rows[reference + BEFORE..].iter().map(|x| x * change.times + change.plus);
    (1..).zip(changed).find(|(at, x)| alarms(BEFORE + at, *x)).map(|it| it.0)
}

/// The median of delays, and how many were missed. A missed one is later than all others.
pub(crate) fn median(mut delays: Vec<Option<usize>>) -> (Option<usize>, usize) {
    let missed = delays.iter().filter(|it| it.is_none()).count();
    delays.sort_by_key(|it| it.unwrap_or(usize::MAX));
    (delays[delays.len() / 2], missed)
}
