//! The naive model: says from the whole history, by plain counting, whether a path may be asked at a moment.
//!
//! It keeps every outcome for ever and counts them anew each time; it knows one replica per path. Where the core is
//! clever, this is not, and both must agree.

use std::collections::BTreeMap;

use evenkeel_core::*;

/// What the model knows of one path and operation.
#[derive(Default)]
struct Lane {
    state: Naive,
    /// Outcomes since the counts were last forgotten: when, bad, counts in the streak, hard.
    outcomes: Vec<(Nanos, bool, bool, bool)>,
    opened: u64,
    /// How often it has come back in vain (F-067), when it was closed the last time, and what it has served since.
    doublings: u32,
    closed: Option<Nanos>,
    service: Option<(Nanos, u32)>,
}

#[derive(Default, Clone, Debug, PartialEq)]
enum Naive {
    #[default]
    Closed,
    Open {
        until: Nanos,
    },
    HalfOpen {
        leases: BTreeMap<AttemptId, (Nanos, Option<Nanos>)>,
        good: u32,
        shown: bool,
    },
    Ramp {
        step: usize,
        since: Nanos,
        calm: Nanos,
        admitted: Nanos,
        good: u32,
        bad: u32,
    },
}

/// The model of a whole core's breakers and gates.
pub(crate) struct Model {
    revision: Revision,
    lanes: BTreeMap<(u16, Operation), Lane>,
    gates: BTreeMap<String, Gate>,
    /// By path: until when streams go past it, and who tries it, since when with content.
    broken: BTreeMap<u16, (Nanos, Option<Tries>)>,
}

/// A quota, a credential or a server that said "not now": until when, how long that was, and who may try.
struct Gate {
    until: Nanos,
    length: Nanos,
    lease: Option<AttemptId>,
}

/// Who tries a path on which a stream broke, and since when it has content.
type Tries = (AttemptId, Option<Nanos>);

/// An outcome as the model hears it.
pub(crate) struct Heard {
    pub(crate) attempt: AttemptId,
    pub(crate) result: ResultCode,
    pub(crate) status: Option<u16>,
    pub(crate) repeated: bool,
    pub(crate) entropy: u64,
    pub(crate) after: Option<Nanos>,
    /// Reloads before its request came.
    pub(crate) reloads: u64,
}

/// A request as the model hears it.
#[derive(Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) entropy: u64,
    pub(crate) reloads: u64,
    /// No lower tier may be asked.
    pub(crate) alone: bool,
}

/// A start as the model hears it.
pub(crate) struct Started {
    pub(crate) attempt: AttemptId,
    pub(crate) expires: Nanos,
    pub(crate) reloads: u64,
}

impl Model {
    pub(crate) fn new(revision: Revision) -> Self {
        Self { revision, lanes: BTreeMap::new(), gates: BTreeMap::new(), broken: BTreeMap::new() }
    }

    fn policy(&self, path: PathId) -> BreakerPolicy {
        self.revision.paths[path.index()].breaker.clone()
    }

    /// Says whether a request with these bits may start on the path now; the share of a ramp does not bind one that has
    /// nobody else.
    pub(crate) fn admits(&mut self, now: Nanos, key: (PathId, Operation), asker: Asker) -> bool {
        let Asker { entropy, reloads, alone } = asker;
        self.pass(now, key);
        let shut = |gate: &Gate| now < gate.until || gate.lease.is_some();
        if self.names(key.0, reloads).iter().any(|name| self.gates.get(name).is_some_and(shut)) {
            return false;
        }
        let policy = self.policy(key.0);
        match &self.lane(key).state {
            Naive::Closed => true,
            Naive::Open { .. } => false,
            Naive::HalfOpen { leases, shown, .. } => leases.len() < if *shown { policy.probes as usize } else { 1 },
            Naive::Ramp { step, admitted, .. } => {
                alone || policy.ramp[*step].draws(entropy) || now - admitted >= SECOND
            }
        }
    }

    /// Says whether a stream broke on the path a moment ago, or another tries whether that is over (F-077).
    pub(crate) fn is_broken(&self, now: Nanos, path: PathId) -> bool {
        self.broken.get(&path.0).is_some_and(|(until, tries)| now < *until || tries.is_some())
    }

    /// Takes note of the end of an attempt as a stream.
    pub(crate) fn stream_ended(&mut self, now: Nanos, path: PathId, end: (AttemptId, ResultCode), sent: bool) {
        let (attempt, result) = end;
        let tries = self.broken.get(&path.0).and_then(|it| it.1).is_some_and(|it| it.0 == attempt);
        if tries && result.is_answer() {
            self.broken.remove(&path.0);
        } else if tries {
            self.broken.entry(path.0).and_modify(|it| it.1 = None);
        }
        if sent && result.is_break() {
            let until = now + self.revision.paths[path.index()].after_break;
            let it = self.broken.entry(path.0).or_insert((until, None));
            it.0 = it.0.max(until);
        }
    }

    /// Takes note of a start; says whether it is a probe.
    pub(crate) fn started(&mut self, now: Nanos, key: (PathId, Operation), start: Started) -> bool {
        let Started { attempt, expires, reloads } = start;
        if let Some((until, tries @ None)) = self.broken.get_mut(&key.0.0).filter(|_| key.1.is_stream())
            && *until <= now
        {
            *tries = Some((attempt, None));
        }
        for name in self.names(key.0, reloads) {
            self.gates.entry(name).and_modify(|gate| gate.lease = gate.lease.or(Some(attempt)));
        }
        match &mut self.lane(key).state {
            Naive::HalfOpen { leases, .. } => {
                leases.insert(attempt, (expires, None));
                true
            }
            Naive::Ramp { admitted, .. } => {
                *admitted = now;
                false
            }
            _ => false,
        }
    }

    /// Takes note of a piece of reasoning: the lease goes on.
    pub(crate) fn renewed(&mut self, key: (PathId, Operation), attempt: AttemptId, expires: Nanos) {
        if let Naive::HalfOpen { leases, .. } = &mut self.lane(key).state {
            leases.entry(attempt).and_modify(|lease| lease.0 = expires);
        }
    }

    /// Takes note of a piece of content.
    pub(crate) fn content(&mut self, now: Nanos, key: (PathId, Operation), attempt: AttemptId, expires: Nanos) {
        self.pass(now, key);
        let enough = self.revision.paths[key.0.index()].after_break;
        if let Some((_, Some((_, since)))) =
            self.broken.get_mut(&key.0.0).filter(|it| it.1.is_some_and(|it| it.0 == attempt))
            && now - *since.get_or_insert(now) >= enough
        {
            self.broken.remove(&key.0.0);
        }
        let policy = self.policy(key.0);
        let Naive::HalfOpen { leases, shown, .. } = &mut self.lane(key).state else { return };
        let Some(lease) = leases.get_mut(&attempt) else { return };
        *shown = true;
        lease.0 = expires;
        let since = *lease.1.get_or_insert(now);
        if now - since >= policy.open {
            self.good(now, key, attempt);
        }
    }

    /// Takes note of an outcome.
    pub(crate) fn ended(&mut self, now: Nanos, key: (PathId, Operation), heard: &Heard) {
        self.pass(now, key);
        self.hear_at_gates(now, key.0, heard);
        let policy = self.policy(key.0);
        let evidence = heard.result.evidence();
        let lane = self.lane(key);
        match &mut lane.state {
            Naive::Open { .. } => {}
            Naive::HalfOpen { leases, .. } => match (evidence, leases.contains_key(&heard.attempt)) {
                (Evidence::None, _) => {
                    leases.remove(&heard.attempt);
                }
                (_, true) if heard.result.is_answer() => self.good(now, key, heard.attempt),
                (_, true) => self.open(now, key, heard.entropy, true),
                (_, false) => {}
            },
            Naive::Closed | Naive::Ramp { .. } if evidence == Evidence::None => {}
            state => {
                let bad = evidence != Evidence::Success;
                let streak = !heard.repeated || heard.result.blameless(heard.status);
                lane.outcomes.push((now, bad, streak, evidence == Evidence::Hard));
                if let Some((since, good)) = lane.service.as_mut().filter(|_| !bad) {
                    *good += 1;
                    if *good >= 10 && now - *since >= 600 * SECOND {
                        lane.doublings = lane.doublings.saturating_sub(1);
                        (*since, *good) = (now, 0);
                    }
                }
                let ramping = matches!(state, Naive::Ramp { .. });
                if let Naive::Ramp { good, bad: sick, calm, .. } = state {
                    if bad { (*sick += 1, *calm = now).1 } else { *good += 1 }
                }
                if bad && trips(now, lane, &policy, ramping) {
                    self.open(now, key, heard.entropy, true);
                } else {
                    self.judge_ramp(now, key, heard.entropy);
                }
            }
        }
    }

    /// The gates before a path: the quota or else the server, the credential, which each reload may change, the server.
    fn names(&self, path: PathId, reloads: u64) -> Vec<String> {
        let path = &self.revision.paths[path.index()];
        let Where::Remote(upstream) = path.place else { return Vec::new() };
        let server = format!("server {}", upstream.0);
        let quota = path.domain.clone().unwrap_or_else(|| server.clone());
        vec![quota, format!("credential {} {reloads}", upstream.0), server]
    }

    /// F-050 to F-055 and the class table, by the letter.
    fn hear_at_gates(&mut self, now: Nanos, path: PathId, heard: &Heard) {
        let names = self.names(path, heard.reloads);
        if names.is_empty() {
            return;
        }
        let (which, first, most) = match heard.result {
            ResultCode::RateLimited => (0, 1, 60),
            ResultCode::QuotaExhausted => (0, 60, 300),
            ResultCode::CredentialRejected | ResultCode::CredentialForbidden => (1, 60, 60),
            ResultCode::PushBack => (2, 1, 60),
            _ => (3, 0, 0),
        };
        for name in names.iter().filter(|name| names.get(which) != Some(name)) {
            let leased = self.gates.get(name).is_some_and(|gate| gate.lease == Some(heard.attempt));
            if leased && heard.result.is_answer() {
                self.gates.remove(name);
            } else if leased {
                self.gates.entry(name.clone()).and_modify(|gate| gate.lease = None);
            }
        }
        let Some(name) = names.get(which) else { return };
        let said = heard.after.unwrap_or(first * SECOND).min(300 * SECOND);
        let gate = self.gates.entry(name.clone()).or_insert(Gate { until: 0, length: 0, lease: None });
        gate.length = if gate.lease == Some(heard.attempt) {
            gate.lease = None;
            said.max((2 * gate.length).min(most * SECOND))
        } else {
            said
        };
        gate.until = gate.until.max(now + gate.length);
    }

    /// Lets time do what it does: one thing at a time, until nothing more happens.
    fn pass(&mut self, now: Nanos, key: (PathId, Operation)) {
        match &self.lane(key).state {
            Naive::Open { until } if *until <= now => {
                self.lane(key).state = Naive::HalfOpen { leases: BTreeMap::new(), good: 0, shown: false };
            }
            _ => {}
        }
    }

    /// The core says that time moved something: expired leases, ramp steps.
    pub(crate) fn timeout(&mut self, now: Nanos) {
        for key in self.lanes.keys().copied().collect::<Vec<_>>() {
            let key = (PathId(key.0), key.1);
            self.pass(now, key);
            let expired = match &self.lane(key).state {
                Naive::HalfOpen { leases, .. } => leases.values().any(|(expires, _)| *expires <= now),
                _ => false,
            };
            if expired {
                self.open(now, key, now, true);
            }
            self.judge_ramp(now, key, now);
        }
    }

    fn judge_ramp(&mut self, now: Nanos, key: (PathId, Operation), entropy: u64) {
        let policy = self.policy(key.0);
        let Naive::Ramp { step, since, calm, admitted, good, bad } = self.lane(key).state else { return };
        let stand = |step| Naive::Ramp { step, since: now, calm: now, admitted, good: 0, bad: 0 };
        if good + bad >= 5 && bad >= 2 && bad * 5 >= good + bad {
            match step {
                0 => self.open(now, key, entropy, false),
                _ => self.lane(key).state = stand(step - 1),
            }
        } else if (now - since >= policy.open && good >= 10) || now - calm >= 3 * policy.open {
            let lane = self.lane(key);
            if step + 1 < policy.ramp.len() {
                lane.state = stand(step + 1);
            } else {
                (lane.state, lane.opened) = (Naive::Closed, 0);
                (lane.closed, lane.service) = (Some(now), Some((now, 0)));
                lane.outcomes.clear();
            }
        }
    }

    fn good(&mut self, now: Nanos, key: (PathId, Operation), attempt: AttemptId) {
        let enough = self.policy(key.0).successes;
        let lane = self.lane(key);
        let Naive::HalfOpen { leases, good, shown } = &mut lane.state else { return };
        leases.remove(&attempt);
        (*good, *shown) = (*good + 1, true);
        if *good >= enough {
            lane.outcomes.clear();
            lane.state = Naive::Ramp { step: 0, since: now, calm: now, admitted: now, good: 0, bad: 0 };
        }
    }

    fn open(&mut self, now: Nanos, key: (PathId, Operation), entropy: u64, harder: bool) {
        let policy = self.policy(key.0);
        let lane = self.lane(key);
        let first = |doublings: u32| (policy.open << doublings).min(policy.flap_max).max(policy.open);
        // Only what counts outcomes is a trip: a failed probe is none, and neither is a bad first step (F-067, F-072).
        if harder && !matches!(lane.state, Naive::HalfOpen { .. }) {
            let flaps = lane.closed.is_some_and(|closed| now - closed < 600 * SECOND);
            if flaps && first(lane.doublings) < policy.flap_max {
                lane.doublings += 1;
            }
            lane.service = None;
        }
        // Ten, twenty, thirty seconds (F-066); after a bad first step of the ramp as long as the last time (F-072).
        lane.opened = if harder { lane.opened + 1 } else { lane.opened.max(1) };
        let base = (first(lane.doublings) * lane.opened).min(policy.open_max.max(first(lane.doublings)));
        lane.state = Naive::Open { until: now + base + base * u64::from(Permille::lot(entropy) / 5) / 1_000 };
        lane.outcomes.clear();
    }

    fn lane(&mut self, key: (PathId, Operation)) -> &mut Lane {
        self.lanes.entry((key.0.0, key.1)).or_default()
    }
}

/// Counts the whole history, by the letter of F-062 and F-063.
fn trips(now: Nanos, lane: &Lane, policy: &BreakerPolicy, ramping: bool) -> bool {
    let mut streak = 0;
    for (_, bad, counts, hard) in lane.outcomes.iter().rev() {
        if !bad {
            break;
        }
        streak += u32::from(*counts && *hard);
    }
    // A slot is a tenth, or a sixth, of its window; what lies in a slot that has begun to leave is gone with it.
    let within = |window: Nanos, slots: Nanos| {
        let width = window / slots;
        lane.outcomes.iter().filter(move |it| it.0 / width + slots > now / width).collect::<Vec<_>>()
    };
    let over = |rate: Rate, slots| {
        let seen = within(rate.window, slots);
        let bad = seen.iter().filter(|it| it.1).count() as u64;
        seen.len() as u64 >= u64::from(rate.samples)
            && bad * 1_000 >= seen.len() as u64 * u64::from(rate.bad.thousandths())
    };
    let slow = within(policy.slow.window, 6).len();
    let last: Vec<_> = lane.outcomes.iter().rev().take(5).filter(|it| now - it.0 <= 600 * SECOND && it.1).collect();
    let low = match slow {
        0..20 => streak >= policy.low[0] || last.len() >= 3,
        20..50 => streak >= policy.low[1],
        _ => false,
    };
    streak >= policy.consecutive || low || (!ramping && (over(policy.fast, 10) || over(policy.slow, 6)))
}
