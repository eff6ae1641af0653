//! Wire: where the planes meet, and every channel between them.
//!
//! The data plane is reached by the control plane through one trait; signals come in here and nowhere else.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use evenkeel_api::{Decision, Rejected, evidence::Cursor};
use evenkeel_config::{
    Alone, DecisionStore, Deployment, Loaded, Part, Sources, Unfit, load_alone, load_file, load_to_learn,
};
use evenkeel_control::{
    Admin, DataPlane, Reloader,
    audit::{self, Audit, Given, Repository, Settings},
    store, watch,
};
use evenkeel_gateway::{Gateway, expiring, prove};
use jiff::{SignedDuration, Timestamp};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{descriptors, output};

/// What is left of the drain after a second order to stop (F-175).
const HURRY: Duration = Duration::from_secs(1);
/// How long the end waits for the audit log: for its disk, and for a repository that keeps checkpoints.
const FINISH: Duration = Duration::from_secs(15);

/// What is said elsewhere than in the configuration, and holds whenever that is read again.
pub(crate) type Change = Arc<dyn Fn(Deployment) -> Deployment + Send + Sync>;

/// The data plane, as the control plane sees it.
struct Plane {
    gateway: Gateway,
    change: Option<Change>,
    store: Option<store::Store>,
    /// Nanoseconds that open requests get at the end, as the configuration in force says.
    drain: AtomicU64,
}

impl Plane {
    fn drain(&self) -> Duration {
        Duration::from_nanos(self.drain.load(Relaxed))
    }
}

impl DataPlane for Plane {
    fn apply(&self, deployment: Arc<Deployment>) -> Result<(), Vec<Unfit>> {
        let deployment = match &self.change {
            None => deployment,
            Some(change) => Arc::new(change(Deployment::clone(&deployment))),
        };
        let (drain, keep) = (deployment.server.drain.0, keep(&deployment));
        self.gateway.apply(deployment)?;
        self.drain.store(drain, Relaxed);
        self.store.iter().for_each(|it| it.keep_for(keep));
        Ok(())
    }

    fn expiring(&self, deployment: &Deployment) -> Vec<Unfit> {
        expiring(deployment, Timestamp::now())
    }

    fn note_rejected(&self, rejected: &Rejected) {
        self.gateway.note_rejected(rejected);
    }

    fn revision(&self) -> String {
        self.gateway.revision()
    }

    fn standing(&self) -> evenkeel_api::Standing {
        self.gateway.standing()
    }

    fn decision(&self, id: &str) -> Option<Decision> {
        self.gateway.decision(id)
    }

    fn decisions(&self, route: Option<&str>, most: usize) -> Vec<Decision> {
        self.gateway.decisions(route, most)
    }

    fn quality(&self, route: Option<&str>) -> evenkeel_api::Quality {
        self.gateway.quality(route)
    }

    fn metrics(&self) -> String {
        self.gateway.metrics()
    }
}

/// Reads a configuration, and tries to make everything ready that it runs in this process.
pub(crate) fn read(config: &Path) -> Loaded {
    proven(load_file(config))
}

/// Reads one tier of a configuration, and tries to make it ready.
pub(crate) fn read_alone(config: &Path, alone: &Alone) -> Loaded {
    proven(load_alone(config, alone))
}

/// Reads a tier of which something is learnt, and the first of its route, and tries to make them ready.
pub(crate) fn read_to_learn(config: &Path, tier: &Alone) -> Loaded {
    proven(load_to_learn(config, tier))
}

fn proven(mut loaded: Loaded) -> Loaded {
    if let Some(deployment) = loaded.deployment.clone() {
        loaded.refuse(prove(&deployment));
        if let Err(message) = place(&deployment) {
            loaded.refuse(vec![Unfit { part: Part::Store, message }]);
        }
        loaded.warn(expiring(&deployment, Timestamp::now()));
    }
    loaded
}

/// Returns where decisions are stored; none where they are not.
///
/// # Errors
/// What is wrong with the address of a server, in words without it.
pub(crate) fn place(deployment: &Deployment) -> Result<Option<store::Place>, String> {
    match &deployment.store {
        DecisionStore::Off => Ok(None),
        DecisionStore::Sqlite => Ok(Some(store::Place::file(deployment.data_dir.join(store::FILE)))),
        DecisionStore::Postgres(url) => store::Place::server(url.reveal()).map(Some),
    }
}

/// Returns who reads what is kept on disk; who does not any more is forgotten, so that nothing is kept for a reader that never comes.
fn readers(deployment: &Deployment) -> Vec<&'static str> {
    let stored = !matches!(deployment.store, DecisionStore::Off);
    let all = [(store::READER, stored), (audit::READER, deployment.audit.is_some())];
    for (reader, _) in all.iter().filter(|(_, reads)| !reads) {
        if let Err(error) = Cursor::forget(&deployment.data_dir, reader) {
            tracing::warn!(target: "evenkeel::serve", reader, %error, "who reads the spool no longer cannot be forgotten everywhere: files of processes that have ended stay for it; make `server.data_dir` writable, and start again");
        }
    }
    all.into_iter().filter(|(_, reads)| *reads).map(|(reader, _)| reader).collect()
}

/// Returns how long decisions are stored: as long as files of them are (G-092).
fn keep(deployment: &Deployment) -> SignedDuration {
    SignedDuration::from_nanos(i64::try_from(deployment.decisions.unwrap_or_default().keep.0).unwrap_or(i64::MAX))
}

/// Returns the store of decisions, and the work of filling it.
fn storing(deployment: &Deployment) -> anyhow::Result<(Option<store::Store>, impl Future<Output = ()> + Send + use<>)> {
    let place = place(deployment).map_err(anyhow::Error::msg).context("cannot use `store`")?;
    let (folder, keep) = (deployment.data_dir.clone(), keep(deployment));
    let store = place.map(|place| store::Store::new(&place, Timestamp::now()));
    let reader = store.clone().map(|store| store::Ingester::new(store, folder, keep));
    let work = async move {
        if let Some(reader) = reader {
            reader.run().await;
        }
    };
    Ok((store, work))
}

/// Serves what was read from a file until it is told to stop, and drains.
pub(crate) async fn serve(deployment: Arc<Deployment>, read: Sources) -> anyhow::Result<()> {
    serving(deployment, read, None).await
}

/// Serves what was read, and what is read later, with a change.
pub(crate) async fn serve_changed(read: Arc<Deployment>, sources: Sources, change: Change) -> anyhow::Result<()> {
    serving(Arc::new(change(Deployment::clone(&read))), sources, Some(change)).await
}

async fn serving(deployment: Arc<Deployment>, read: Sources, change: Option<Change>) -> anyhow::Result<()> {
    // Before anybody is told that we are here: who is told may send a signal.
    let (mut stop, mut hang_up) = (Stop::new()?, signal(SignalKind::hangup())?);
    let descriptors = descriptors::raise();
    let most = u64::from(deployment.server.connections);
    if descriptors.is_some_and(|descriptors| descriptors < 2 * most) {
        tracing::warn!(target: "evenkeel::serve", descriptors, connections = most, "the limit of open files is below two for each connection that `server.connections` allows; raise it, or lower the key");
    }
    let scheme = if deployment.certificate.is_some() { "https" } else { "http" };
    let (drain, admin) = (AtomicU64::new(deployment.server.drain.0), deployment.server.admin.clone());
    let audit = audited(&deployment).map(Arc::new);
    let (store, storing) = storing(&deployment)?;
    let readers = readers(&deployment);
    let gateway = Gateway::start_recording(deployment, &readers).await.context("cannot start")?;
    let plane = Arc::new(Plane { gateway: gateway.clone(), change, store: store.clone(), drain });
    let mut reloader = Reloader::new(read, plane.clone());
    if let Some(audit) = audit.clone() {
        reloader = reloader.audited(audit);
    }
    let reloader = Arc::new(reloader);
    let admin = Admin::start(&admin, plane.clone(), reloader.clone(), audit.clone(), store).await;
    let admin = admin.context("cannot start")?;
    let (listen, admin_address, revision) = (gateway.address(), admin.address(), gateway.revision());
    tracing::info!(target: "evenkeel::serve", %listen, admin = %admin_address, revision, "serving");
    let told = format!("evenkeel serves at {scheme}://{listen}, admin at http://{admin_address}");
    output::whoever_reads(output::line(told))?;
    #[expect(clippy::disallowed_methods, reason = "it is aborted before the drain begins")]
    let watching = tokio::spawn(watch(reloader.clone()));
    #[expect(clippy::disallowed_methods, reason = "it is aborted after the drain; what it has not read is on disk")]
    let storing = tokio::spawn(storing);
    loop {
        tokio::select! {
            () = stop.ordered() => break,
            _ = hang_up.recv() => {
                let reloader = reloader.clone();
                // It says itself what it could not do, panics included (LOAD-3): no order to reload ends the process.
                let _ = tokio::task::spawn_blocking(move || reloader.reload()).await;
            }
        }
    }
    watching.abort();
    admin.drain();
    tracing::info!(target: "evenkeel::serve", "draining");
    let mut drained = std::pin::pin!(gateway.shutdown(plane.drain()));
    tokio::select! {
        () = drained.as_mut() => {}
        () = stop.ordered() => gateway.shutdown(HURRY).await,
    }
    storing.abort();
    if let Some(audit) = audit {
        finish(audit).await;
    }
    Ok(())
}

/// Ends the audit log, behind the data plane, so that its last segments are in it, and a checkpoint covers them.
async fn finish(audit: Arc<Audit>) {
    let (end, ended) = tokio::sync::oneshot::channel();
    // Not the runtime's: that would wait at its end for a disk that never answers.
    let finishing = std::thread::Builder::new().name("audit-end".into()).spawn(move || {
        audit.finish();
        // Nobody hears it who has gone on.
        let _ = end.send(());
    });
    if finishing.is_err() || tokio::time::timeout(FINISH, ended).await.is_err() {
        tracing::error!(target: "evenkeel::audit", "the audit log has not ended in time; what is not in it waits in the spool for the next start");
    }
}

/// Begins to keep the audit log, where the configuration has one; where it has none, whoever keeps the segments waits for nobody.
fn audited(deployment: &Deployment) -> Option<Audit> {
    let log = deployment.audit.as_ref()?;
    if let Err(error) = audit::remember(&deployment.data_dir) {
        tracing::warn!(target: "evenkeel::audit", %error, "the audit log cannot say how far it had read folders that are gone; lines that are numbered from 1 again are taken for those that it has");
    }
    let key = log.key.as_ref().map(|it| Given(it.reveal().into()));
    let git = log.git.as_ref().map(|it| Repository {
        folder: it.folder.clone(),
        branch: it.branch.clone(),
        every: SignedDuration::from_nanos(i64::try_from(it.every).unwrap_or(i64::MAX)),
    });
    let settings = Settings { data_dir: deployment.data_dir.clone(), origin: log.origin.clone(), key, git };
    Some(Audit::start(settings, Timestamp::now))
}

/// Hears when the process is told to stop, from when it is made.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for an order to stop.
    pub(crate) async fn ordered(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
