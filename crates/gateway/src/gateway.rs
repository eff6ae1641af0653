//! Gateway: the data plane as a whole, for whoever wires it up.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use evenkeel_api as api;
use evenkeel_config::{Deployment, Part, Unfit};
use evenkeel_core::{Ending, Input, Output, RouteId};
use jiff::Timestamp;
use tokio::{
    net::{TcpListener, TcpSocket, lookup_host},
    sync::{broadcast, mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    bodies::Bodies,
    clock::Clock,
    drift,
    driver::{Driver, inputs::Log},
    entropy::Entropy,
    events::{Events, Happened},
    forecast,
    listen::{self, Connections},
    probe,
    quality::{self, Measured},
    sequence::Names,
    snapshot::Applied,
    spool::{Files, Home, Spool},
    status,
};

/// The data plane, running.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) applied: ArcSwap<Applied>,
    pub(crate) driver: Arc<Driver>,
    pub(crate) events: Arc<Events>,
    pub(crate) entropy: Entropy,
    pub(crate) sequences: Names,
    /// Bytes of request bodies that are held.
    pub(crate) bodies: Arc<Bodies>,
    address: SocketAddr,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) connections: Arc<Connections>,
    /// Those that are told that there is no room.
    pub(crate) turned_away: Arc<Connections>,
}

/// How far the gateway is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It takes connections.
    Open,
    /// It takes none; what is open goes on, and requests that are on their way are answered.
    Draining,
    /// A connection without an open request is closed at once.
    Last,
}

/// Connections that the system takes for us while we are busy: a burst of clients that come back after an outage. The
/// system bounds it by its own limit (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;
/// What is kept of a drain for last words to be written, to clients that read them; never more than a quarter of it. Who
/// started the process kills it when its patience is over, which is often as long as the drain.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Waits until a phase is reached, or the gateway is gone.
pub(crate) async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    drop(phase.wait_for(|it| *it >= wanted).await);
}

/// Why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Paths, or certificates, that cannot be made ready.
    #[error("make {} parts ready", .0.len())]
    Unfit(Vec<Unfit>),
    /// The address of the data plane cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// What the operating system says.
        source: std::io::Error,
    },
}

impl Gateway {
    /// Starts to listen and to answer; nothing is kept on disk.
    ///
    /// # Errors
    /// A path cannot be made ready, or the address cannot be listened on.
    pub async fn start(deployment: Arc<Deployment>) -> Result<Self, StartError> {
        Self::begin(deployment, Clock::start(), None).await
    }

    /// Starts to listen and to answer, and keeps in `server.data_dir` what `decisions` says, for these readers: what one of them has
    /// not read stays, whether it has come yet or not. Whether it can be written keeps nothing from being answered.
    ///
    /// # Errors
    /// A path cannot be made ready, or the address cannot be listened on.
    pub async fn start_recording(deployment: Arc<Deployment>, readers: &[&'static str]) -> Result<Self, StartError> {
        let clock = Clock::start();
        let home = Home { data_dir: deployment.data_dir.clone(), readers: readers.into() };
        let spool = Spool::start(home, Files, clock);
        Self::begin(deployment, clock, Some(spool)).await
    }

    async fn begin(deployment: Arc<Deployment>, clock: Clock, spool: Option<Spool>) -> Result<Self, StartError> {
        let address = deployment.server.listen.clone();
        let applied = Applied::new(clock, deployment, None).map_err(StartError::Unfit)?;
        let fault = |source| StartError::Listen { address: address.clone(), source };
        let listener = bind(&address).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let log = spool.as_ref().and_then(|spool| logged(clock, spool, &applied.deployment));
        let events = Arc::new(Events::new(spool));
        let watcher = events.clone();
        let (wanted, probes) = mpsc::unbounded_channel();
        let on_news = Box::new(move |output: &_| match output {
            Output::Probe(probe) => drop(wanted.send(probe.clone())),
            output => watcher.news(output),
        });
        let driver = Driver::start(clock, applied.deployment.revision.clone(), on_news, log);
        events.applied(&applied);
        events.quality.applied(measured(&applied));
        let gateway = Self(Arc::new(Shared {
            applied: ArcSwap::new(applied),
            driver,
            events,
            entropy: Entropy::seeded(),
            sequences: Names::drawn(),
            bodies: Arc::default(),
            address,
            phase: watch::Sender::new(Phase::Open),
            connections: Arc::default(),
            turned_away: Arc::default(),
        }));
        #[expect(clippy::disallowed_methods, reason = "it ends with the driver, and holds no share of the gateway")]
        tokio::spawn(probe::serve(Arc::downgrade(&gateway.0), probes));
        #[expect(clippy::disallowed_methods, reason = "it ends with the gateway, of which it holds no share")]
        tokio::spawn(foresee(Arc::downgrade(&gateway.0)));
        #[expect(clippy::disallowed_methods, reason = "it ends with the gateway, of which it holds no share")]
        tokio::spawn(drift::publish(Arc::downgrade(&gateway.0)));
        #[expect(clippy::disallowed_methods, reason = "it ends with the gateway, of which it holds no share")]
        tokio::spawn(quality::publish(Arc::downgrade(&gateway.0)));
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends when the gateway closes, which is where a drain begins"
        )]
        tokio::spawn(listen::accept(gateway.0.clone(), listener));
        Ok(gateway)
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Makes a deployment the one for new requests; open ones finish on theirs. The address stays what it was.
    ///
    /// # Errors
    /// The parts that cannot be made ready; then nothing has changed.
    pub fn apply(&self, deployment: Arc<Deployment>) -> Result<(), Vec<Unfit>> {
        let applied = Applied::new(self.0.driver.clock, deployment, Some(&self.0.applied.load()))?;
        let before = self.0.applied.load().deployment.clone();
        let places = |it: &Deployment| (it.server.listen.clone(), it.server.admin.clone(), it.data_dir.clone());
        if places(&before) != places(&applied.deployment) {
            tracing::warn!(target: "evenkeel::config", "a new `server.listen`, `server.admin` or `server.data_dir` counts from the next start");
        }
        self.0.events.applied(&applied);
        self.0.events.quality.applied(measured(&applied));
        let revision = applied.deployment.revision.clone();
        self.keep_inputs(inputs(&applied.deployment));
        let forgotten = forgotten(&self.0.applied.load(), &applied);
        self.0.driver.swap(revision, &forgotten, || self.0.applied.store(applied));
        // Before the next tick: another certificate begins where it was issued.
        quality::tell(&self.0, &self.0.applied.load_full());
        Ok(())
    }

    /// Moves the bound of the log of inputs, or ends it; one that is not written begins at the next start.
    fn keep_inputs(&self, most: Option<u64>) {
        let written = self.0.driver.log.as_ref().is_some_and(|log| log.keep(most));
        if most.is_some() && !written && self.0.events.is_recording() {
            tracing::warn!(target: "evenkeel::config", "the log of inputs (`decisions.inputs`) is not written now, and begins at the next start");
        }
    }

    /// Returns the name of the revision in force.
    pub fn revision(&self) -> String {
        self.0.applied.load().name.clone()
    }

    /// Returns all metrics in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        let (revision, states) = self.0.driver.routes();
        let (now, applied) = (self.0.driver.clock.now(), self.0.applied.load());
        let enrichers = applied.enrichers.iter().flatten();
        self.0.events.metrics.feature_servers(enrichers.map(|it| (&it.plan, it.breaker(now))));
        let named = applied.deployment.revision.routes.iter().zip(&applied.caches).zip(self.0.driver.waiters());
        let stands = named.filter_map(|((route, cache), waiters)| {
            Some((route.name.clone(), [cache.as_ref()?.size(), waiters as u64]))
        });
        self.0.events.metrics.caches(stands);
        let counts = applied.shared.iter().flat_map(|shared| shared.counts());
        self.0.events.metrics.shared_cache(counts.map(|(came, count)| (came.name(), count)));
        let ends = applied.ends.iter().map(|(part, end)| match part {
            Part::Issuers(upstream) => ("issuers", &*applied.deployment.upstreams[upstream.index()].name, *end),
            Part::Shared => ("shared", "none", *end),
            Part::Certificate | Part::Path(_) | Part::Store => ("server", "none", *end),
        });
        self.0.events.metrics.certificates(ends);
        let wall = drift::nanos(self.0.driver.clock.wall(now));
        let watched = applied.monitors.iter().flatten();
        self.0.events.metrics.drifts(watched.map(|it| (it.made.route.clone(), it.standing(wall))));
        self.0.events.metrics.under_way(&self.0.driver.under_way());
        let named = applied.deployment.revision.routes.iter().zip(&applied.caches);
        let counts = named.flat_map(|(route, cache)| {
            let counts = cache.iter().flat_map(|it| &it.semantic).flat_map(|it| it.counts());
            counts.map(|(came, count)| (route.name.clone(), came.name(), count))
        });
        self.0.events.metrics.semantic_cache(counts);
        self.0.events.metrics.quality(Timestamp::now(), &self.0.events.quality.shown());
        self.0.events.metrics.forecasts(self.0.events.forecasts.all().into_iter());
        let certified = applied.deployment.revision.routes.iter().zip(&applied.deployment.routes);
        let certified = certified.filter(|(_, spec)| spec.certificate.is_some()).map(|(route, _)| &route.name);
        let promises = certified.filter_map(|name| Some((name.clone(), self.route_state(name)?.certificate?)));
        self.0.events.metrics.promises(promises);
        self.0.events.metrics.inputs(self.0.driver.log.as_ref().map(Log::standing));
        self.0.events.metrics.evidence(self.0.events.evidence());
        self.0.events.metrics.text(now, (&revision, &states))
    }

    /// Takes note of a configuration that was refused.
    pub fn note_rejected(&self, rejected: &api::Rejected) {
        self.0.events.rejected(rejected);
    }

    /// Returns how all routes stand.
    pub fn status(&self) -> api::Status {
        status::all(&self.0.driver)
    }

    /// Returns how one route stands.
    pub fn route_state(&self, name: &str) -> Option<api::RouteState> {
        status::one(&self.0.driver, &self.0.events, name, &self.0.applied.load())
    }

    /// Returns how everything stands.
    pub fn standing(&self) -> api::Standing {
        let status = self.status();
        let routes = status.routes.iter().filter_map(|it| self.route_state(&it.route)).collect();
        api::Standing { status, routes, evidence: self.0.events.evidence(), store: None }
    }

    /// Says how often tiers are right, by labels that came after their answers; of one route where that is named.
    pub fn quality(&self, route: Option<&str>) -> api::Quality {
        let (quality, now) = (&self.0.events.quality, Timestamp::now());
        match route {
            Some(route) => api::Quality { as_of: now, routes: quality.read(route, now).into_iter().collect() },
            None => quality.read_all(now),
        }
    }

    /// Makes a point of what may let routes fall back, as of a time of the wall. It does so by itself every five seconds; whoever
    /// plays time does it here.
    pub fn foresee(&self, at: Timestamp) {
        self.0.foresee(at);
    }

    /// Finds the record of a request among the last ones.
    pub fn decision(&self, id: &str) -> Option<api::Decision> {
        self.0.events.find(id)
    }

    /// Returns the last records, the newest first, `most` at most; of one route where that is named.
    pub fn decisions(&self, route: Option<&str>, most: usize) -> Vec<api::Decision> {
        self.0.events.last(route, most)
    }

    /// Watches records and transitions from now on; whoever lags far behind misses some, and is told.
    pub fn watch(&self) -> broadcast::Receiver<Happened> {
        self.0.events.watch()
    }

    /// Takes no more connections, lets open requests go on, ends what is left with what it can get, and is done within `drain`
    /// (F-175). Asked a second time, it closes what is idle at once.
    pub async fn shutdown(&self, drain: Duration) {
        let Shared { phase, connections, driver, .. } = &*self.0;
        phase.send_modify(|phase| *phase = if *phase == Phase::Open { Phase::Draining } else { Phase::Last });
        // In this order: who brings requests, then the requests, of which a connection that broke may have left some.
        let mut all_gone = std::pin::pin!(async {
            connections.gone().await;
            driver.idle().await;
        });
        let last_words = LAST_WORDS.min(drain / 4);
        if timeout(drain - last_words, all_gone.as_mut()).await.is_err() {
            phase.send_replace(Phase::Last);
            driver.feed(Input::Drain);
            // Who does not read what was ended cannot hold the process.
            let _ = timeout(last_words, all_gone).await;
        }
        if let Some(log) = &driver.log {
            log.end(Ending::Stopped).await;
        }
        self.0.events.finish(driver.unfinished()).await;
    }
}

/// Begins the log of inputs, where one is to be kept, in the folder of this process among those that the spool writes into.
fn logged(clock: Clock, spool: &Spool, deployment: &Deployment) -> Option<Log> {
    let place = spool.place();
    Some(Log::begin(clock, move || Ok(place()?.join("inputs")), inputs(deployment)?))
}

/// Returns how many bytes of inputs are to be kept at most; none where nothing is.
fn inputs(deployment: &Deployment) -> Option<u64> {
    deployment.decisions.and_then(|kept| kept.inputs.most())
}

/// Returns the routes of which nothing is known any more of how they stand with drift: what compared them is gone with what it saw.
fn forgotten(before: &Applied, now: &Applied) -> Vec<RouteId> {
    let goes_on = |it: &Arc<drift::Monitor>| now.monitors.iter().flatten().any(|new| Arc::ptr_eq(it, new));
    let gone = before.monitors.iter().enumerate().filter(|it| it.1.as_ref().is_some_and(|it| !goes_on(it)));
    gone.filter_map(|(at, _)| u16::try_from(at).ok().map(RouteId)).collect()
}

/// Returns what each route is measured by.
fn measured(applied: &Applied) -> Vec<Measured> {
    let of = |(route, spec): (&evenkeel_core::Route, &evenkeel_config::RouteSpec)| Measured {
        route: route.name.clone(),
        spec: spec.quality.clone(),
        tiers: route.tiers.iter().map(|it| (it.name.clone(), applied.since[it.path.index()])).collect(),
        certificate: spec.certificate.clone().map(|it| (it, applied.at)),
    };
    applied.deployment.revision.routes.iter().zip(&applied.deployment.routes).map(of).collect()
}

/// Makes a point of what may let a route fall back, and has figures of quality computed, every five seconds, for as long as the
/// gateway lives.
async fn foresee(shared: Weak<Shared>) {
    let mut ticks = interval(forecast::EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(alive) = shared.upgrade() else { return };
        let now = Timestamp::now();
        alive.foresee(now);
        alive.events.quality.tick(now);
    }
}

impl Shared {
    /// Makes a point of what may let a route fall back.
    fn foresee(&self, at: Timestamp) {
        let at = drift::nanos(at);
        let stands = forecast::stands(&self.driver.under_way(), &self.applied.load(), at);
        self.events.forecasts.tick(at, &stands);
    }
}

/// Listens on an address, which may be a name.
async fn bind(address: &str) -> std::io::Result<TcpListener> {
    let mut last = std::io::Error::other("the name has no address");
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A port that was just left may be taken at once.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}
