//! Quality: how often each tier is right, from labels that come after the answer (`signals.md` §9).
//!
//! Every answer is held until its truth comes (`POST /v1/feedback`), joined by the id of its decision. What is held is the least that
//! a label can be compared with: a number, a truth value, or the digest of a text; never an input.
//!
//! ```text
//! record ------\
//! copy of it ----> queue -> one thread -> ledger of the route -> figures, every five seconds and when somebody asks
//! feedback ----/
//! ```
//!
//! # Invariants
//! - `QUAL-1`: no request waits for it: a record is put into a bounded queue, and where that fills up records are left out by the
//!   bits of their ids, never by what they say, and counted.
//! - `QUAL-2`: what is joined depends on the order of the queue alone: feedback stands behind the record that it speaks of.
//! - `QUAL-3`: no figure without how many rows stand behind it, its time, and what it takes for granted.
//!
//! # When it misleads
//! It is memory: it ends with the process, and beyond `quality.memory` the oldest are forgotten. Rows of one request count one by
//! one, though they are not independent: intervals of a route with large batches are too narrow.

mod answered;
mod copies;
mod item;
mod ledger;
mod publish;
mod read;
mod shown;
mod trial;
mod value;

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use evenkeel_api as api;
use evenkeel_config as config;
use evenkeel_core::{Decision, End, Signal};
use http::HeaderMap;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use ulid::Ulid;

pub(crate) use self::{
    answered::{Answered, Said, read as read_answer},
    copies::Copied,
    item::{Batch, Item, Malformed, parse},
    ledger::{Joined, Refused},
    publish::{publish, tell},
    trial::Tested,
    value::Value,
};
use self::{
    ledger::{Ledger, Row},
    shown::Shown,
    trial::Trial,
};
use crate::{events::Count, shadow::Shadowed, sure::Sure};

/// Records, copies and feedback that wait.
const WAITING: usize = 4_096;
/// How long answers are let come together; a label may wait as long before it is joined.
const PAUSE: Duration = Duration::from_millis(5);
/// Messages that are taken out of the queue at once.
const TOGETHER: usize = 256;
/// Rows of a request that are held.
pub(crate) const ROWS: usize = 1_024;

/// What a route is measured by, and since when each of its tiers is what it is.
pub(crate) struct Measured {
    pub(crate) route: String,
    pub(crate) spec: Arc<config::Quality>,
    /// Tier by tier: its name, and since when it answers as it does.
    pub(crate) tiers: Vec<(String, Timestamp)>,
    /// What is promised of its thresholds, and since when it is in force.
    pub(crate) certificate: Option<(Arc<config::Issued>, Timestamp)>,
}

/// Where records and labels meet.
pub(crate) struct Quality {
    book: Arc<Mutex<Book>>,
    shown: Arc<Shown>,
    queue: mpsc::Sender<Message>,
    count: Count,
}

/// The ledgers of all routes.
#[derive(Default)]
struct Book(BTreeMap<String, Ledger>);

enum Message {
    Decided(Decided),
    Copied(Copied),
    Labels(Labels),
    /// It is time to compute figures, ns.
    Tick(u64),
}

/// An answer that waits for its labels.
struct Decided {
    id: u128,
    at: u64,
    route: String,
    /// Tier by tier, by name.
    tiers: Vec<String>,
    /// How many steps its route had gone back from its certificate.
    steps: u8,
    answered: Answered,
    rows: Vec<Row>,
}

/// Feedback, with whoever gives it.
struct Labels {
    at: u64,
    headers: HeaderMap,
    items: Vec<Result<Item, Malformed>>,
    answer: oneshot::Sender<Vec<Result<Joined, Refused>>>,
}

impl Quality {
    /// Starts the thread that joins; it ends with this.
    pub(crate) fn start(count: Count) -> Self {
        let (queue, messages) = mpsc::channel(WAITING);
        let book = Arc::new(Mutex::new(Book::default()));
        let shown = Arc::<Shown>::default();
        let (shared, figures, counts) = (book.clone(), shown.clone(), count.clone());
        let work = move || work(messages, (&shared, &figures), &counts);
        let started = thread::Builder::new().name("quality".into()).spawn(work);
        if let Err(error) = started {
            tracing::error!(target: "evenkeel::quality", %error, "labels are not joined: no thread can be started");
        }
        Self { book, shown, queue, count }
    }

    /// Notes what routes are measured by. A route that is gone is forgotten; of a tier that has become another one, what was before.
    pub(crate) fn applied(&self, measured: Vec<Measured>) {
        let mut book = self.book.lock();
        let is_there = |name: &str| measured.iter().any(|it| it.route == name);
        book.0.retain(|name, _| is_there(name));
        self.shown.keep(is_there);
        for it in measured {
            let ledger = book.0.entry(it.route).or_insert_with(|| Ledger::new(it.spec.clone()));
            ledger.applied(it.spec, &it.tiers);
            ledger.certified(it.certificate.as_ref());
        }
    }

    /// Holds the answer of a request that is over, where it got one.
    pub(crate) fn decided(&self, decision: &Decision, id: &str, at: Timestamp, of: (Answered, Option<&Sure>)) {
        let (answered, sure) = of;
        let (End::Answered, Some(tier), Ok(id)) = (decision.outcome.end, decision.outcome.tier, Ulid::from_string(id))
        else {
            return;
        };
        let route = &decision.revision.routes[decision.route.index()];
        let p = |row: usize| sure.and_then(|it| it.rows.get(row).copied());
        let rows = match &answered.rows {
            rows if rows.is_empty() => vec![Row::new(tier, None, p(0))],
            rows => {
                rows.iter().enumerate().map(|(at, it)| Row::new(it.tier.unwrap_or(tier), it.value, p(at))).collect()
            }
        };
        let tiers = route.tiers.iter().map(|it| it.name.clone()).collect();
        let at = nanos(at).saturating_sub(decision.outcome.latency);
        let stepped = decision.facts.iter().find(|fact| fact.signal == Signal::CertificateSteps);
        let steps = stepped.map_or(0, |fact| u8::try_from(fact.value).unwrap_or(u8::MAX));
        let decided = Decided { id: id.0, at, route: route.name.clone(), tiers, steps, answered, rows };
        let name = route.tiers[usize::from(tier)].name.clone();
        self.put(decided.id, Message::Decided(decided), (&route.name, &name));
    }

    /// Notes what a copy of a request said.
    pub(crate) fn copied(&self, it: &Shadowed, said: Vec<Option<Value>>) {
        let Ok(id) = Ulid::from_string(&it.decision) else { return };
        let copied = Copied::new((id.0, nanos(Timestamp::now())), it, said);
        self.put(id.0, Message::Copied(copied), (&it.route, &it.path));
    }

    /// Joins feedback to what it speaks of, item by item; none where this process is ending.
    pub(crate) async fn label(
        &self,
        headers: HeaderMap,
        items: Vec<Result<Item, Malformed>>,
        at: Timestamp,
    ) -> Option<Vec<Result<Joined, Refused>>> {
        let (answer, answered) = oneshot::channel();
        let labels = Labels { at: nanos(at), headers, items, answer };
        self.queue.send(Message::Labels(labels)).await.ok()?;
        answered.await.ok()
    }

    /// Says how often the tiers of a route are right.
    pub(crate) fn read(&self, route: &str, now: Timestamp) -> Option<api::RouteQuality> {
        let mut book = self.book.lock();
        let ledger = book.0.get_mut(route)?;
        Some((*self.shown.asked(route, ledger, nanos(now))).clone())
    }

    /// Says it of all routes.
    pub(crate) fn read_all(&self, now: Timestamp) -> api::Quality {
        let mut book = self.book.lock();
        let of = |(name, it): (&String, &mut Ledger)| (*self.shown.asked(name, it, nanos(now))).clone();
        api::Quality { as_of: now, routes: book.0.iter_mut().map(of).collect() }
    }

    /// Has figures computed that have changed. Where the queue is full, the next tick does it.
    pub(crate) fn tick(&self, now: Timestamp) {
        let _ = self.queue.try_send(Message::Tick(nanos(now)));
    }

    /// Returns what was computed last (QUAL-4).
    pub(crate) fn shown(&self) -> Vec<Arc<api::RouteQuality>> {
        self.shown.all()
    }

    /// Says how the certificate of a route stands by what was seen in service; none where it has none.
    pub(crate) fn tested(&self, route: &str) -> Option<Tested> {
        self.book.lock().0.get(route)?.trial.as_ref().map(Trial::read)
    }

    /// QUAL-1.
    fn put(&self, id: u128, message: Message, (route, path): (&str, &str)) {
        let entered = enters(id, self.queue.capacity()) && self.queue.try_send(message).is_ok();
        if !entered {
            self.count.one(route, path, "dropped");
        }
    }
}

/// Says whether what has this id enters a queue with so much room: all while half of it is free, then every second, then one in
/// eight. The lower bits of an id are drawn.
fn enters(id: u128, free: usize) -> bool {
    let bits = id as u64;
    match (free * 4).div_ceil(WAITING) {
        0 => false,
        1 => bits.is_multiple_of(8),
        2 => bits.is_multiple_of(2),
        _ => true,
    }
}

fn work(mut messages: mpsc::Receiver<Message>, (book, shown): (&Mutex<Book>, &Shown), count: &Count) {
    let mut together = Vec::new();
    // To be woken for each answer would cost more than to note it: some are let come together.
    while messages.blocking_recv_many(&mut together, TOGETHER) > 0 {
        // Who labels waits for an answer; and where more wait, they have come together already.
        let go_on = together.len() == TOGETHER || together.iter().any(|it| matches!(it, Message::Labels(_)));
        together.drain(..).for_each(|it| take(it, (book, shown), count));
        if !go_on {
            thread::sleep(PAUSE);
        }
    }
}

fn take(message: Message, (book, shown): (&Mutex<Book>, &Shown), count: &Count) {
    match message {
        Message::Decided(it) => book.lock().decided(it, count),
        Message::Copied(it) => book.lock().copied(it),
        Message::Labels(Labels { at, headers, items, answer }) => {
            // The lock is let go between two, for who reads.
            let join = |item| book.lock().label((at, &headers), item, count);
            // Nobody listens any more where the client has left.
            let _ = answer.send(items.into_iter().map(join).collect());
        }
        Message::Tick(now) => {
            let routes: Vec<String> = book.lock().0.keys().cloned().collect();
            // Here, too, for who reads.
            routes.iter().for_each(|name| book.lock().tick(name, shown, now));
        }
    }
}

impl Book {
    fn tick(&mut self, route: &str, shown: &Shown, now: u64) {
        if let Some(ledger) = self.0.get_mut(route) {
            ledger.settle(now);
            shown.tick(route, ledger, now);
        }
    }

    fn decided(&mut self, it: Decided, count: &Count) {
        // Its route is gone.
        let Some(ledger) = self.0.get_mut(&it.route) else { return };
        let route = it.route.clone();
        ledger.decided(it).iter().for_each(|path| count.one(&route, path, "forgotten"));
    }

    fn copied(&mut self, it: Copied) {
        if let Some(ledger) = self.0.get_mut(&it.route) {
            ledger.copied(it);
        }
    }

    fn label(
        &mut self,
        (at, headers): (u64, &HeaderMap),
        item: Result<Item, Malformed>,
        count: &Count,
    ) -> Result<Joined, Refused> {
        let (joined, of) = match item {
            Ok(item) => match self.0.iter_mut().find(|(_, it)| it.holds(item.decision)) {
                Some((route, ledger)) => {
                    let joined = ledger.label((at, headers), &item);
                    (joined, ledger.paths(item.decision).into_iter().map(|path| (route.as_str(), path)).collect())
                }
                None => (Err(ledger::unknown(item.decision, at)), Vec::new()),
            },
            Err(malformed) => (Err(Refused::Malformed(malformed)), Vec::new()),
        };
        let kind = joined.as_ref().map_or_else(Refused::kind, |it| it.kind());
        of.iter().for_each(|(route, path)| count.one(route, path, kind));
        if of.is_empty() {
            // Whose route and tier nobody knows.
            count.one("none", "none", kind);
        }
        joined
    }
}

/// Returns a time as nanoseconds since 1970.
fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

/// Returns such a time as people name it.
fn wall(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qual_1_a_queue_that_fills_up_leaves_records_out_by_the_bits_of_their_ids() {
        let entered = |free: usize| (0..1_000_u128).filter(|id| enters(*id, free)).count();
        assert_eq!(
            [WAITING, WAITING / 2 + 1, WAITING / 2, WAITING / 4, 1, 0].map(entered),
            [1_000, 1_000, 500, 125, 125, 0]
        );
        assert!(enters(8, 1) && !enters(9, 1), "the same ones, whatever they say");
    }
}
