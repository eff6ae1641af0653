//! `POST /v1/feedback`: what became of earlier answers, joined to them by the ids of their decisions.
//!
//! One object is answered for itself, by its status; several are answered 200, each with what became of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::{Value, json};
use ulid::Ulid;

use super::{
    Fault,
    admit::{self, Received},
    body::Body,
    send,
};
use crate::{
    gateway::Shared,
    protocol::problem::Problem,
    quality::{self, Batch, Item, Joined, Malformed, Refused},
    reply::{self, Reply},
};

/// Bytes of one request.
const MOST: usize = 2 << 20;

/// Joins feedback.
pub(super) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    let Received { headers, body, .. } = admit::receive(shared, request).await?;
    if body.len() > MOST {
        let message = format!("feedback is larger than {MOST} bytes; send the rest in another request");
        return Err(Fault::new(Problem::TooLarge, "too_large", message));
    }
    let bad = |message| Fault::new(Problem::Invalid, "bad_feedback", message);
    let Batch { items, alone } = quality::parse(&body).map_err(bad)?;
    let ids: Vec<Option<String>> = items.iter().map(id).collect();
    let joined = shared.events.quality.label(headers, items, Timestamp::now()).await;
    let joined = joined.ok_or_else(|| Fault::new(Problem::Overloaded, "draining", "this replica is stopping"))?;
    let body = match (alone, &joined[..]) {
        (true, [Err(why)]) => return Err(refused(why)),
        (true, [Ok(it)]) => json!({"decision": ids[0], "status": it.kind()}),
        _ => several(&ids, &joined),
    };
    let headers = reply::json(HeaderMap::new());
    Ok(send(Reply::Whole { status: 200, headers, body: Bytes::from(body.to_string()).into() }, None))
}

fn id(item: &Result<Item, Malformed>) -> Option<String> {
    item.as_ref().ok().map(|it| Ulid(it.decision).to_string())
}

fn refused(why: &Refused) -> Fault {
    let (problem, kind) = match why {
        Refused::Unknown => (Problem::UnknownUrl, "unknown_decision"),
        Refused::Late => (Problem::UnknownUrl, "late_feedback"),
        _ => (Problem::Invalid, "bad_feedback"),
    };
    Fault::new(problem, kind, why.message())
}

fn several(ids: &[Option<String>], joined: &[Result<Joined, Refused>]) -> Value {
    let count = |kind| joined.iter().filter(|it| matches!(it, Ok(it) if *it == kind)).count();
    let one = |(id, it): (&Option<String>, &Result<Joined, Refused>)| match it {
        Ok(it) => json!({"decision": id, "status": it.kind()}),
        Err(why) => json!({"decision": id, "status": why.kind(), "message": why.message()}),
    };
    json!({
        "counted": count(Joined::Counted),
        "replaced": count(Joined::Replaced),
        "refused": joined.iter().filter(|it| it.is_err()).count(),
        "items": ids.iter().zip(joined).map(one).collect::<Vec<_>>(),
    })
}
