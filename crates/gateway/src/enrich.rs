//! Enrich: brings features that a client left out of its tensor, and stands values in for those that do not come (F-037).
//!
//! It goes one way, before the core hears of the request: what is missing ([`want`]) is asked of a feature server in one
//! question, what it has is chosen against its age ([`choice`]), and what was imputed goes on with the request ([`told`]): to
//! the core as a share, to client, record and log by name and age. It decides nothing about tiers.
//!
//! # Invariants
//! - `ENR-1`: a request goes on with a number in every place, whatever the feature server does, and no later than the time that
//!   its route gives for that, or half of what is left of its deadline.
//! - `ENR-2`: a question is asked once. Only one that was never begun, because the connection was kept too long, is asked again
//!   (F-043), within the same time.
//! - `ENR-3`: what a client leaves early or gives too little time for is no evidence against the feature server.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.7.

mod choice;
mod known;
mod told;
mod want;

use std::{sync::Arc, time::Duration};

use evenkeel_config as config;
use evenkeel_core::{Aside, AttemptId, BreakerState, BreakerTurn, Nanos, ResultCode};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use parking_lot::Mutex;

use self::{
    choice::{Choice, Value},
    known::Known,
    told::{Rule, Tally},
    want::Wanted,
};
pub(crate) use self::{told::Enriched, want::Unasked};
use crate::{
    clock::Clock,
    path,
    protocol::{
        feast::{self, Asked, Found},
        oip_rest::error::classify_http,
    },
    rope::Rope,
    tensor::{Infer, Tensor, Values},
    upstream::{Call, Upstream, push_back},
};

/// The largest answer of a feature server: for the most values that are asked for, some 400 bytes each.
const MOST_ANSWER: usize = 4 << 20;

/// What brings the features of one route.
pub(crate) struct Enrich {
    pub(crate) plan: Plan,
    upstream: Arc<Upstream>,
    aside: Mutex<Aside>,
    known: Mutex<Known>,
}

/// What is fetched, for which tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) route: String,
    /// The name of the feature server.
    pub(crate) server: String,
    spec: config::Enrich,
    /// The tensor of columns, and how many it has.
    tensor: String,
    columns: usize,
    /// By feature: what its column takes.
    values: Vec<Values>,
}

/// When a request is enriched, and with which bits.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) clock: Clock,
    /// What is left of its deadline.
    pub(crate) left: Nanos,
    /// The entropy of the request.
    pub(crate) entropy: u64,
}

/// A request that was enriched.
pub(crate) struct Done {
    pub(crate) infer: Infer,
    pub(crate) enriched: Enriched,
    /// The breaker of the feature server has moved.
    pub(crate) turn: Option<BreakerTurn>,
}

/// What came of the question.
struct Answered {
    /// By feature and entity, as they were asked for.
    found: Vec<Vec<Option<Found>>>,
    result: Result<(), &'static str>,
}

impl Plan {
    /// Makes the plan of a route; none where nothing is fetched.
    pub(crate) fn of(deployment: &config::Deployment, route: usize, columns: &[Values]) -> Option<Self> {
        let of = &deployment.routes[route];
        let spec = of.enrich.clone()?;
        Some(Self {
            route: deployment.revision.routes[route].name.clone(),
            server: deployment.upstreams[spec.upstream.index()].name.clone(),
            tensor: of.input.as_ref()?.tensor.clone()?,
            columns: columns.len(),
            values: spec.features.iter().map(|it| columns[it.column].clone()).collect(),
            spec,
        })
    }
}

impl Enrich {
    pub(crate) fn new(plan: Plan, upstream: Arc<Upstream>) -> Self {
        let aside = Mutex::new(Aside::new(plan.spec.breaker.clone()));
        let known = Mutex::new(Known::new(plan.spec.features.len()));
        Self { plan, upstream, aside, known }
    }

    /// Says whether it does what another plan wants, by the same connections: then it goes on with what it knows (CF-02).
    pub(crate) fn serves(&self, plan: &Plan, upstream: &Arc<Upstream>) -> bool {
        self.plan == *plan && Arc::ptr_eq(&self.upstream, upstream)
    }

    /// Returns the state of the breaker of the feature server.
    pub(crate) fn breaker(&self, now: Nanos) -> BreakerState {
        self.aside.lock().state(now)
    }

    /// Brings what is missing in a request, and stands values in for what does not come.
    ///
    /// # Errors
    /// More is missing than is asked for at once, or nobody can say whose features are missing.
    pub(crate) async fn enrich(&self, infer: Infer, moment: Moment) -> Result<Done, Unasked> {
        let begun = moment.clock.now();
        let wanted = Wanted::of(&infer, &self.plan)?;
        let Answered { found, result } = match &wanted {
            Some(wanted) => self.ask(wanted, moment).await,
            None => Answered { found: Vec::new(), result: Err("nothing_missing") },
        };
        let turn = self.aside.lock().tell();
        let (mut infer, mut enriched) = (infer, Enriched::new(&self.plan.server, result.err().unwrap_or("ok")));
        infer.inputs.retain(|input| !self.plan.spec.entity.iter().any(|key| key.input == input.tensor.name()));
        if let Some(wanted) = wanted {
            let (choices, oldest) = self.choose(&wanted, &found);
            enriched.oldest_ms = oldest.map(|it| it / 1_000_000);
            let at = infer.inputs.iter_mut().find(|input| input.tensor.name() == self.plan.tensor);
            let input = at.expect("what is missing is missing in it");
            let mut tally = Tally::new(choices.len());
            input.tensor = self.fill(&input.tensor, &wanted.rows, (&choices, &mut tally));
            let rule = Rule { rows: self.plan.spec.rows, most: self.plan.spec.most_imputed };
            enriched.count((&tally, rule), self.plan.spec.features.iter().map(|it| it.name.as_str()));
        }
        enriched.spent = moment.clock.now().saturating_sub(begun);
        Ok(Done { infer, enriched, turn })
    }

    /// Asks the feature server, where its breaker lets a call pass.
    async fn ask(&self, wanted: &Wanted, moment: Moment) -> Answered {
        let none = |why| Answered { found: Vec::new(), result: Err(why) };
        let budget = self.plan.spec.timeout.min(moment.left / 2);
        let now = moment.clock.now();
        let Some(call) = self.aside.lock().start(now, moment.entropy, now.saturating_add(budget)) else {
            return none("breaker_open");
        };
        let mut calling = Calling { enrich: self, moment, call: Some(call) };
        let asked = wanted.question(&self.plan.spec);
        let answered = tokio::time::timeout(Duration::from_nanos(budget), self.call(&asked, budget)).await;
        let result = match &answered {
            Ok(Ok(_)) => ResultCode::Ok,
            Ok(Err(result)) => *result,
            Err(_) => ResultCode::TotalTimeout,
        };
        let cut_short = result == ResultCode::TotalTimeout && budget < self.plan.spec.timeout;
        calling.end((!cut_short).then_some(result));
        match answered {
            Ok(Ok(found)) => Answered { found, result: Ok(()) },
            _ => none(result.name()),
        }
    }

    async fn call(&self, asked: &Asked<'_>, budget: Nanos) -> Result<Vec<Vec<Option<Found>>>, ResultCode> {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json.clone());
        headers.insert(header::ACCEPT, json);
        let body = asked.write();
        let post = |fresh| {
            let call = Call { replica: 0, budget, fresh };
            self.upstream.post(feast::PATH, headers.clone(), Rope::from(body.clone()), call)
        };
        let response = match post(false).await {
            Err(ResultCode::Unsent) => post(true).await?,
            response => response?,
        };
        let (status, push_back) = (response.status(), push_back::is_said(response.headers()));
        if status != StatusCode::OK {
            return Err(match classify_http(status.as_u16(), push_back) {
                // It was ours to ask rightly: no client has had a hand in it.
                ResultCode::CallerInvalid | ResultCode::MessageTooLarge => ResultCode::ProtocolError,
                result => result,
            });
        }
        let body = path::read(response.into_body(), MOST_ANSWER).await?;
        asked.read(&body).map_err(|feast::Unreadable| ResultCode::DecodeFailed)
    }

    /// Chooses a value for each feature and entity that was wanted: by feature in the order of the plan, then by entity. Returns also
    /// how old the oldest of them is, in nanoseconds, as far as that is known.
    fn choose(&self, wanted: &Wanted, found: &[Vec<Option<Found>>]) -> (Vec<Vec<Choice>>, Option<u64>) {
        let now = Timestamp::now();
        let (features, mut known) = (&self.plan.spec.features, self.known.lock());
        let (mut choices, mut oldest) = (vec![Vec::new(); features.len()], None);
        for (at, feature) in wanted.features.iter().enumerate() {
            let (spec, takes) = (&features[*feature], &self.plan.values[*feature]);
            choices[*feature] = (0..wanted.entities.len())
                .map(|entity| {
                    let value = found.get(at).and_then(|it| Value::of(it[entity]?, takes));
                    let name = &wanted.entities[entity].name;
                    let last = spec.keep.and_then(|_| known.get(name, *feature));
                    if let (Some(value), Some(_)) = (value, spec.keep) {
                        known.keep(name, *feature, value);
                    }
                    let choice = Choice::of((value, last), spec, now);
                    oldest = oldest.max(choice.age(value, now));
                    choice
                })
                .collect();
        }
        (choices, oldest)
    }

    /// Fills the places that are missing, of rows that are about these entities.
    fn fill(&self, tensor: &Tensor, rows: &[u32], (choices, tally): (&[Vec<Choice>], &mut Tally)) -> Tensor {
        let mut values: Vec<f32> = tensor.values().map(f32::from_le_bytes).collect();
        for (row, entity) in values.chunks_exact_mut(self.plan.columns).zip(rows) {
            let features = self.plan.spec.features.iter().enumerate();
            tally.row(features.filter_map(|(at, feature)| {
                let place = &mut row[feature.column];
                let choice = place.is_nan().then(|| choices[at][*entity as usize])?;
                *place = choice.number();
                Some((at, choice))
            }));
        }
        let filled = Tensor::from_f32(tensor.name(), tensor.shape().to_vec(), &values);
        filled.expect("as many values as before, in the same shape")
    }
}

/// A call on its way; one that is dropped says nothing of the feature server (ENR-3).
struct Calling<'a> {
    enrich: &'a Enrich,
    moment: Moment,
    call: Option<AttemptId>,
}

impl Calling<'_> {
    fn end(&mut self, result: Option<ResultCode>) {
        let Some(call) = self.call.take() else { return };
        self.enrich.aside.lock().end(self.moment.clock.now(), call, (result, self.moment.entropy));
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.end(None);
    }
}
