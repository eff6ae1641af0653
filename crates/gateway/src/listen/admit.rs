//! Admit: a request that was read becomes a submission to the driver, whatever its client speaks.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_core::{Nanos, Operation, Protocol, RouteId, Wants};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{Fault, body::Body, enriched, read, send, terms, wants};
use crate::{
    ask::{Ask, Question},
    bodies::Held,
    cache::{self, Asked, Moment},
    driver::request::{Presence, Size, Submission, Terms, submit},
    gateway::Shared,
    guard::{Guard, Judged, Meaning},
    meant::Meant,
    protocol::{front::Front, problem::Problem},
    reply::{self, Reply},
    snapshot::Applied,
};

/// A request as one revision understands it.
pub(super) struct Prepared {
    pub(super) route: RouteId,
    pub(super) question: Question,
    pub(super) size: Size,
}

/// A request that was read, and believed in nothing yet.
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Counts the body.
    held: Arc<Held>,
}

impl Received {
    /// Makes one of a body that is counted in `held`.
    pub(super) fn new(headers: HeaderMap, body: Bytes, held: Held) -> Self {
        Self { headers, body, held: Arc::new(held) }
    }
}

/// Reads a request to its end.
pub(super) async fn receive(shared: &Shared, request: Request<Incoming>) -> Result<Received, Fault> {
    let bounds = read::Bounds::of(&shared.applied.load().deployment.server);
    let (head, body) = request.into_parts();
    let mut held = shared.bodies.hold();
    let body = read::body(&head.headers, body, bounds, &mut held).await?;
    Ok(Received::new(head.headers, body, held))
}

/// Lets a request in, and waits for its answer. `prepare` reads it as the revision in force does.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    received: Received,
    prepare: impl Fn(&Applied, &Bytes) -> Result<Prepared, Fault>,
) -> Result<Response<Body>, Fault> {
    ask(shared, received, prepare).await.map(|(reply, presence)| send(reply, presence))
}

/// Lets a request in, and waits for its reply, and the guard to keep until it was sent.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    received: Received,
    prepare: impl Fn(&Applied, &Bytes) -> Result<Prepared, Fault>,
) -> Result<(Reply, Option<Presence>), Fault> {
    let mut meant = None;
    let submitted = let_in(shared, received, (prepare, &mut meant)).await;
    let (front, reply, presence) = submitted.map_err(|fault| match meant {
        Some((applied, route)) => fault.on(&applied, &applied.deployment.revision.routes[route.index()].name),
        None => fault,
    })?;
    match reply.await {
        Ok(reply) => Ok((reply, Some(presence))),
        Err(_) => {
            shared.events.lost();
            Ok((lost(front), None))
        }
    }
}

/// Lets it in; says which route is meant as soon as that is known.
async fn let_in(
    shared: &Arc<Shared>,
    received: Received,
    (prepare, meant): (impl Fn(&Applied, &Bytes) -> Result<Prepared, Fault>, &mut Option<(Arc<Applied>, RouteId)>),
) -> Result<(Front, oneshot::Receiver<Reply>, Presence), Fault> {
    let Received { headers, body, held } = received;
    let now = Timestamp::now();
    let created = u64::try_from(now.as_second()).unwrap_or(0);
    let (decision, entropy) = (shared.entropy.ulid(now), shared.entropy.draw());
    let mut before = 0;
    loop {
        let applied = shared.applied.load_full();
        let prepared = prepare(&applied, &body)?;
        *meant = Some((applied.clone(), prepared.route));
        let (terms::Accepts { max_tier, min_confidence, cache }, forwarded) =
            (terms::accepts(&headers)?, terms::forwarded(&headers)?);
        let deadline = terms::deadline(&headers, prepared.size.operation.is_stream());
        let completed = enriched::complete(shared, &applied, prepared, (deadline, before, entropy)).await;
        let (Prepared { route, mut question, size }, spent) = completed?;
        if let Question::Infer(inference) = &mut question {
            let route = &applied.deployment.revision.routes[route.index()].name;
            inference.turn = shared.sequences.name(&mut inference.infer, route, &headers).map(Box::new);
        }
        let (private, explain) = (terms::private(&headers)?, terms::explain(&headers)?);
        let (names, said) = (&applied.deployment.revision.names, applied.deployment.routes[route.index()].wants);
        let wants = Wants { datatypes: wants::datatypes(&question), ..wants::wants(&headers, names, said)? };
        let time = Moment { clock: shared.driver.clock, entropy, left: deadline.unwrap_or(Nanos::MAX) };
        let meant = Arc::new(Meant::new(private || wants.regions.is_some()));
        let ask = Arc::new(Ask {
            question,
            body: body.clone(),
            headers: forwarded,
            decision: decision.clone(),
            revision: applied.name.clone(),
            created,
        });
        let front = ask.front();
        let cache = cache::Client { no_store: cache.no_store || private, ..cache };
        let (asked, spent) = look_up(&applied, (route, wants), (&ask, &headers, cache), (&meant, time, spent)).await;
        let (judged, spent) = judge(&applied, (route, &ask), (asked.as_ref(), max_tier), (&meant, time, spent)).await;
        let bodies = shared.bodies.share(applied.deployment.server.body_bytes.0);
        let whose = cache::whose(&headers, &applied.deployment.routes[route.index()].quality.vary);
        let session = applied.deployment.routes[route.index()].session_key.as_ref();
        let session = session.and_then(|it| cache::session(&headers, it));
        let terms = Terms {
            size,
            entropy,
            deadline,
            max_tier,
            min_confidence,
            wants,
            private,
            explain,
            whose,
            session,
            bodies,
            spent,
        };
        // None means that a reload came in between: the request is read again, as the new revision reads it, and what was
        // fetched under the old one has cost it its time all the same.
        before = spent;
        let submission = Submission { applied, route, ask, terms, asked, judged, meant, _held: held.clone() };
        if let Some((reply, presence)) = submit(&shared.driver, &shared.events, submission) {
            return Ok((front, reply, presence));
        }
    }
}

/// Judges the input of a request, where that may decide at which tier it starts; returns also what was spent on it so far.
async fn judge(
    applied: &Applied,
    (route, ask): (RouteId, &Ask),
    (asked, max_tier): (Option<&Asked>, Option<u8>),
    (meant, time, spent): (&Arc<Meant>, Moment, Nanos),
) -> (Option<Judged>, Nanos) {
    let Some(guard) = applied.guards[route.index()].as_deref().filter(|it| Guard::decides(it)) else {
        return (None, spent);
    };
    let begun = time.clock.now();
    let of = &applied.deployment.revision.routes[route.index()];
    let left = time.left.min(of.deadline).saturating_sub(spent);
    let held = || asked.zip(of.cache).is_some_and(|(asked, policy)| asked.holds_fresh(policy, max_tier));
    let meaning = async {
        match guard.weighs_meaning() {
            true if held() => Some(Meaning::LATE),
            true => guard.meaning(&ask.body, (meant, (time.entropy, left))).await,
            // Beside the first attempt, where it can move nothing (FAR-2).
            false => None,
        }
    };
    let judge = guard.judge(&ask.question, &ask.body, (begun, ask.question.oldest()));
    let (mut judged, meaning) = tokio::join!(judge, meaning);
    meaning.into_iter().for_each(|it| judged.told.hear(it));
    (Some(judged), spent.saturating_add(time.clock.now().saturating_sub(begun)))
}

/// Looks up what is kept of a request, as one revision keeps it; returns that, and what was spent on the request so far.
async fn look_up(
    applied: &Applied,
    (route, wants): (RouteId, Wants),
    (ask, headers, client): (&Ask, &HeaderMap, cache::Client),
    (meant, time, spent): (&Arc<Meant>, Moment, Nanos),
) -> (Option<Asked>, Nanos) {
    let of = &applied.deployment.revision.routes[route.index()];
    let mut asked = Asked::new(applied.caches[route.index()].as_ref(), &of.name, (ask, headers), (client, meant));
    asked.iter_mut().filter(|_| !applied.may_be_embedded(route, wants)).for_each(Asked::stay);
    let left = time.left.min(of.deadline).saturating_sub(spent);
    let took = match asked.as_mut().zip(of.cache) {
        Some((asked, policy)) => asked.fetch(policy, Moment { left, ..time }).await,
        None => 0,
    };
    (asked, spent + took)
}

fn lost(front: Front) -> Reply {
    let message = "the request was lost inside the gateway; it may be sent again";
    reply::refused(front, Problem::Overloaded, message, reply::Terms::soon())
}

/// Finds the route that a client names; an unknown name is not repeated (CL-11).
pub(super) fn find(applied: &Applied, name: &str, operation: Operation) -> Result<RouteId, &'static str> {
    let revision = &applied.deployment.revision;
    let speaks = match operation {
        Operation::Chat | Operation::ChatStream => Protocol::OpenaiChat,
        Operation::Embeddings => Protocol::OpenaiEmbeddings,
        Operation::Infer => Protocol::Oip,
    };
    match revision.route(name) {
        None => Err("there is no route of this name"),
        Some(route) if revision.routes[route.index()].protocol != speaks => {
            Err("this route does not answer at this address")
        }
        Some(route) => Ok(route),
    }
}
