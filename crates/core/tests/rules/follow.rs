//! Follows a history with the naive model, and says where the core did otherwise.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_core::*;

use crate::{
    drift::NaiveDrift,
    history::Entry,
    naive::{Asker, Heard, Model, Started},
    sample::plain_sample,
};

/// Follows a history with the naive model, entry by entry.
pub(crate) struct Oracle {
    revision: Revision,
    model: Model,
    /// When, what, and after how many reloads.
    admits: BTreeMap<RequestId, (Nanos, Admit, u64)>,
    reloads: u64,
    running: BTreeMap<AttemptId, Start>,
    shown: BTreeSet<AttemptId>,
    /// Attempts that say less than they must.
    slow: BTreeSet<AttemptId>,
    /// Attempts of which the client gets what they say.
    sent: BTreeSet<AttemptId>,
    counted: BTreeSet<(RequestId, PathId)>,
    /// Rows that are left of a request: those that any tier takes, and those that were set apart (OIP-35).
    rows: BTreeMap<RequestId, (u64, u64)>,
    /// Attempts of whose answer so many rows are low.
    low: BTreeMap<AttemptId, u64>,
    /// Requests that a tier could not do before anything else failed: no safe default hides that (F-009).
    incapable: BTreeSet<RequestId>,
    failed: BTreeSet<RequestId>,
    /// By route: what was told of its drift; and what share of the upper tiers a request found.
    told: BTreeMap<RouteId, NaiveDrift>,
    shares: BTreeMap<RequestId, Permille>,
    /// The same of steps back from its certificate.
    steps: BTreeMap<RouteId, u64>,
    stepped: BTreeMap<RequestId, u64>,
    /// A request that was just admitted: the tier that the model expects to be started, if any.
    expected: Option<(RequestId, Option<u8>)>,
    pub(crate) checked: usize,
}

impl Oracle {
    pub(crate) fn new(seed: u64) -> Self {
        let revision = plain_sample(seed);
        let model = Model::new(revision.clone());
        Self {
            revision,
            model,
            admits: BTreeMap::new(),
            reloads: 0,
            running: BTreeMap::new(),
            shown: BTreeSet::new(),
            slow: BTreeSet::new(),
            sent: BTreeSet::new(),
            counted: BTreeSet::new(),
            rows: BTreeMap::new(),
            low: BTreeMap::new(),
            incapable: BTreeSet::new(),
            failed: BTreeSet::new(),
            told: BTreeMap::new(),
            shares: BTreeMap::new(),
            steps: BTreeMap::new(),
            stepped: BTreeMap::new(),
            expected: None,
            checked: 0,
        }
    }

    pub(crate) fn check(&mut self, now: Nanos, entry: &Entry) -> Result<(), String> {
        if matches!(entry, Entry::Input(_))
            && let Some((request, tier)) = self.expected.take()
        {
            // It was admitted with the input before, and nothing was started for it then.
            if let Some(tier) = tier {
                return Err(format!("by {now} {request:?} was not started, the model says tier {tier}"));
            }
            self.checked += 1;
        }
        match entry {
            Entry::Input(Input::Admit(admit)) => {
                self.admits.insert(admit.request, (now, admit.clone(), self.reloads));
                self.rows.insert(admit.request, (admit.rows.all - admit.rows.apart, admit.rows.apart));
                let policy = self.revision.routes[admit.route.index()].drift.as_ref();
                let share = self.told.entry(admit.route).or_default().share(now, policy);
                self.shares.insert(admit.request, share);
                self.stepped.insert(admit.request, self.steps.get(&admit.route).copied().unwrap_or(0));
                self.expected = Some((admit.request, self.first_tier(now, admit)));
            }
            Entry::Input(Input::Signal { route, name: RouteSignal::Certificate, value, .. }) => {
                self.steps.insert(*route, *value);
            }
            Entry::Input(Input::Signal { route, value, .. }) => self.told.entry(*route).or_default().hear(now, *value),
            Entry::Input(Input::Attempt { attempt, event }) => self.hear(now, *attempt, *event),
            Entry::Input(Input::Revision(_)) => self.reloads += 1,
            Entry::Input(Input::Timeout) => self.model.timeout(now),
            Entry::Output(Output::Start(start)) => return self.started(now, start),
            Entry::Output(Output::Commit { attempt, .. }) => {
                self.sent.insert(*attempt);
            }
            Entry::Input(Input::Splice { attempt, splice: Splice::Matched }) => {
                self.sent.insert(*attempt);
            }
            Entry::Output(Output::Cancel { attempt, why, .. }) => {
                self.hear(now, *attempt, Event::Ended { result: why.result(), status: None, after: None });
            }
            _ => {}
        }
        Ok(())
    }

    /// The first tier with nothing against it, time aside: the world's deadlines are long enough for every first tier
    /// but for those of impatient clients, which are not judged.
    fn first_tier(&mut self, now: Nanos, admit: &Admit) -> Option<u8> {
        if admit.deadline.is_some() {
            return None;
        }
        let tiers = self.revision.routes[admit.route.index()].tiers.clone();
        let stand: Vec<_> =
            (0u8..).zip(&tiers).filter(|(at, _)| self.admits(now, admit, (*at, self.reloads))).collect();
        // F-077: a stream goes past a path on which one broke, as long as another model stands below it.
        let model_below = |at: u8| stand.iter().any(|(below, tier)| *below > at && tier.method != Method::Default);
        let first = stand.iter().find(|(at, tier)| {
            !(admit.operation.is_stream() && self.model.is_broken(now, tier.path) && model_below(*at))
        });
        first.filter(|(_, tier)| self.revision.paths[tier.path.index()].place != Where::Certain).map(|(at, _)| *at)
    }

    /// Says whether a tier may be asked, as of the reloads that the request has seen.
    fn admits(&mut self, now: Nanos, admit: &Admit, (at, reloads): (u8, u64)) -> bool {
        let tiers = &self.revision.routes[admit.route.index()].tiers;
        let (count, path) = (tiers.len() as u8, tiers[usize::from(at)].path);
        let of = &self.revision.paths[path.index()];
        let barred = of.place == Where::Certain && self.incapable.contains(&admit.request);
        let imputed = self.revision.routes[admit.route.index()].imputed;
        let (free, apart) = self.rows[&admit.request];
        let taken = match imputed.split {
            true => free > 0 || apart == 0,
            false => admit.imputed <= imputed.most,
        };
        let route = &self.revision.routes[admit.route.index()];
        let suspicious = route.guards.iter().filter(|guard| at < guard.start_at).any(|guard| {
            let value = admit.verdict.of(guard.signal);
            value.is_some_and(
                |value| if guard.signal == Signal::AnomalyP { value <= guard.threshold } else { value > 0 },
            )
        });
        let below = route.drift.as_ref().is_some_and(|it| at < it.start_at);
        let held = below && !self.shares[&admit.request].draws(admit.entropy.rotate_left(17));
        // STEP-3: beyond its last threshold.
        let stepped = self.stepped[&admit.request];
        let beyond = route.certificate.is_some_and(|it| at < it.last && stepped > u64::from(it.thresholds));
        let able = !barred
            && !beyond
            && !suspicious
            && !held
            && (at >= imputed.start_at || taken)
            && admit.max_tier.is_none_or(|max| at <= max)
            && admit.needs.missing_in(of.features).is_empty()
            && admit.wants.languages & !of.can.languages == 0
            && admit.wants.datatypes & !of.can.datatypes == 0
            && admit.wants.regions.is_none_or(|allowed| of.can.regions & !allowed == 0)
            && of.context.is_none_or(|context| admit.tokens + of.added.least <= context);
        let alone = !(at + 1..count).any(|below| self.admits(now, admit, (below, reloads)));
        able && self.model.admits(now, (path, admit.operation), Asker { entropy: admit.entropy, reloads, alone })
    }

    /// Reads a whole answer row by row, by the letter of `protocols.md`, section 3.2.
    fn judged(&mut self, start: &Start, result: ResultCode) -> ResultCode {
        let admit = &self.admits[&start.request].1;
        let (imputed, together) = (self.revision.routes[admit.route.index()].imputed, admit.sequence.is_some());
        let accept = self.revision.paths[start.path.index()].accept.filter(|_| !together);
        let (free, apart) = self.rows[&start.request];
        let waits = if imputed.split && !together && start.tier < imputed.start_at { apart } else { 0 };
        let asked = free + apart - waits;
        let low = self.low.get(&start.attempt).map_or(0, |low| (*low).min(asked));
        let (moves, left) = match accept {
            None => (false, 0),
            Some(RowRule::Any) => (low > 0, 0),
            Some(RowRule::All) => (low > 0 && low == asked, 0),
            Some(RowRule::Share(share)) => (low > 0 && low * 1_000 >= asked * u64::from(share.thousandths()), 0),
            Some(RowRule::Split) => (low > 0 && low == asked, low),
        };
        if moves {
            return ResultCode::LowConfidence;
        }
        self.rows.insert(start.request, (left, waits));
        if left + waits > 0 { ResultCode::OkPart } else { result }
    }

    fn deadline(&self, request: RequestId) -> Nanos {
        let (at, admit, _) = &self.admits[&request];
        at + self.revision.routes[admit.route.index()].deadline - admit.spent
    }

    fn started(&mut self, now: Nanos, start: &Start) -> Result<(), String> {
        let (_, admit, reloads) = self.admits[&start.request].clone();
        let key = (start.path, admit.operation);
        if let Some((request, tier)) = self.expected.take_if(|it| it.0 == start.request) {
            if tier != Some(start.tier) {
                return Err(format!("at {now} {request:?} started on tier {}, the model says {tier:?}", start.tier));
            }
            self.checked += 1;
        }
        if !self.admits(now, &admit, (start.tier, reloads)) {
            return Err(format!("at {now} {start:?} was started, the model bars the path"));
        }
        let promised = self.revision.routes[admit.route.index()].certificate.is_some_and(|it| start.tier < it.last);
        let steps = if promised { self.stepped[&start.request] } else { 0 };
        if u64::from(start.steps) != steps {
            return Err(format!("STEP-1: at {now} {start:?} was started, the model says {steps} steps back"));
        }
        // At the deadline at the latest its clocks end the attempt, and the lease with it; those of a recovery after what it
        // has to catch up. One more: at that very moment.
        let clocks = self.revision.paths[start.path.index()].clocks;
        let FirstClock::Fixed(first) = clocks.first_content else { panic!("the naive model learns no clock") };
        let expires = match start.role {
            Role::Answer => self.deadline(start.request) + 1,
            Role::Splice | Role::Continue => now + first + clocks.stall + 1,
        };
        self.model.started(now, key, Started { attempt: start.attempt, expires, reloads });
        self.running.insert(start.attempt, start.clone());
        Ok(())
    }

    fn hear(&mut self, now: Nanos, attempt: AttemptId, event: Event) {
        let Some(start) = self.running.get(&attempt).cloned() else { return };
        let (_, admit, reloads) = self.admits[&start.request].clone();
        let key = (start.path, admit.operation);
        let renewed = now + self.revision.paths[start.path.index()].clocks.stall + 1;
        match event {
            Event::Alive | Event::Closed | Event::Unrepeatable | Event::Voted(_) | Event::Similar(_) => {}
            Event::Judged { low, .. } => {
                self.low.insert(attempt, low);
            }
            Event::Slow { said } if said < least_tokens(self.revision.paths[start.path.index()].min_rate) => {
                self.slow.insert(attempt);
            }
            Event::Slow { .. } => {}
            Event::Progress if !self.shown.contains(&attempt) => self.model.renewed(key, attempt, renewed),
            Event::FirstContent | Event::Enough | Event::Progress => {
                self.shown.insert(attempt);
                self.model.content(now, key, attempt, renewed);
            }
            Event::Ended { result, status, after } => {
                self.running.remove(&attempt);
                let result = result.in_role(start.role).at_tier(start.tier);
                // One that ends well before it has said what was sent says something else (F-124).
                let short = start.role != Role::Answer && result.is_ok() && !self.sent.contains(&attempt);
                let slow = self.slow.contains(&attempt) && matches!(result, ResultCode::Ok | ResultCode::OkDoneMissing);
                let result = match () {
                    () if short => ResultCode::SpliceDiverged,
                    () if slow => ResultCode::OkSlow,
                    () => result,
                };
                let result = if result.is_ok() { self.judged(&start, result) } else { result };
                if !result.is_ok() && self.failed.insert(start.request) && result.next() == Next::Capable {
                    self.incapable.insert(start.request);
                }
                let hard = result.evidence() == Evidence::Hard;
                let counted = (start.request, start.path);
                let repeated = self.counted.contains(&counted);
                if hard {
                    self.counted.insert(counted);
                }
                self.model.stream_ended(now, start.path, (attempt, result), self.sent.contains(&attempt));
                let entropy = admit.entropy ^ attempt.0;
                self.model.ended(now, key, &Heard { attempt, result, status, repeated, entropy, after, reloads });
            }
        }
    }
}
