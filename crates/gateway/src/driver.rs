//! Driver: runs a core. It owns clock, entropy and timers, carries inputs in and outputs out, and decides nothing.
//!
//! Whoever has an input locks the core, feeds it, and hands the outputs to the mailboxes of the requests that they
//! concern: no task stands between a request and its decision. One task waits for the core's timers.
//!
//! # Invariants
//! - `DRV-1`: inputs enter one at a time, with times that never go back.
//! - `DRV-2`: every output of a request reaches its mailbox, in order; a mailbox lives until the request's record.
//! - `DRV-3`: a panic inside the core costs its open requests their answer, each told so, and nothing else: a new core
//!   starts from the same revision (architecture, section 5).
//! - `DRV-4`: where a log is kept, everything that enters the core is in it, in order, before what follows is delivered; and what is
//!   said to follow from an input is what the core says before it is fed the next one.

pub(crate) mod hold;
pub(crate) mod inputs;
mod mailbox;
pub(crate) mod request;

use std::{
    collections::BTreeMap,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use evenkeel_core::{
    Admit, AttemptId, Core, Input, Nanos, Origin, Output, PathId, Purse, RequestId, ResultCode, Revision, RouteId,
    RouteSignal, RouteState, Source, Work,
};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

pub(crate) use mailbox::Mailbox;

use self::inputs::{Log, Pen};
use crate::{cache::Entry, clock::Clock, drift::Seen};

/// What a request's task takes out of its mailbox.
#[derive(Debug)]
pub(crate) enum Mail {
    /// What the core wants.
    Output(Output),
    /// The answer that another request has got for this one, too; before the word of the core that it is (F-145).
    Shared(Arc<Entry>),
    /// The core that held the request is gone.
    Lost,
}

/// Hears of what concerns no open request, as it happens: transitions, changes of breakers, probes that are wanted, and
/// cancellations that were ignored.
pub(crate) type OnNews = Box<dyn Fn(&Output) + Send + Sync>;

/// One core and what runs it.
pub(crate) struct Driver {
    state: Mutex<State>,
    pub(crate) clock: Clock,
    wake: Notify,
    /// A request is over, and none is left.
    idle: Notify,
    on_news: OnNews,
    /// What writes down everything that enters the core.
    pub(crate) log: Option<Log>,
}

/// What is under way, who waits, and what is left to pay with, by the revision in force.
pub(crate) struct UnderWay {
    pub(crate) revision: Arc<Revision>,
    pub(crate) work: Vec<Work>,
    /// By path: requests that wait for its gates.
    pub(crate) gate_waiters: Vec<u64>,
    /// By route.
    pub(crate) routes: Vec<RouteWork>,
    /// Sequences whose replica is kept.
    pub(crate) sequences: usize,
}

/// What is under way on a route.
pub(crate) struct RouteWork {
    /// Requests that wait for one of its tiers to recover.
    pub(crate) recovery_waiters: usize,
    /// By what each pays.
    pub(crate) purses: [(&'static str, Purse); 2],
}

struct State {
    core: Core,
    pen: Option<Pen>,
    /// What the core has said, and nobody has been told yet.
    said: Vec<Output>,
    mailboxes: BTreeMap<RequestId, Mailbox>,
    /// Copies of requests that run, each with what stops it.
    shadows: BTreeMap<AttemptId, oneshot::Sender<ResultCode>>,
    requests: u64,
    now: Nanos,
    /// When the timer task will wake by itself.
    armed: Option<Nanos>,
    /// The answer that is landing, for those who wait for it.
    landing: Option<Arc<Entry>>,
}

impl Driver {
    /// Starts a core and the task that waits for its timers; the task ends with the driver.
    pub(crate) fn start(clock: Clock, revision: Arc<Revision>, on_news: OnNews, log: Option<Log>) -> Arc<Self> {
        let (now, origin) = (clock.now(), Origin::new(revision));
        let mut pen = log.as_ref().map(Log::pen);
        pen.iter_mut().for_each(|pen| pen.begin(now, &origin));
        let mut state = State {
            core: Core::begin(now, origin),
            pen,
            said: Vec::new(),
            mailboxes: BTreeMap::new(),
            shadows: BTreeMap::new(),
            requests: 0,
            now,
            armed: None,
            landing: None,
        };
        state.listen();
        let (state, wake, idle) = (Mutex::new(state), Notify::new(), Notify::new());
        let driver = Arc::new(Self { state, clock, wake, idle, on_news, log });
        #[expect(clippy::disallowed_methods, reason = "it ends with the driver, of which it holds no share")]
        tokio::spawn(timers(Arc::downgrade(&driver)));
        driver
    }

    /// Lets a request in and opens its mailbox, if this is the revision that the core holds; `name` is that of its decision.
    pub(crate) fn admit(
        &self,
        revision: &Arc<Revision>,
        name: Option<u128>,
        admit: impl FnOnce(RequestId) -> Admit,
    ) -> Option<(RequestId, Mailbox)> {
        self.with(|state, now| {
            if !Arc::ptr_eq(state.core.revision(), revision) {
                return None;
            }
            let mailbox = Mailbox::default();
            state.requests += 1;
            let request = RequestId(state.requests);
            state.mailboxes.insert(request, mailbox.clone());
            state.handle_named(now, Input::Admit(admit(request)), name);
            Some((request, mailbox))
        })
    }

    /// Brings another revision into force, and does `also` in the same moment. What was said of drift of the routes that are `forgotten`,
    /// in the revision before, does not count in it.
    pub(crate) fn swap(&self, revision: Arc<Revision>, forgotten: &[RouteId], also: impl FnOnce()) {
        self.with(|state, now| {
            for route in forgotten {
                let (route, name) = (*route, RouteSignal::Drift);
                state.handle(now, Input::Signal { route, name, value: 0, samples: 0 });
            }
            state.handle(now, Input::Revision(revision));
            also();
        });
    }

    /// Gives those who wait for a request's answer what it has got; nothing, where that is not for them (F-145).
    pub(crate) fn land(&self, request: RequestId, answer: Option<Arc<Entry>>) {
        self.with(|state, now| {
            let kept = answer.is_some();
            state.landing = answer;
            state.handle(now, Input::Landed { request, kept });
        });
    }

    /// Closes the mailbox of a request that is over.
    pub(crate) fn close(&self, request: RequestId) {
        let mut state = self.state.lock();
        state.mailboxes.remove(&request);
        if state.mailboxes.is_empty() {
            self.idle.notify_waiters();
        }
    }

    /// Returns what stops a copy that is about to run; none where the core no longer wants it.
    pub(crate) fn shadowing(&self, attempt: AttemptId) -> Option<oneshot::Receiver<ResultCode>> {
        let mut state = self.state.lock();
        let (stop, stopped) = oneshot::channel();
        let wanted = state.core.is_shadowing(attempt);
        wanted.then(|| {
            state.shadows.insert(attempt, stop);
            stopped
        })
    }

    /// Forgets a copy that is over.
    pub(crate) fn shadow_over(&self, attempt: AttemptId) {
        self.state.lock().shadows.remove(&attempt);
    }

    /// Waits until no request is left, its record kept.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.state.lock().mailboxes.is_empty() {
                return;
            }
            idle.await;
        }
    }

    /// Returns how many requests are left whose record is not kept yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.state.lock().mailboxes.len()
    }

    /// Says how a route stands with drift, if this is the revision that the core holds.
    pub(crate) fn drifts(&self, revision: &Arc<Revision>, route: RouteId, it: &Seen) {
        let name = if it.outputs_alone { RouteSignal::OutputDrift } else { RouteSignal::Drift };
        self.says(revision, (route, name), (it.value, it.rows));
    }

    /// Says how a route stands by what is measured of it, and on how many rows, if this is the revision that the core holds.
    pub(crate) fn says(
        &self,
        revision: &Arc<Revision>,
        (route, name): (RouteId, RouteSignal),
        (value, samples): (u64, u64),
    ) {
        self.with(|state, now| {
            if Arc::ptr_eq(state.core.revision(), revision) {
                state.handle(now, Input::Signal { route, name, value, samples });
            }
        });
    }

    /// Feeds one input and delivers what follows from it.
    pub(crate) fn feed(&self, input: Input) {
        self.with(|state, now| state.handle(now, input));
    }

    /// Returns how many requests are open.
    #[cfg(test)]
    pub(crate) fn open_requests(&self) -> usize {
        self.state.lock().core.open()
    }

    /// Returns how many requests wait for the answer to another one, by route of the revision in force.
    pub(crate) fn waiters(&self) -> Vec<usize> {
        let state = self.state.lock();
        (0..state.core.revision().routes.len()).map(|at| state.core.waiters(RouteId(at as u16))).collect()
    }

    /// Returns the revision in force and how its routes stand.
    pub(crate) fn routes(&self) -> (Arc<Revision>, Vec<RouteState>) {
        let state = self.state.lock();
        let (now, revision) = (self.clock.now(), state.core.revision().clone());
        let routes = (0..revision.routes.len()).map(|at| state.core.route_state(now, RouteId(at as u16))).collect();
        (revision, routes)
    }

    /// Returns what is under way, who waits, and what is left to pay with.
    pub(crate) fn under_way(&self) -> UnderWay {
        let state = self.state.lock();
        let (now, core) = (self.clock.now(), &state.core);
        let revision = core.revision().clone();
        let routes = (0..revision.routes.len()).map(|at| RouteId(at as u16));
        let routes =
            routes.map(|at| RouteWork { recovery_waiters: core.recovery_waiters(at), purses: core.purses(now, at) });
        let gate_waiters = (0..revision.paths.len()).map(|at| core.waiting_at(PathId(at as u16)));
        let (routes, gate_waiters) = (routes.collect(), gate_waiters.collect());
        UnderWay { work: core.work(now), gate_waiters, routes, sequences: core.sequences(), revision }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State, Nanos) -> T) -> T {
        let mut news = Vec::new();
        let (done, sooner) = {
            let mut state = self.state.lock();
            let state = &mut *state;
            state.now = self.clock.now().max(state.now);
            let done = act(state, state.now);
            let mut said = mem::take(&mut state.said);
            for output in said.drain(..) {
                match output {
                    Output::Transition(_)
                    | Output::Breaker(_)
                    | Output::Gate(_)
                    | Output::CancelIgnored { .. }
                    | Output::Proposed(_)
                    | Output::Probe(_) => {
                        news.push(output);
                    }
                    output => state.deliver(output),
                }
            }
            state.said = said;
            state.pen.iter_mut().for_each(Pen::close);
            state.landing = None;
            (done, state.rearm())
        };
        news.iter().for_each(|output| (self.on_news)(output));
        if sooner {
            self.wake.notify_one();
        }
        done
    }
}

impl State {
    fn handle(&mut self, now: Nanos, input: Input) {
        self.handle_named(now, input, None);
    }

    fn handle_named(&mut self, now: Nanos, input: Input, name: Option<u128>) {
        self.pen.iter_mut().for_each(|pen| pen.input(now, &input, name));
        let core = &mut self.core;
        if catch_unwind(AssertUnwindSafe(|| core.handle(now, input))).is_err() {
            self.restart();
        }
        self.listen();
    }

    /// Hears what follows from what was fed last: a replay asks input by input, too.
    fn listen(&mut self) {
        while let Some(output) = self.core.poll() {
            self.pen.iter_mut().for_each(|pen| pen.output(&output));
            self.said.push(output);
        }
    }

    fn deliver(&mut self, output: Output) {
        let request = match &output {
            Output::Start(start) | Output::Shadow(start) => start.request,
            Output::ShadowStop { attempt, why } => {
                if let Some(shadow) = self.shadows.remove(attempt) {
                    // It may have ended in this moment.
                    let _ = shadow.send(why.result());
                }
                return;
            }
            Output::Cancel { request, .. }
            | Output::Commit { request, .. }
            | Output::Keep { request, .. }
            | Output::Answer { request, .. }
            | Output::Refuse { request, .. } => *request,
            Output::Decision(decision) => decision.request,
            Output::Transition(_)
            | Output::Breaker(_)
            | Output::Gate(_)
            | Output::CancelIgnored { .. }
            | Output::Proposed(_)
            | Output::Probe(_) => return,
        };
        let Some(mailbox) = self.mailboxes.get(&request) else { return };
        let shared = matches!(output, Output::Answer { source: Source::Stored(_), .. });
        if let Some(entry) = self.landing.as_ref().filter(|_| shared) {
            mailbox.put(Mail::Shared(entry.clone()));
        }
        mailbox.put(Mail::Output(output));
    }

    /// Says whether the next timeout is sooner than the one that the timer task waits for.
    fn rearm(&mut self) -> bool {
        let next = self.core.next_timeout().map(|(at, _)| at);
        let sooner = next.is_some_and(|next| self.armed.is_none_or(|armed| next < armed));
        if sooner {
            self.armed = next;
        }
        sooner
    }

    fn restart(&mut self) {
        tracing::error!(target: "evenkeel::driver", open = self.mailboxes.len(), "the core panicked and was restarted");
        let origin = self.core.origin();
        self.pen.iter_mut().for_each(|pen| pen.begin(self.now, &origin));
        self.core = Core::begin(self.now, origin);
        self.shadows.clear();
        for mailbox in self.mailboxes.values() {
            mailbox.put(Mail::Lost);
        }
    }
}

/// Feeds the core its timeouts for as long as the driver lives.
async fn timers(driver: Weak<Driver>) {
    /// Without a timeout, and without a wake-up, the driver is looked at this often to see whether it is gone.
    const IDLE: Duration = Duration::from_secs(1);
    loop {
        let Some(alive) = driver.upgrade() else { return };
        let next = {
            let mut state = alive.state.lock();
            state.armed = state.core.next_timeout().map(|(at, _)| at);
            state.armed
        };
        match next {
            Some(at) if at <= alive.clock.now() => alive.feed(Input::Timeout),
            next => {
                let until =
                    next.map_or(IDLE, |at| Duration::from_nanos(at.saturating_sub(alive.clock.now())).min(IDLE));
                tokio::select! {
                    () = alive.wake.notified() => {}
                    () = tokio::time::sleep(until) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_core::{Features, Operation};

    use super::*;

    #[tokio::test]
    async fn a_panic_inside_the_core_is_contained_and_its_requests_are_told() {
        let revision = Arc::new(Revision::default());
        let driver = Driver::start(Clock::start(), revision.clone(), Box::new(|_| ()), None);
        let admit = |request| Admit {
            request,
            // A route that does not exist is a broken invariant, not an input that a client can make.
            route: RouteId(7),
            operation: Operation::Chat,
            deadline: None,
            entropy: 0,
            cost: 0,
            weight: 1,
            needs: Features::NONE,
            wants: Default::default(),
            tokens: 0,
            max_tier: None,
            min_confidence: None,
            pure: true,
            private: false,
            bodies: evenkeel_core::Permille::new(0),
            spent: 0,
            imputed: evenkeel_core::Permille::new(0),
            rows: Default::default(),
            sequence: None,
            cache: Default::default(),
            verdict: Default::default(),
        };
        let (_, mail) = driver.admit(&revision, None, admit).expect("the revision is in force");
        assert!(matches!(mail.take().await, Mail::Lost), "DRV-3");
        assert_eq!(driver.open_requests(), 0);
        driver.feed(Input::Timeout);
        assert!(Arc::ptr_eq(&driver.routes().0, &revision), "it lives on with the same revision");
    }
}
