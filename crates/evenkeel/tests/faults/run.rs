//! Run: one play of one row, on a route of its own: it asks, looks at both sides, claims what must hold, and keeps what was seen.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Display},
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    client::Got,
    exchange::{Exchange, outcome},
    house::{House, Which},
    provider::Attempt,
    row::Row,
};

/// How long a record or a line of the log may take to be there.
const SOON: Duration = Duration::from_secs(20);

/// How many bytes are shown of what stood in place of what was claimed.
const SHOWN: usize = 1_000;

/// One run.
pub(crate) struct Run {
    pub(crate) house: Rc<House>,
    pub(crate) which: Which,
    /// The name of its route, and of its model at both providers.
    pub(crate) route: String,
    /// Claims that did not hold.
    pub(crate) failed: Vec<String>,
    pub(crate) seen: Seen,
}

/// A column of the scorecard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Path,
    Record,
}

/// What was seen, in words, and what was measured.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) words: Vec<(Side, String)>,
    /// By name and unit: the least and the most.
    pub(crate) measures: BTreeMap<(Side, &'static str, &'static str), (f64, f64)>,
}

impl Run {
    pub(crate) fn new(row: &'static Row, which: Which, house: Rc<House>) -> Run {
        Run { house, which, route: which.route(row), failed: Vec::new(), seen: Seen::default() }
    }

    /// Makes a second client of the same route.
    pub(crate) fn beside(&self) -> Run {
        let (house, which, route) = (self.house.clone(), self.which, self.route.clone());
        Run { house, which, route, failed: Vec::new(), seen: Seen::default() }
    }

    /// Makes a client of another route.
    pub(crate) fn beside_at(&self, route: &str) -> Run {
        Run { route: route.to_owned(), ..self.beside() }
    }

    pub(crate) fn stream(&self) -> bool {
        self.which.stream
    }

    /// Says whether this is the variant of a name.
    pub(crate) fn is(&self, variant: &str) -> bool {
        self.which.variant.name == variant
    }

    /// Breaks the primary as the variant says.
    pub(crate) async fn break_primary(&self) {
        self.set_primary(self.which.variant.fault).await;
    }

    /// Breaks the primary's model.
    pub(crate) async fn set_primary(&self, faults: &str) {
        self.house.primary.set_faults(&self.route, faults).await;
    }

    /// Breaks the lower tier's model.
    pub(crate) async fn set_lower(&self, faults: &str) {
        self.house.lower.set_faults(&self.route, faults).await;
    }

    /// Returns a chat request to a model.
    pub(crate) fn chat(&self, model: &str) -> Value {
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
        if self.which.stream {
            body["stream"] = true.into();
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    /// Breaks the primary as the variant says, asks once, and looks at both sides.
    pub(crate) async fn once(&mut self) -> Exchange {
        self.break_primary().await;
        let exchange = self.ask().await;
        self.describe(&exchange).await;
        exchange
    }

    /// Asks the route.
    pub(crate) async fn ask(&mut self) -> Exchange {
        let body = self.chat(&self.route);
        self.ask_with(&body, &[]).await
    }

    /// Asks with a body and headers, and holds the answer against what every row asks.
    pub(crate) async fn ask_with(&mut self, body: &Value, headers: &[(&str, &str)]) -> Exchange {
        let got = self.post(Bytes::from(body.to_string()), headers).await;
        self.recorded(got).await
    }

    /// Holds an answer of the route against what every row asks: one outcome, and its record.
    pub(crate) async fn recorded(&mut self, got: Got) -> Exchange {
        let record = self.record(got.header("evenkeel-decision")).await;
        let one = got.is_whole() || got.is_error();
        self.must(one, "one terminal outcome, whole or an error in the client's dialect", &got);
        let told = (&record["outcome"]["status"], &record["route"]);
        self.must(told == (&got.status.into(), &self.route.clone().into()), "a record of this answer", &record);
        Exchange { got, record }
    }

    /// Asks so many times at once.
    pub(crate) async fn many(&mut self, count: usize) -> Vec<Exchange> {
        let mut asking = JoinSet::new();
        for _ in 0..count {
            let mut one = self.beside();
            asking.spawn_local(async move { (one.ask().await, one.failed) });
        }
        let mut answers = Vec::with_capacity(count);
        for (it, failed) in asking.join_all().await {
            self.failed.extend(failed);
            answers.push(it);
        }
        answers
    }

    /// Posts a body to the route's protocol, whatever comes back.
    pub(crate) async fn post(&mut self, body: Bytes, headers: &[(&str, &str)]) -> Got {
        let headers = [&[("content-type", "application/json")], headers].concat();
        let posted = self.house.client.post(self.house.data, "/v1/chat/completions", body, &headers).await;
        posted.unwrap_or_else(|error| panic!("no answer at all: {error}"))
    }

    /// Returns the record of a decision.
    pub(crate) async fn record(&self, decision: &str) -> Value {
        let path = format!("/v1/decisions/{decision}");
        let look = async || {
            let got = self.house.client.send(self.house.data, "GET", &path, String::new()).await;
            (got.status == 200).then(|| got.json())
        };
        self.until(look).await.unwrap_or_default()
    }

    /// Looks until something is there; none where it does not come soon.
    pub(crate) async fn until<T>(&self, look: impl AsyncFn() -> Option<T>) -> Option<T> {
        self.until_within(SOON, look).await
    }

    /// Looks until something is there; none where it does not come in time. The longer it may take, the less often.
    pub(crate) async fn until_within<T>(&self, most: Duration, look: impl AsyncFn() -> Option<T>) -> Option<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = look().await {
                return Some(found);
            }
            if start.elapsed() > most {
                return None;
            }
            tokio::time::sleep(most / 1_000).await;
        }
    }

    /// Returns what the primary's provider saw of this route.
    pub(crate) async fn primary_saw(&self) -> Vec<Attempt> {
        self.house.primary.saw(&self.route).await
    }

    /// Returns what the lower tier's provider saw of this route.
    pub(crate) async fn lower_saw(&self) -> Vec<Attempt> {
        self.house.lower.saw(&self.route).await
    }

    /// Returns what the route's model says when nothing breaks: the same at both providers.
    pub(crate) async fn whole_text(&self) -> String {
        self.house.lower.say(&self.chat(&self.route)).await.said()
    }

    /// Returns the transitions of this route, as the gateway has logged them.
    pub(crate) fn transitions(&self) -> Vec<Value> {
        let lines = self.house.gateway.lines("evenkeel::transition\"");
        lines.into_iter().filter(|line| line["route"] == *self.route).collect()
    }

    /// Returns the state of the primary's breaker.
    pub(crate) async fn breaker(&self) -> String {
        self.primary_state().await["breaker"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns what the primary's first replica says of itself.
    pub(crate) async fn readiness(&self) -> String {
        self.primary_state().await["readiness"][0].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the primary may not be asked; claims that this comes.
    pub(crate) async fn closed_off(&mut self, why: &str) {
        let closed = self.until(async || (self.primary_state().await["eligible"] == false).then_some(())).await;
        self.must(closed.is_some(), why, &());
    }

    /// Waits until the primary's breaker is in a state; claims that this comes.
    pub(crate) async fn breaker_is(&mut self, state: &str) {
        let seen = self.until(async || (self.breaker().await == state).then_some(())).await;
        let now = self.breaker().await;
        self.must(seen.is_some(), state, &now);
    }

    /// Waits until the primary's provider has written some of its answer to the first request.
    pub(crate) async fn begun(&mut self) {
        let some = async || self.primary_saw().await.first().filter(|it| it.tokens > 0).map(drop);
        let begun = self.until(some).await;
        self.must(begun.is_some(), "the answer has begun", &());
    }

    async fn primary_state(&self) -> Value {
        let path = format!("/v1/routes/{}/state", self.route);
        let mut state = self.house.client.send(self.house.data, "GET", &path, String::new()).await.json();
        state["tiers"][0].take()
    }

    /// Claims that the metric counts so many more requests as refused before they were admitted, beside all that other runs have
    /// told of; and notes it.
    pub(crate) async fn counted(&mut self, refused: usize) {
        const COUNTER: &str = "evenkeel_refused_before_admission_total";
        let told = self.house.refused.get() + refused;
        self.house.refused.set(told);
        let counted = self.until(async || (self.house.metric(COUNTER).await >= told as f64).then_some(())).await;
        self.must(counted.is_some(), "each refusal is counted", &(told, self.house.metric(COUNTER).await));
        self.saw(Side::Record, format!("counted in `{COUNTER}`"));
    }

    /// Claims something; what is there instead is told where it does not hold.
    pub(crate) fn must(&mut self, holds: bool, claim: &str, instead: &impl Debug) {
        if !holds {
            let mut instead = format!("{instead:?}");
            for noise in ["Object ", "Array ", "String(", "Number("] {
                instead = instead.replace(noise, "");
            }
            let end = (0..=SHOWN.min(instead.len())).rev().find(|at| instead.is_char_boundary(*at)).unwrap_or(0);
            instead.truncate(end);
            self.failed.push(format!("{claim}; but {instead}"));
        }
    }

    /// Claims that an answer was over in time: by the gateway's own record, and by the client's clock with what the machine
    /// was late by on top.
    pub(crate) fn in_time(&mut self, it: &Exchange, within: Duration) {
        let told = Duration::from_micros(it.record["outcome"]["latency_us"].as_u64().unwrap_or(u64::MAX >> 20));
        let noise = self.house.late.get() + Duration::from_millis(250);
        let holds = told <= within && it.got.took <= within + noise;
        self.must(holds, "over in time", &(it.got.took, "by the record", told, "allowed", within, "late", noise));
    }

    /// Claims that something is another thing.
    pub(crate) fn must_be<T: PartialEq + Debug>(&mut self, found: T, wanted: T, claim: &str) {
        let holds = found == wanted;
        self.must(holds, claim, &(found, "in place of", wanted));
    }

    /// Notes what was seen, in words.
    pub(crate) fn saw(&mut self, side: Side, words: impl Into<String>) {
        self.seen.words.push((side, words.into()));
    }

    /// Notes a time, which the scorecard shows as the least and the most of all runs.
    pub(crate) fn timed(&mut self, side: Side, name: &'static str, time: Duration) {
        self.measured((side, name, "s"), time.as_secs_f64());
    }

    /// Claims that the most memory that the gateway ever had is less than so many MiB above what it was, and notes both.
    pub(crate) fn grew_by_less_than(&mut self, before_kib: u64, most_mib: u64) {
        let now_kib = self.house.gateway.peak_kib();
        self.measured((Side::Path, "VmHWM from", "MiB"), before_kib as f64 / 1024.0);
        self.measured((Side::Path, "VmHWM to", "MiB"), now_kib as f64 / 1024.0);
        let bounded = now_kib.saturating_sub(before_kib) < most_mib * 1024;
        self.must(bounded, "bounded memory", &(before_kib, now_kib));
    }

    fn measured(&mut self, name: (Side, &'static str, &'static str), value: f64) {
        let range = self.seen.measures.entry(name).or_insert((value, value));
        *range = (range.0.min(value), range.1.max(value));
    }

    /// Notes one request as each side saw it.
    pub(crate) async fn describe(&mut self, it: &Exchange) {
        let primary = self.primary_saw().await;
        self.describe_of(it, &primary);
    }

    /// Notes one request as each side saw it; some attempts at the primary are its own.
    pub(crate) fn describe_of(&mut self, it: &Exchange, primary: &[Attempt]) {
        self.saw(Side::Client, outcome(&it.got));
        let left = primary.iter().filter(|it| it.client_gone).count();
        let cancelled = if left > 0 { ", cancelled" } else { "" };
        self.saw(Side::Path, format!("P = {}{cancelled}", primary.len()));
        let attempts = it.record["attempts"].as_array().into_iter().flatten();
        let results = attempts.map(|it| format!("`{}`", it["result"].as_str().unwrap_or_default()));
        let mut words: Vec<String> = results.collect();
        words.push(it.reason().to_owned());
        self.saw(Side::Record, words.join(", "));
    }
}

/// Says how many there are of each: `2 × 400, 413`.
pub(crate) fn counts<T: Ord + Display>(all: impl IntoIterator<Item = T>) -> String {
    let mut of = BTreeMap::<T, usize>::new();
    all.into_iter().for_each(|it| *of.entry(it).or_default() += 1);
    let words = of.into_iter().map(|(it, count)| if count > 1 { format!("{count} × {it}") } else { it.to_string() });
    words.collect::<Vec<_>>().join(", ")
}
