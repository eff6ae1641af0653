//! Page: what was found, as a file that is kept and as the table of `docs/quality.md`.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use crate::{
    LEAST, NAMED, OFF,
    protocol::{Alarms, Found, RATES},
};

/// Detectors of others, as their file names them.
pub(crate) const PEERS: [&str; 4] = ["ECOD", "HBOS", "COPOD", "IForest"];

/// What one draw of one set gave.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) set: String,
    pub(crate) seed: u64,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) auroc: f64,
    pub(crate) calibrated: f64,
    pub(crate) hidden: [f64; 2],
    /// By rate: found and expected; NaN where too few rows calibrate.
    pub(crate) alarms: [[f64; 2]; 2],
}

/// AUROC by set, seed and peer.
pub(crate) type Peers = BTreeMap<(String, u64, String), f64>;

impl Line {
    pub(crate) fn of(set: &Path, seed: u64, (rows, columns): (usize, usize), found: &Found, hidden: [f64; 2]) -> Self {
        let alarms = found.alarms.map(|it: Option<Alarms>| it.map_or([f64::NAN; 2], |it| [it.found, it.expected]));
        let (auroc, calibrated) = (found.auroc, found.calibrated);
        Self { set: name(set), seed, rows, columns, auroc, calibrated, hidden, alarms }
    }

    /// Says whether two are the same, as they are written; what was not run again is not asked for.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let numbers = |it: &Self| {
            let all = [it.auroc, it.calibrated, it.alarms[0][0], it.alarms[0][1], it.alarms[1][0], it.alarms[1][1]];
            all.map(|it| format!("{it:.6}"))
        };
        self.set == other.set && numbers(self) == numbers(other)
    }
}

/// The name of a set.
pub(crate) fn name(set: &Path) -> String {
    set.file_stem().expect("a file").to_string_lossy().into_owned()
}

const HEAD: &str = "set,seed,rows,columns,auroc,calibrated,hidden_1,hidden_5,alarms_1,expected_1,alarms_5,expected_5";

/// Writes lines as they are kept.
pub(crate) fn csv(lines: &[Line]) -> String {
    let mut text = format!("{HEAD}\n");
    for it in lines {
        let numbers = [it.auroc, it.calibrated, it.hidden[0], it.hidden[1]];
        let numbers = numbers.iter().chain(it.alarms.iter().flatten()).map(|it| format!("{it:.6}"));
        let numbers = numbers.collect::<Vec<_>>().join(",");
        let _ = writeln!(text, "{},{},{},{},{numbers}", it.set, it.seed, it.rows, it.columns);
    }
    text
}

/// Reads what was kept.
pub(crate) fn read(text: &str) -> Vec<Line> {
    assert!(text.starts_with(HEAD), "bench/signals/anomaly.csv has other columns: run bench/signals/anomaly");
    let line = |it: &str| {
        let cells: Vec<&str> = it.split(',').collect();
        let number = |at: usize| cells[at].parse::<f64>().expect("a number");
        let count = |at: usize| cells[at].parse().expect("a count");
        Line {
            set: cells[0].to_owned(),
            seed: cells[1].parse().expect("a seed"),
            rows: count(2),
            columns: count(3),
            auroc: number(4),
            calibrated: number(5),
            hidden: [number(6), number(7)],
            alarms: [[number(8), number(9)], [number(10), number(11)]],
        }
    };
    text.lines().skip(1).map(line).collect()
}

/// Reads what the detectors of others made of the same rows: `set,seed,detector,auroc`.
pub(crate) fn peers(text: &str) -> Peers {
    let line = |it: &str| {
        let cells: Vec<&str> = it.split(',').collect();
        let key = (cells[0].to_owned(), cells[1].parse().expect("a seed"), cells[2].to_owned());
        (key, cells[3].parse().expect("a number"))
    };
    text.lines().filter(|it| !it.starts_with('#')).skip(1).map(line).collect()
}

fn mean(all: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = all.filter(|it| !it.is_nan()).fold((0.0, 0.0), |(n, sum), it| (n + 1.0, sum + it));
    sum / n
}

/// The sets, in the order of the file.
fn sets(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter(|it| it.seed == 0).map(|it| it.set.as_str()).collect()
}

/// The means of a set, or of all: ours, ours with calibrating rows, the peers, hidden anomalies, false alarms and what they should be.
fn means(lines: &[Line], peers: &Peers, set: Option<&str>) -> Vec<f64> {
    let lines: Vec<_> = lines.iter().filter(|it| set.is_none_or(|set| it.set == set)).collect();
    let of = |part: fn(&Line) -> f64| mean(lines.iter().map(|it| part(it)));
    let peer = |peer: &str| {
        mean(peers.iter().filter(|it| it.0.2 == peer && set.is_none_or(|set| it.0.0 == set)).map(|it| *it.1))
    };
    let mut means = vec![of(|it| it.auroc), of(|it| it.calibrated)];
    means.extend(PEERS.map(peer));
    means.extend([of(|it| it.hidden[0]), of(|it| it.hidden[1])]);
    means.extend([of(|it| it.alarms[0][0]), of(|it| it.alarms[0][1])]);
    means.extend([of(|it| it.alarms[1][0]), of(|it| it.alarms[1][1])]);
    means
}

/// What is not as promised.
pub(crate) fn misses(lines: &[Line], peers: &Peers) -> Vec<String> {
    let named: Vec<_> = lines.iter().filter(|it| it.seed < NAMED).cloned().collect();
    let (named, means) = (means(&named, peers, None), means(lines, peers, None));
    let mut misses = Vec::new();
    if named[0] < LEAST {
        misses.push(format!("the mean AUROC of the draws that are named is {:.4}, not {LEAST}", named[0]));
    }
    for (peer, theirs) in PEERS.iter().zip(&means[2..6]) {
        if means[0] <= *theirs || means[1] <= *theirs || theirs.is_nan() {
            misses.push(format!("{peer} finds as much: {theirs:.4}"));
        }
    }
    for (at, rate) in RATES.iter().enumerate() {
        let (found, expected) = (means[8 + 2 * at], means[9 + 2 * at]);
        if (found / expected - 1.0).is_nan() || (found / expected - 1.0).abs() > OFF {
            misses.push(format!("at {rate} false alarms are {found:.4}, where {expected:.4} should be"));
        }
    }
    misses
}

const COLUMNS: &str = "| set | rows | columns | **row score** | a quarter calibrating | ECOD | HBOS | COPOD | isolation forest | 1 % hidden | 5 % hidden \
                       | false alarms at .01, should be | at .05, should be |\n";

/// The table of the page.
pub(crate) fn table(lines: &[Line], peers: &Peers) -> String {
    let mut text = format!("{COLUMNS}|{}\n", "---|".repeat(13));
    for set in sets(lines) {
        let of = lines.iter().find(|it| it.set == set).expect("it has lines");
        let short = set.split_once('_').map_or(set, |it| it.1);
        let head = format!("| {short} | {} | {} ", of.rows, of.columns);
        text += &row(&head, &means(lines, peers, Some(set)), 3);
    }
    let named: Vec<_> = lines.iter().filter(|it| it.seed < NAMED).cloned().collect();
    let of_named = peers.iter().filter(|it| it.0.1 < NAMED).map(|(key, it)| (key.clone(), *it)).collect();
    text += &row("| **mean, draws 0, 1, 2** | | ", &means(&named, &of_named, None), 4);
    text + &row("| **mean, all ten draws** | | ", &means(lines, peers, None), 4)
}

/// One row of the table, whose AUROCs have so many places.
fn row(head: &str, means: &[f64], places: usize) -> String {
    let cell = |it: f64| if it.is_nan() { "–".to_owned() } else { format!("{it:.places$}") };
    let alarms = |at: usize| match means[at] {
        it if it.is_nan() => "–".to_owned(),
        it => format!("{it:.4}, {:.4}", means[at + 1]),
    };
    let mut row = format!("{head}| **{}** ", cell(means[0]));
    means[1..8].iter().for_each(|it| row += &format!("| {} ", cell(*it)));
    let _ = writeln!(row, "| {} | {} |", alarms(8), alarms(10));
    row
}

/// Compares the page with what was found, or writes it where that is ordered.
pub(crate) fn compare(page: &Path, table: &str) {
    let text = fs::read_to_string(page).expect("docs/quality.md");
    let (begin, end) = ("<!-- anomaly: begin -->\n", "<!-- anomaly: end -->");
    let (head, rest) = text.split_once(begin).expect("the mark where the table begins");
    let (old, tail) = rest.split_once(end).expect("the mark where the table ends");
    if std::env::var_os("EVENKEEL_WRITE_ANOMALY_PAGE").is_some() {
        fs::write(page, format!("{head}{begin}{table}{end}{tail}")).expect("docs/quality.md is written");
    } else {
        assert_eq!(
            old, table,
            "docs/quality.md is not what is found: run bench/signals/anomaly and read the difference"
        );
    }
}
