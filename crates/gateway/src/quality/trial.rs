//! Trial: whether the promise of a certificate is kept in service, by labels (`signals.md` §6).
//!
//! Of a request that a cheaper model answered, and of which the last one was asked a copy (`shadow`), a label says how much more is
//! lost than by the last model alone. A bet is made on such answers that this is more, on average, than was promised.
//!
//! ```text
//! answers, by when they were asked for -> windows -> all of one is known, or too old -> bets, window by window
//! labels, copies, in whatever order ---/
//! ```
//!
//! # Which answers
//! What the last model answered lost nothing, labelled or not; of what others answered only those tell that have a copy and a label. So
//! that the two weigh as they come, of the former as many count as of the latter are known in the same window: all where all are, and
//! one in ten where one in ten is.
//!
//! # Invariants
//! - `TRIAL-1`: an answer counts once, by its first label and by one of its rows, which is drawn: rows of one request fail together.
//! - `TRIAL-2`: what was answered before the certificate was in force, or so many steps back as no more, says nothing of it.
//! - `TRIAL-3`: only a label that says what would have been right counts: `correct` and `score` speak of one answer, not of the copy.
//! - `TRIAL-4`: steps are never taken back up: that takes another certificate.
//! - `TRIAL-5`: in which order labels come does not matter, nor of which tier they come at all, as long as they come within
//!   `quality.label_delay`.
//!
//! # When it misleads
//! Under `mode: enforce` the promise of the next safer threshold is tested anew, by what is answered from there on; each alarm is one step.
//! A copy that failed is no row: that the last model fails is said by its breaker. Answers of cheaper models that have labels and copies
//! are taken to be like those of them that have none.

mod windows;

use std::sync::Arc;

use evenkeel_config::{Certified, Issued};
use evenkeel_signals::certify::{Certificate, Issue, Terms};

pub(super) use self::windows::{By, Fate, Named};
use self::windows::{Settled, Windows};

const SECOND: u64 = 1_000_000_000;

/// A certificate in service.
pub(super) struct Trial {
    issued: Arc<Issued>,
    /// Answers from then on are by its thresholds, ns.
    since: u64,
    service: Certificate,
    windows: Windows,
    /// Answers of the last model that are still to count.
    owed: f64,
    /// How often it was shown not to be kept; and first when, by how many answers.
    alarms: u8,
    void: Option<(u64, u64)>,
    /// Answers of all steps.
    rows: u64,
}

/// How a certificate stands by what was seen in service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tested {
    /// SHA-256 of its file.
    pub(crate) sha256: [u8; 32],
    /// Answers that were bet on.
    pub(crate) rows: u64,
    /// The odds against "the promise is kept", in the present step; 100 void it.
    pub(crate) odds: f64,
    /// Since when it is void for that, ns, and by how many answers.
    pub(crate) void: Option<(u64, u64)>,
    /// How many steps the route has gone back for it.
    pub(crate) steps: u8,
}

impl Trial {
    /// Puts a certificate into service; none where what stands in its file is no promise.
    pub(super) fn new(issued: &Arc<Issued>, since: u64) -> Option<Self> {
        let service = Certificate::new(issue(&issued.certified)?);
        Some(Self {
            issued: issued.clone(),
            since,
            service,
            windows: Windows::default(),
            owed: 0.0,
            alarms: 0,
            void: None,
            rows: 0,
        })
    }

    /// Goes on under another revision, where that has the same certificate.
    pub(super) fn adopt(&mut self, issued: &Arc<Issued>) -> bool {
        let same = self.issued.sha256 == issued.sha256;
        if same {
            let over = self.is_over();
            self.issued = issued.clone();
            // What was only observed is enforced from now on: the next threshold has its own test.
            if over && !self.is_over() {
                self.begin();
            }
        }
        same
    }

    /// Says who answered, of those that it speaks of; none where it says nothing of an answer of that time and step (TRIAL-2).
    pub(super) fn by(&self, tier: &str, (at, steps): (u64, u8)) -> Option<By> {
        let tiers = &self.issued.certified.tiers;
        let place = tiers.iter().position(|it| it.name == tier)?;
        // What it was not issued for is void already, and tells nothing of what it was.
        let counts = at >= self.since && self.issued.void.is_none() && steps == self.steps();
        counts.then_some(if place + 1 == tiers.len() { By::Last } else { By::Cheaper })
    }

    /// Returns the tier with which it compares.
    pub(super) fn last(&self) -> &str {
        self.issued.certified.tiers.last().map_or("", |it| it.name.as_str())
    }

    /// Notes who answered.
    pub(super) fn answered(&mut self, named: Named, by: By) {
        if !self.is_over() {
            self.windows.answered(named, by);
        }
    }

    /// Hears of an answer of a cheaper model.
    pub(super) fn hear(&mut self, named: Named, fate: Fate) {
        self.windows.hear(named, fate);
    }

    /// Bets on what is known by now, labels being waited for so long, ns; says whether that has voided the certificate.
    pub(super) fn settle(&mut self, now: u64, delay: u64) -> bool {
        let mut fell = false;
        while let Some(settled) = self.windows.next(now, delay) {
            fell |= self.bet(now, settled);
        }
        fell
    }

    /// Bets on a window; it is looked at when all bets of it are made.
    fn bet(&mut self, now: u64, of: Settled) -> bool {
        let losses = of.losses.len() as u64;
        self.owed += of.last as f64 * losses as f64 / of.cheaper as f64;
        let last = self.owed.floor();
        self.owed -= last;
        let nothing = std::iter::repeat_n(0.0, last as usize);
        self.rows += losses + last as u64;
        let fell = self.service.update_all(now, nothing.chain(of.losses)).is_some();
        if fell {
            self.void.get_or_insert((now, self.rows));
            self.alarms = self.alarms.saturating_add(1);
            self.begin();
        }
        fell
    }

    /// Tests the present threshold, without what was seen of another.
    fn begin(&mut self) {
        self.windows.clear();
        self.owed = 0.0;
        // Where it is only said, the odds that said it stand.
        if !self.is_over() {
            self.service = Certificate::new(*self.service.issue());
        }
    }

    /// Says whether nothing is left to be shown: it is void and only observed, or nobody answers any more of whom it promises.
    fn is_over(&self) -> bool {
        let most = if self.issued.enforced { self.issued.ladder.len() + 1 } else { 1 };
        usize::from(self.alarms) >= most
    }

    fn steps(&self) -> u8 {
        if self.issued.enforced { self.alarms } else { 0 }
    }

    pub(super) fn read(&self) -> Tested {
        let odds = self.service.evidence().0;
        Tested { sha256: self.issued.sha256, rows: self.rows, odds, void: self.void, steps: self.steps() }
    }

    /// Returns what it is of.
    pub(super) fn issued(&self) -> &Issued {
        &self.issued
    }
}

fn issue(it: &Certified) -> Option<Issue> {
    let byte = |at: usize| it.rows.get(2 * at..2 * at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    Some(Issue {
        terms: Terms::new(it.epsilon, it.delta, it.tuning)?,
        policy: 0,
        rows: std::array::from_fn(|at| byte(at).unwrap_or(0)),
        at: it.at.saturating_mul(SECOND),
        valid_for: it.valid_for.saturating_mul(SECOND),
    })
}

#[cfg(test)]
mod tests;
