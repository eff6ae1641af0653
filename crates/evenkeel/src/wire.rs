//! Wire: where the planes meet, and every channel between them.
//!
//! The data plane is reached by the control plane through one trait; signals come in here and nowhere else.

use std::{path::Path, sync::Arc, time::Duration};

use evenkeel_config::{Deployment, Loaded, Sources, Unfit, load_file};
use evenkeel_control::{Admin, DataPlane, Reloader, watch};
use evenkeel_gateway::{Gateway, prove};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{EnvFilter, fmt};

/// What is left of the drain after a second order to stop (F-175).
const HURRY: Duration = Duration::from_secs(1);

/// The data plane, as the control plane sees it.
struct Plane(Gateway);

impl DataPlane for Plane {
    fn apply(&self, deployment: Arc<Deployment>) -> Result<(), Vec<Unfit>> {
        self.0.apply(deployment)
    }

    fn note_rejected(&self) {
        self.0.note_rejected();
    }

    fn revision(&self) -> String {
        self.0.revision()
    }

    fn metrics(&self) -> String {
        self.0.metrics()
    }
}

/// Logs as JSON lines to standard error; `EVENKEEL_LOG` filters, by default everything from `info` up.
pub(crate) fn log() {
    let filter = EnvFilter::try_from_env("EVENKEEL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Reads a configuration, and tries to make everything ready that it runs in this process.
pub(crate) fn read(config: &Path) -> Loaded {
    let mut loaded = load_file(config);
    if let Some(deployment) = loaded.deployment.clone() {
        loaded.refuse(prove(&deployment));
    }
    loaded
}

/// Serves what was read from a file until it is told to stop, and drains.
pub(crate) async fn serve(deployment: Arc<Deployment>, read: Sources) -> anyhow::Result<()> {
    let (drain, admin) = (deployment.server.drain, deployment.server.admin.clone());
    let gateway = Gateway::start(deployment).await?;
    let plane: Arc<dyn DataPlane> = Arc::new(Plane(gateway.clone()));
    let reloader = Arc::new(Reloader::new(read, plane.clone()));
    let admin = Admin::start(&admin, plane, reloader.clone()).await?;
    let (listen, admin_address, revision) = (gateway.address(), admin.address(), gateway.revision());
    tracing::info!(target: "evenkeel::serve", %listen, admin = %admin_address, revision, "serving");
    println!("evenkeel serves at http://{listen}, admin at http://{admin_address}");
    #[expect(clippy::disallowed_methods, reason = "it is aborted before the drain begins")]
    let watching = tokio::spawn(watch(reloader.clone()));
    let mut stop = Stop::new()?;
    let mut hang_up = signal(SignalKind::hangup())?;
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
    let mut drained = std::pin::pin!(gateway.shutdown(Duration::from_nanos(drain.0)));
    tokio::select! {
        () = drained.as_mut() => {}
        () = stop.ordered() => gateway.shutdown(HURRY).await,
    }
    Ok(())
}

/// Waits until the process is told to stop.
pub(crate) async fn stopped() -> anyhow::Result<()> {
    Stop::new()?.ordered().await;
    Ok(())
}

struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn ordered(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
