//! Ledger: the answers of one route that wait for their labels, and those that have them.
//!
//! # Invariants
//! - `LED-1`: it takes no more memory than its route says: beyond that the oldest answers leave. One that is older than 14 days leaves
//!   in any case.
//! - `LED-2`: an item counts whole or not at all; of several labels of a row the last one counts.
//! - `LED-3`: who did not ask does not know that there is an answer, unless the route takes labels from anyone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use evenkeel_config as config;
use evenkeel_signals::estimate::{ConceptDrift, MOST_DELAY_NS};
use http::HeaderMap;
use jiff::Timestamp;
use ulid::Ulid;

use super::{
    Decided, ROWS, Value,
    copies::Copied,
    item::{Claim, Claims, Item, Malformed},
    nanos,
    trial::{By, Fate, Named, Trial},
};
use crate::{cache::whose, drift::chosen, events::certificate_void, guard::Lesson};

/// What an answer costs besides its rows, and what a row costs.
const COST: usize = 192;
const ROW: usize = size_of::<Row>();
const COPIED: usize = 96;
const TAUGHT: usize = size_of::<Lesson>();

/// The answers of one route.
pub(super) struct Ledger {
    pub(super) spec: Arc<config::Quality>,
    /// Tiers by name: a row holds the place of its own.
    pub(super) names: Vec<Arc<str>>,
    pub(super) held: BTreeMap<u128, Held>,
    size: usize,
    /// The tiers that the route has, and since when each answers as it does, ns.
    pub(super) tiers: Vec<(Arc<str>, u64)>,
    /// By tier: whether what its confidences say comes true.
    pub(super) watches: BTreeMap<Arc<str>, ConceptDrift>,
    /// Answers that had to leave before their time.
    pub(super) forgotten: u64,
    /// Whether what is promised of the route's thresholds is kept.
    pub(super) trial: Option<Trial>,
    /// Something has come, or gone, since its figures were computed.
    pub(super) changed: bool,
}

/// An answer.
pub(super) struct Held {
    pub(super) at: u64,
    /// How many steps its route had gone back from its certificate.
    steps: u8,
    whose: u64,
    private: bool,
    pub(super) rows: Box<[Row]>,
    /// What copies of it said, each of one path.
    pub(super) copies: Vec<Heard>,
    /// What its labels teach of requests that looked like it, where the first tier answered all of it.
    lesson: Option<Box<Lesson>>,
}

/// What a copy said.
pub(super) struct Heard {
    pub(super) path: Arc<str>,
    pub(super) said: Box<[Option<Value>]>,
    pub(super) compared: (u64, u64),
}

/// A row of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// The tier that answered: its place in its route, then that of its name.
    pub(super) tier: u16,
    pub(super) said: Option<Value>,
    /// How likely it is right, in thousandths, as its client was told.
    pub(super) p: Option<u16>,
    pub(super) label: Option<Label>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Label {
    pub(super) claim: Claim,
    /// The first that was said, by which a certificate is judged.
    pub(super) first: Claim,
    /// After how long the first came, ns.
    pub(super) delay: u64,
}

/// What became of feedback that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// It is the first of some row.
    Counted,
    /// It takes the place of earlier feedback.
    Replaced,
}

/// Why feedback does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed(Malformed),
    Unknown,
    Late,
    Private,
    NoLabels,
    NoSuchRow,
    RowCount,
    NotSaid,
    Unlike(&'static str),
}

impl Joined {
    /// Returns the word of answers and metrics.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Replaced => "replaced",
        }
    }
}

impl Refused {
    /// Returns the word of answers and metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Late => "late",
            Self::Private => "private",
            _ => "refused",
        }
    }

    /// Says what is wrong, and how to mend it.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Malformed(Malformed(why)) => (*why).into(),
            Self::Unknown => {
                "no answer of this decision is held: it is not of this process, was given to another client, gave no \
                              answer, or had to leave (`quality.memory`)"
                    .into()
            }
            Self::Late => "labels count for 14 days after the answer, and this one is older".into(),
            Self::Private => "its client wanted nothing of it kept (`evenkeel-private`); say `correct`".into(),
            Self::NoLabels => {
                "this route does not say what a label is compared with (`quality.output`, `quality.label`); say \
                               `correct` or `score`"
                    .into()
            }
            Self::NoSuchRow => format!("it has no such row; rows count from 0, and the first {ROWS} are held"),
            Self::RowCount => "it has another number of rows; write one for each, or name them in `rows`".into(),
            Self::NotSaid => "the answer did not have what a label is compared with; say `correct` or `score`".into(),
            Self::Unlike(wanted) => format!("the answer said {wanted}, and the label is of another type"),
        }
    }
}

/// Says what to say of a decision that nothing holds: its id has its time.
pub(super) fn unknown(id: u128, now: u64) -> Refused {
    let made = Timestamp::from_millisecond(i64::try_from(Ulid(id).timestamp_ms()).unwrap_or(0)).map_or(0, nanos);
    if made < now.saturating_sub(MOST_DELAY_NS) { Refused::Late } else { Refused::Unknown }
}

impl Row {
    pub(super) fn new(tier: u8, said: Option<Value>, p: Option<u16>) -> Self {
        Self { tier: tier.into(), said, p, label: None }
    }

    /// Says whether it was right; none as long as nobody has said.
    pub(super) fn right(&self, spec: &config::Quality) -> Option<bool> {
        right(self.said, self.label?.claim, spec)
    }
}

/// Says whether what was said is right.
pub(super) fn right(said: Option<Value>, claim: Claim, spec: &config::Quality) -> Option<bool> {
    match claim {
        Claim::Correct(it) => Some(it),
        Claim::Score(it) => Some(it >= spec.right_at),
        Claim::Label(label) => said?.is_as(label, spec),
    }
}

impl Held {
    fn size(&self) -> usize {
        let copies = self.copies.iter().map(|it| COPIED + it.said.len() * size_of::<Option<Value>>());
        let taught = if self.lesson.is_some() { TAUGHT } else { 0 };
        COST + self.rows.len() * ROW + copies.sum::<usize>() + taught
    }

    /// Returns the row by which it speaks of a certificate.
    fn drawn(&self, id: u128) -> usize {
        // The lower bits of an id are drawn.
        chosen(id as u64, self.rows.len() as u64) as usize
    }

    /// Teaches what its labels say: an answer is wrong where one of its rows is.
    fn teach(&mut self, spec: &config::Quality) {
        if let Some(lesson) = &mut self.lesson {
            lesson.hear(self.rows.iter().any(|row| row.right(spec) == Some(false)));
        }
    }
}

impl Ledger {
    pub(super) fn new(spec: Arc<config::Quality>) -> Self {
        Self {
            spec,
            names: Vec::new(),
            held: BTreeMap::new(),
            size: 0,
            tiers: Vec::new(),
            watches: BTreeMap::new(),
            forgotten: 0,
            trial: None,
            changed: true,
        }
    }

    /// Notes what the route is measured by. What a tier said that has become another is not measured any more.
    pub(super) fn applied(&mut self, spec: Arc<config::Quality>, tiers: &[(String, Timestamp)]) {
        let named = |(name, since): &(String, Timestamp)| (Arc::from(name.as_str()), nanos(*since));
        let tiers: Vec<(Arc<str>, u64)> = tiers.iter().map(named).collect();
        self.watches.retain(|name, _| self.tiers.iter().any(|it| it.0 == *name && tiers.contains(it)));
        (self.spec, self.tiers, self.changed) = (spec, tiers, true);
        self.bound();
    }

    /// Notes what is promised of the route's thresholds, and since when that is in force: what it was before goes on.
    pub(super) fn certified(&mut self, it: Option<&(Arc<config::Issued>, Timestamp)>) {
        let before = self.trial.take();
        self.trial = it.and_then(|(issued, since)| {
            let kept = before.and_then(|mut trial| trial.adopt(issued).then_some(trial));
            kept.or_else(|| Trial::new(issued, nanos(*since)))
        });
    }

    /// Holds an answer; returns which tiers have had to give up others for it.
    pub(super) fn decided(&mut self, it: Decided) -> Vec<Arc<str>> {
        let names: Vec<u16> = it.tiers.iter().map(|name| self.name(name)).collect();
        let row = |row: Row| Row { tier: names.get(usize::from(row.tier)).copied().unwrap_or(u16::MAX), ..row };
        let rows = it.rows.into_iter().take(ROWS).map(row).collect();
        let super::Answered { whose, private, lesson, .. } = it.answered;
        let held =
            Held { at: it.at, steps: it.steps, whose, private, rows, copies: Vec::new(), lesson: lesson.map(Box::new) };
        self.size += held.size();
        self.changed = true;
        match self.held.insert(it.id, held) {
            Some(before) => self.size -= before.size(),
            None => self.answered((it.id, it.at)),
        }
        self.grow_old(it.at);
        let left = self.bound();
        self.settle(it.at);
        left
    }

    /// Holds what a copy said beside it.
    pub(super) fn copied(&mut self, it: Copied) {
        let Some(held) = self.held.get_mut(&it.id) else { return };
        let before = held.size();
        let said = if held.private { Box::default() } else { it.said.into() };
        held.copies.push(Heard { path: it.path.as_str().into(), said, compared: it.compared });
        self.size += held.size() - before;
        if self.trial.as_ref().is_some_and(|trial| trial.last() == it.path) {
            self.hear(it.id, Fate::Copied);
            // Where its label was there first.
            self.tell(it.id);
        }
        self.changed = true;
        self.bound();
        self.settle(it.at);
    }

    /// Says whether an answer is held.
    pub(super) fn holds(&self, id: u128) -> bool {
        self.held.contains_key(&id)
    }

    /// Returns the tiers that answered rows of it, each once.
    pub(super) fn paths(&self, id: u128) -> BTreeSet<Arc<str>> {
        let rows = self.held.get(&id).map(|it| &it.rows[..]).unwrap_or_default();
        rows.iter().filter_map(|it| self.names.get(usize::from(it.tier)).cloned()).collect()
    }

    /// Joins a piece of feedback to its answer.
    pub(super) fn label(&mut self, (at, headers): (u64, &HeaderMap), item: &Item) -> Result<Joined, Refused> {
        let spec = self.spec.clone();
        let Some(held) = self.held.get_mut(&item.decision) else { return Err(unknown(item.decision, at)) };
        if !spec.anyone && held.whose != whose(headers, &spec.vary) {
            return Err(Refused::Unknown);
        }
        let delay = at.saturating_sub(held.at);
        if delay > MOST_DELAY_NS {
            return Err(Refused::Late);
        }
        let claims = claims(item, held, &spec)?;
        let (mut joined, drawn, mut is_first) = (Joined::Replaced, held.drawn(item.decision), false);
        for (at_row, claim) in claims {
            let row = &mut held.rows[at_row];
            let before = row.label;
            let (first, delay) = before.map_or((claim, delay), |it| (it.first, it.delay));
            row.label = Some(Label { claim, first, delay });
            if before.is_some() {
                continue;
            }
            joined = Joined::Counted;
            is_first |= at_row == drawn;
            let Some(name) = self.names.get(usize::from(row.tier)) else { continue };
            let measured = self.tiers.iter().any(|(tier, since)| tier == name && held.at >= *since);
            if let (Some(p), Some(right), true) = (row.p, row.right(&spec), measured) {
                self.watches.entry(name.clone()).or_default().update(at, f64::from(p) / 1e3, right);
            }
        }
        held.teach(&spec);
        if is_first {
            self.tell(item.decision);
        }
        self.settle(at);
        self.changed = true;
        Ok(joined)
    }

    /// Lets an answer that is held now speak of the certificate, where it can.
    fn answered(&mut self, named: Named) {
        let Some(by) = self.by(named.0) else { return };
        let held = &self.held[&named.0];
        let silent = held.private || held.rows[held.drawn(named.0)].said.is_none();
        let Some(trial) = self.trial.as_mut() else { return };
        trial.answered(named, by);
        if silent {
            trial.hear(named, Fate::Never);
        }
    }

    /// Says who answered the row of an answer that is drawn, of those that a certificate speaks of.
    fn by(&self, id: u128) -> Option<By> {
        let held = self.held.get(&id)?;
        let row = held.rows.get(held.drawn(id))?;
        self.trial.as_ref()?.by(self.names.get(usize::from(row.tier))?, (held.at, held.steps))
    }

    fn hear(&mut self, id: u128, fate: Fate) {
        if let (Some(held), Some(trial)) = (self.held.get(&id), self.trial.as_mut()) {
            trial.hear((id, held.at), fate);
        }
    }

    /// Tells what an answer has lost, once its label and what the last model said of it are there; or that nobody will tell.
    fn tell(&mut self, id: u128) {
        if let (Some(By::Cheaper), Some(fate)) = (self.by(id), self.compared(id)) {
            self.hear(id, fate);
        }
    }

    /// Compares the row of an answer that is drawn with the copy of the last model; none where one of them is awaited.
    fn compared(&self, id: u128) -> Option<Fate> {
        let (trial, held) = (self.trial.as_ref()?, self.held.get(&id)?);
        let (at, copy) = (held.drawn(id), held.copies.iter().find(|it| *it.path == *trial.last()));
        let row = held.rows.get(at)?;
        let label = row.label?;
        if !matches!(label.first, Claim::Label(_)) || label.delay > self.spec.label_delay {
            return Some(Fate::Never);
        }
        let theirs = right(copy?.said.get(at).copied().flatten(), label.first, &self.spec);
        let wrong = |right: bool| f64::from(u8::from(!right));
        let lost =
            right(row.said, label.first, &self.spec).zip(theirs).map(|(ours, theirs)| wrong(ours) - wrong(theirs));
        Some(lost.map_or(Fate::Never, Fate::Lost))
    }

    /// Has the certificate judged by what is known by now.
    pub(super) fn settle(&mut self, now: u64) {
        let delay = self.spec.label_delay;
        if let Some(trial) = self.trial.as_mut()
            && trial.settle(now, delay)
        {
            certificate_void(trial.issued(), &trial.read());
        }
    }

    /// Returns the place of a name.
    fn name(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|it| **it == *name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Lets go what is too old for any label.
    fn grow_old(&mut self, now: u64) {
        let before = now.saturating_sub(MOST_DELAY_NS);
        while let Some(first) = self.held.first_entry().filter(|it| it.get().at < before) {
            let (id, gone) = first.remove_entry();
            self.gone(id, &gone);
        }
    }

    /// Lets the oldest go while all take too much (LED-1); returns their tiers.
    fn bound(&mut self) -> Vec<Arc<str>> {
        let most = usize::try_from(self.spec.memory).unwrap_or(usize::MAX);
        let mut left = Vec::new();
        while self.size > most
            && let Some((id, _)) = self.held.first_key_value()
        {
            let id = *id;
            left.extend(self.paths(id));
            let Some(gone) = self.held.remove(&id) else { break };
            self.gone(id, &gone);
            self.forgotten += 1;
        }
        left
    }

    /// Notes that an answer is held no more: nobody will tell what it lost.
    fn gone(&mut self, id: u128, held: &Held) {
        self.size -= held.size();
        if let Some(trial) = self.trial.as_mut() {
            trial.hear((id, held.at), Fate::Never);
        }
    }
}

/// Says of which rows an item speaks, and what it says; it is looked at whole before any of it counts (LED-2).
fn claims(item: &Item, held: &Held, spec: &config::Quality) -> Result<Vec<(usize, Claim)>, Refused> {
    let rows = item.rows.clone().unwrap_or_else(|| (0..held.rows.len()).collect());
    if rows.iter().any(|row| *row >= held.rows.len()) {
        return Err(Refused::NoSuchRow);
    }
    let claims: Vec<(usize, Claim)> = match &item.claims {
        Claims::All(Claim::Label(_)) if rows.len() != 1 => return Err(Refused::RowCount),
        Claims::All(claim) => rows.into_iter().map(|row| (row, *claim)).collect(),
        Claims::Each(each) if each.len() != rows.len() => return Err(Refused::RowCount),
        Claims::Each(each) => rows.into_iter().zip(each).filter_map(|(row, it)| Some((row, (*it)?))).collect(),
    };
    for (row, claim) in &claims {
        if held.private && !matches!(claim, Claim::Correct(_)) {
            return Err(Refused::Private);
        }
        let Claim::Label(label) = claim else { continue };
        if spec.truth.is_none() {
            return Err(Refused::NoLabels);
        }
        let said = held.rows[*row].said.ok_or(Refused::NotSaid)?;
        said.is_as(*label, spec).ok_or(Refused::Unlike(said.wanted()))?;
    }
    Ok(claims)
}

#[cfg(test)]
mod tests;
