//! Vote: the ballots of an ensemble that is being asked, row by row (signals §10).
//!
//! It knows members by their place, and what they say in the form in which equal answers are equal. The arithmetic is
//! `evenkeel_signals::votes`; whether the vote is over is the core's to say, which gets a [`Tally`] in integers.
//!
//! # Invariants
//! - `BALLOT-1`: once all have ended, who wins each row is the same in whatever order they came.
//! - `BALLOT-2`: nothing of what was said leaves but whose answer it is, and which answers are equal.
//!
//! # Cost
//! Rows in which all say the same as in another row are counted once.

mod member;
pub(crate) mod read;
mod worth;

use std::{collections::HashMap, sync::Arc};

use evenkeel_config::{Confidence, Learnt, Voted, Weights, kind};
use evenkeel_core::{AttemptId, Permille, Tally};
use evenkeel_signals::{
    calibrate,
    votes::{
        self, Bounds, EQUAL, Estimate, Rivals, Spoken, Tolerance, clusters, median, median_decided, record, records,
        weight,
    },
};

use self::member::{Member, Vote};
pub(crate) use self::worth::Worth;

/// What a weight is counted in.
const MILLIONTHS: f64 = 1e6;
/// Parts of a share, of which a thousandth has ten.
const TENTHS: i64 = 10;
/// What was learnt in a file does not fade: the same answers have the same vote for as long as it stands.
const TIMELESS: u64 = 0;

/// What one member says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// The class of each row; none where it says nothing of it.
    Labels(Vec<Option<String>>),
    /// The same, with how sure it is of each, where that is known.
    Sure(Vec<Option<String>>, Vec<Option<f64>>),
    /// The number of each row.
    Numbers(Vec<Option<f64>>),
    /// A text, in the form that equal texts share, and as it was said.
    Text(Spoken),
    /// Fields of a record, each in the form that equal ones share.
    Record(Vec<String>),
}

/// How the vote of one row stands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    /// Who is followed.
    voter: usize,
    votes: u8,
    /// In thousandths.
    share: u16,
    /// How likely it is right, in thousandths; none where that is not known.
    right: Option<u16>,
    /// By so many rows.
    n: u64,
    decided: bool,
    /// Who says the same, one bit a member.
    same: u8,
}

/// What is known of one member's vote when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cast {
    /// What it counts, in millionths; where each answer has a weight of its own, their mean.
    pub(crate) weight: i64,
    /// Rows on which it voted.
    pub(crate) rows: u64,
    /// Rows in which it said what was answered; of numbers, something near enough.
    pub(crate) agreed: u64,
    /// The place of its class among those of the only row, the winner's first.
    pub(crate) class: Option<u32>,
}

/// The vote of one tier.
#[derive(Debug)]
pub(crate) struct Ballot {
    /// Of which tier.
    pub(crate) tier: u8,
    on: Voted,
    /// What each vote counts, or may count.
    weights: Vec<Bounds>,
    learnt: Option<Arc<Learnt>>,
    confidence: Option<Confidence>,
    classes: u32,
    members: Vec<Member>,
    /// The classes that were said, and their numbers.
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Texts, of which some may be one class.
    texts: Vec<Option<Spoken>>,
    /// Records, of which some may be one class.
    records: Vec<Option<String>>,
}

impl Ballot {
    /// Begins a vote in which nobody has been asked.
    pub(crate) fn new(tier: u8, members: usize, of: &kind::Ensemble) -> Self {
        let millionths = |it: f64| (it * MILLIONTHS).round() as i64;
        let exactly = |all: Vec<i64>| (all.into_iter().map(Bounds::exactly).collect::<Vec<_>>(), None);
        let (weights, learnt) = match &of.weights {
            Weights::Equal => exactly(vec![EQUAL; members]),
            Weights::Given(given) => exactly(given.iter().map(|it| millionths(*it)).collect()),
            Weights::Accuracies(given) => exactly(given.iter().map(|it| weight(*it, of.classes)).collect()),
            Weights::Learnt(learnt) => (learnt.bounds.clone(), Some(learnt.clone())),
        };
        Self {
            tier,
            on: of.on.clone(),
            weights,
            learnt,
            confidence: of.confidence.clone(),
            classes: of.classes,
            members: vec![Member::Unasked; members],
            names: Vec::new(),
            numbers: HashMap::new(),
            texts: vec![None; members],
            records: vec![None; members],
        }
    }

    /// Returns what is voted on.
    pub(crate) fn on(&self) -> &Voted {
        &self.on
    }

    /// Returns how sure a member is of a row, where that counts.
    pub(crate) fn confidence(&self) -> Option<&Confidence> {
        self.confidence.as_ref().filter(|_| self.learnt.is_some())
    }

    /// Notes that a member is asked.
    pub(crate) fn start(&mut self, member: usize, attempt: AttemptId) {
        self.members[member] = Member::Out(attempt);
    }

    /// Returns the place of a member by its attempt.
    pub(crate) fn find(&self, attempt: AttemptId) -> Option<usize> {
        self.members.iter().position(|it| it.attempt() == Some(attempt))
    }

    /// Returns an attempt that has not ended.
    pub(crate) fn any_out(&self) -> Option<AttemptId> {
        self.members.iter().find_map(|it| if let Member::Out(attempt) = it { Some(*attempt) } else { None })
    }

    /// Notes that a member has ended, and what it says, where it votes.
    pub(crate) fn ended(&mut self, attempt: AttemptId, said: Option<Said>) {
        let Some(at) = self.find(attempt) else { return };
        self.members[at] = match said {
            None => Member::Silent(attempt),
            Some(Said::Labels(labels)) => Member::Labels(attempt, self.votes(at, labels, &[])),
            Some(Said::Sure(labels, sure)) => Member::Labels(attempt, self.votes(at, labels, &sure)),
            // Who is trusted with nothing has no number to give.
            Some(Said::Numbers(_)) if self.weights[at].most <= 0 => Member::Silent(attempt),
            Some(Said::Numbers(numbers)) => Member::Numbers(attempt, numbers),
            Some(Said::Record(fields)) if self.on.is_exact() => {
                Member::Labels(attempt, self.votes(at, vec![Some(record(&fields))], &[]))
            }
            // Its class depends on what the others say.
            Some(Said::Text(text)) => {
                self.texts[at] = Some(text);
                Member::Labels(attempt, vec![None])
            }
            Some(Said::Record(fields)) => {
                self.records[at] = Some(record(&fields));
                Member::Labels(attempt, vec![None])
            }
        };
        self.cluster();
    }

    /// Weighs what a member says of each row: by itself, where that was learnt.
    fn votes(&mut self, at: usize, labels: Vec<Option<String>>, sure: &[Option<f64>]) -> Vec<Option<Vote>> {
        // What is said again weighs the same.
        let mut known: HashMap<(u32, Option<u64>), i64> = HashMap::new();
        let vote = |(row, label): (usize, Option<String>)| {
            let (label, confidence) = (label?, sure.get(row).copied().flatten());
            let Some(learnt) = self.learnt.clone() else {
                return Some(Vote { class: self.number(label), weight: self.weights[at].most });
            };
            let class = self.number(label.clone());
            let weigh = || learnt.votes.learnt.weight(TIMELESS, at, &calibrate::Said { label, confidence });
            let weight = *known.entry((class, confidence.map(f64::to_bits))).or_insert_with(weigh);
            Some(Vote { class, weight })
        };
        labels.into_iter().enumerate().map(vote).collect()
    }

    fn number(&mut self, class: String) -> u32 {
        let (names, next) = (&mut self.names, self.numbers.len() as u32);
        *self.numbers.entry(class).or_insert_with_key(|class| {
            names.push(class.clone());
            next
        })
    }

    /// Gives texts, and records, that say nearly the same one class.
    fn cluster(&mut self) {
        let (who, classes): (Vec<usize>, Vec<String>) = match self.on {
            Voted::Fields(_, absolute, relative) => {
                let (who, said): (Vec<_>, Vec<_>) = spoken(&self.records);
                let said: Vec<&str> = said.into_iter().map(String::as_str).collect();
                (who, records(&said, Tolerance { absolute, relative }))
            }
            _ => {
                let (who, said) = spoken(&self.texts);
                (who, clusters(&said))
            }
        };
        for (at, class) in who.into_iter().zip(classes) {
            let vote = Vote { class: self.number(class), weight: self.weights[at].most };
            if let Member::Labels(_, labels) = &mut self.members[at] {
                *labels = vec![Some(vote)];
            }
        }
    }

    /// Counts the votes as they stand; `quorum` of them are needed, and until there are as many nothing is decided.
    pub(crate) fn tally(&self, quorum: u8) -> Tally {
        let rows = self.rows();
        let heard = self.members.iter().filter(|it| it.has_ended()).count() as u8;
        let voters = self.members.iter().filter(|it| it.rows() > 0).count();
        let nobody = Tally {
            heard,
            votes: 0,
            open: 1.max(rows as u64),
            agreement: Permille::new(0),
            leader: AttemptId(u64::MAX),
        };
        // Where there are no rows, whoever answers says all there is.
        let Some(first) = self.members.iter().find(|it| it.votes_at_all()).and_then(Member::attempt) else {
            return nobody;
        };
        if rows == 0 {
            let votes = self.members.iter().filter(|it| it.votes_at_all()).count() as u8;
            return Tally { votes, open: 0, agreement: Permille::ALL, leader: first, ..nobody };
        }
        if voters < usize::from(quorum) {
            return Tally { votes: voters as u8, leader: first, ..nobody };
        }
        let counted = self.counted();
        let mut won = vec![0_usize; self.members.len()];
        counted.iter().flatten().for_each(|row| won[row.voter] += 1);
        let most = won.iter().copied().max().unwrap_or(0);
        let leader = won.iter().position(|it| *it == most).and_then(|at| self.members[at].attempt());
        let fewest = |of: fn(&Row) -> u16| counted.iter().map(|it| it.as_ref().map_or(0, of)).min().unwrap_or(0);
        Tally {
            heard,
            votes: fewest(|row| row.votes.into()) as u8,
            open: counted.iter().filter(|it| !it.is_some_and(|row| row.decided)).count() as u64,
            agreement: Permille::new(fewest(if self.learnt.is_some() { Row::likely } else { Row::shared })),
            leader: leader.unwrap_or(first),
        }
    }

    /// Returns for each row the member that is followed; none where nobody says anything of it.
    pub(crate) fn followed(&self) -> Vec<Option<usize>> {
        self.counted().iter().map(|row| row.map(|it| it.voter)).collect()
    }

    /// Returns what is known of each vote, with its attempt.
    pub(crate) fn cast(&self) -> Vec<(AttemptId, Cast)> {
        let counted = self.counted();
        let alone = counted.len() == 1;
        let cast = |(at, it): (usize, &Member)| {
            let rows = it.voted();
            let agreed = counted.iter().flatten().filter(|row| row.same >> at & 1 == 1).count() as u64;
            let class = if alone { self.place(it) } else { None };
            let weight = it.mean_weight().unwrap_or(self.weights[at].most);
            Some((it.attempt().filter(|_| rows > 0)?, Cast { weight, rows, agreed, class }))
        };
        self.members.iter().enumerate().filter_map(cast).collect()
    }

    /// Returns what the votes are worth as they stand; none where nothing was learnt of it, or there are no rows.
    pub(crate) fn worth(&self) -> Option<Worth> {
        let by = self.learnt.clone()?;
        let rows = self.counted().into_iter().collect::<Option<Vec<_>>>()?;
        let least = rows.iter().min_by_key(|it| it.likely())?;
        let n = rows.iter().map(|it| it.n).min().unwrap_or(0);
        Some(Worth { share: least.share, rows: rows.iter().map(|it| it.right).collect(), n, by })
    }

    /// Returns the place of a member's class in the only row.
    fn place(&self, member: &Member) -> Option<u32> {
        let Member::Labels(_, labels) = member else { return None };
        let class = &self.names[labels.first().copied()??.class as usize];
        let tally = votes::Tally::of(&self.ballots(0));
        tally.standings().iter().position(|it| it.class == *class).map(|at| at as u32)
    }

    fn rows(&self) -> usize {
        self.members.iter().map(Member::rows).max().unwrap_or(0)
    }

    /// Counts each row; what is the same in several is counted once.
    fn counted(&self) -> Vec<Option<Row>> {
        let mut known: HashMap<Vec<Option<Vote>>, Option<Row>> = HashMap::new();
        let row = |row: usize| match self.on {
            Voted::Number(_, absolute, relative) => self.number_row(row, Tolerance { absolute, relative }),
            _ => {
                let said: Vec<_> = self.members.iter().map(|it| it.label(row)).collect();
                *known.entry(said).or_insert_with(|| self.label_row(row))
            }
        };
        (0..self.rows()).map(row).collect()
    }

    fn ballots(&self, row: usize) -> Vec<votes::Ballot> {
        let ballot = |(voter, it): (usize, &Member)| {
            let Vote { class, weight } = it.label(row)?;
            Some(votes::Ballot { voter, weight, class: self.names[class as usize].clone() })
        };
        self.members.iter().enumerate().filter_map(ballot).collect()
    }

    /// Says that the winner stays who it is. A text that comes in later may join others to it, or part those who stand near it,
    /// but not those who say the very same.
    fn is_decided(&self, tally: &votes::Tally) -> bool {
        let out: Vec<_> = self.weights_out().collect();
        let ballot = |(voter, it): (usize, &Option<Spoken>)| {
            let class = it.as_ref()?.canonical.clone();
            Some(votes::Ballot { voter, weight: self.weights[voter].most, class })
        };
        match self.on {
            Voted::Text => {
                let exact = self.texts.iter().enumerate().filter_map(ballot).collect::<Vec<_>>();
                votes::Tally::of(&exact).decided(&out, Rivals::MayJoin)
            }
            Voted::Fields(..) if !self.on.is_exact() => tally.decided(&out, Rivals::MayJoin),
            _ => tally.decided(&out, Rivals::Apart),
        }
    }

    fn label_row(&self, row: usize) -> Option<Row> {
        let ballots = self.ballots(row);
        let tally = votes::Tally::of(&ballots);
        let leader = tally.leader()?;
        let same = ballots.iter().filter(|it| it.class == leader.class).map(|it| 1 << it.voter).sum();
        let share = tally.share(self.classes).unwrap_or(0) / TENTHS;
        let reading = self.learnt.as_ref().and_then(|it| it.votes.learnt.confidence(TIMELESS, &tally));
        let n = reading.map_or(0, |it| it.n.round() as u64);
        Some(Row {
            voter: leader.best,
            votes: ballots.len() as u8,
            share: share as u16,
            // Whole thousandths at or below it: what is told is never more than what is known.
            right: reading.map(|it| (it.p.clamp(0.0, 1.0) * 1e3).floor() as u16),
            n,
            decided: self.is_decided(&tally),
            same,
        })
    }

    fn number_row(&self, row: usize, tolerance: Tolerance) -> Option<Row> {
        let estimate = |(voter, it): (usize, &Member)| {
            Some(Estimate { voter, weight: self.weights[voter].most, value: it.value(row)? })
        };
        let estimates: Vec<_> = self.members.iter().enumerate().filter_map(estimate).collect();
        let found = median(&estimates, tolerance)?;
        let out: Vec<_> = self.weights_out().map(|it| it.most).collect();
        let within = tolerance.absolute.max(tolerance.relative * found.value.abs());
        let near = estimates.iter().filter(|it| (it.value - found.value).abs() <= within);
        Some(Row {
            voter: found.voter,
            votes: found.voters as u8,
            share: (found.share / TENTHS) as u16,
            right: None,
            n: 0,
            decided: median_decided(&estimates, &out),
            same: near.map(|it| 1 << it.voter).sum(),
        })
    }

    /// What those may count who have not ended.
    fn weights_out(&self) -> impl Iterator<Item = Bounds> {
        let out = |it: &(&Member, &Bounds)| matches!(it.0, Member::Out(_));
        self.members.iter().zip(&self.weights).filter(out).map(|(_, weight)| *weight)
    }
}

/// Returns who has spoken, and what they say.
fn spoken<T>(all: &[Option<T>]) -> (Vec<usize>, Vec<&T>) {
    all.iter().enumerate().filter_map(|(at, it)| Some((at, it.as_ref()?))).unzip()
}

impl Row {
    fn shared(&self) -> u16 {
        self.share
    }

    /// How likely it is right, as far as that is known: of what nobody knows no likelihood can be promised.
    fn likely(&self) -> u16 {
        self.right.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
