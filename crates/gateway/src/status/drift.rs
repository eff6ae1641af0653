//! How a route stands with drift: what its monitor has seen, and what follows from that in the core.

use evenkeel_api::{Culprit, Drift, DriftAlarm, DriftPoint, DriftStream, TooFew};
use evenkeel_core as core;
use evenkeel_signals::drift::{Evidence, State};
use jiff::Timestamp;

use crate::{
    clock::Clock,
    drift::{Monitor, Standing, nanos, thousandths},
};

/// Streams that are shown, the strongest first.
const MOST: usize = 20;

/// Writes it in names.
pub(super) fn render(
    monitor: &Monitor,
    (route, state): (&core::Route, Option<core::DriftState>),
    clock: Clock,
) -> Option<Drift> {
    let policy = route.drift.as_ref()?;
    let Standing { seen, mut streams, alarm, dropped, too_few, history } =
        monitor.standing(nanos(clock.wall(clock.now())));
    streams.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.name.cmp(&b.name)));
    streams.truncate(MOST);
    let stream = |it: crate::drift::StreamState| DriftStream {
        stream: it.name,
        state: name(it.state).into(),
        score: it.score.map(scaled),
    };
    let proposed = state.filter(|it| it.proposed.is_some()).and_then(|it| it.since);
    let acts = policy.mode != core::DriftMode::Observe;
    Some(Drift {
        state: seen.as_ref().map(|it| name(it.state).into()),
        score: seen.as_ref().map(|it| scaled(it.score)),
        samples: seen.as_ref().map_or(0, |it| it.rows),
        as_of: seen.as_ref().map(|it| at(it.as_of)),
        reference: core::digest_name(&monitor.made.reference),
        mode: policy.mode.name().into(),
        start_at: route.tiers.get(usize::from(policy.start_at)).filter(|_| acts).map(|tier| tier.name.clone()),
        alarm: alarm.as_ref().map(told),
        proposed_since: proposed.map(|at| clock.wall(at)),
        share: state.and_then(|it| it.share).map(|it| f64::from(it.thousandths()) / 1_000.0),
        streams: streams.into_iter().map(stream).collect(),
        dropped,
        too_few: too_few.into_iter().map(|(stream, rows)| TooFew { stream, rows }).collect(),
        history: history.into_iter().map(|(began, score)| DriftPoint { at: at(began), score: scaled(score) }).collect(),
    })
}

fn told(it: &Evidence) -> DriftAlarm {
    let culprit = |it: &evenkeel_signals::drift::Culprit| Culprit {
        stream: it.name.clone(),
        score: scaled(thousandths(it.wealth)),
        since: at(it.since),
    };
    DriftAlarm {
        at: at(it.at),
        since: at(it.since),
        samples: it.rows,
        culprits: it.culprits.iter().map(culprit).collect(),
    }
}

const fn name(state: State) -> &'static str {
    match state {
        State::Stable => "stable",
        State::Warning => "warning",
        State::Drift => "drift",
    }
}

fn scaled(thousandths: i64) -> f64 {
    thousandths as f64 / 1_000.0
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}
