//! `/api/v1/decisions` and `/api/v1/history`: what the data plane holds in memory, the newest, and what the store has.
//!
//! A record is in memory at once, and in the store a second or two later; each is told once. Where the store cannot be asked, what is in
//! memory is told all the same, and that it is not all.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use evenkeel_api::{Decisions, StoreState, Told};
use jiff::Timestamp;

use super::Shared;
use crate::store::{Before, Times, Wanted};

/// The pairs of a query, as they were sent.
type Pairs = Query<Vec<(String, String)>>;

fn pairs(pairs: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

fn no(status: StatusCode, why: impl std::fmt::Display) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// Tells those that are wanted, the newest first.
pub(super) async fn list(State(shared): State<Shared>, query: Pairs) -> Response {
    let wanted = match Wanted::read(pairs(&query)) {
        Ok(wanted) => wanted,
        Err(why) => return no(StatusCode::BAD_REQUEST, why),
    };
    let mut decisions = in_memory(&shared, &wanted).await;
    let mut incomplete = None;
    if let Some(store) = &shared.store {
        match store.list(&wanted).await {
            Ok(stored) => decisions.extend(stored),
            Err(fault) => incomplete = Some(format!("the decision store cannot be asked ({})", fault.class.name())),
        }
        incomplete = incomplete.or_else(|| missing(&store.state()));
    }
    decisions.sort_by(|a, b| (b.time().as_millisecond(), b.id()).cmp(&(a.time().as_millisecond(), a.id())));
    let mut seen = BTreeSet::new();
    decisions.retain(|it| seen.insert(it.id().to_owned()));
    decisions.truncate(wanted.most());
    let full = decisions.len() == wanted.most();
    let next = decisions.last().filter(|_| full).map(|it| Before::of(it).to_string());
    Json(Decisions { decisions, next, incomplete }).into_response()
}

/// Says why the store has not all that is on disk; none where it has.
fn missing(state: &StoreState) -> Option<String> {
    if let Some((name, why)) = state.unread.first_key_value() {
        return Some(format!("what instance {name} wrote cannot be read ({why})"));
    }
    let waiting = state.behind_n;
    (waiting > 0).then(|| format!("{waiting} records or more are not in the decision store yet"))
}

/// Returns what the data plane holds of those that are wanted.
async fn in_memory(shared: &Shared, wanted: &Wanted) -> Vec<Told> {
    let (plane, wanted) = (shared.plane.clone(), wanted.clone());
    let look = move || {
        // Records are rendered to be told apart, all of them where more than their route matters.
        let most = if wanted.is_narrow() { usize::MAX } else { wanted.most() };
        let records = plane.decisions(wanted.route.as_deref(), most).into_iter();
        records.map(|it| Told::Whole(Box::new(it))).filter(|it| wanted.takes(it)).take(wanted.most()).collect()
    };
    // It is the work of milliseconds, which the data plane has other uses for.
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Tells one.
pub(super) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    if let Some(decision) = shared.plane.decision(&id) {
        return Json(decision).into_response();
    }
    let Some(store) = &shared.store else {
        return no(
            StatusCode::NOT_FOUND,
            "there is no such decision among the last ones, and no store of others (`store: off`)",
        );
    };
    match store.find(&id).await {
        Ok(Some(told)) => Json(told).into_response(),
        Ok(None) => no(StatusCode::NOT_FOUND, "there is no such decision"),
        Err(fault) => {
            let class = fault.class.name();
            let why = format!(
                "there is no such decision among the last ones, and the decision store cannot be asked ({class})"
            );
            no(StatusCode::SERVICE_UNAVAILABLE, why)
        }
    }
}

/// Tells what decisions came to, in spans.
pub(super) async fn history(State(shared): State<Shared>, query: Pairs) -> Response {
    let times = match Times::read(pairs(&query), Timestamp::now()) {
        Ok(times) => times,
        Err(why) => return no(StatusCode::BAD_REQUEST, why),
    };
    let Some(store) = &shared.store else {
        return no(StatusCode::NOT_FOUND, "there is no decision store (`store: off`)");
    };
    match store.history(&times).await {
        Ok(history) => Json(history).into_response(),
        Err(fault) => {
            let why = format!("the decision store cannot be asked ({})", fault.class.name());
            no(StatusCode::SERVICE_UNAVAILABLE, why)
        }
    }
}
