//! Submit: hands a request to the core, and starts its task.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use evenkeel_core::{
    Admit, CommitPoint, Features, ImputedPolicy, Lookup, Nanos, Operation, Permille, RequestId, RouteId, Wants,
};
use http::HeaderMap;
use jiff::Timestamp;
use tokio::sync::oneshot;
use ulid::Ulid;

use super::{
    Task,
    batch::{self, Batch},
    client::{Client, Presence},
    drift,
    guarding::Judging,
};
use crate::{
    ask::Ask,
    bill::Bill,
    bodies::Held,
    cache::Asked,
    driver::{Driver, hold::Hold},
    events::Events,
    guard::Judged,
    meant::Meant,
    reply::Reply,
    snapshot::Applied,
    splice::Sent,
};

/// A request on its way, from the handler's side.
pub(crate) struct Submission {
    pub(crate) applied: Arc<Applied>,
    pub(crate) route: RouteId,
    pub(crate) ask: Arc<Ask>,
    pub(crate) terms: Terms,
    /// What its input is like, where that may decide about it.
    pub(crate) judged: Option<Judged>,
    /// What its text means, where somebody has asked.
    pub(crate) meant: Arc<Meant>,
    /// What it is to the cache of its route; none where nothing may be kept of it.
    pub(crate) asked: Option<Asked>,
    /// Counts the body until the request is over.
    pub(crate) _held: Arc<Held>,
}

/// How large a request is, in every unit that a decision needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) operation: Operation,
    /// Of its budget, in thousandths of a token.
    pub(crate) cost: u64,
    /// Among the work of a replica (F-080).
    pub(crate) weight: u64,
    /// The least that it can have.
    pub(crate) tokens: u64,
    pub(crate) needs: Features,
}

/// What the client asks of the decision itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) size: Size,
    pub(crate) entropy: u64,
    pub(crate) deadline: Option<Nanos>,
    pub(crate) max_tier: Option<u8>,
    /// How likely an answer must be right that the client accepts (F-168).
    pub(crate) min_confidence: Option<Permille>,
    pub(crate) wants: Wants,
    /// The client wants no copy made of it.
    pub(crate) private: bool,
    /// The client wants its record kept whole.
    pub(crate) explain: bool,
    /// Whose request it is: who else labels it does not count.
    pub(crate) whose: u64,
    /// The session that it belongs to, by the header that its route names.
    pub(crate) session: Option<u128>,
    pub(crate) bodies: Permille,
    /// What was spent on it before.
    pub(crate) spent: Nanos,
}

/// Admits a request and starts its task; returns where its reply arrives, and the guard to keep until it was sent. None
/// where another revision has come into force since the submission was made: it is to be made again.
pub(crate) fn submit(
    driver: &Arc<Driver>,
    events: &Arc<Events>,
    it: Submission,
) -> Option<(oneshot::Receiver<Reply>, Presence)> {
    let mut earlier = None;
    // Looked up in the moment of the admission: what is kept in between would else be asked for again (F-145).
    let admission = |id| {
        let now = Timestamp::now();
        earlier = it.asked.as_ref().and_then(|asked| asked.find(now));
        let cache = it.asked.as_ref().map(|asked| asked.lookup(earlier.as_deref(), now));
        Admit { cache: cache.unwrap_or_default(), ..it.admission(id) }
    };
    let name = Ulid::from_string(&it.ask.decision).ok().map(|it| it.0);
    let (id, mail) = driver.admit(&it.applied.deployment.revision, name, admission)?;
    let (reply, receiver) = oneshot::channel();
    let (presence, gone) = Presence::new();
    let task = Task {
        client: Client::new(reply, gone, Duration::from_nanos(it.applied.deployment.server.write.0)),
        attempt: None,
        beside: Vec::new(),
        panel: None,
        unsure: Vec::new(),
        votes: Vec::new(),
        ended: Vec::new(),
        batch: Batch::of(&it),
        hold: Hold::new(CommitPoint::FirstContent, 0),
        headers: HeaderMap::new(),
        model: "".into(),
        object: String::new(),
        sent: Sent::default(),
        identity: None,
        mending: None,
        skipped: false,
        parts: Vec::new(),
        begun: None,
        bill: Bill::default(),
        found: Vec::new(),
        copy: it.asked.as_ref().filter(|_| it.ask.is_stream()).map(|asked| asked.cache.copy()),
        earlier,
        waited: false,
        near: it.asked.as_ref().and_then(|asked| asked.near.clone()),
        came: it.asked.as_ref().and_then(|asked| asked.came),
        calibrated: Vec::new(),
        notes: Vec::new(),
        said: OnceLock::new(),
        finish: None,
        source: None,
        shadow: None,
        steps: 0,
        told_at: 0,
        unread: false,
        judging: Judging::beside(&it, driver.clock),
        rows: drift::Rows::default(),
        lesson: None,
        spoken: drift::Spoken::default(),
        id,
        driver: driver.clone(),
        events: events.clone(),
        it,
    };
    #[expect(clippy::disallowed_methods, reason = "the driver counts its open requests, and a drain waits for them")]
    tokio::spawn(task.run(mail));
    Some((receiver, presence))
}

impl Submission {
    /// Returns how the route takes imputed rows: those of a sequence all or none (OIP-36).
    pub(super) fn imputed(&self) -> ImputedPolicy {
        let imputed = self.applied.deployment.revision.routes[self.route.index()].imputed;
        ImputedPolicy { split: imputed.split && self.ask.turn().is_none(), ..imputed }
    }

    fn admission(&self, request: RequestId) -> Admit {
        let Terms { size, entropy, deadline, max_tier, min_confidence, wants, private, bodies, spent, .. } = self.terms;
        let Size { operation, cost, weight, tokens, needs } = size;
        let imputed = self.ask.enriched().map_or(Permille::new(0), |it| it.share);
        Admit {
            request,
            route: self.route,
            operation,
            deadline,
            entropy,
            cost,
            weight,
            needs,
            wants,
            tokens,
            max_tier,
            min_confidence,
            pure: self.ask.is_pure(),
            private,
            bodies,
            spent,
            imputed,
            rows: batch::rows(self),
            sequence: self.ask.turn().map(|turn| turn.sequence),
            cache: Lookup::default(),
            verdict: self.judged.as_ref().map(|it| it.told.verdict()).unwrap_or_default(),
        }
    }
}
