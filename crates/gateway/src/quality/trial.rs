//! Trial: whether the promise of a certificate is kept in service, by labels (`signals.md` §6).
//!
//! Of a request that a cheaper model answered, and of which the last one was asked a copy (`shadow`), a label says how much more is
//! lost than by the last model alone. A bet is made on each such row that this is more, on average, than was promised.
//!
//! # Which rows
//! What the last model answered lost nothing, copied or not; of what others answered only copies tell. So that the two weigh as they
//! come, of the former as many count as would have been copied by then: all where all are copied, and one in ten where one in ten is.
//!
//! # Invariants
//! - `TRIAL-1`: a row counts once, by its first label: a bet is not taken back.
//! - `TRIAL-2`: what was answered before the certificate was in force, or so many steps back as no more, says nothing of it.
//! - `TRIAL-4`: steps are never taken back up: that takes another certificate.
//! - `TRIAL-3`: only a label that says what would have been right counts: `correct` and `score` speak of one answer, not of the copy.
//!
//! # When it misleads
//! Under `mode: enforce` the promise of the next safer threshold is tested anew, by what is answered from there on; each alarm is one step.
//! A copy that failed is no row: that the last model fails is said by its breaker. Rows with labels are taken to be like the others.

use std::sync::Arc;

use evenkeel_config::{Certified, Issued};
use evenkeel_signals::certify::{Certificate, Issue, Terms};

const SECOND: u64 = 1_000_000_000;

/// A certificate in service.
pub(super) struct Trial {
    issued: Arc<Issued>,
    /// Answers from then on are by its thresholds, ns.
    since: u64,
    service: Certificate,
    /// Labelled rows of cheaper models, and those of them whose copy is known.
    cheaper: u64,
    copied: u64,
    /// Rows of the last model that are still to count.
    owed: f64,
    /// How often it was shown not to be kept; and first when, by how many rows.
    alarms: u8,
    void: Option<(u64, u64)>,
    /// Rows of all steps.
    rows: u64,
}

/// Who answered a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A model before the last.
    Cheaper,
    /// The last, with which the certificate compares.
    Last,
}

/// How a certificate stands by what was seen in service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tested {
    /// SHA-256 of its file.
    pub(crate) sha256: [u8; 32],
    /// Rows that were bet on.
    pub(crate) rows: u64,
    /// The odds against "the promise is kept", in the present step; 100 void it.
    pub(crate) odds: f64,
    /// Since when it is void for that, ns, and by how many rows.
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
            cheaper: 0,
            copied: 0,
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

    /// Counts a label of a row; says whether it has voided the certificate.
    pub(super) fn labelled(&mut self, at: u64, by: By) -> bool {
        match by {
            By::Cheaper => {
                self.cheaper += 1;
                false
            }
            By::Last => {
                self.owed += if self.cheaper == 0 { 1.0 } else { self.copied as f64 / self.cheaper as f64 };
                let whole = self.owed >= 1.0;
                self.owed -= if whole { 1.0 } else { 0.0 };
                whole && self.bet(at, 0.0)
            }
        }
    }

    /// Counts a labelled row of a cheaper model whose copy is known; says whether it has voided the certificate.
    pub(super) fn compared(&mut self, at: u64, (right, copy): (bool, bool)) -> bool {
        self.copied += 1;
        self.bet(at, f64::from(u8::from(!right)) - f64::from(u8::from(!copy)))
    }

    fn bet(&mut self, at: u64, extra_loss: f64) -> bool {
        if self.is_over() {
            return false;
        }
        let fell = self.service.update(at, extra_loss).is_some();
        self.rows += 1;
        if fell {
            self.void.get_or_insert((at, self.rows));
            self.alarms = self.alarms.saturating_add(1);
            if !self.is_over() {
                self.begin();
            }
        }
        fell
    }

    /// Tests the present threshold, without what was seen of another.
    fn begin(&mut self) {
        self.service = Certificate::new(*self.service.issue());
        (self.cheaper, self.copied, self.owed) = (0, 0, 0.0);
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
mod tests {
    use evenkeel_config::CertifiedTier;

    use super::*;

    fn trial(since: u64) -> Trial {
        with(since, false, &[])
    }

    fn with(since: u64, enforced: bool, ladder: &[f64]) -> Trial {
        let tier = |name: &str| CertifiedTier { name: name.into(), ..CertifiedTier::default() };
        let mut certified = Certified::new("r".into(), vec![tier("small"), tier("large")], 0.9);
        (certified.epsilon, certified.delta) = (0.02, 0.05);
        let (sha256, ladder) = ([1; 32], ladder.to_vec());
        let issued = Issued { sha256, certified: certified.into(), void: None, enforced, ladder };
        Trial::new(&Arc::new(issued), since).expect("a promise")
    }

    /// Numbers below 1,000 (SplitMix64).
    fn drawn(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (bits ^ bits >> 31) % 1_000
        }
    }

    /// Plays requests of which the small model answers half: it alone is wrong on `only` of 1,000 of these, and `copied` of 1,000 are
    /// copied. Returns the request that voided the certificate.
    fn play(seed: u64, (only, copied): (u64, u64), requests: u64) -> Option<u64> {
        let (mut trial, mut draw) = (trial(0), drawn(seed));
        (0..requests).find(|at| {
            if draw() < 500 {
                return trial.labelled(*at, By::Last);
            }
            let (wrong, known) = (draw() < only, draw() < copied);
            trial.labelled(*at, By::Cheaper) || known && trial.compared(*at, (!wrong, true))
        })
    }

    #[test]
    fn a_promise_that_is_just_kept_is_hardly_ever_called_broken_however_few_are_copied() {
        // Half of all are answered by the small model, and 40 of 1,000 of those cost a right answer: an extra loss of 0.02, as promised.
        for copied in [1_000, 100] {
            let voided = (0..400).filter(|seed| play(*seed, (40, copied), 4_000).is_some()).count();
            assert!(voided <= 4, "{voided} of 400 at α = 0.01, {copied} of 1,000 copied");
        }
    }

    #[test]
    fn a_promise_that_is_broken_is_found_out() {
        for copied in [1_000, 200] {
            let rows: Vec<_> = (0..20).map(|seed| play(seed, (200, copied), 20_000)).collect();
            assert!(rows.iter().all(Option::is_some), "{copied} of 1,000 copied: {rows:?}");
        }
        let (mut all, mut few) = (trial(0), trial(0));
        let alarm = |it: &mut Trial, every: u64| {
            (0..100_000).find(|at| {
                it.labelled(*at, By::Cheaper);
                at.is_multiple_of(every) && it.compared(*at, (at % 3 > 0, true))
            })
        };
        let [all_at, few_at] = [alarm(&mut all, 1), alarm(&mut few, 10)].map(|it| it.expect("it is found out"));
        assert!(all_at < few_at, "fewer copies take longer: {all_at} {few_at}");
        let tested = all.read();
        assert!(tested.void == Some((all_at, tested.rows)) && tested.odds >= 100.0 && tested.rows <= 100, "{tested:?}");
        assert!(!all.compared(all_at + 1, (false, true)), "it is said once");
    }

    #[test]
    fn trial_2_what_was_answered_before_it_or_by_others_says_nothing_and_a_reload_goes_on() {
        let mut it = trial(1_000);
        let of = |it: &Trial, tier, at| it.by(tier, (at, 0));
        assert_eq!(
            [of(&it, "small", 1_000), of(&it, "large", 1_000), of(&it, "small", 999), of(&it, "default", 1_000)],
            [Some(By::Cheaper), Some(By::Last), None, None]
        );
        it.labelled(1_000, By::Last);
        let same = Arc::new(Issued { void: Some("another model".into()), ..it.issued().clone() });
        assert!(it.adopt(&same) && it.read().rows == 1 && it.last() == "large");
        assert_eq!(it.by("small", (1_000, 0)), None, "of other models than it was issued for");
        let other = Arc::new(Issued { sha256: [2; 32], ..it.issued().clone() });
        assert!(!it.adopt(&other));
    }

    /// Shows that nothing is kept, until an alarm; none where none comes.
    fn break_it(it: &mut Trial) -> Option<u64> {
        (0..1_000).find(|at| {
            it.labelled(*at, By::Cheaper);
            it.compared(*at, (false, true))
        })
    }

    #[test]
    fn trial_4_enforced_each_alarm_is_one_step_tested_anew_and_none_is_taken_back() {
        let mut it = with(0, true, &[0.95, 1.0]);
        let first = break_it(&mut it).expect("it is found out");
        for steps in [1, 2, 3] {
            let tested = it.read();
            assert_eq!((tested.steps, tested.void), (steps, Some((first, first + 1))), "void since the first");
            assert_eq!(
                (it.by("small", (9, steps - 1)), it.by("small", (9, steps))),
                (None, Some(By::Cheaper)),
                "TRIAL-2"
            );
            let again = break_it(&mut it);
            assert_eq!(again.is_some(), steps < 3, "after the ladder the last model answers alone");
            assert!(again.is_none_or(|at| at == first), "from nothing, as the first");
        }
        for _ in 0..10_000 {
            it.labelled(0, By::Last);
        }
        assert_eq!(it.read().steps, 3, "TRIAL-4");
    }

    #[test]
    fn what_was_observed_is_a_step_where_it_is_enforced_and_none_where_it_is_no_more() {
        let mut it = with(0, false, &[0.95]);
        break_it(&mut it).expect("it is found out");
        assert_eq!((it.read().steps, break_it(&mut it)), (0, None), "it is void, and that is all");
        let enforced = |it: &Trial, enforced| Arc::new(Issued { enforced, ..it.issued().clone() });
        assert!(it.adopt(&enforced(&it, true)));
        assert_eq!((it.read().steps, it.read().odds), (1, 1.0));
        assert!(break_it(&mut it).is_some());
        assert!(it.adopt(&enforced(&it, false)));
        assert_eq!(it.read().steps, 0);
    }
}
