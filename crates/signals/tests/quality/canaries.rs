//! Canaries (`S-CANARY`): null streams with a look after each row, and real snapshots of language models in 500 orders
//! (`../shared/data/canary`), beside Mann–Whitney at every look and a counter of consecutive failures.

use std::{collections::BTreeMap, fs, path::Path};

use evenkeel_signals::canary::{Canary, Outcome, Terms, Verdict};

use crate::{
    draw::Draw,
    page::{self, Line},
};

pub(crate) const NAME: &str = "canaries";
/// Null streams as they are named, the loss of the old revision and of the new one, and how many of them.
const NULLS: [(&str, f64, f64, u64); 4] = [
    ("at the margin", 0.10, 0.12, 10_000),
    ("at the margin, half are lost", 0.50, 0.52, 1_000),
    ("at the margin, nothing was lost before", 0.0, 0.02, 1_000),
    ("no difference", 0.10, 0.10, 1_000),
];
const ROWS: u64 = 100_000;
/// Streams of one job.
const AT_ONCE: u64 = 100;
/// Rows of a stream that others look at, too.
const LOOKED: u64 = 5_000;
pub(crate) const NULL_COLUMNS: &str = "stream,streams,rows,rolled_back,advanced,peers_rows,mann_whitney,consecutive";

const ORDERS: u64 = 500;
/// Failures in a row that a counter waits for.
const CONSECUTIVE: u32 = 5;
/// Rows before which Mann–Whitney is not asked, and its threshold: 98 %, two-sided.
const FIRST_LOOK: u64 = 10;
const Z: f64 = 2.326;
pub(crate) const REAL_COLUMNS: &str = "set,metric,old,new,rows,old_good,new_good,rolled_back,advanced,rows_median,rows_95,mann_whitney,mw_median,\
                                       consecutive,consecutive_median";
/// What is asked of the real sets: metric, old, new, and what must come of it in all orders (none: it is only reported).
const ASKED: [(&str, &str, &str, &str, Option<bool>); 8] = [
    ("happy_number", "correct", "gpt-4-0314", "gpt-4-0613", Some(true)),
    ("opinion_qa", "answered", "gpt-4-0314", "gpt-4-0613", Some(true)),
    ("happy_number", "correct", "gpt-4-0613", "gpt-4-0314", Some(false)),
    ("opinion_qa", "answered", "gpt-4-0613", "gpt-4-0314", Some(false)),
    ("happy_number", "correct", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", Some(false)),
    ("opinion_qa", "answered", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", Some(false)),
    ("happy_number", "answered", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", None),
    ("happy_number", "answered", "gpt-4-0314", "gpt-4-0613", None),
];

/// What others say of the same rows, with a look after each.
#[derive(Default)]
struct Peers {
    rows: u64,
    lost: [u64; 2],
    in_row: u32,
    mann_whitney: Option<u64>,
    consecutive: Option<u64>,
}

impl Peers {
    fn row(&mut self, new: bool, old: bool) {
        self.rows += 1;
        self.lost = [self.lost[0] + u64::from(new), self.lost[1] + u64::from(old)];
        self.in_row = if new { self.in_row + 1 } else { 0 };
        if self.in_row >= CONSECUTIVE {
            self.consecutive.get_or_insert(self.rows);
        }
        if self.mann_whitney.is_none() && self.rows >= FIRST_LOOK && self.z() > Z {
            self.mann_whitney = Some(self.rows);
        }
    }

    /// Mann–Whitney's statistic of losses that are 0 or 1, corrected for ties, as a normal deviate: above 0 the new one loses more.
    fn z(&self) -> f64 {
        let (n, new, old) = (self.rows as f64, self.lost[0] as f64, self.lost[1] as f64);
        let u = new * (n - old) + 0.5 * (new * old + (n - new) * (n - old));
        let all = 2.0 * n;
        let ties = |it: f64| it * it * it - it;
        let corrected = (all + 1.0) - (ties(new + old) + ties(all - new - old)) / (all * (all - 1.0));
        let variance = n * n / 12.0 * corrected;
        if variance <= 0.0 { 0.0 } else { (u - n * n / 2.0) / variance.sqrt() }
    }
}

/// Plays a stream to its end or to a rollback; says at which row it was rolled back, and whether it could have advanced before.
fn play(rows: impl Iterator<Item = (bool, bool)>) -> (Option<u64>, Option<u64>) {
    let mut canary = Canary::new(Terms::default(), 1).expect("sound");
    let mut safe = None;
    let lost = |it: bool| Outcome::Lost(f64::from(u8::from(it)));
    for (at, (new, old)) in (1..).zip(rows) {
        canary.update(at, 0, lost(new), lost(old));
        match canary.verdict() {
            Verdict::Harm { .. } => return (Some(at), safe),
            Verdict::Safe => _ = safe.get_or_insert(at),
            Verdict::Hold => {}
        }
    }
    (None, safe)
}

/// Null streams of one kind: how many were rolled back, and at the margin how many could advance, and what the others did.
pub(crate) fn nulls(kind: usize, seeds: std::ops::Range<u64>, rows: u64) -> [u64; 4] {
    let (_, old, new, _) = NULLS[kind];
    let mut found = [0; 4];
    for seed in seeds {
        let draws = || {
            let mut draw = Draw(seed.wrapping_mul(1_000_003) ^ (kind as u64) << 60);
            std::iter::repeat_with(move || (draw.part() < new, draw.part() < old))
        };
        let (harm, safe) = play(draws().take(usize::try_from(rows).expect("rows")));
        let mut peers = Peers::default();
        draws().take(usize::try_from(rows.min(LOOKED)).expect("rows")).for_each(|(new, old)| peers.row(new, old));
        let these = [harm.is_some(), safe.is_some(), peers.mann_whitney.is_some(), peers.consecutive.is_some()];
        found.iter_mut().zip(these).for_each(|(all, it)| *all += u64::from(it));
    }
    found
}

pub(crate) fn run_nulls() -> Vec<Line> {
    let jobs: Vec<(usize, u64)> = (0..NULLS.len())
        .flat_map(|kind| (0..NULLS[kind].3 / AT_ONCE).map(move |part| (kind, part * AT_ONCE)))
        .collect();
    let found = page::all_of(NAME, jobs.len(), |job| {
        let (kind, from) = jobs[job];
        nulls(kind, from..from + AT_ONCE, ROWS)
    });
    let line = |kind: usize| {
        let these = jobs.iter().zip(&found).filter(|it| it.0.0 == kind);
        let sum = these.fold([0; 4], |sum, it| [0, 1, 2, 3].map(|at| sum[at] + it.1[at]));
        let [rolled, advanced, mann_whitney, consecutive] = sum.map(|it| it as f64);
        let name = NULLS[kind].0.replace(',', ":");
        Line::of(
            &[&name],
            &[NULLS[kind].3 as f64, ROWS as f64, rolled, advanced, LOOKED as f64, mann_whitney, consecutive],
        )
    };
    (0..NULLS.len()).map(line).collect()
}

/// Per question whether the metric is lost, of the old and of the new model.
fn pairs(folder: &Path, (set, metric, old, new): (&str, &str, &str, &str)) -> Vec<(bool, bool)> {
    let text = fs::read_to_string(folder.join(format!("{set}.csv"))).expect("a set");
    let mut lines = text.lines();
    let head: Vec<String> = cells(lines.next().expect("a head"));
    let column = |name: &str| head.iter().position(|it| it == name).expect("a column");
    let (id, hash, model, value) = (column("id"), column("query_hash"), column("model"), column(metric));
    let mut of: BTreeMap<(String, String), [Option<bool>; 2]> = BTreeMap::new();
    for line in lines {
        let cells = cells(line);
        let arm = match &cells[model] {
            it if it == new => 0,
            it if it == old => 1,
            _ => continue,
        };
        of.entry((cells[id].clone(), cells[hash].clone())).or_default()[arm] = Some(cells[value] != "1");
    }
    of.into_values().filter_map(|[new, old]| new.zip(old)).collect()
}

/// The cells of a line, quoted or not.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => cells.last_mut().expect("one").push(c),
        }
    }
    cells
}

/// One question, in so many orders.
pub(crate) fn real(folder: &Path, asked: usize, orders: u64) -> Line {
    let (set, metric, old, new, _) = ASKED[asked];
    let pairs = pairs(folder, (set, metric, old, new));
    let (mut harmed, mut safe, mut mann_whitney, mut consecutive) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for seed in 0..orders {
        let order = Draw(seed).order(pairs.len());
        let (harm, advance) = play(order.iter().map(|it| pairs[*it]));
        let mut peers = Peers::default();
        order.iter().for_each(|it| peers.row(pairs[*it].0, pairs[*it].1));
        harmed.extend(harm);
        // What is rolled back later has advanced wrongly: it is counted all the same.
        safe.extend(advance);
        mann_whitney.extend(peers.mann_whitney);
        consecutive.extend(peers.consecutive);
    }
    let good = |arm: fn(&(bool, bool)) -> bool| pairs.iter().filter(|it| !arm(it)).count() as f64 / pairs.len() as f64;
    let at = |rows: &[u64], part: f64| page::quantile(rows.iter().map(|it| *it as f64).collect(), part);
    let decided = if harmed.is_empty() { &safe } else { &harmed };
    Line::of(
        &[set, metric, old, new],
        &[
            pairs.len() as f64,
            good(|it| it.1),
            good(|it| it.0),
            harmed.len() as f64,
            safe.len() as f64,
            at(decided, 0.5),
            at(decided, 0.95),
            mann_whitney.len() as f64,
            at(&mann_whitney, 0.5),
            consecutive.len() as f64,
            at(&consecutive, 0.5),
        ],
    )
}

pub(crate) fn run_real(folder: &Path) -> Vec<Line> {
    (0..ASKED.len()).map(|it| real(folder, it, ORDERS)).collect()
}

/// What is not as promised.
pub(crate) fn misses(nulls: &[Line], real: &[Line]) -> Vec<String> {
    let terms = Terms::default();
    let mut misses = Vec::new();
    for it in nulls {
        let [streams, rolled, advanced] = [it.numbers[0], it.numbers[2], it.numbers[3]];
        if rolled > terms.alpha * streams {
            misses.push(format!("{}: {rolled} of {streams} were rolled back", it.names[0]));
        }
        // β bounds the chance, not the count: three standard errors more may come.
        let most = terms.beta * streams + 3.0 * (terms.beta * (1.0 - terms.beta) * streams).sqrt();
        if it.names[0].starts_with("at the margin") && advanced > most {
            misses.push(format!("{}: {advanced} of {streams} could advance early", it.names[0]));
        }
    }
    for (it, (set, metric, _, new, must)) in real.iter().zip(ASKED) {
        let [rolled, advanced] = [it.numbers[3], it.numbers[4]];
        if must == Some(true) && (rolled < ORDERS as f64 || advanced > 0.0) || must == Some(false) && rolled > 0.0 {
            misses.push(format!("{set}, {metric}, {new}: {rolled} of {ORDERS} orders were rolled back"));
        }
    }
    misses
}

pub(crate) fn tables(nulls: &[Line], real: &[Line]) -> String {
    let percent = |part: f64, all: f64| format!("{:.2}", part / all * 100.0);
    let null = |it: &Line| {
        let n = &it.numbers;
        let advanced = if it.names[0].starts_with("no ") { "–".to_owned() } else { percent(n[3], n[0]) };
        let mut cells = vec![it.names[0].replace(':', ","), format!("{:.0}", n[0]), format!("{:.0}", n[1])];
        cells.extend([percent(n[2], n[0]), advanced, percent(n[5], n[0]), percent(n[6], n[0])]);
        cells
    };
    let rows = |of: f64, median: f64| if of == 0.0 { "0".to_owned() } else { format!("{of:.0}, {median:.0}") };
    let real_row = |it: &Line| {
        let n = &it.numbers;
        let mut cells = vec![format!("{}, {}", it.names[0], it.names[1]), format!("{} → {}", it.names[2], it.names[3])];
        cells.extend([format!("{:.1} → {:.1}", n[1] * 100.0, n[2] * 100.0), format!("{:.0}", n[0])]);
        let decided = if n[3] + n[4] == 0.0 { "–".to_owned() } else { format!("{:.0}, {:.0}", n[5], n[6]) };
        cells.extend([format!("{:.0}", n[3]), format!("{:.0}", n[4]), decided, rows(n[7], n[8]), rows(n[9], n[10])]);
        cells
    };
    let null_head = [
        "null streams",
        "streams",
        "rows",
        "**rolled back, %**",
        "could advance early, %",
        "Mann–Whitney, % (first 5,000 rows)",
        "5 failures in a row, %",
    ];
    let real_head = [
        "metric",
        "models",
        "good, %",
        "pairs",
        "**rolled back, of 500**",
        "could advance early, of 500",
        "rows: median, 95th percentile",
        "Mann–Whitney: alarms, median row",
        "5 failures in a row: alarms, median row",
    ];
    page::table(&null_head, &nulls.iter().map(null).collect::<Vec<_>>())
        + "\n"
        + &page::table(&real_head, &real.iter().map(real_row).collect::<Vec<_>>())
}
