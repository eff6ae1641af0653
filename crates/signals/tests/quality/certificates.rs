//! Certificates on answers of real services (`S-CASC`): `../shared/data/cascade`, thirds that order, calibrate and judge.

use std::{collections::BTreeMap, fs, path::Path};

use evenkeel_signals::{
    calibrate::{Asked, Said},
    cascade::{Cascade, Given, Placed, Policy},
    certify::{Terms, walk},
};

use crate::{
    curve::{self, Curve},
    draw::Draw,
    page::{self, Line},
};

pub(crate) const NAME: &str = "certificates";
pub(crate) const SETS: [&str; 6] = ["RAFDB", "EXPW", "YELP", "SHOP", "DIGIT", "FLUENT"];
/// Splits of each set, by seeds from 1.
pub(crate) const SPLITS: usize = 40;
const EPSILON: f64 = 0.01;
const DELTA: f64 = 0.1;
/// Splits of a set in which the promise may be broken.
const MOST_BROKEN: f64 = 8.0;
/// The cost of a certified policy in the prototype, in the order of the sets: a comparison, never an input.
const PROTOTYPE: [f64; 6] = [43.0, 51.0, 68.0, 49.0, 66.0, 48.0];
/// Budgets, as multiples of the cost of the best service.
const BUDGETS: [f64; 4] = [0.5, 1.0, 1.5, 2.0];
pub(crate) const COLUMNS: &str = "set,seed,judged,passed,broken,broken_raw,cost,extra,naive_broken,naive_broken_raw,naive_cost,\
                                  best,at_50,at_100,at_150,at_200,most,most_cost";

/// One set with what its services cost.
pub(crate) struct Set {
    rows: Vec<Asked>,
    costs: Vec<f64>,
}

impl Set {
    /// Its rows, and what each path costs.
    pub(crate) fn parts(self) -> (Vec<Asked>, Vec<f64>) {
        (self.rows, self.costs)
    }
}

pub(crate) fn read(folder: &Path, set: &str) -> Set {
    let text = fs::read_to_string(folder.join(format!("{set}.csv"))).expect("a set");
    let input = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let said = |it: &[&str]| {
            let confidence = it[1].parse().expect("a confidence");
            Some(Said { label: it[0].to_owned(), confidence: Some(confidence) })
        };
        Asked { truth: cells[1].to_owned(), said: cells[2..].chunks(3).map(said).collect() }
    };
    let costs = fs::read_to_string(folder.join("costs.csv")).expect("costs.csv");
    let costs = costs.lines().filter_map(|it| it.strip_prefix(set).and_then(|it| it.split(',').nth(4)));
    let costs = costs.map(|it| it.parse().expect("a cost")).collect();
    Set { rows: text.lines().skip(1).map(input).collect(), costs }
}

/// What a policy does on the judging third: mean extra loss, its one-sided 95 % lower bound, cost over that of the primary.
struct Judged {
    extra: f64,
    least: f64,
    cost: f64,
}

/// One split: a third orders the policies, one calibrates, one judges.
struct Split {
    policies: Vec<(Policy, Given)>,
    primary: usize,
    ordered: Placed,
    calibrating: Placed,
    judging: Placed,
    certified: Option<usize>,
}

impl Split {
    fn of(set: &Set, seed: u64) -> Self {
        let order = Draw(seed).order(set.rows.len());
        let third = set.rows.len() / 3;
        let part = |rows: &[usize]| rows.iter().map(|it| &set.rows[*it]).collect::<Vec<_>>();
        let parts = (part(&order[..third]), part(&order[third..2 * third]), part(&order[2 * third..]));
        let cascade = Cascade::taught(0, &parts.0, &set.costs).expect("rows that fit");
        let [ordered, calibrating, judging] = [parts.0, parts.1, parts.2].map(|it| cascade.place(&it));
        let primary = (0..set.costs.len()).max_by_key(|it| right(&ordered, *it)).expect("paths");
        let policies = cascade.frontier(&ordered);
        let losses = |policy: &(Policy, Given)| extra(&policy.0, primary, &calibrating).collect::<Vec<_>>();
        let terms = Terms::new(EPSILON, DELTA, 1).expect("sound");
        let certified = walk(&terms, policies.iter().map(losses)).passed.map(|it| it.policy);
        Self { policies, primary, ordered, calibrating, judging, certified }
    }
}

/// How often a path alone is right.
fn right(rows: &Placed, path: usize) -> usize {
    rows.right(path).filter(|it| *it).count()
}

/// What one split gave.
pub(crate) fn split(name: &str, set: &Set, seed: u64) -> Line {
    let Split { policies, primary, ordered, calibrating, judging, certified } = Split::of(set, seed);
    let mean_loss = |it: &(Policy, Given)| page::mean(extra(&it.0, primary, &calibrating));
    let naive = policies.iter().rposition(|it| mean_loss(it) <= EPSILON);
    let n = judging.right(primary).count() as f64;
    let judge =
        |policy: Option<usize>| judged(policy.map(|it| &policies[it].0), (primary, set.costs[primary]), &judging);
    let (passed, certified, naive) = (certified.is_some(), judge(certified), judge(naive));

    let broken = |it: &Judged| [it.least, it.extra].map(|it| f64::from(u8::from(it > EPSILON)));
    let dear = set.costs[primary] * ordered.right(primary).count() as f64;
    let within = |budget: f64| policies.iter().find(|it| it.1.cost <= budget * dear);
    let accuracy = |it: Option<&(Policy, Given)>| it.map_or(f64::NAN, |it| it.0.given(&judging).right as f64 / n);
    let ([broken_it, raw], [naive_broken, naive_raw]) = (broken(&certified), broken(&naive));
    let mut numbers = vec![seed as f64, n, f64::from(u8::from(passed)), broken_it, raw, certified.cost];
    numbers.extend([certified.extra, naive_broken, naive_raw, naive.cost, right(&judging, primary) as f64 / n]);
    numbers.extend(BUDGETS.map(|it| accuracy(within(it))));
    let most = policies.first();
    numbers.extend([accuracy(most), judge(most.map(|_| 0)).cost]);
    Line::of(&[name], &numbers)
}

/// What accuracy costs on the judging third of the first split.
pub(crate) fn curve(name: &str, set: &Set) -> Curve {
    let it = Split::of(set, 1);
    let point = |policy: &(Policy, Given)| {
        let judged = judged(Some(&policy.0), (it.primary, set.costs[it.primary]), &it.judging);
        (judged.cost * 100.0, -judged.extra * 100.0)
    };
    let certified = it.certified.map(|at| point(&it.policies[at]));
    Curve { name: name.to_owned(), points: it.policies.iter().map(point).collect(), certified }
}

/// Draws the curves of all sets.
pub(crate) fn draw(folder: &Path) -> String {
    curve::drawn(&SETS.map(|it| curve(it, &read(folder, it))))
}

/// Row by row the loss of a policy less that of the primary.
fn extra<'a>(policy: &'a Policy, primary: usize, rows: &'a Placed) -> impl Iterator<Item = f64> + 'a {
    let loss = |right: bool| f64::from(u8::from(!right));
    policy.play(rows).zip(rows.right(primary)).map(move |((policy, _), primary)| loss(policy) - loss(primary))
}

/// Without a policy the primary alone is left.
fn judged(policy: Option<&Policy>, (primary, cost): (usize, f64), rows: &Placed) -> Judged {
    let Some(policy) = policy else { return Judged { extra: 0.0, least: 0.0, cost: 1.0 } };
    let all: Vec<f64> = extra(policy, primary, rows).collect();
    let (n, mean) = (all.len() as f64, page::mean(all.iter().copied()));
    let variance = all.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / (n - 1.0);
    Judged { extra: mean, least: mean - 1.645 * (variance / n).sqrt(), cost: policy.given(rows).cost / (cost * n) }
}

/// All splits of all sets.
pub(crate) fn run(folder: &Path) -> Vec<Line> {
    let sets: Vec<_> = SETS.iter().map(|it| (*it, read(folder, it))).collect();
    page::all_of(NAME, SETS.len() * SPLITS, |job| {
        let (name, set) = &sets[job / SPLITS];
        split(name, set, (job % SPLITS) as u64 + 1)
    })
}

/// The means of a set, by column; violations are counted.
fn means(lines: &[Line]) -> BTreeMap<&str, Vec<f64>> {
    let mut sets: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    lines.iter().for_each(|it| sets.entry(&it.names[0]).or_default().push(it));
    let columns = |lines: &Vec<&Line>| {
        let column = |at: usize| page::mean(lines.iter().map(|it| it.numbers[at]));
        (0..lines[0].numbers.len()).map(column).collect::<Vec<_>>()
    };
    sets.iter().map(|(set, lines)| (*set, columns(lines))).collect()
}

/// What is not as promised.
pub(crate) fn misses(lines: &[Line]) -> Vec<String> {
    let of_set = |(set, it): (&&str, &Vec<f64>)| {
        let broken = it[3] * SPLITS as f64;
        let mut misses = Vec::new();
        if broken > MOST_BROKEN {
            misses.push(format!("{set}: the promise is broken in {broken} of {SPLITS} splits"));
        }
        if it[12] < it[10] - 0.003 {
            misses.push(format!(
                "{set}: at the same cost it is right on {:.4}, the best service on {:.4}",
                it[12], it[10]
            ));
        }
        misses
    };
    means(lines).iter().flat_map(of_set).collect()
}

pub(crate) fn table(lines: &[Line]) -> String {
    let means = means(lines);
    let row = |(set, prototype): (&&str, f64)| {
        let it = &means[set];
        let count = |at: usize| format!("{:.0}", it[at] * SPLITS as f64);
        let percent = |at: usize| format!("{:.1}", it[at] * 100.0);
        let mut cells = vec![(*set).to_owned(), format!("{:.0}", it[1]), count(3), count(4), percent(5)];
        cells.extend([
            format!("{prototype:.0}"),
            format!("{:+.2}", it[6] * 100.0),
            format!("{:.0}", (1.0 - it[2]) * SPLITS as f64),
        ]);
        cells.extend([count(7), count(8), percent(9), percent(10)]);
        cells.extend((11..15).map(percent));
        cells.push(format!("{} @ {:.0}", percent(15), it[16] * 100.0));
        cells
    };
    let head = [
        "set",
        "judged rows",
        "**broken**",
        "raw",
        "**cost, %**",
        "prototype's",
        "extra loss, points",
        "none passed",
        "naive: broken",
        "raw",
        "cost, %",
        "best service",
        "at 50 % of its cost",
        "at 100 %",
        "at 150 %",
        "at 200 %",
        "most accurate @ cost, %",
    ];
    page::table(&head, &SETS.iter().zip(PROTOTYPE).map(row).collect::<Vec<_>>())
}
