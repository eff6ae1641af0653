//! Certificate: a promise in service, with its present state.
//!
//! While it is in service the reverse test runs on rows that both the policy and the primary answered: it bets that the extra risk is
//! above ε. If it wins, the certificate is void, and the policy goes one step back to the safer one.

use super::{Terms, walk::BOUNDS};
use crate::eproc::{EProc, Form, Null};

/// The chance that the reverse test ever voids a good certificate.
const ALPHA: f64 = 0.01;

/// What a certificate says of where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Issue {
    /// What is promised.
    pub terms: Terms,
    /// The policy, as its place in the order, the safest first.
    pub policy: usize,
    /// The digest of the rows that it was tested on.
    pub rows: [u8; 32],
    /// When, ns.
    pub at: u64,
    /// For how long, ns.
    pub valid_for: u64,
}

/// Why a certificate is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// In service the extra risk is above ε.
    Risk,
    /// The route drifts: rows are not like those that were tested. It ends with the drift.
    Drift,
    /// The route has a new reference.
    Reference,
    /// A path has another version of its model.
    Model,
}

/// What a certificate is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The promise holds.
    Valid {
        /// Until then, ns.
        until: u64,
    },
    /// It does not.
    Void {
        /// Since then, ns.
        since: u64,
        /// Why.
        because: Because,
    },
    /// It is too old.
    Expired {
        /// Since then, ns.
        since: u64,
    },
}

impl Standing {
    /// Returns the value of the signal `certificate` (0 is that of a route without one).
    pub fn code(self) -> i64 {
        match self {
            Self::Valid { .. } => 1,
            Self::Void { .. } => 2,
            Self::Expired { .. } => 3,
        }
    }
}

/// The reverse test has found extra risk above ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The next safer policy; none where there is none: the primary alone.
    pub safer: Option<usize>,
}

/// A certificate in service.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    issue: Issue,
    service: EProc,
    drifting: Option<u64>,
    void: Option<(u64, Because)>,
}

impl Certificate {
    /// Puts a certificate into service.
    pub fn new(issue: Issue) -> Self {
        let null = Null::at_most(issue.terms.epsilon(), BOUNDS).expect("ε is strictly between 0 and 1");
        Self { issue, service: EProc::new(Form::Plain, null), drifting: None, void: None }
    }

    /// Returns what it says of where it comes from.
    pub fn issue(&self) -> &Issue {
        &self.issue
    }

    /// Counts the extra loss of a row that both the policy and the primary answered; an alarm comes once.
    pub fn update(&mut self, at: u64, extra_loss: f64) -> Option<Alarm> {
        self.update_all(at, [extra_loss])
    }

    /// Counts those of rows that belong together, and looks when all of them are counted.
    pub fn update_all(&mut self, at: u64, extra_losses: impl IntoIterator<Item = f64>) -> Option<Alarm> {
        if self.void.is_some() {
            return None;
        }
        extra_losses.into_iter().for_each(|loss| self.service.update(at, loss));
        if !self.service.reaches(1.0 / ALPHA) {
            return None;
        }
        self.void = Some((at, Because::Risk));
        Some(Alarm { safer: self.issue.policy.checked_sub(1) })
    }

    /// Hears whether the route drifts.
    pub fn drift(&mut self, at: u64, drifting: bool) {
        self.drifting = drifting.then(|| self.drifting.unwrap_or(at));
    }

    /// Voids it for good. The first reason stays.
    pub fn void(&mut self, at: u64, because: Because) {
        self.void.get_or_insert((at, because));
    }

    /// Says what it is worth now (`CERT-4`). What voids it for good comes before age, and age before drift.
    pub fn read(&self, now: u64) -> Standing {
        let until = self.issue.at.saturating_add(self.issue.valid_for);
        match (self.void, self.drifting) {
            (Some((since, because)), _) => Standing::Void { since, because },
            _ if now >= until => Standing::Expired { since: until },
            (None, Some(since)) => Standing::Void { since, because: Because::Drift },
            (None, None) => Standing::Valid { until },
        }
    }

    /// Returns the odds against "extra risk is at most ε" so far, and the rows in service.
    pub fn evidence(&self) -> (f64, u64) {
        (self.service.wealth().number(), self.service.counts()[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000_000_000;

    fn certificate(policy: usize) -> Certificate {
        let terms = Terms::new(0.01, 0.05, 1).expect("sound");
        Certificate::new(Issue { terms, policy, rows: [7; 32], at: DAY, valid_for: 30 * DAY })
    }

    #[test]
    fn cert_4_a_certificate_says_until_when_since_when_and_why() {
        let mut it = certificate(3);
        assert_eq!(it.read(2 * DAY), Standing::Valid { until: 31 * DAY });
        assert_eq!(it.read(31 * DAY), Standing::Expired { since: 31 * DAY });
        it.drift(5 * DAY, true);
        it.drift(6 * DAY, true);
        assert_eq!(it.read(7 * DAY), Standing::Void { since: 5 * DAY, because: Because::Drift });
        it.drift(8 * DAY, false);
        assert_eq!(it.read(9 * DAY), Standing::Valid { until: 31 * DAY }, "it ends with the drift");
        it.void(10 * DAY, Because::Model);
        it.void(11 * DAY, Because::Reference);
        it.drift(12 * DAY, true);
        assert_eq!(it.read(99 * DAY), Standing::Void { since: 10 * DAY, because: Because::Model });
        let codes = [DAY, 31 * DAY].map(|now| certificate(0).read(now).code());
        assert_eq!((codes, it.read(0).code()), ([1, 3], 2));
    }

    #[test]
    fn extra_risk_in_service_voids_it_once_and_steps_back() {
        let mut it = certificate(3);
        let rows = (0..2_000_u64).map(|at| (at, if at % 10 == 0 { 1.0 } else { 0.0 }));
        let alarms: Vec<_> = rows.filter_map(|(at, loss)| it.update(at, loss)).collect();
        assert_eq!(alarms, [Alarm { safer: Some(2) }], "once");
        assert!(matches!(it.read(DAY), Standing::Void { since: 1..1_000, because: Because::Risk }));
        assert!(it.evidence().0 >= 100.0);
        let mut safest = certificate(0);
        let alarm = (0..200).find_map(|at| safest.update(at, 1.0));
        assert_eq!(alarm, Some(Alarm { safer: None }), "the primary alone is left");
    }

    #[test]
    fn rows_that_belong_together_are_looked_at_when_all_of_them_are_counted() {
        let lost = |of: f64| std::iter::repeat_n(of, 20);
        let (mut one_by_one, mut together) = (certificate(3), certificate(3));
        assert!(lost(1.0).any(|it| one_by_one.update(0, it).is_some()));
        assert_eq!(together.update_all(0, lost(1.0).chain(lost(-1.0))), None, "as much was won as lost");
        // More than what was won has taken from the purses.
        assert_eq!(together.update_all(1, lost(1.0).cycle().take(100)), Some(Alarm { safer: Some(2) }));
        assert_eq!(together.update_all(2, lost(1.0)), None, "once");
    }

    #[test]
    fn a_policy_that_keeps_its_promise_stays() {
        let mut it = certificate(1);
        for at in 0..100_000_u64 {
            let loss = if at % 100 == 0 { 1.0 } else { 0.0 };
            assert_eq!(it.update(at, loss), None, "a mean of ε is allowed: row {at}");
        }
        assert_eq!(it.evidence().1, 100_000);
    }
}
