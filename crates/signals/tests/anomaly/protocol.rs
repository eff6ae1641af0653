//! Protocol: what is drawn of a set, and what the row score makes of it (`../shared/data/anomaly/README.md`).

use evenkeel_signals::{
    anomaly::{FitRow, RowScore, Settings},
    row::{Kind, RowId, Value},
};

use crate::{draw::Draw, npz::Array};

/// Normal rows that teach, and rows that judge, at most.
const TAUGHT: usize = 10_000;
const JUDGED: usize = 20_000;
/// Rates at which false alarms are counted.
pub(crate) const RATES: [f64; 2] = [0.01, 0.05];
/// Shares of anomalies that are hidden among the rows that teach.
pub(crate) const HIDDEN: [f64; 2] = [0.01, 0.05];
/// Expected calibrating rows beyond a threshold, below which no false alarms are counted.
const COUNTED: f64 = 5.0;

/// The rows of one draw, by their numbers in the set.
pub(crate) struct Split {
    pub(crate) teach: Vec<usize>,
    pub(crate) judge: Vec<usize>,
}

/// False alarms at one rate: counted, and as many as there should be, as shares.
#[derive(Clone, Copy)]
pub(crate) struct Alarms {
    pub(crate) found: f64,
    pub(crate) expected: f64,
}

/// What one draw gave.
pub(crate) struct Found {
    /// As the protocol of the sets has it: all rows that teach are fitted.
    pub(crate) auroc: f64,
    /// Where some of them are set aside to calibrate, as they are in operation.
    pub(crate) calibrated: f64,
    /// By [`RATES`]; none where too few rows calibrate.
    pub(crate) alarms: [Option<Alarms>; 2],
}

/// Draws half of the normal rows to teach, and the others with all anomalies to judge.
pub(crate) fn split(y: &Array, seed: u64) -> Split {
    let (mut normal, anomalies): (Vec<usize>, Vec<usize>) = (0..y.rows()).partition(|row| y.at(*row, 0) == 0.0);
    let mut draw = Draw(seed);
    draw.shuffle(&mut normal);
    let half = normal.len() / 2;
    let mut judge = [&normal[half..], &anomalies].concat();
    draw.shuffle(&mut judge);
    judge.truncate(JUDGED);
    normal.truncate(half.min(TAUGHT));
    Split { teach: normal, judge }
}

/// Fits on the rows that teach and scores the others.
pub(crate) fn run(x: &Array, y: &Array, split: &Split, seed: u64) -> Found {
    let score = fit(x, &split.teach, seed, Some(RATES[0]));
    let judge = |row: &usize| (score.score(&values(x, *row)).expect("numbers"), y.at(*row, 0) == 1.0);
    let judged: Vec<_> = split.judge.iter().map(judge).collect();
    let calibrating = score.calibration().scores().len() + 1;
    let alarms = RATES.map(|rate| {
        #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
        let beyond = rate * calibrating as f64;
        let normal: Vec<_> = judged.iter().filter(|it| !it.1).collect();
        let found = share(normal.iter().filter(|it| it.0.p.value() <= rate).count(), normal.len());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few rows")]
        let expected = share(beyond.floor() as usize, calibrating);
        (beyond >= COUNTED).then_some(Alarms { found, expected })
    });
    let calibrated = auroc(&judged.iter().map(|(it, odd)| (it.s, *odd)).collect::<Vec<_>>());
    Found { auroc: distances(x, y, split, seed), calibrated, alarms }
}

/// The AUROC of the distances alone.
fn distances(x: &Array, y: &Array, split: &Split, seed: u64) -> f64 {
    let score = fit(x, &split.teach, seed, None);
    let judge = |row: &usize| (score.score(&values(x, *row)).expect("numbers").s, y.at(*row, 0) == 1.0);
    auroc(&split.judge.iter().map(judge).collect::<Vec<_>>())
}

/// The AUROC where a share of the rows that teach are anomalies, which then judge no more; at most half of them.
pub(crate) fn hidden(x: &Array, y: &Array, split: &Split, seed: u64, share: f64) -> f64 {
    let odd: Vec<usize> = split.judge.iter().copied().filter(|row| y.at(*row, 0) == 1.0).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let asked = share / (1.0 - share) * split.teach.len() as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
    let inside = &odd[..(asked.round() as usize).min(odd.len() / 2)];
    let judge = split.judge.iter().copied().filter(|row| !inside.contains(row)).collect();
    distances(x, y, &Split { teach: [&split.teach[..], inside].concat(), judge }, seed)
}

fn fit(x: &Array, teach: &[usize], seed: u64, false_alarm_rate: Option<f64>) -> RowScore {
    let rows: Vec<_> = teach.iter().map(|row| values(x, *row)).collect();
    let id = |row: usize| RowId { source: seed, number: u64::try_from(row).expect("a count") };
    let rows: Vec<_> = teach.iter().zip(&rows).map(|(row, values)| FitRow { id: id(*row), values }).collect();
    let features = vec![("x", Kind::Number); x.columns()];
    RowScore::fit(&features, &rows, Settings { seed, false_alarm_rate }).expect("rows")
}

fn values(x: &Array, row: usize) -> Vec<Value<'static>> {
    (0..x.columns()).map(|column| Value::Number(x.at(row, column))).collect()
}

/// How often an anomaly is farther than a normal row; of two alike, half.
pub(crate) fn auroc(scores: &[(f32, bool)]) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won, mut odd) = (0_u64, 0_u64, 0_u64);
    for alike in sorted.chunk_by(|a, b| a.0 == b.0) {
        let here = alike.iter().filter(|it| it.1).count() as u64;
        let normal = alike.len() as u64 - here;
        // Twice what is won, so that halves are whole.
        won += here * (2 * below + normal);
        (below, odd) = (below + normal, odd + here);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let auroc = won as f64 / (2 * below * odd).max(1) as f64;
    auroc
}

fn share(part: usize, all: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let share = part as f64 / all.max(1) as f64;
    share
}
