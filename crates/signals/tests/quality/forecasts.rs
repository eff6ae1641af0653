//! Forecasts of crossings (`S-FORE`): ramps, sudden failures and quiet days that are made by seed, and replays of real arrivals
//! (`../shared/data/load`).

use std::{fs, path::Path};

use evenkeel_signals::forecast::{FIVE_MINUTES, Forecast, Scale, Setting, Side};

use crate::{
    draw::Draw,
    page::{self, Line},
};

pub(crate) const NAME: &str = "forecasts";
/// Series of each kind, and their points of 5 s: two days, of which the second is judged.
const SERIES: usize = 20;
const DAY: usize = 17_280;
const POINTS: usize = 2 * DAY;
/// Points before the first forecast: 240 residuals of 60 points.
const LEARNT: usize = 299;
const KINDS: [&str; 5] =
    ["p95 on ramps", "error ratio on ramps", "p95 that jumps", "p95 on quiet days", "error ratio on quiet days"];
pub(crate) const COLUMNS: &str =
    "kind,seed,hours,brier,persistence,slope,crossings,recall,precision,lead_s,false_per_day";
/// What is promised of ramps.
const BRIER: f64 = 0.8;
const RECALL: f64 = 0.8;
const LEAD_S: f64 = 60.0;

/// A trigger: its points, and what is forecast of it.
struct Series {
    points: Vec<f64>,
    setting: Setting,
}

fn p95() -> Setting {
    Setting { scale: Scale::Count, side: Side::Above, threshold: 800.0, horizon: FIVE_MINUTES }
}

fn ratio() -> Setting {
    Setting { scale: Scale::Ratio, side: Side::Above, threshold: 0.1, horizon: FIVE_MINUTES }
}

/// Two days: troubles of 15 to 45 minutes about every two hours, whose height is told by their shape; noise that lasts.
fn made(kind: usize, seed: u64) -> Series {
    let mut draw = Draw(seed ^ (kind as u64) << 32);
    let mut heights = vec![0.0_f64; POINTS];
    let mut at = 600;
    while kind < 3 && at < POINTS {
        let long = 180 + (draw.part() * 360.0) as usize;
        let peak = 0.8 + 0.6 * draw.part();
        for within in 0..long + 120 {
            let part = if kind == 2 { 1.0 } else { (within as f64 / long as f64).min(1.0) };
            if let Some(it) = heights.get_mut(at + within) {
                *it = peak * part;
            }
        }
        at += long + 120 + 900 + (draw.part() * 900.0) as usize;
    }
    let mut noise = 0.0;
    let mut point = |height: &f64| {
        noise = 0.8 * noise + 0.6 * draw.normal();
        // Height 1 is about the threshold.
        match kind {
            1 | 4 => {
                let odds =
                    (0.01_f64 / 0.99).ln() + height * ((0.1_f64 / 0.9).ln() - (0.01_f64 / 0.99).ln()) + 0.12 * noise;
                1.0 / (1.0 + (-odds).exp())
            }
            _ => (250.0_f64.ln() + height * (800.0_f64 / 250.0).ln() + 0.06 * noise).exp(),
        }
    };
    let points = heights.iter().map(&mut point).collect();
    Series { points, setting: if matches!(kind, 1 | 4) { ratio() } else { p95() } }
}

/// Real arrivals: what comes in a minute, every 5 s; trouble is half as much again as 19 of 20 minutes have.
fn replayed(file: &Path, tokens: bool) -> Series {
    let text = fs::read_to_string(file).expect("arrivals");
    let mut each: Vec<f64> = Vec::new();
    for line in text.lines().skip(1) {
        let cells: Vec<_> = line.trim().split(',').collect();
        let clock: Vec<f64> = cells[0][11..].split(':').map(|it| it.parse().expect("a time")).collect();
        let at = ((clock[0] * 3_600.0 + clock[1] * 60.0 + clock[2]) / 5.0) as usize;
        let from = each.len().checked_sub(1).map_or(at, |_| 0);
        let first = if each.is_empty() { from } else { each[0] as usize };
        if each.is_empty() {
            each.push(first as f64);
        }
        let place = at - first + 1;
        if each.len() <= place {
            each.resize(place + 1, 0.0);
        }
        each[place] += if tokens { cells[1].parse().expect("tokens") } else { 1.0 };
    }
    let points: Vec<f64> = each[1..].windows(12).map(|it| it.iter().sum()).collect();
    let threshold = 1.5 * page::quantile(points.clone(), 0.95);
    Series { points, setting: Setting { scale: Scale::Count, side: Side::Above, threshold, horizon: FIVE_MINUTES } }
}

/// Plays a series and judges what was said against what came, "nothing will change", and a straight line through five minutes.
fn judged(kind: &str, seed: u64, series: &Series) -> Line {
    let (points, threshold) = (&series.points, series.setting.threshold);
    let mut forecast = Forecast::new(series.setting).expect("sound");
    let crosses =
        |from: usize| points[(from + 1).min(points.len())..].iter().take(FIVE_MINUTES).any(|it| *it >= threshold);
    // What is remembered is a day: the errors are those of the last one.
    let from = points.len().saturating_sub(DAY).max(LEARNT);
    let (mut warned, mut wrong, mut slope, mut lines, mut before) = (false, 0.0, 0.0, 0.0, [0.0; 2]);
    for (at, x) in points.iter().enumerate() {
        forecast.update(at as u64, Some(*x));
        if at == from {
            before = crossings(&forecast);
        }
        let warns = forecast.warns();
        if at > from && warns && !warned && at + FIVE_MINUTES < points.len() && !crosses(at) {
            wrong += 1.0;
        }
        warned = warns;
        if at >= from && *x < threshold && at + FIVE_MINUTES < points.len() {
            let said = straight(&points[at + 1 - FIVE_MINUTES..=at], series.setting);
            let off = f64::from(u8::from(said)) - f64::from(u8::from(crosses(at)));
            slope += off * off;
            lines += 1.0;
        }
    }
    let (skill, after) = (forecast.skill(), crossings(&forecast));
    let hours = (points.len() - from) as f64 / 720.0;
    let lead = skill.lead.map_or(f64::NAN, |it| it as f64 * 5.0);
    let (crossings, warned) = (after[0] - before[0], after[1] - before[1]);
    let precision = skill.precision.unwrap_or(f64::NAN);
    let numbers = [seed as f64, hours, skill.brier, skill.persistence, slope / lines, crossings, warned / crossings];
    Line::of(&[kind], &[&numbers[..], &[precision, lead, wrong / hours * 24.0]].concat())
}

/// Crossings so far, and those that were warned of.
fn crossings(forecast: &Forecast) -> [f64; 2] {
    let skill = forecast.skill();
    let crossings = skill.crossings as f64;
    [crossings, skill.recall.unwrap_or(0.0) * crossings]
}

/// Whether a line through the last points reaches the threshold in as many again, on the scale of the trigger.
fn straight(points: &[f64], setting: Setting) -> bool {
    let height = |x: f64| match setting.scale {
        Scale::Ratio => (x / (1.0 - x)).ln(),
        Scale::Count => (1.0 + x).ln(),
        Scale::Plain => x,
    };
    let n = points.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = points.iter().map(|it| height(*it)).sum::<f64>() / n;
    let (mut common, mut spread) = (0.0, 0.0);
    for (at, x) in points.iter().enumerate() {
        let from = at as f64 - middle;
        common += from * (height(*x) - mean);
        spread += from * from;
    }
    mean + common / spread * (middle + n) >= height(setting.threshold)
}

/// One series of a kind.
pub(crate) fn series(kind: usize, seed: u64) -> Line {
    judged(KINDS[kind], seed, &made(kind, seed))
}

/// The replays of real arrivals.
pub(crate) fn replays(folder: &Path) -> Vec<Line> {
    let replay = |(name, file, tokens): (&str, &str, bool)| judged(name, 0, &replayed(&folder.join(file), tokens));
    [
        ("requests a minute: conv", "AzureLLMInferenceTrace_conv.csv", false),
        ("prompt tokens a minute: conv", "AzureLLMInferenceTrace_conv.csv", true),
        ("requests a minute: code", "AzureLLMInferenceTrace_code.csv", false),
        ("prompt tokens a minute: code", "AzureLLMInferenceTrace_code.csv", true),
    ]
    .map(replay)
    .into()
}

pub(crate) fn run(folder: &Path) -> Vec<Line> {
    let mut lines = page::all_of(NAME, KINDS.len() * SERIES, |job| series(job / SERIES, (job % SERIES) as u64 + 1));
    lines.extend(replays(folder));
    lines
}

/// The means of a kind; medians of leads.
fn means<'a>(lines: &'a [Line]) -> Vec<(&'a str, Vec<f64>)> {
    let mut kinds: Vec<(&str, Vec<&Line>)> = Vec::new();
    for it in lines {
        match kinds.last_mut() {
            Some((kind, all)) if *kind == it.names[0] => all.push(it),
            _ => kinds.push((&it.names[0], vec![it])),
        }
    }
    let number = |all: &Vec<&'a Line>, at: usize| {
        let all: Vec<f64> = all.iter().map(|it| it.numbers[at]).filter(|it| !it.is_nan()).collect();
        if at == 8 { page::quantile(all, 0.5) } else { page::mean(all) }
    };
    kinds.iter().map(|(kind, all)| (*kind, (0..10).map(|at| number(all, at)).collect())).collect()
}

/// What is not as promised.
pub(crate) fn misses(lines: &[Line]) -> Vec<String> {
    let ramps = means(lines).into_iter().filter(|it| it.0.ends_with("on ramps"));
    let bad = |(_, it): &(&str, Vec<f64>)| {
        it[2] > BRIER * it[3] || it[2] >= it[4] || it[6] < RECALL || it[8] < LEAD_S || it.iter().any(|it| it.is_nan())
    };
    ramps.filter(bad).map(|it| format!("{it:?}")).collect()
}

pub(crate) fn table(lines: &[Line]) -> String {
    let row = |(kind, it): (&str, Vec<f64>)| {
        let cell =
            |at: usize, places: usize| if it[at].is_nan() { "–".to_owned() } else { format!("{:.places$}", it[at]) };
        let mut cells = vec![kind.replace(':', ","), cell(1, 1), cell(2, 4), cell(3, 4), cell(4, 4), cell(5, 1)];
        cells.extend([cell(6, 2), cell(7, 2), cell(8, 0), cell(9, 1)]);
        cells
    };
    let head = [
        "trigger",
        "hours judged",
        "**Brier**",
        "no change",
        "straight line",
        "crossings a series",
        "**warned of**",
        "warned points that crossed",
        "median lead, s",
        "false warnings a day",
    ];
    page::table(&head, &means(lines).into_iter().map(row).collect::<Vec<_>>())
}
