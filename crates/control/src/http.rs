//! The admin plane: health, readiness, metrics and decisions, on an address of its own.

mod audit;
mod decisions;
mod quality;
mod stored;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use evenkeel_api::Ready;
use jiff::Timestamp;
use tokio::{net::TcpListener, sync::watch};

use crate::{audit::Audit, plane::DataPlane, reload::Reloader, store::Store};

/// The admin plane, listening.
pub struct Admin {
    address: SocketAddr,
    draining: watch::Sender<bool>,
}

/// Why the admin plane could not start.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address}")]
pub struct AdminError {
    address: String,
    source: std::io::Error,
}

#[derive(Clone)]
struct Shared {
    plane: Arc<dyn DataPlane>,
    reloader: Arc<Reloader>,
    store: Option<Store>,
    draining: watch::Receiver<bool>,
    log: Option<Arc<Audit>>,
}

impl Admin {
    /// Starts to listen: serves the audit log where there is one, and looks for decisions in the store, too, where there is one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(
        address: &str,
        plane: Arc<dyn DataPlane>,
        reloader: Arc<Reloader>,
        log: Option<Arc<Audit>>,
        store: Option<Store>,
    ) -> Result<Self, AdminError> {
        let fault = |source| AdminError { address: address.into(), source };
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let (draining, watched) = watch::channel(false);
        let router = Router::new()
            .route("/healthz", get(|| async { "live\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/api/v1/standing", get(standing))
            .route("/api/v1/quality", get(quality::tell))
            .route("/api/v1/decisions", get(decisions::list))
            .route("/api/v1/decisions/{id}", get(decisions::one))
            .route("/audit/{*name}", get(audit::file))
            .route("/api/v1/history", get(decisions::history))
            .with_state(Shared { plane, reloader, store, draining: watched, log });
        #[expect(
            clippy::disallowed_methods,
            reason = "it answers until the process ends, so that a drain can be watched"
        )]
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(target: "evenkeel::admin", %error, "the admin plane stopped");
            }
        });
        Ok(Self { address, draining })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes `/readyz` fail from now on, so that nobody sends new work (F-175).
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }
}

async fn ready(State(shared): State<Shared>) -> Response {
    let draining = *shared.draining.borrow();
    let ready = shared.reloader.ready();
    match draining {
        false => Json(ready).into_response(),
        true => (StatusCode::SERVICE_UNAVAILABLE, Json(Ready { ready: false, ..ready })).into_response(),
    }
}

async fn standing(State(shared): State<Shared>) -> Response {
    let standing = shared.plane.standing().with_quality(shared.plane.quality(None));
    Json(standing.with_store(shared.store.as_ref().map(Store::state))).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = shared.plane.metrics();
    if let Some(log) = &shared.log {
        audit::measure(&mut text, &log.state(), Timestamp::now());
    }
    if let Some(store) = &shared.store {
        stored::measure(&mut text, &store.state());
    }
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

#[cfg(test)]
mod tests;
