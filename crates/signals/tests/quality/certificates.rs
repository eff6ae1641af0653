//! Certificates on answers of real services (`S-CASC`): `../shared/data/cascade`, thirds that order, calibrate and judge.
//!
//! Two kinds of policy: the look-up tables of a cascade, and one common threshold, which is what `evenkeel tune` ships.

use std::{collections::BTreeMap, fs, path::Path};

use evenkeel_signals::{
    calibrate::{Asked, Calibrator, Row, Said, Teacher},
    cascade::{Cascade, Given, Placed, Policy},
    certify::{Answers, Terms, tune, walk},
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
/// Splits of a set in which the promise may be broken, also where noise of the judging third counts.
const MOST_BROKEN: f64 = 8.0;
/// How many points more than the prototype's a certified policy may cost; and where it may cost more, which the page says.
const MOST_DEARER: f64 = 5.0;
const DEARER: (&str, f64) = ("DIGIT", 10.0);
/// The cost of a certified policy in the prototype, in the order of the sets: a comparison, never an input.
const PROTOTYPE: [f64; 6] = [43.0, 51.0, 68.0, 49.0, 66.0, 48.0];
/// Budgets, as multiples of the cost of the best service.
const BUDGETS: [f64; 4] = [0.5, 1.0, 1.5, 2.0];
pub(crate) const COLUMNS: &str = "set,seed,judged,passed,broken,broken_raw,cost,extra,naive_broken,naive_broken_raw,naive_cost,\
                                  best,at_50,at_100,at_150,at_200,most,most_cost,\
                                  tuned_passed,tuned_broken,tuned_broken_raw,tuned_cost,tuned_extra";

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
    tuned: Judged,
    taken: bool,
}

impl Split {
    fn of(set: &Set, seed: u64) -> Self {
        let order = Draw(seed).order(set.rows.len());
        let third = set.rows.len() / 3;
        let part = |rows: &[usize]| rows.iter().map(|it| &set.rows[*it]).collect::<Vec<_>>();
        let parts = (part(&order[..third]), part(&order[third..2 * third]), part(&order[2 * third..]));
        let cascade = Cascade::taught(0, &parts.0, &set.costs).expect("rows that fit");
        let [ordered, calibrating, judging] = [&parts.0, &parts.1, &parts.2].map(|it| cascade.place(it));
        let primary = (0..set.costs.len()).max_by_key(|it| right(&ordered, *it)).expect("paths");
        let policies = cascade.frontier(&ordered);
        let losses = |policy: &(Policy, Given)| extra(&policy.0, primary, &calibrating).collect::<Vec<_>>();
        let terms = Terms::new(EPSILON, DELTA, 1).expect("sound");
        let certified = walk(&terms, policies.iter().map(losses)).passed.map(|it| it.policy);
        let taken = tuned([&parts.0, &parts.1], (primary, &set.costs), terms);
        let tuned = common(taken, [&parts.0, &parts.2], (primary, &set.costs));
        Self { policies, primary, ordered, calibrating, judging, certified, tuned, taken: taken.is_some() }
    }
}

/// The paths that one common threshold is for: those that are cheaper than the primary, the cheapest first, and the primary.
fn tiers((primary, costs): (usize, &[f64])) -> Vec<usize> {
    let mut cheaper: Vec<usize> = (0..costs.len()).filter(|it| costs[*it] < costs[primary]).collect();
    cheaper.sort_by(|a, b| costs[*a].total_cmp(&costs[*b]));
    cheaper.push(primary);
    cheaper
}

/// What these tiers say of rows, how likely that is right being learnt of other rows, as `evenkeel calibrate` does.
fn answers([taught, rows]: [&[&Asked]; 2], tiers: &[usize]) -> Vec<Answers> {
    let row = |of: &'_ &Asked, path: usize| -> Option<(String, Option<f64>, bool)> {
        let said = of.said[path].as_ref()?;
        Some((said.label.clone(), said.confidence, said.label == of.truth))
    };
    let calibrator = |path: &usize| {
        let rows: Vec<_> = taught.iter().filter_map(|it| row(it, *path)).collect();
        let rows = rows.iter().map(|(label, confidence, right)| Row { label, confidence: *confidence, right: *right });
        Calibrator::taught(Teacher::Labels, 0, &rows.collect::<Vec<_>>())
    };
    let calibrators: Vec<_> = tiers.iter().map(calibrator).collect();
    let answer = |of: &&Asked, (path, calibrator): (&usize, &Calibrator)| match row(of, *path) {
        Some((label, confidence, right)) => {
            let p = calibrator.read(0, &label, confidence).p;
            (Some((p.clamp(0.0, 1.0) * 1e3).floor() as u16), right)
        }
        None => (None, false),
    };
    let of_row = |of: &&Asked| Answers { answers: tiers.iter().zip(&calibrators).map(|it| answer(of, it)).collect() };
    rows.iter().map(of_row).collect()
}

/// The common threshold that is certified, in thousandths; none where none is. The rows of a split are in a drawn order already.
fn tuned(of: [&[&Asked]; 2], (primary, costs): (usize, &[f64]), terms: Terms) -> Option<u16> {
    let tiers = tiers((primary, costs));
    let costs: Vec<_> = tiers.iter().map(|it| costs[*it]).collect();
    tune(&answers(of, &tiers), &costs, terms)
        .expect("the primary is right at times, and costs something")
        .taken()
        .map(|it| it.at_least)
}

/// What a common threshold does; without one the primary alone is left.
fn common(at_least: Option<u16>, of: [&[&Asked]; 2], (primary, costs): (usize, &[f64])) -> Judged {
    let Some(at_least) = at_least else { return PRIMARY };
    let tiers = tiers((primary, costs));
    let rows = answers(of, &tiers);
    let cost = |row: &Answers| tiers[..=row.holder(at_least)].iter().map(|it| costs[*it]).sum::<f64>();
    let spent = rows.iter().map(cost).sum::<f64>();
    paired(&rows.iter().map(|it| it.extra_loss(at_least)).collect::<Vec<_>>(), spent / costs[primary])
}

/// How often a path alone is right.
fn right(rows: &Placed, path: usize) -> usize {
    rows.right(path).filter(|it| *it).count()
}

/// What one split gave.
pub(crate) fn split(name: &str, set: &Set, seed: u64) -> Line {
    let Split { policies, primary, ordered, calibrating, judging, certified, tuned, taken } = Split::of(set, seed);
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
    let [tuned_broken, tuned_raw] = broken(&tuned);
    numbers.extend([f64::from(u8::from(taken)), tuned_broken, tuned_raw, tuned.cost, tuned.extra]);
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
    let Some(policy) = policy else { return PRIMARY };
    paired(&extra(policy, primary, rows).collect::<Vec<_>>(), policy.given(rows).cost / cost)
}

/// The primary alone.
const PRIMARY: Judged = Judged { extra: 0.0, least: 0.0, cost: 1.0 };

/// What extra losses tell of rows, which have cost as much as so many answers of the primary.
fn paired(all: &[f64], spent: f64) -> Judged {
    let (n, mean) = (all.len() as f64, page::mean(all.iter().copied()));
    let variance = all.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / (n - 1.0);
    Judged { extra: mean, least: mean - 1.645 * (variance / n).sqrt(), cost: spent / n }
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
    let means = means(lines);
    let naive = means.iter().flat_map(|(set, it)| promise(set, "naive", [it[7], it[8]])).count();
    let none = (naive == 0).then(|| "naive selection keeps the promise, too: the check tells nothing".to_owned());
    let of_set = |(set, it): (&&str, &Vec<f64>)| {
        let mut misses = promise(set, "certified", [it[3], it[4]]);
        misses.extend(promise(set, "tuned", [it[18], it[19]]));
        let most = PROTOTYPE[SETS.iter().position(|it| it == set).expect("a set")];
        let most = most + if *set == DEARER.0 { DEARER.1 } else { MOST_DEARER };
        if it[5] * 100.0 > most {
            misses.push(format!("{set}: a certified policy costs {:.1} %, more than {most} %", it[5] * 100.0));
        }
        if it[12] < it[10] - 0.003 {
            misses.push(format!(
                "{set}: at the same cost it is right on {:.4}, the best service on {:.4}",
                it[12], it[10]
            ));
        }
        misses
    };
    means.iter().flat_map(of_set).chain(none).collect()
}

/// In how many splits of a set a promise is broken, where those are too many: by what is sure of the judging third, and by all of it.
fn promise(set: &str, whose: &str, broken: [f64; 2]) -> Vec<String> {
    let broken = broken.map(|it| it * SPLITS as f64).into_iter().zip(["surely", "as seen"]);
    let many = broken.filter(|it| it.0 > MOST_BROKEN);
    many.map(|(broken, how)| format!("{set}, {whose}: the promise is {how} broken in {broken} of {SPLITS} splits"))
        .collect()
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
    let cascades = page::table(&head, &SETS.iter().zip(PROTOTYPE).map(row).collect::<Vec<_>>());
    let shipped = |set: &&str| {
        let it = &means[set];
        let count = |part: f64| format!("{:.0}", part * SPLITS as f64);
        let (cost, extra) = (format!("{:.1}", it[20] * 100.0), format!("{:+.2}", it[21] * 100.0));
        vec![(*set).to_owned(), count(it[18]), count(it[19]), cost, extra, count(1.0 - it[17])]
    };
    let head =
        ["one common threshold (`tune`)", "**broken**", "raw", "**cost, %**", "extra loss, points", "none taken"];
    cascades + "\n" + &page::table(&head, &SETS.iter().map(shipped).collect::<Vec<_>>())
}
