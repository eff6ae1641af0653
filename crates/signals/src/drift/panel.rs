//! Panel: all streams of a route, one alarm.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Culprit, Delay, Evidence, Hold, LEAST_ROWS, State, Stream,
    carriers::Carriers,
    delay, discount,
    latch::Latch,
    place, share,
    stream::{Paid, Round, form},
};
use crate::{
    cells::{Cells, Seasons, Value},
    eproc::{Every, Form, combined, culprits},
    math, quantise,
    shape::{Incompatible, Reading},
};

/// What replicas say is believed for so long, ns.
const FRESH_NS: u64 = 60 * 1_000_000_000;
/// Weights may sum to 1, but for the last bits.
const SLACK: f64 = 1e-9;

/// How a panel watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The wanted mean time between false alarms.
    pub every: Every,
    /// Whether something acts on an alarm by itself: then the form is `cusum`, which is later and surer, else `sr`.
    pub enforced: bool,
    /// How long an alarm lasts.
    pub hold: Hold,
    /// Which bucket a row belongs to; none: all to one.
    pub seasons: Option<Seasons>,
}

/// A stream with its reference, one for each seasonal bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Its name, as it is shown: `feature:age`, `output:primary`.
    pub name: String,
    /// How much it weighs ([`super::weights`]).
    pub weight: f64,
    /// Its cells, bucket by bucket.
    pub cells: Vec<Arc<Cells>>,
}

/// Why a panel cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is nothing to watch.
    Nothing,
    /// A stream has another number of references than there are buckets.
    Buckets(String),
    /// A reference is too small (`DRI-4`): the stream and its rows.
    Rows(String, u64),
    /// Weights are not above 0, or sum to more than 1.
    Weights,
}

/// One stream with what is known of it.
#[derive(Clone, Debug, PartialEq)]
struct Seat {
    watched: Watched,
    /// The references once more, with what bets pay, bucket by bucket: what a row asks for lies together.
    against: Vec<(Arc<Cells>, Paid)>,
    stream: Stream,
    latch: Latch,
}

/// What a replica said.
#[derive(Clone, Debug, PartialEq)]
struct Hint {
    at: u64,
    wealths: Vec<f64>,
}

/// Watches the streams of one route.
///
/// # Cost
/// O(streams) a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    settings: Settings,
    seats: Vec<Seat>,
    weights: Vec<f64>,
    hints: BTreeMap<u64, Hint>,
    latch: Latch,
    carriers: Carriers,
    evidence: Option<Evidence>,
    rows: u64,
    as_of: u64,
    /// Panels that it is the average of.
    parts: u32,
}

impl Panel {
    /// A panel without a row.
    ///
    /// # Errors
    /// There is nothing to watch, or a reference, its buckets or the weights do not do.
    pub fn new(settings: Settings, watched: Vec<Watched>) -> Result<Self, Refused> {
        let buckets = settings.seasons.as_ref().map_or(1, Seasons::buckets);
        let form = form(settings.every, settings.enforced);
        let weights: Vec<f64> = watched.iter().map(|it| it.weight).collect();
        if watched.is_empty() {
            return Err(Refused::Nothing);
        }
        if weights.iter().any(|it| it.is_nan() || *it <= 0.0) || weights.iter().sum::<f64>() > 1.0 + SLACK {
            return Err(Refused::Weights);
        }
        let seats = watched.into_iter().map(|it| Seat::new(it, buckets, form)).collect::<Result<_, _>>()?;
        Ok(Self {
            settings,
            seats,
            weights,
            hints: BTreeMap::new(),
            latch: Latch::default(),
            carriers: Carriers::default(),
            evidence: None,
            rows: 0,
            as_of: 0,
            parts: 1,
        })
    }

    /// Looks at a row: one value for each stream, none where the row does not count for it (an output of a tier that did not
    /// answer). `entropy` are the 64 uniform bits that came with the request. Returns what was seen where this row brings an alarm.
    pub fn update(&mut self, at: u64, entropy: u64, row: &[Option<Value<'_>>]) -> Option<Evidence> {
        self.look(at, entropy, |stream| row.get(stream).copied().flatten())
    }

    /// Looks at a row as [`Self::update`] does, where whoever has it says by a stream's place what its value is.
    pub fn look<'a>(&mut self, at: u64, entropy: u64, value: impl Fn(usize) -> Option<Value<'a>>) -> Option<Evidence> {
        let bucket = self.settings.seasons.as_ref().map_or(0, |it| it.bucket(at));
        self.rows += 1;
        self.as_of = self.as_of.max(at);
        let (hold, mut calm) = (self.settings.hold, true);
        let mut round = Round::new(form(self.settings.every, self.settings.enforced), at);
        for (index, seat) in self.seats.iter_mut().enumerate() {
            let wealth = match value(index) {
                Some(value) => seat.look(&mut round, bucket, value, share(entropy, index)),
                None => seat.stream.wealth().number(),
            };
            let over = seat.settle(self.as_of, hold);
            calm &= over || wealth < 1.0;
        }
        if self.latch.settle(self.as_of, self.rows, self.hold()) {
            self.restart();
            calm = true;
        }
        // Most rows end here: no stream reaches an alarm of its own, so the route does not either.
        if calm && self.hints.is_empty() { None } else { self.judge() }
    }

    /// Notes what a replica's streams hold (`DRI-3`), as it published them ([`Self::wealths`]) at a time of ours.
    ///
    /// # Errors
    /// It has another number of streams.
    pub fn hear(&mut self, at: u64, replica: u64, wealths: &[f64]) -> Result<(), Incompatible> {
        let sound = wealths.len() == self.seats.len() && wealths.iter().all(|it| it.is_finite() && *it >= 0.0);
        if sound {
            self.hints.retain(|_, it| at.saturating_sub(it.at) < FRESH_NS);
            self.hints.insert(replica, Hint { at, wealths: wealths.to_vec() });
        }
        if sound { Ok(()) } else { Err(Incompatible::Reference) }
    }

    /// Returns what each stream holds here: what replicas are to be told.
    pub fn wealths(&self) -> Vec<f64> {
        self.seats.iter().map(|it| it.stream.wealth().number()).collect()
    }

    /// Returns the names of the streams, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.seats.iter().map(|it| it.watched.name.as_str())
    }

    /// Returns what the last alarm saw.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    /// Reads the route: the score and what it amounts to.
    pub fn read(&self, now: u64) -> Reading<State> {
        let wealth = combined(&self.weights, &self.averaged(now));
        let (state, wealth) = self.latch.read((now, self.rows), self.hold(), wealth);
        reading(state, wealth, self.rows, self.as_of)
    }

    /// Returns how long shifts go unnoticed of the stream that weighs least, where it alone moves and is a normal scalar, at so many
    /// rows for T: it needs as many times an alarm's wealth as its weight goes into 1.
    ///
    /// # Cost
    /// As [`delay`].
    pub fn delay(&self, every_rows: u64) -> Delay {
        let weight = self.weights.iter().copied().fold(1.0, f64::min);
        let rows = self.seats.iter().flat_map(|it| &it.watched.cells).map(|it| it.rows()).min().unwrap_or(0);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        let alone = (every_rows as f64 / weight) as u64;
        delay(alone, rows, self.settings.enforced)
    }

    /// Reads one stream by its place; none where there is none, or no row yet.
    pub fn read_stream(&self, now: u64, stream: usize) -> Option<Reading<State>> {
        let seat = self.seats.get(stream)?;
        let (as_of, rows) = (seat.stream.as_of()?, seat.stream.rows());
        let wealth = self.averaged(now)[stream];
        let (state, wealth) = seat.latch.read((now, rows), self.settings.hold, wealth);
        Some(reading(state, wealth, rows, as_of))
    }

    /// Averages with a replica's panel.
    ///
    /// # Errors
    /// It has other references, or other settings.
    pub fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        if self.settings != other.settings {
            return Err(Incompatible::Setting);
        }
        let alike = |(ours, theirs): (&Seat, &Seat)| ours.watched == theirs.watched;
        if self.seats.len() != other.seats.len() || !self.seats.iter().zip(&other.seats).all(alike) {
            return Err(Incompatible::Reference);
        }
        for (ours, theirs) in self.seats.iter_mut().zip(&other.seats) {
            ours.stream.average(&theirs.stream, (self.parts, other.parts));
            ours.latch.merge(&theirs.latch, ours.stream.rows());
        }
        self.rows += other.rows;
        self.as_of = self.as_of.max(other.as_of);
        self.latch.merge(&other.latch, self.rows);
        self.carriers.merge(&other.carriers, |it| self.seats[it].stream.rows());
        self.parts = self.parts.saturating_add(other.parts);
        let later = |it: &&Evidence| self.evidence.as_ref().is_none_or(|ours| ours.at < it.at);
        if let Some(theirs) = other.evidence.as_ref().filter(later) {
            self.evidence = Some(theirs.clone());
        }
        Ok(())
    }

    /// How long the alarm of the route lasts.
    fn hold(&self) -> Hold {
        self.carriers.hold(self.settings.hold, |it| self.seats[it].stream.rows())
    }

    /// Empties all purses.
    fn restart(&mut self) {
        self.seats.iter_mut().for_each(|it| it.stream.restart());
        // What replicas said was about the same rows.
        self.hints.clear();
    }

    /// What each stream holds, on average over this replica and those that were heard of lately.
    fn averaged(&self, now: u64) -> Vec<f64> {
        let mut sums = self.wealths();
        let mut voices = 1.0;
        for hint in self.hints.values().filter(|it| now.saturating_sub(it.at) < FRESH_NS) {
            sums.iter_mut().zip(&hint.wealths).for_each(|(sum, it)| *sum += it);
            voices += 1.0;
        }
        sums.iter_mut().for_each(|it| *it /= voices);
        sums
    }

    /// Notes the alarms of streams and of the route.
    fn judge(&mut self) -> Option<Evidence> {
        let now = self.as_of;
        let wealths = self.averaged(now);
        for (seat, wealth) in self.seats.iter_mut().zip(&wealths).filter(|it| *it.1 >= 1.0) {
            let rows = seat.stream.rows();
            seat.latch.alarm(now, rows, *wealth);
        }
        let wealth = combined(&self.weights, &wealths);
        if wealth < 1.0 {
            return None;
        }
        let culprit = |stream: usize| {
            let seat = &self.seats[stream];
            let (name, since) = (seat.watched.name.clone(), seat.stream.since());
            Culprit { stream, name, wealth: wealths[stream], since }
        };
        let culprits: Vec<Culprit> = culprits(&self.weights, &wealths).into_iter().map(culprit).collect();
        let since = culprits.first().map_or(now, |it| it.since);
        let new = self.latch.alarm(now, self.rows, wealth);
        let rows = |it: usize| self.seats[it].stream.rows();
        self.carriers.carry(new, culprits.iter().map(|it| it.stream), self.settings.hold.rows, rows);
        let evidence = Evidence { at: now, rows: self.rows, wealth, since, culprits, new };
        self.evidence = Some(evidence.clone());
        self.restart();
        Some(evidence)
    }
}

impl Seat {
    fn new(watched: Watched, buckets: usize, form: Form) -> Result<Self, Refused> {
        if watched.cells.len() != buckets {
            return Err(Refused::Buckets(watched.name));
        }
        if let Some(small) = watched.cells.iter().map(|it| it.rows()).find(|it| *it < LEAST_ROWS) {
            return Err(Refused::Rows(watched.name, small));
        }
        let against = watched.cells.iter().map(|it| (it.clone(), Paid::of(discount(it.rows())))).collect();
        Ok(Self { watched, against, stream: Stream::new(form), latch: Latch::default() })
    }

    /// Bets on a value; returns the wealth then.
    #[inline(always)]
    fn look(&mut self, round: &mut Round, bucket: usize, value: Value<'_>, lot: f64) -> f64 {
        let (cells, paid) = &self.against[bucket];
        let place = place(cells, cells.cell(value), lot);
        self.stream.bet(round, place, paid)
    }

    /// Ends an alarm of its own whose hold is over, with empty purses: so the next is as rare as the first. Returns whether one ended.
    #[inline]
    fn settle(&mut self, now: u64, hold: Hold) -> bool {
        let over = self.latch.settle(now, self.stream.rows(), hold);
        if over {
            self.stream.restart();
        }
        over
    }
}

/// The score of a wealth: 1 at an alarm, a sixth for each power of ten; from 0 to 2.
fn reading(state: State, wealth: f64, samples: u64, as_of: u64) -> Reading<State> {
    let value = (1.0 + math::ln(wealth) / std::f64::consts::LN_10 / 6.0).clamp(0.0, 2.0);
    Reading { value, lo: value, hi: value, samples, as_of, state }
}

impl Reading<State> {
    /// Returns what the core compares: the state as 0, 1, 2, and the score in thousandths, 1,000 being an alarm.
    pub fn quantise(&self) -> (i64, i64) {
        let state = match self.state {
            State::Stable => 0,
            State::Warning => 1,
            State::Drift => 2,
        };
        (state, quantise(self.value, 1_000).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
