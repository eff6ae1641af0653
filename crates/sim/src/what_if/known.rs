//! Known: what a log says of one process, as it is asked for under another configuration.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_core::{
    Admit, AttemptId, Core, Decision, End, Entry, Event, Found, Input, Nanos, Operation, Origin, Output, PathId, Probe,
    ProbeId, Record, Refusal, ReplicaId, RequestId, Revision, RouteId, RouteSignal, Splice, Start, UpstreamId,
};

use super::spent::Spent;
use crate::replay::Lived;

/// What comes from outside, whatever is configured.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are admissions")]
pub(super) enum Thing {
    /// A request, with the name of its route, and those of its tiers and of languages and regions in the revision that it is told in.
    Admit(Admit, Arc<Revision>),
    Gone(RequestId),
    Signal {
        route: String,
        name: RouteSignal,
        value: u64,
        samples: u64,
    },
    Drain,
}

/// A moment of the log: a time, and the number of the record that came then.
pub(super) type Moment = (Nanos, u64);

/// What is said of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Say {
    Event(Event),
    Splice(Splice),
}

/// A call of a path.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) began: Nanos,
    /// What was heard of it, each so long after its start.
    pub(super) script: Vec<(Moment, Say)>,
    /// It was stopped, so long after its start: what it would have said further is not known.
    pub(super) cut: Option<Moment>,
    /// It has ended, or was stopped: all that there is of it is in the log.
    pub(super) closed: bool,
}

impl Call {
    /// Says whether more of it is known than so long after its start.
    pub(super) fn lasts(&self, elapsed: Nanos) -> bool {
        let until = self.cut.or(self.script.last().map(|(moment, _)| *moment));
        elapsed == 0 || until.is_some_and(|(after, _)| after > elapsed)
    }

    /// Returns what was heard of it from a time on, before it was stopped.
    pub(super) fn said(&self, from: Nanos) -> impl Iterator<Item = (Moment, Say)> {
        let heard = self.script.iter().copied();
        heard.filter(move |(moment, _)| moment.0 >= from && self.cut.is_none_or(|cut| *moment < cut))
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) route: String,
    /// Who answered, or how else it ended.
    pub(super) by: String,
    /// It was a tier, with an answer that counts.
    pub(super) answered: bool,
    /// Until its answer, where it got one.
    pub(super) latency: Option<Nanos>,
    pub(super) attempts: u64,
}

/// A probe of a replica.
#[derive(Clone, Debug)]
pub(super) struct Probed {
    pub(super) asked: Nanos,
    /// So long after it was asked for, and what it found.
    pub(super) found: Option<(Moment, Found)>,
}

/// What a log says of one process.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) at: Nanos,
    pub(super) origin: Origin,
    pub(super) coming: Vec<(Moment, Thing)>,
    paths: BTreeMap<(String, String), u32>,
    pub(super) calls: BTreeMap<AttemptId, Call>,
    /// The calls of a request at a path, in order; those of its copies (true) are calls of the same, and nobody got their answers.
    pub(super) own: BTreeMap<(RequestId, u32, bool), Vec<AttemptId>>,
    /// Those of everybody, in order.
    pub(super) pools: BTreeMap<(u32, Operation), Vec<AttemptId>>,
    /// How long after its record the answer of a request was there for others.
    pub(super) landed: BTreeMap<RequestId, (Moment, bool)>,
    pub(super) probes: BTreeMap<(String, String), Vec<Probed>>,
    probing: BTreeMap<ProbeId, ((String, String), usize)>,
    /// When the core was called for its timers: the time that it had asked for, and the moment at which it was.
    pub(super) timers: Vec<(Nanos, Moment)>,
    pub(super) fates: BTreeMap<RequestId, Fate>,
    decided: BTreeMap<RequestId, Nanos>,
    admitted: BTreeMap<RequestId, (Operation, Arc<Revision>, u64)>,
    pub(super) spent: Spent,
}

impl Known {
    /// Begins with the first core of a process.
    pub(super) fn begin(lived: &Lived<'_>) -> Option<Self> {
        let Lived::Begun { core, at, first } = lived else { return None };
        first.then(|| Self {
            at: *at,
            origin: core.origin(),
            coming: Vec::new(),
            paths: BTreeMap::new(),
            calls: BTreeMap::new(),
            own: BTreeMap::new(),
            pools: BTreeMap::new(),
            landed: BTreeMap::new(),
            probes: BTreeMap::new(),
            probing: BTreeMap::new(),
            timers: Vec::new(),
            fates: BTreeMap::new(),
            decided: BTreeMap::new(),
            admitted: BTreeMap::new(),
            spent: Spent::default(),
        })
    }

    /// Returns the number of a path by its name; none where nobody called it.
    pub(super) fn path(&self, revision: &Revision, path: PathId) -> Option<u32> {
        self.paths.get(&named(revision, path)).copied()
    }

    pub(super) fn hear(&mut self, lived: &Lived<'_>) {
        match lived {
            Lived::Begun { .. } => {}
            Lived::Feeds(core, record) => self.input(core, record),
            Lived::Said(record, output) => self.output(record, output),
        }
    }

    fn input(&mut self, core: &Core, record: &Record) {
        let Entry::Input { input, .. } = &record.entry else { return };
        let (revision, moment) = (core.revision(), (record.at, record.number));
        if let Some((due, _)) = core.next_timeout().filter(|(due, _)| *due <= record.at) {
            self.timers.push((due, moment));
        }
        let thing = match input {
            Input::Admit(admit) => {
                self.admitted.insert(admit.request, (admit.operation, revision.clone(), admit.cost));
                Thing::Admit(admit.clone(), revision.clone())
            }
            Input::Attempt { attempt, event } => return self.said(*attempt, moment, Say::Event(*event)),
            Input::Splice { attempt, splice } => return self.said(*attempt, moment, Say::Splice(*splice)),
            Input::Landed { request, kept } => {
                let after = self.decided.get(request).map_or(0, |at| record.at.saturating_sub(*at));
                self.landed.insert(*request, ((after, record.number), *kept));
                return;
            }
            Input::Probed { probe, found } => {
                if let Some((of, at)) = self.probing.remove(probe) {
                    let probed = self.probes.get_mut(&of).and_then(|it| it.get_mut(at)).expect("noted together");
                    probed.found = Some(((record.at - probed.asked, record.number), *found));
                }
                return;
            }
            Input::ClientGone { request } => Thing::Gone(*request),
            Input::Signal { route: RouteId(route), name, value, samples } => {
                let Some(route) = revision.routes.get(usize::from(*route)) else { return };
                Thing::Signal { route: route.name.clone(), name: *name, value: *value, samples: *samples }
            }
            Input::Drain => Thing::Drain,
            Input::Revision(_) | Input::Timeout => return,
        };
        self.coming.push((moment, thing));
    }

    fn said(&mut self, attempt: AttemptId, (at, number): Moment, say: Say) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.script.push(((at - call.began, number), say));
            call.closed |= matches!(say, Say::Event(Event::Closed | Event::Ended { .. }));
        }
    }

    fn output(&mut self, record: &Record, output: &Output) {
        match output {
            Output::Start(start) => self.start(record.at, start, false),
            Output::Shadow(start) => self.start(record.at, start, true),
            Output::Cancel { attempt, .. } | Output::ShadowStop { attempt, .. } => {
                if let Some(call) = self.calls.get_mut(attempt) {
                    (call.cut, call.closed) = (Some((record.at - call.began, record.number)), true);
                }
            }
            Output::Decision(decision) => {
                self.decided.insert(decision.request, record.at);
                self.fates.insert(decision.request, Fate::of(decision));
            }
            Output::Probe(Probe { probe, revision, upstream, replica, .. }) => {
                let of = address(revision, *upstream, *replica);
                let probes = self.probes.entry(of.clone()).or_default();
                self.probing.insert(*probe, (of, probes.len()));
                probes.push(Probed { asked: record.at, found: None });
            }
            _ => {}
        }
    }

    fn start(&mut self, at: Nanos, start: &Start, copy: bool) {
        // The path is one of the revision that its request was admitted under.
        let Some((operation, revision, cost)) = self.admitted.get(&start.request) else { return };
        self.spent.call(revision, start, (copy, *cost));
        let next = self.paths.len() as u32;
        let path = *self.paths.entry(named(revision, start.path)).or_insert(next);
        self.own.entry((start.request, path, copy)).or_default().push(start.attempt);
        self.pools.entry((path, *operation)).or_default().push(start.attempt);
        let call = Call { began: at, script: Vec::new(), cut: None, closed: false };
        self.calls.insert(start.attempt, call);
    }
}

impl Fate {
    pub(super) fn of(decision: &Decision) -> Self {
        let route = &decision.revision.routes[decision.route.index()];
        let tier = |tier: Option<u8>| tier.map_or("none", |it| route.tiers[usize::from(it)].name.as_str());
        let by = match decision.outcome.end {
            End::Answered => tier(decision.outcome.tier).to_owned(),
            End::Error(_) => "(an error of a model)".into(),
            End::Broken(_) => format!("(broken by {})", tier(decision.outcome.tier)),
            End::Refused(Refusal::ClientGone) => "(client gone)".into(),
            End::Refused(_) => "(refused)".into(),
        };
        let answered = matches!(decision.outcome.end, End::Answered);
        let latency = answered.then_some(decision.outcome.latency);
        Self { route: route.name.clone(), by, answered, latency, attempts: decision.attempts.len() as u64 }
    }
}

/// Names a path, with its route.
pub(super) fn named(revision: &Revision, path: PathId) -> (String, String) {
    let path = &revision.paths[path.index()];
    (revision.routes[path.route.index()].name.clone(), path.name.clone())
}

/// Names a replica.
pub(super) fn address(revision: &Revision, upstream: UpstreamId, replica: ReplicaId) -> (String, String) {
    let upstream = &revision.upstreams[upstream.index()];
    (upstream.name.clone(), upstream.replicas[replica.index()].clone())
}
