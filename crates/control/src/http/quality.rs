//! `/api/v1/quality`: how often tiers are right, by labels that came after their answers.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::Shared;

/// Tells it of all routes, or of `route`, where that is named.
pub(super) async fn tell(State(shared): State<Shared>, Query(wanted): Query<BTreeMap<String, String>>) -> Response {
    let route = wanted.get("route").map(String::as_str);
    let quality = shared.plane.quality(route);
    match (route, quality.routes.is_empty()) {
        (Some(_), true) => {
            (StatusCode::NOT_FOUND, "there is no route of this name; see /api/v1/standing\n").into_response()
        }
        _ => Json(quality).into_response(),
    }
}
