//! `/api/v1/decisions`: the records of the last requests, as the data plane holds them in memory.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use evenkeel_api::Decisions;

use super::Shared;

/// Records that are told where nobody says how many.
const LAST: usize = 20;
/// Records that are told at most: a few MiB.
const MOST: usize = 1_000;

/// Tells the last ones, the newest first: of `route`, where that is named, and no more than `last`.
pub(super) async fn list(State(shared): State<Shared>, Query(wanted): Query<BTreeMap<String, String>>) -> Response {
    let most = match wanted.get("last").map(|last| last.parse::<usize>()) {
        None => LAST,
        Some(Ok(last)) => last.min(MOST),
        Some(Err(_)) => return (StatusCode::BAD_REQUEST, "`last` is a number\n").into_response(),
    };
    let route = wanted.get("route").map(String::as_str);
    Json(Decisions { decisions: shared.plane.decisions(route, most) }).into_response()
}

/// Tells one.
pub(super) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match shared.plane.decision(&id) {
        Some(decision) => Json(decision).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such decision among the last ones\n").into_response(),
    }
}
