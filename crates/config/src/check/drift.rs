//! What must hold for `routes.NAME.drift`.

use evenkeel_core::{MILLISECOND, SECOND};
use evenkeel_signals::{
    drift::LEAST_ROWS,
    reference::{Column, Reference, Role},
    replay,
};

use super::{Checks, cache::is_header, guards::more};
use crate::{
    answered::Answers,
    diagnostic::nearest,
    schema::{
        drift::{Drift, Mode, Watch},
        route::{Route, RouteProtocol},
        scalar::Ratio,
    },
    tree::Key,
};

/// Days of observation without which nothing is moved by itself.
const OBSERVED: u64 = 7;
const DAY: u64 = 86_400 * SECOND;

impl Checks<'_> {
    pub(super) fn drift(&mut self, route_key: &Key, route: &Route) {
        self.session_key(&route_key.field("session_key"), route);
        let (Some(it), key) = (&route.drift, route_key.field("drift")) else { return };
        let every = key.field("false_alarm_every");
        if it.false_alarm_every.0 < MILLISECOND && !self.report.doubts(&every) {
            self.error("out-of-range", &every, "an alarm would come by chance at any time", "for example 30d");
        }
        let watch = key.field("watch");
        let mut kinds = it.watch.clone();
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.len() < it.watch.len() && !self.report.doubts_within(&watch) {
            self.error("duplicate-name", &watch, "one of these is there twice", "name each once");
        }
        self.drift_reference(&key, route, it);
        self.drift_then(&key.field("then"), route, it);
        self.drift_recovery(&key.field("recover"), it);
    }

    /// By what requests of one session are told.
    fn session_key(&mut self, key: &Key, route: &Route) {
        let Some(name) = &route.session_key else { return };
        if !is_header(name) {
            let message = format!("`{name}` is no name of a header");
            self.error("bad-name", key, message, "for example x-conversation-id");
        } else if route.drift.is_none() {
            let message = "nothing of this route is compared with a reference";
            self.warning("no-effect", key, message, "give the route a `drift`, or remove it");
        }
    }

    /// What the reference is good for, as far as it says.
    fn drift_reference(&mut self, key: &Key, route: &Route, it: &Drift) {
        let Some(file) = route.input.as_ref().and_then(|it| it.reference.as_ref()) else {
            let message = "there is no reference that inputs and outputs could be compared with";
            return self.warning("no-effect", key, message, "write `input: {reference: FILE}` on the route");
        };
        // What is wrong with it is told where it is named.
        let Ok(reference) = self.outside.fetch_reference(file) else { return };
        let header = reference.header();
        if header.rows.all < LEAST_ROWS {
            let message =
                format!("the reference has {} rows, and drift is seen by {LEAST_ROWS} at the least", header.rows.all);
            self.warning("too-few-rows", key, message, "make it of more rows");
        }
        let from = header.sources.iter().filter_map(|it| it.from_ns).min();
        let to = header.sources.iter().filter_map(|it| it.to_ns).max();
        let days = from.zip(to).map(|(from, to)| to.saturating_sub(from) / DAY);
        if let Some(days) = days.filter(|days| it.then.mode == Mode::Enforce && *days < OBSERVED) {
            let message = format!(
                "a route is to be watched for {OBSERVED} days before drift moves it, and the reference spans {days}"
            );
            self.warning(
                "observe-first",
                &key.field("then").field("mode"),
                message,
                "write `mode: recommend` until then",
            );
        }
        self.drift_outputs(key, route, (it, &reference));
        self.drift_moved(key, route, (it, &reference));
        self.drift_replayed(key, it, &reference);
    }

    /// What of a reference the first tier does not give.
    fn drift_outputs(&mut self, key: &Key, route: &Route, (it, reference): (&Drift, &Reference)) {
        let Some(first) = route.tiers.first().filter(|_| it.watch.contains(&Watch::Outputs)) else { return };
        let tensors = route.protocol == RouteProtocol::Oip;
        let answers = Answers { tensors, sure: first.accept.is_some() && first.kinds.members().is_empty() };
        let schema = &reference.header().schema;
        let unsaid = |it: &(usize, &Column)| {
            matches!(it.1.role, Role::Output | Role::Confidence) && answers.column(schema, it.0).is_none()
        };
        let unsaid: Vec<&Column> = schema.iter().enumerate().filter(unsaid).map(|it| it.1).collect();
        let Some(column) = unsaid.first() else { return };
        let message = format!(
            "`{}` of the reference{} is nothing that the first tier says, so it is not compared",
            column.name,
            more(unsaid.len() - 1)
        );
        let hint = match column.role {
            Role::Confidence => "write `accept: {confidence: …, at_least: 0}` on the first tier, which then says it",
            _ if tensors => "an output has one number or label a row, and is not private",
            _ => "a chat has one text, and `completion_tokens`, `finish_reason` and `refusal`",
        };
        self.warning("not-watched", &key.field("watch"), message, hint);
    }

    /// Guards that keep rows from the first tier, whose outputs for them the reference has.
    fn drift_moved(&mut self, key: &Key, route: &Route, (it, reference): (&Drift, &Reference)) {
        let says = |it: &Column| matches!(it.role, Role::Output | Role::Confidence);
        let compared = it.watch.contains(&Watch::Outputs) && reference.header().schema.iter().any(says);
        let on = route.guards.on();
        let moving: Vec<&str> = on.iter().filter(|it| it.1.is_some()).map(|it| it.0).collect();
        let Some(guard) = moving.first().filter(|_| compared) else { return };
        let message = format!(
            "`guards.{guard}`{} moves requests from the first tier: their outputs are missing from those that are compared, \
             and the reference has such rows",
            more(moving.len() - 1)
        );
        let hint = "leave `outputs` out of `watch`, or `then` out of the guards";
        self.warning("outputs-moved", &key.field("watch"), message, hint);
    }

    /// What a detector would have said in the time that is held to be well.
    fn drift_replayed(&mut self, key: &Key, it: &Drift, reference: &Reference) {
        let watches = |what: Watch| it.watch.contains(&what);
        let asked = replay::Asked {
            every_ns: it.false_alarm_every.nanos(),
            enforced: it.then.mode == Mode::Enforce,
            inputs: watches(Watch::Inputs),
            row_score: watches(Watch::RowScore),
            outputs: watches(Watch::Outputs),
        };
        let Some(found) = replay::replay(reference, asked) else { return };
        let Some(interval) = found.too_soon() else { return };
        let by = found.culprits.first().map(|it| format!(", most of them by `{}`", it.0)).unwrap_or_default();
        let message = format!(
            "the reference's own rows, one after another, bring an alarm every {}{by}; wanted is one in {}",
            span(interval),
            span(asked.every_ns)
        );
        let hint =
            "rows of one session or hours that differ do that: name a `session_key`, or make it with `--seasons`";
        self.warning("false-alarms", &key.field("false_alarm_every"), message, hint);
    }

    fn drift_then(&mut self, key: &Key, route: &Route, it: &Drift) {
        let start = key.field("start_at");
        match &it.then.start_at {
            None if it.then.mode != Mode::Observe && !self.report.doubts_within(key) => {
                let hint = "name a tier below the first, or write `mode: observe`";
                self.error("missing-key", &start, "nothing says where the route starts while it drifts", hint);
            }
            Some(name) => self.lower_tier(&start, route, name),
            None => {}
        }
    }

    fn drift_recovery(&mut self, key: &Key, it: &Drift) {
        let of = &it.recover;
        let rises = of.ramp.windows(2).all(|pair| pair[0].0 < pair[1].0) && of.ramp.first() != Some(&Ratio(0));
        let ramp = key.field("ramp");
        if !self.report.doubts_within(&ramp) && (!rises || of.ramp.last() != Some(&Ratio(1_000))) {
            let hint = "for example [0.05, 0.25, 0.5, 1]";
            self.error("ramp", &ramp, "the steps must rise, from above 0 to 1", hint);
        }
        let every = key.field("every");
        if !self.report.doubts(&every) && of.every.0 < MILLISECOND {
            self.error("out-of-range", &every, "no step can be told from the next", "for example 60s");
        }
        if it.then.mode != Mode::Enforce && self.report.is_written(key) {
            let message = "a route that is not taken down does not come back";
            self.warning("no-effect", key, message, "write `mode: enforce` under `then`, or remove it");
        }
    }

    /// Reports a tier to start at that is none of the route, or has none above it.
    pub(super) fn lower_tier(&mut self, key: &Key, route: &Route, name: &str) {
        match route.tiers.iter().position(|tier| tier.name == name) {
            Some(0) => {
                let message = format!("`{name}` is the first tier: nothing stands above it to be passed over");
                self.error("order", key, message, "name a lower tier");
            }
            Some(_) => {}
            None => {
                let hint = match nearest(name, route.tiers.iter().map(|tier| tier.name.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name a tier of this route".into(),
                };
                self.error("unknown-tier", key, format!("there is no tier `{name}`"), hint);
            }
        }
    }
}

/// Writes a length of time in the unit of which there are some.
fn span(nanos: u64) -> String {
    let units = [(DAY, "days"), (DAY / 24, "hours"), (60 * SECOND, "minutes"), (SECOND, "seconds")];
    let of = units.into_iter().find(|(unit, _)| nanos >= 2 * unit);
    of.map_or_else(|| "second".into(), |(unit, name)| format!("{} {name}", nanos / unit))
}
