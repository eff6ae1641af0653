//! Votes and calibration on answers of real services (`S-VOTE`, `S-CAL`): six sets, four services each, `../shared/data/cascade`.
//!
//! Per set and seed the rows are shuffled and halved; one half teaches, the other judges. The page `docs/quality.md` says what was
//! looked at before, and holds what is found here; `bench/votes` writes it, and without that order it is compared.

use std::{fmt::Write as _, fs, path::Path};

use evenkeel_signals::{
    calibrate::{Asked, Said, Teacher, VoteCalibration, ece},
    votes::{Ballot, EQUAL, Rivals, Tally, weight},
};

const SETS: [&str; 6] = ["RAFDB", "EXPW", "YELP", "SHOP", "DIGIT", "FLUENT"];
/// Seeds of the three splits.
const SEEDS: [u64; 3] = [1, 2, 3];
/// Draws of a perfect calibrator's outcomes, from which its error is taken.
const DRAWS: u64 = 20;
/// Below so many judged rows an error of calibration is mostly noise, and is only shown.
const JUDGED: usize = 5_000;
/// What the calibrated vote may lie below the better of its rivals: 0.3 points.
const BELOW: f64 = 0.003;
/// What its error of calibration may be.
const OFF: f64 = 0.02;
/// What that of one service may be (`S-CAL`), and what it may be on fewer rows.
const PATH_OFF: f64 = 0.025;
const SMALL_OFF: f64 = 0.09;

/// What one split gave, as shares of the judged half.
#[derive(Clone, Copy, Default)]
struct Found {
    best: f64,
    majority: f64,
    by_accuracy: f64,
    untrusting: f64,
    calibrated: f64,
    raw: f64,
    recalibrated: f64,
    floor: f64,
    worst_path: f64,
    early: f64,
    stopped: f64,
}

#[test]
fn s_vote_and_s_cal_the_calibrated_vote_loses_to_nobody_and_what_is_said_comes_true() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cascade");
    if !folder.is_dir() {
        println!("skipped: there is no ../shared/data/cascade");
        return;
    }
    let mut table = String::new();
    let mut misses = Vec::new();
    for set in SETS {
        let inputs = read(&folder.join(format!("{set}.csv")));
        let all: Vec<_> = SEEDS.iter().map(|seed| split(&inputs, *seed)).collect();
        let half = inputs.len() - inputs.len() / 2;
        table += &line(set, half, &all);
        // Each split for itself, not their mean.
        for (seed, it) in SEEDS.iter().zip(&all) {
            if it.calibrated < it.best.max(it.by_accuracy) - BELOW {
                misses.push(format!("{set}, seed {seed}: the calibrated vote is right on {:.4}", it.calibrated));
            }
            if half >= JUDGED && it.recalibrated > OFF {
                misses.push(format!("{set}, seed {seed}: the re-calibrated share is off by {:.4}", it.recalibrated));
            }
            if half >= JUDGED && it.stopped > OFF {
                misses.push(format!(
                    "{set}, seed {seed}: what is told before the last answer is off by {:.4}",
                    it.stopped
                ));
            }
            if it.worst_path > if half >= JUDGED { PATH_OFF } else { SMALL_OFF } {
                misses.push(format!(
                    "{set}, seed {seed}: a service's calibrated confidence is off by {:.4}",
                    it.worst_path
                ));
            }
        }
    }
    println!("{table}");
    assert_eq!(misses, Vec::<String>::new(), "\n{table}");
    page(&table);
}

/// One line of the table.
fn line(set: &str, half: usize, all: &[Found]) -> String {
    let it = mean(all);
    let lead = |it: &Found| (it.calibrated - it.best.max(it.by_accuracy)) * 100.0;
    let least = all.iter().map(lead).fold(f64::INFINITY, f64::min);
    let most_off = all.iter().map(|it| it.recalibrated).fold(0.0, f64::max);
    let [best, majority, weighted, untrusting, calibrated, early] =
        [it.best, it.majority, it.by_accuracy, it.untrusting, it.calibrated, it.early].map(|it| it * 100.0);
    let mut line = format!("| {set} | {half} | {best:.1} | {majority:.1} | {weighted:.1} ");
    let _ = write!(line, "| {untrusting:.1} | **{calibrated:.1}** ");
    let _ = write!(line, "| {:+.1} ({least:+.1}) | {:.3} | {:.3} ", lead(&it), it.raw, it.recalibrated);
    let _ =
        writeln!(line, "| {most_off:.3} | {:.3} | {:.3} | {early:.0} | {:.3} |", it.floor, it.worst_path, it.stopped);
    line
}

/// Compares the page with what was found, or writes it where that is ordered.
fn page(table: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/quality.md");
    let text = fs::read_to_string(&page).expect("docs/quality.md");
    let (begin, end) = ("<!-- votes: begin -->\n", "<!-- votes: end -->");
    let (head, rest) = text.split_once(begin).expect("the mark where the table begins");
    let (old, tail) = rest.split_once(end).expect("the mark where the table ends");
    let columns = "| set | judged rows | best service | majority | accuracy-weighted | calibrated, trust 1 | calibrated | lead over the better (least of 3) \
                   | ECE of the raw share | re-calibrated | worst of 3 | a perfect calibrator's | ECE of the worst service, calibrated | decided before the last answer, % | ECE where the last is then not waited for |\n";
    let new = format!("{columns}|{}\n{table}", "---|".repeat(15));
    if std::env::var_os("EVENKEEL_WRITE_VOTES").is_some() {
        fs::write(&page, format!("{head}{begin}{new}{end}{tail}")).expect("docs/quality.md is written");
    } else {
        assert_eq!(old, new, "docs/quality.md is not what is found: run bench/votes and read the difference");
    }
}

/// Teaches by one half and judges by the other.
fn split(inputs: &[Asked], seed: u64) -> Found {
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    let mut draw = Draw(seed);
    for at in (1..order.len()).rev() {
        order.swap(at, draw.below(at + 1));
    }
    let (teach, judge) = order.split_at(inputs.len() / 2);
    let of = |rows: &[usize]| rows.iter().map(|it| inputs[*it].clone()).collect::<Vec<_>>();
    let (teach, judge) = (of(teach), of(judge));
    let learnt = VoteCalibration::taught(Teacher::Labels, 0, &teach).expect("rows");

    let members = learnt.members();
    let accuracy: Vec<f64> = (0..members).map(|path| right(&teach, |it| &said(it, path).label)).collect();
    let fixed = |weights: &[i64]| right_votes(&judge, |it| Tally::of(&ballots(it, |path| weights[path])));
    let equal = vec![EQUAL; members];
    let by_accuracy: Vec<i64> = accuracy.iter().map(|it| weight(*it, learnt.classes())).collect();
    let best = (0..members).map(|path| right(&judge, |it| &said(it, path).label)).fold(0.0, f64::max);
    let plain = |it: &Asked, path: usize| weight(learnt.p(0, path, said(it, path)), learnt.classes());
    let untrusting = right_votes(&judge, |it| Tally::of(&ballots(it, |path| plain(it, path))));
    let found = judged(&learnt, &judge, seed);
    Found { best, majority: fixed(&equal), by_accuracy: fixed(&by_accuracy), untrusting, ..found }
}

/// What the calibrated vote gives on rows that it has not seen.
fn judged(learnt: &VoteCalibration, rows: &[Asked], seed: u64) -> Found {
    let tally = |it: &Asked| Tally::of(&ballots(it, |path| learnt.weight(0, path, said(it, path))));
    let votes: Vec<_> = rows.iter().map(|it| (tally(it), &it.truth)).collect();
    let is_right = |(tally, truth): &(Tally, &String)| &winner(tally) == *truth;
    let raw = |it: &(Tally, &String)| (it.0.raw_share(learnt.classes()).expect("all voted"), is_right(it));
    let again = |it: &(Tally, &String)| (learnt.confidence(0, &it.0).expect("all voted").p, is_right(it));
    let again: Vec<_> = votes.iter().map(again).collect();
    let stopped: Vec<_> = rows.iter().map(|it| early(learnt, it)).collect();
    let told = |(row, it): (&Asked, &(Tally, bool))| {
        (learnt.confidence(0, &it.0).expect("three voted").p, winner(&it.0) == row.truth)
    };
    let stopped_early: Vec<_> = rows.iter().zip(&stopped).map(told).collect();
    let mut draw = Draw(seed ^ 0x5eed);
    let mut perfect = || again.iter().map(|it| (it.0, draw.part() < it.0)).collect::<Vec<_>>();
    #[expect(clippy::cast_precision_loss, reason = "twenty")]
    let floor = (0..DRAWS).map(|_| ece(&perfect()).expect("rows")).sum::<f64>() / DRAWS as f64;
    let of_path = |path: usize| {
        let p = |it: &Asked| (learnt.p(0, path, said(it, path)), said(it, path).label == it.truth);
        ece(&rows.iter().map(p).collect::<Vec<_>>()).expect("rows")
    };
    Found {
        calibrated: share(votes.iter().filter(|it| is_right(it)).count(), rows.len()),
        raw: ece(&votes.iter().map(raw).collect::<Vec<_>>()).expect("rows"),
        recalibrated: ece(&again).expect("rows"),
        floor,
        worst_path: (0..learnt.members()).map(of_path).fold(0.0, f64::max),
        early: share(stopped.iter().filter(|it| it.1).count(), rows.len()),
        stopped: ece(&stopped_early).expect("rows"),
        ..Found::default()
    }
}

/// How a vote stands when nobody has to be waited for any more, where the last service answers last: without it where it is decided
/// already. Then it is decided as all decided it.
fn early(learnt: &VoteCalibration, input: &Asked) -> (Tally, bool) {
    let mut ballots = ballots(input, |path| learnt.weight(0, path, said(input, path)));
    let all = Tally::of(&ballots);
    let last = ballots.pop().expect("four").voter;
    let tally = Tally::of(&ballots);
    let decided = tally.decided(&[learnt.bounds(0, last)], Rivals::Apart);
    assert!(!decided || winner(&tally) == winner(&all), "what was decided early was not what all decided");
    (if decided { tally } else { all }, decided)
}

fn said(input: &Asked, path: usize) -> &Said {
    input.said[path].as_ref().expect("all answered")
}

fn ballots(input: &Asked, weight: impl Fn(usize) -> i64) -> Vec<Ballot> {
    let ballot = |voter| Ballot { voter, weight: weight(voter), class: said(input, voter).label.clone() };
    (0..input.said.len()).map(ballot).collect()
}

fn winner(tally: &Tally) -> String {
    tally.leader().expect("all voted").class.clone()
}

/// The share of rows on which an answer is right.
fn right<'a>(rows: &'a [Asked], answer: impl Fn(&'a Asked) -> &'a String) -> f64 {
    share(rows.iter().filter(|it| answer(it) == &it.truth).count(), rows.len())
}

/// The share of rows on which a vote is right.
fn right_votes(rows: &[Asked], vote: impl Fn(&Asked) -> Tally) -> f64 {
    share(rows.iter().filter(|it| winner(&vote(it)) == it.truth).count(), rows.len())
}

fn share(part: usize, all: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let share = part as f64 / all as f64;
    share
}

fn mean(all: &[Found]) -> Found {
    #[expect(clippy::cast_precision_loss, reason = "three")]
    let of = |part: fn(&Found) -> f64| all.iter().map(part).sum::<f64>() / all.len() as f64;
    Found {
        best: of(|it| it.best),
        majority: of(|it| it.majority),
        by_accuracy: of(|it| it.by_accuracy),
        untrusting: of(|it| it.untrusting),
        calibrated: of(|it| it.calibrated),
        raw: of(|it| it.raw),
        recalibrated: of(|it| it.recalibrated),
        floor: of(|it| it.floor),
        worst_path: of(|it| it.worst_path),
        early: of(|it| it.early),
        stopped: of(|it| it.stopped),
    }
}

/// Reads a set: `row, true_label`, then label, confidence and outcome of each service.
fn read(file: &Path) -> Vec<Asked> {
    let text = fs::read_to_string(file).expect("a set");
    let input = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let said = |it: &[&str]| {
            let confidence = it[1].parse().expect("a confidence");
            Some(Said { label: it[0].to_owned(), confidence: Some(confidence) })
        };
        Asked { truth: cells[1].to_owned(), said: cells[2..].chunks(3).map(said).collect() }
    };
    text.lines().skip(1).map(input).collect()
}

/// Numbers by seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("a count")).expect("below a count")
    }

    /// A number in [0, 1).
    fn part(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let part = (self.next() >> 11) as f64 / 9_007_199_254_740_992.0;
        part
    }
}

#[test]
fn draws_depend_on_their_seed_alone() {
    let mut draw = Draw(1);
    assert_eq!([draw.next(), draw.next()], [0x910a_2dec_8902_5cc1, 0xbeeb_8da1_658e_ec67]);
}
