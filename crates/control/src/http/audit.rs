//! `/audit/`: the log as its files are (C2SP `tlog-tiles`), for whoever verifies it, follows it, or cosigns its checkpoints.
//!
//! What is no checkpoint, tile or bundle is not served: beside them is the key.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use jiff::Timestamp;

use super::Shared;
use crate::audit::State as Standing;

/// What never changes may be kept for ever; a checkpoint is another one in ten seconds.
const TILE: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "application/octet-stream"),
    (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
];
const CHECKPOINT: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];

/// Serves a file of the log.
pub(super) async fn file(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let headers = if name == "checkpoint" { CHECKPOINT } else { TILE };
    let served = name == "checkpoint" || crate::audit::verify::is_a_tile(&name);
    let Some(log) = shared.log.filter(|_| served) else { return StatusCode::NOT_FOUND.into_response() };
    match tokio::fs::read(log.folder().join(name)).await {
        Ok(bytes) => (headers, bytes).into_response(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(target: "evenkeel::audit", %error, "a file of the audit log cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What ends a text of metrics (OpenMetrics).
const END: &str = "# EOF\n";

/// Adds how the log stands to metrics.
pub(super) fn measure(metrics: &mut String, standing: &Standing, now: Timestamp) {
    let Some(text) = metrics.strip_suffix(END) else { return };
    let mut text = text.to_owned();
    let mut gauge = |name: &str, help: &str, value: i64| {
        text.push_str(&format!("# HELP {name} {help}.\n# TYPE {name} gauge\n{name} {value}\n"));
    };
    gauge(
        UP,
        "Whether the audit log can be written, by this process or another",
        i64::from(!matches!(standing, Standing::Down(_) | Standing::Opening)),
    );
    if let Standing::Writing { entries, covered, since } = standing {
        gauge(TREE_SIZE, "Entries of the audit log that a checkpoint covers", *covered as i64);
        // Without new entries there is no new checkpoint, and nothing waits for one.
        let waits = if covered < entries { now.duration_since(*since).as_secs().max(0) } else { 0 };
        gauge(CHECKPOINT_AGE, "How long entries have waited for a checkpoint", waits);
    }
    text.push_str(END);
    *metrics = text;
}

const UP: &str = "evenkeel_audit_up";
const TREE_SIZE: &str = "evenkeel_audit_tree_size";
const CHECKPOINT_AGE: &str = "evenkeel_audit_checkpoint_age_seconds";
