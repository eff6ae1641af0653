//! Asked: the guards of a route that are on and can find something, each with its threshold.

use evenkeel_signals::{
    RATIO,
    anomaly::Standing,
    quantise,
    reference::{Column, Reference},
};

use super::{Asks, MILLIONTHS, inputs, is_bounded, is_known, is_number, is_text, is_vector};
use crate::schema::{
    guards::{Guards, Switch, Then},
    route::RouteProtocol,
    scalar::Ratio,
};

/// Returns the guards that are on and can find something, each with its threshold and the tier of a breach.
pub(super) fn asked<'a>(
    it: &'a Guards,
    (protocol, encoder): (RouteProtocol, bool),
    reference: Option<&Reference>,
) -> Vec<(Asks, u64, Option<&'a str>)> {
    fn on<T>(it: &Option<Switch<T>>) -> Option<&T> {
        it.as_ref().and_then(Switch::on)
    }
    let ratio = |it: Ratio| u64::from(it.0) * u64::from(RATIO) / 1_000;
    let has = |which: fn(&Column) -> bool| reference.is_some_and(|it| inputs(it).any(which));
    let start = |it: &'a Option<Then>| it.as_ref().map(|it| it.start_at.as_str());
    let text = protocol == RouteProtocol::OpenaiChat;
    let mut all = Vec::new();
    all.extend(on(&it.contract).map(|it| (Asks::Contract, 0, start(&it.then))));
    all.extend(on(&it.missing).map(|it| (Asks::Missing, ratio(it.max_ratio), start(&it.then))));
    all.extend(on(&it.range).filter(|_| has(is_number)).map(|it| (Asks::Range, 0, start(&it.then))));
    all.extend(on(&it.unseen).filter(|_| has(is_known)).map(|it| (Asks::Unseen, 0, start(&it.then))));
    let norm = on(&it.norm).filter(|it| has(is_vector) && (it.min.is_some() || it.max.is_some() || has(is_bounded)));
    all.extend(norm.map(|it| {
        let bound = |it: Option<f64>, beyond| it.unwrap_or(beyond);
        let bounds = [bound(it.min, 0.0), bound(it.max, f64::INFINITY)];
        let own = it.min.is_some() || it.max.is_some();
        (Asks::Norm(own.then_some(bounds)), 0, start(&it.then))
    }));
    all.extend(
        on(&it.noise).filter(|_| text || has(is_number) || has(is_text)).map(|it| (Asks::Noise, 0, start(&it.then))),
    );
    all.extend(on(&it.staleness).map(|it| (Asks::Staleness, it.max_age.nanos() / 1_000_000, start(&it.then))));
    let anomaly = on(&it.anomaly).filter(|it| reference.is_some_and(|of| stands(of, it.false_alarm_rate)));
    let rate = |it: f64| quantise(it, MILLIONTHS).and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
    all.extend(anomaly.map(|it| (Asks::Anomaly(it.rows.in_core()), rate(it.false_alarm_rate), start(&it.then))));
    let distance = on(&it.distance).filter(|it| {
        let standing = reference.and_then(Reference::distance).map(|of| of.standing(it.false_alarm_rate));
        encoder && matches!(standing, Some(Standing::Sound | Standing::Thin { .. }))
    });
    all.extend(distance.map(|it| (Asks::Distance, rate(it.false_alarm_rate), start(&it.then))));
    all.extend(on(&it.fallback_risk).map(|it| (Asks::FallbackRisk, ratio(it.at_least), start(&it.then))));
    all
}

/// Says whether a reference has rows enough for a row score at a rate.
fn stands(reference: &Reference, rate: f64) -> bool {
    let standing = reference.row_score().map(|it| it.standing(rate));
    matches!(standing, Ok(Standing::Sound | Standing::Thin { .. }))
}
