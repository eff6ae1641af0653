//! Skill: what came of what was said, and what saying it is therefore worth.

use std::collections::VecDeque;

use crate::score_map::{Step, isotonic};

/// Judged forecasts that are remembered: a day of 5 s points.
const REMEMBERED: usize = 17_280;
/// Groups of raw probabilities for the calibration.
const GROUPS: usize = 24;
/// What a group borrows from its raw probability: points. Forecasts of a minute are all but one, so it is twelve times five.
const SHRINKAGE: f64 = 60.0;
/// Points after which the calibration is made anew.
const REFIT: u64 = 12;
/// Points below the threshold after which reaching it is a crossing of its own: five minutes.
const APART: usize = 60;
/// Judged forecasts before anything is shown: 20 minutes.
const ENOUGH: usize = 240;
/// Mean squared error that is allowed where nothing was crossed.
const DOUBT: f64 = 0.01;
/// Leads of warnings that are remembered.
const LEADS: usize = 64;

/// What came of forecasts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Skill {
    /// Judged forecasts, from below the threshold.
    pub judged: u64,
    /// Mean squared error of the probabilities.
    pub brier: f64,
    /// That of "nothing will change".
    pub persistence: f64,
    /// 1 less the ratio of both: below 0 the forecast is worse; none where nothing was crossed.
    pub against_persistence: Option<f64>,
    /// Of warned points, the share after which the threshold was crossed in time; none without a warning.
    pub precision: Option<f64>,
    /// Crossings, apart by five minutes at least.
    pub crossings: u64,
    /// Of crossings, the share that was warned of; none without a crossing.
    pub recall: Option<f64>,
    /// The median of points between warning and crossing.
    pub lead: Option<usize>,
}

/// Remembers and calibrates.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    past: VecDeque<Said>,
    /// Sums over what is remembered.
    squares: f64,
    crossed: u64,
    warned: [u64; 2],
    seen: u64,
    /// Knots of the calibration, ascending.
    knots: Vec<(f64, f64)>,
    /// Points since it was above the threshold.
    below: usize,
    warns: bool,
    since_warning: Option<usize>,
    crossings: [u64; 2],
    leads: VecDeque<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    raw: f64,
    p: f64,
    crossed: bool,
}

impl Said {
    fn square(&self) -> f64 {
        let off = self.p - f64::from(u8::from(self.crossed));
        off * off
    }
}

impl Judge {
    /// Judges what was said when the horizon is over.
    pub(super) fn judge(&mut self, raw: f64, p: f64, crossed: bool) {
        let said = Said { raw, p, crossed };
        self.past.push_back(said);
        self.count(said, true);
        if self.past.len() > REMEMBERED
            && let Some(old) = self.past.pop_front()
        {
            self.count(old, false);
        }
        self.seen += 1;
        if self.seen.is_multiple_of(REFIT) {
            self.knots = self.fit();
        }
    }

    fn count(&mut self, said: Said, comes: bool) {
        let one = |it: bool| u64::from(it);
        let warned = said.p >= super::WARN;
        if comes {
            self.squares += said.square();
            self.crossed += one(said.crossed);
            self.warned = [self.warned[0] + one(warned), self.warned[1] + one(warned && said.crossed)];
        } else {
            self.squares = (self.squares - said.square()).max(0.0);
            self.crossed -= one(said.crossed);
            self.warned = [self.warned[0] - one(warned), self.warned[1] - one(warned && said.crossed)];
        }
    }

    /// Follows warnings and crossings, tick by tick, by what is shown. A warning stands until it is less likely than not.
    pub(super) fn tick(&mut self, above: bool, shown: Option<f64>) {
        if above && self.below >= APART {
            self.crossings[0] += 1;
            if let Some(lead) = self.since_warning {
                self.crossings[1] += 1;
                self.leads.push_back(lead);
                if self.leads.len() > LEADS {
                    self.leads.pop_front();
                }
            }
        }
        self.below = if above { 0 } else { self.below.saturating_add(1) };
        let least = if self.warns { super::EVEN } else { super::WARN };
        self.warns = !above && shown.is_some_and(|it| it >= least);
        self.since_warning = self.warns.then(|| self.since_warning.map_or(1, |it| it + 1));
    }

    /// Says whether a warning stands.
    pub(super) fn warns(&self) -> bool {
        self.warns
    }

    /// Says whether what was said is worse than nothing, or has not been judged often enough (`FORE-2`, `FORE-3`).
    pub(super) fn hides(&self) -> bool {
        if self.past.len() < ENOUGH {
            return true;
        }
        // Where nothing was crossed "no change" was right all the time; a little doubt is allowed.
        self.squares > self.crossed_or(DOUBT)
    }

    /// Says whether the threshold was crossed within memory.
    pub(super) fn tried(&self) -> bool {
        self.crossed > 0
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of points")]
    fn crossed_or(&self, doubt: f64) -> f64 {
        if self.crossed > 0 { self.crossed as f64 } else { doubt * self.past.len() as f64 }
    }

    /// What a raw probability has been worth: between knots a line.
    pub(super) fn calibrated(&self, raw: f64) -> f64 {
        let at = self.knots.partition_point(|it| it.0 < raw);
        match (at.checked_sub(1).map(|it| self.knots[it]), self.knots.get(at)) {
            (None, None) => raw,
            (Some(low), Some(high)) => low.1 + (raw - low.0) / (high.0 - low.0) * (high.1 - low.1),
            (Some(end), None) | (None, Some(&end)) => end.1,
        }
    }

    /// Groups of raw probabilities with what came of them, pulled to the raw value, ascending.
    fn fit(&self) -> Vec<(f64, f64)> {
        let mut groups = [(0.0, 0.0, 0.0); GROUPS + 1];
        for said in &self.past {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a group"
            )]
            let group = &mut groups[(said.raw * GROUPS as f64) as usize];
            *group = (group.0 + 1.0, group.1 + said.raw, group.2 + f64::from(u8::from(said.crossed)));
        }
        let step = |it: &(f64, f64, f64)| {
            let (n, raw) = (it.0, it.1 / it.0);
            Step { n, score: raw, primary: (it.2 + SHRINKAGE * raw) / (n + SHRINKAGE) }
        };
        isotonic(&groups.iter().filter(|it| it.0 > 0.0).map(step).collect::<Vec<_>>())
    }

    pub(super) fn skill(&self) -> Skill {
        #[expect(clippy::cast_precision_loss, reason = "counts of points")]
        let ratio = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
        let judged = u64::try_from(self.past.len()).unwrap_or(u64::MAX);
        #[expect(clippy::cast_precision_loss, reason = "a count of points")]
        let brier = if judged == 0 { 0.0 } else { self.squares / judged as f64 };
        // "Nothing will change": from below the threshold it is never crossed.
        let persistence = ratio(self.crossed, judged).unwrap_or(0.0);
        let mut leads: Vec<_> = self.leads.iter().copied().collect();
        leads.sort_unstable();
        Skill {
            judged,
            brier,
            persistence,
            against_persistence: (self.crossed > 0).then(|| 1.0 - brier / persistence),
            precision: ratio(self.warned[1], self.warned[0]),
            crossings: self.crossings[0],
            recall: ratio(self.crossings[1], self.crossings[0]),
            lead: leads.get(leads.len() / 2).copied(),
        }
    }
}
