//! Accuracy without labels, with few, and of another path (`S-ACC`): the employment set of `../shared/data/quality`, simulated
//! shares, and replays of `../shared/data/cascade`.

use std::{fs, path::Path};

use evenkeel_signals::{
    calibrate::{Calibrator, Chances, Row, Teacher},
    eproc::of_counts,
    estimate::{ConceptDrift, DoublyRobust, LabelFree, Powered},
};

use crate::{
    certificates::{self, SETS},
    draw::Draw,
    page::{self, Line},
};

pub(crate) const NAME: &str = "accuracy";
const CHUNK: usize = 5_000;
/// The part of rows that have a label, where few have: one in so many.
const LABELLED: u64 = 20;
pub(crate) const CHUNK_COLUMNS: &str = "chunk,true,label_free,no_change,labels,powered,powered_lo,powered_hi";
pub(crate) const TIME_COLUMNS: &str = "who,teach_s,estimate_s";
/// How much worse than nannyml we may be, and how much faster we are to be.
const WORSE: f64 = 1.05;
const FASTER: f64 = 50.0;
/// Replays of each set, and the share of rows in which the other path is asked.
const REPLAYS: u64 = 200;
const ASKED: f64 = 0.05;
pub(crate) const REPLAY_COLUMNS: &str = "set,rows,replays,covered,doubly_robust,inverse,labels";
/// Runs of a confidence sequence, and rows of each.
const RUNS: u64 = 1_000;
const SEQUENCE_ROWS: u64 = 10_000;
pub(crate) const SEQUENCE_COLUMNS: &str = "share,runs,covered";
const SHARES: [f64; 3] = [0.5, 0.9, 0.98];

/// One answer of a classifier: the probability of yes, and whether it is yes.
#[derive(Clone, Copy)]
pub(crate) struct Said {
    p: f64,
    yes: bool,
}

impl Said {
    fn label(self) -> &'static str {
        if self.p >= 0.5 { "1" } else { "0" }
    }

    fn confidence(self) -> f64 {
        self.p.max(1.0 - self.p)
    }

    fn right(self) -> bool {
        (self.p >= 0.5) == self.yes
    }
}

/// Reads `predicted_probability,prediction,employed`.
pub(crate) fn read(file: &Path) -> Vec<Said> {
    let text = fs::read_to_string(file).expect("a file that bench/signals/accuracy made");
    let said = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        Said { p: cells[0].parse().expect("a probability"), yes: cells[2] == "1" }
    };
    text.lines().skip(1).map(said).collect()
}

/// A classifier whose inputs move, made by seed: what is said stays true.
pub(crate) fn made(rows: usize, moved: f64, seed: u64) -> Vec<Said> {
    let mut draw = Draw(seed);
    let said = |_| {
        let p = (0.5 + 0.28 * draw.normal() + moved).clamp(0.01, 0.99);
        // It is less sure than it says.
        Said { p, yes: draw.part() < 0.5 + (p - 0.5) * 0.8 }
    };
    (0..rows).map(said).collect()
}

fn taught(reference: &[Said]) -> Calibrator {
    let row = |it: &Said| Row { label: it.label(), confidence: Some(it.confidence()), right: it.right() };
    Calibrator::taught(Teacher::Labels, 0, &reference.iter().map(row).collect::<Vec<_>>())
}

fn label_free(chances: &Chances<'_>, chunk: &[Said]) -> f64 {
    let mut window = LabelFree::default();
    chunk.iter().for_each(|it| window.update(0, chances.p(it.label(), Some(it.confidence()))));
    window.read(&ConceptDrift::default()).expect("enough rows").value
}

fn accuracy(rows: &[Said]) -> f64 {
    page::mean(rows.iter().map(|it| f64::from(u8::from(it.right()))))
}

/// What is said of each whole chunk of rows, by a calibrator of the reference.
pub(crate) fn chunks(reference: &[Said], rows: &[Said]) -> Vec<Line> {
    let (calibrator, no_change) = (taught(reference), accuracy(reference));
    let chances = calibrator.chances(0);
    let line = |(number, chunk): (usize, &[Said])| {
        let mut draw = Draw(number as u64);
        let (mut powered, mut labels) = (Powered::default(), Vec::new());
        for it in chunk {
            let labelled = draw.next().is_multiple_of(LABELLED);
            labels.extend(labelled.then_some(*it));
            let p = chances.p(it.label(), Some(it.confidence()));
            powered.update(0, p, labelled.then(|| f64::from(u8::from(it.right()))));
        }
        let few = powered.read().expect("labels").estimate;
        let numbers = [accuracy(chunk), label_free(&chances, chunk), no_change, accuracy(&labels)];
        Line::of(&[], &[&[number as f64][..], &numbers, &[few.value, few.lo, few.hi]].concat())
    };
    rows.chunks_exact(CHUNK).enumerate().map(line).collect()
}

/// Seconds of processor time to teach by the reference, and to say all chunks without labels; the means of twenty.
pub(crate) fn times(reference: &[Said], rows: &[Said]) -> Line {
    let timed = |run: &dyn Fn()| {
        let begun = processor_ns();
        (0..20).for_each(|_| run());
        (processor_ns() - begun) / 20.0 / 1e9
    };
    let calibrator = taught(reference);
    let teach = timed(&|| drop(std::hint::black_box(taught(reference))));
    let estimate = timed(&|| {
        let chances = calibrator.chances(0);
        rows.chunks_exact(CHUNK).for_each(|it| _ = std::hint::black_box(label_free(&chances, it)));
    });
    Line::of(&["evenkeel"], &[teach, estimate])
}

/// What this thread has had of a processor so far, ns.
fn processor_ns() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux that counts it");
    told.split(' ').next().and_then(|it| it.parse().ok()).expect("a count of ns")
}

/// What nannyml said: its estimates, and its times, which stand in the first line.
pub(crate) fn peer(text: &str) -> (Vec<f64>, Line) {
    let mut lines = text.lines();
    let head = lines.next().expect("a line of times");
    let seconds = |after: &str| {
        let rest = head.split_once(after).expect("a time").1;
        rest.trim().split(' ').next().and_then(|it| it.parse().ok()).expect("a number")
    };
    let values = lines.skip(1).map(|it| it.split(',').nth(1).and_then(|it| it.parse().ok()).expect("an estimate"));
    let name = head.trim_start_matches("# ").split(';').next().expect("a name");
    (values.collect(), Line::of(&[name], &[seconds("fit"), seconds("estimate")]))
}

/// Replays a set in which all paths answered everything: the dearest path is asked in 5 % of rows, and what it would have given in all
/// is estimated.
pub(crate) fn replay(folder: &Path, set: &str) -> Line {
    let (rows, costs) = certificates::read(folder, set).parts();
    let path = (0..costs.len()).max_by(|a, b| costs[*a].total_cmp(&costs[*b])).expect("paths");
    let order = Draw(99).order(rows.len());
    let (teach, judge) = order.split_at(rows.len() / 2);
    let right = |at: usize| rows[at].said[path].as_ref().is_some_and(|it| it.label == rows[at].truth);
    // The guess is made before the path is asked: by what the cheapest path says, how often the dear one is right.
    let cheap = (0..costs.len()).min_by(|a, b| costs[*a].total_cmp(&costs[*b])).expect("paths");
    let of = |at: &usize| {
        let said = rows[*at].said[cheap].as_ref().expect("all answered");
        Row { label: &said.label, confidence: said.confidence, right: right(*at) }
    };
    let guesses = Calibrator::taught(Teacher::Labels, 0, &teach.iter().map(of).collect::<Vec<_>>());
    let guess = |at: &usize| {
        let row = of(at);
        (guesses.read(0, row.label, row.confidence).p, f64::from(u8::from(row.right)))
    };
    let judge: Vec<(f64, f64)> = judge.iter().map(guess).collect();
    let truth = page::mean(judge.iter().map(|it| it.1));
    let mut off = [0.0; 3];
    let mut covered = 0.0;
    for seed in 0..REPLAYS {
        let mut draw = Draw(seed);
        let (mut robust, mut inverse, mut labels) = (DoublyRobust::default(), DoublyRobust::default(), Vec::new());
        for (guess, outcome) in &judge {
            let seen = (draw.part() < ASKED).then_some(*outcome);
            robust.update(0, *guess, ASKED, seen).expect("in bounds");
            inverse.update(0, 0.0, ASKED, seen).expect("in bounds");
            labels.extend(seen);
        }
        let said = robust.read().expect("some were asked").estimate;
        covered += f64::from(u8::from((said.lo..=said.hi).contains(&truth)));
        let values = [said.value, inverse.read().expect("some were asked").estimate.value, page::mean(labels)];
        off.iter_mut().zip(values).for_each(|(off, it)| *off += (it - truth).abs() / REPLAYS as f64);
    }
    Line::of(&[set], &[judge.len() as f64, REPLAYS as f64, covered / REPLAYS as f64, off[0], off[1], off[2]])
}

/// Runs of a confidence sequence that covered the share at every look: after each row up to 100, then after each hundredth.
pub(crate) fn sequence(share: f64, runs: u64) -> Line {
    let mut covered = 0;
    for seed in 0..runs {
        let mut draw = Draw(seed ^ share.to_bits());
        let (mut yes, mut missed) = (0, false);
        for row in 1..=SEQUENCE_ROWS {
            yes += u64::from(draw.part() < share);
            if row <= 100 || row.is_multiple_of(100) {
                let (lo, hi) = of_counts(yes, row - yes, 0.05);
                missed |= !(lo..=hi).contains(&share);
            }
        }
        covered += u64::from(!missed);
    }
    Line::of(&[], &[share, runs as f64, covered as f64 / runs as f64])
}

pub(crate) fn run_replays(folder: &Path) -> Vec<Line> {
    page::all_of("replays", SETS.len(), |it| replay(folder, SETS[it]))
}

pub(crate) fn run_sequences() -> Vec<Line> {
    page::all_of("sequences", SHARES.len(), |it| sequence(SHARES[it], RUNS))
}

/// What an interval at 95 % covers at least in so few replays: three standard errors below.
fn least_covered() -> f64 {
    0.95 - 3.0 * (0.95_f64 * 0.05 / REPLAYS as f64).sqrt()
}

/// All that was found.
pub(crate) struct Found {
    pub(crate) chunks: Vec<Line>,
    pub(crate) peer: Vec<f64>,
    pub(crate) times: Vec<Line>,
    pub(crate) replays: Vec<Line>,
    pub(crate) sequences: Vec<Line>,
}

impl Found {
    fn off(&self, column: usize) -> Vec<f64> {
        self.chunks.iter().map(|it| (it.numbers[column] - it.numbers[1]).abs()).collect()
    }

    fn peer_off(&self) -> Vec<f64> {
        self.chunks.iter().zip(&self.peer).map(|(it, peer)| (peer - it.numbers[1]).abs()).collect()
    }

    fn seconds(&self, who: usize) -> f64 {
        self.times[who].numbers.iter().sum()
    }

    /// What is not as promised.
    pub(crate) fn misses(&self) -> Vec<String> {
        let mut misses = Vec::new();
        let (ours, theirs) = (page::mean(self.off(2)), page::mean(self.peer_off()));
        if ours.is_nan() || ours > WORSE * theirs {
            misses.push(format!("without labels we are off by {ours:.5}, nannyml by {theirs:.5}"));
        }
        if self.seconds(0) * FASTER > self.seconds(1) {
            misses.push(format!("we take {:.4} s, nannyml {:.4} s", self.seconds(0), self.seconds(1)));
        }
        let low = |it: &&Line| it.numbers[2] < 0.95;
        self.sequences.iter().filter(low).for_each(|it| misses.push(format!("sequences cover too rarely: {it:?}")));
        for it in &self.replays {
            if it.numbers[2] < least_covered() || it.numbers[3] > it.numbers[4] {
                misses.push(format!("replays: {it:?}"));
            }
        }
        misses
    }

    pub(crate) fn tables(&self) -> String {
        let row = |name: &str, off: Vec<f64>, seconds: Option<f64>| {
            let most = off.iter().copied().fold(0.0, f64::max);
            let seconds = seconds.map_or("–".into(), |it| format!("{it:.3}"));
            vec![name.to_owned(), format!("{:.4}", page::mean(off)), format!("{most:.4}"), seconds]
        };
        let inside = |it: &Line| f64::from(u8::from((it.numbers[6]..=it.numbers[7]).contains(&it.numbers[1])));
        let covered = page::mean(self.chunks.iter().map(inside)) * 100.0;
        let peer = &self.times[1].names[0];
        let rows = [
            row("**label-free, cell calibrator**", self.off(2), Some(self.seconds(0))),
            row(&format!("{peer}, CBPE"), self.peer_off(), Some(self.seconds(1))),
            row("assume no change", self.off(3), None),
            row("5 % labels alone", self.off(4), None),
            row(&format!("5 % labels, PPI++ (its interval covers {covered:.0} %)"), self.off(5), None),
        ];
        let first = page::table(
            &[
                "accuracy of chunks",
                "mean absolute error",
                "largest",
                "seconds: teach and say (ours warm, theirs once)",
            ],
            &rows,
        );
        let replay = |it: &Line| {
            let n = &it.numbers;
            let mut cells = vec![it.names[0].clone(), format!("{:.0}", n[0]), format!("{:.1}", n[2] * 100.0)];
            cells.extend([3, 4, 5].map(|at| format!("{:.4}", n[at])));
            cells
        };
        let covers = format!("interval covers, % (held: {:.1})", least_covered() * 100.0);
        let head = ["set", "rows", &covers, "**doubly robust: mean error**", "inverse weights", "labels alone"];
        let second = page::table(&head, &self.replays.iter().map(replay).collect::<Vec<_>>());
        let sequence = |it: &Line| {
            let n = &it.numbers;
            vec![format!("{:.2}", n[0]), format!("{:.0}", n[1]), format!("{:.1}", n[2] * 100.0)]
        };
        let head = ["share", "runs", "covered at every look, %"];
        let third = page::table(&head, &self.sequences.iter().map(sequence).collect::<Vec<_>>());
        format!("{first}\n{second}\n{third}")
    }
}
