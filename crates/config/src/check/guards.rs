//! What must hold for `input.reference`, `derive` and `text`, and for `guards`: a reference whose columns requests have, and enough
//! rows for what is promised.

mod distance;

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_signals::{anomaly::Standing, reference::Reference};

use super::Checks;
use crate::{
    compile::{
        Absent,
        guards::{inputs, is_bounded, is_known, is_number, is_text, is_vector, watched},
    },
    derived::Derived,
    diagnostic::nearest,
    schema::{
        contract::{Feature, FeatureKind, Input, InputTensor},
        guards::{Anomaly, Guards, Norm, Switch, Then},
        route::{Route, RouteProtocol},
        rows::Rows,
    },
    tree::Key,
    units,
};

/// Guards that hold an input against a reference.
const AGAINST: [&str; 7] = ["contract", "range", "unseen", "norm", "noise", "anomaly", "distance"];
/// What to do where the columns of a reference are not those of the route.
const FIT: &str = "declare it under `features`, `columns` or `derive`, or make the reference anew without it";

impl Checks<'_> {
    pub(super) fn guards(&mut self, route_key: &Key, route: &Route) {
        let (input, key) = (route_key.field("input"), route_key.field("guards"));
        if !self.takes_guards(route_key, route) {
            return;
        }
        let reference = route.input.as_ref().and_then(|it| self.reference(&input, it));
        if let Some(it) = &route.input {
            self.watched(&input, route, reference.as_deref());
            self.derive(&input, it, reference.as_deref());
            self.judged_only(&input, route, it);
            self.units(&input, it, reference.as_deref());
        }
        let on = route.guards.on();
        for (name, then) in &on {
            if let Some(then) = then {
                self.start_at(&key.field(name).field("then").field("start_at"), route, then);
            }
        }
        // One that is named and cannot be read has had its say.
        let named = route.input.as_ref().is_some_and(|it| it.reference.is_some());
        if let Some(reference) = &reference {
            self.foreign(&input, route_key.to_string().trim_start_matches("routes."), reference);
        }
        match reference {
            Some(reference) => self.against((&input, &key), route, &reference),
            None if !named => self.without(&key, route),
            None => {}
        }
    }

    /// Says whether a route can be asked of its inputs at all.
    fn takes_guards(&mut self, route_key: &Key, route: &Route) -> bool {
        let key = route_key.field("guards");
        if self.report.doubts(&route_key.field("protocol")) {
            return false;
        }
        if route.protocol == RouteProtocol::OpenaiEmbeddings {
            if self.report.is_written(&key) {
                let message = "nothing is known of the inputs of an `openai-embeddings` route";
                self.error("misplaced-key", &key, message, "remove it");
            }
            return false;
        }
        true
    }

    fn reference(&mut self, input: &Key, it: &Input) -> Option<Arc<Reference>> {
        let (file, key) = (it.reference.as_ref()?, input.field("reference"));
        if self.report.doubts(&key) {
            return None;
        }
        match self.outside.fetch_reference(file) {
            Ok(reference) if inputs(&reference).next().is_none() => {
                let message = "the reference has no column that a model is given";
                self.error("wrong-reference", &key, message, "make it anew, with inputs among its columns");
                None
            }
            Ok(reference) => Some(reference),
            Err(message) => {
                let hint =
                    "`evenkeel profile DATA -o REF` writes it; a relative path starts from the configuration's folder";
                self.error("bad-reference", &key, message, hint);
                None
            }
        }
    }

    /// Holds the columns of a reference against what requests have.
    fn watched(&mut self, input: &Key, route: &Route, reference: Option<&Reference>) {
        let Some(reference) = reference else { return };
        if ["features", "columns", "tensors", "sample", "derive", "text"]
            .iter()
            .any(|it| self.report.doubts_within(&input.field(it)))
        {
            return;
        }
        let tensors = self.tensors(route.input.as_ref());
        for misfit in watched(route, &tensors, Some(reference)).into_iter().filter_map(Result::err) {
            let key = match &misfit.at {
                Some((block, name)) => input.field(block).field(name),
                None => input.field("reference"),
            };
            if misfit.code != "bad-expression" {
                self.error(misfit.code, &key, misfit.message, FIT);
            }
        }
        let declared = route.input.iter().flat_map(|it| it.columns.iter().chain(it.features.keys()));
        let unknown: Vec<_> =
            declared.filter(|name| !reference.header().schema.iter().any(|it| it.name == **name)).collect();
        if let Some(name) = unknown.first() {
            let message =
                format!("the reference does not know `{name}`{}, so nothing judges it", more(unknown.len() - 1));
            self.warning("not-watched", &input.field("reference"), message, "make the reference anew with it");
        }
    }

    /// Returns the tensors of any shape that a route takes.
    fn tensors(&self, input: Option<&Input>) -> BTreeMap<String, InputTensor> {
        let Some(input) = input else { return BTreeMap::new() };
        input.sample.as_ref().map_or_else(|| input.tensors.clone(), |file| self.outside.sample(file))
    }

    fn derive(&mut self, input: &Key, it: &Input, reference: Option<&Reference>) {
        for (name, source) in &it.derive {
            let key = input.field("derive").field(name);
            self.not_empty(&key, name, "the feature has no name", "name it");
            if it.kind_of(name).is_some() || it.tensors.contains_key(name) {
                self.error(
                    "duplicate-name",
                    &key,
                    format!("`{name}` is a feature of the request, too"),
                    "give it a name of its own",
                );
            }
            if self.report.doubts(&key) {
                continue;
            }
            match Derived::read(source, it) {
                Ok((derived, _)) if derived.named().next().is_none() => {
                    self.error(
                        "bad-expression",
                        &key,
                        "it names no feature, and is the same for all",
                        "name a feature",
                    );
                }
                Ok(_) => {}
                Err(problems) => problems
                    .into_iter()
                    .for_each(|it| self.report.error_in("bad-expression", &key, it.at, (it.message, it.hint))),
            }
            if reference.is_some_and(|it| !inputs(it).any(|it| it.name == *name)) {
                let message = format!("the reference has no input `{name}`, so nothing is held against it");
                self.warning("no-effect", &key, message, "remove it, or make the reference anew with it");
            }
        }
    }

    /// Keys that matter only where inputs are judged, and those of another protocol.
    fn judged_only(&mut self, input: &Key, route: &Route, it: &Input) {
        let (text, derive) = (input.field("text"), input.field("derive"));
        if route.protocol == RouteProtocol::Oip && self.report.is_written(&text) {
            self.error("misplaced-key", &text, "an `oip` route has no messages", "write `unicode` at the feature");
        }
        if it.reference.is_some() {
            return;
        }
        for key in [text, derive] {
            if self.report.is_written(&key) {
                self.warning(
                    "no-effect",
                    &key,
                    "without a `reference` nothing is held against it",
                    "write `reference`",
                );
            }
        }
        for name in it.features.keys() {
            for key in ["unit", "unicode"].map(|key| input.field("features").field(name).field(key)) {
                if self.report.is_written(&key) {
                    let message = "without a `reference` nothing is held against it";
                    self.warning("no-effect", &key, message, "write `reference`");
                }
            }
        }
    }

    /// Checks what stands for a value that is missing.
    pub(super) fn absent(&mut self, key: &Key, feature: &Feature) {
        let Some(value) = feature.missing.as_ref().filter(|_| !self.report.doubts(key)) else { return };
        if Absent::of(value, feature.kind).is_none() {
            let hint = match feature.kind {
                FeatureKind::Float => "write a number, or nan",
                FeatureKind::Int => "write a whole number",
                FeatureKind::Category | FeatureKind::String => "write a word",
                FeatureKind::Bool => "remove it: true and false are all there is",
            };
            self.error("wrong-type", key, format!("{value} is nothing that such a feature could be"), hint);
        }
    }

    /// Checks a unit: one that nobody knows is good for nothing but to be that of the reference.
    fn units(&mut self, input: &Key, it: &Input, reference: Option<&Reference>) {
        for (name, feature) in &it.features {
            let key = input.field("features").field(name).field("unit");
            let Some(unit) = feature.unit.as_ref().filter(|it| !units::is_known(it)) else { continue };
            let columns = || reference.into_iter().flat_map(|it| &it.header().schema);
            if self.report.doubts(&key) || columns().any(|it| it.name == *name && it.unit.as_ref() == Some(unit)) {
                continue;
            }
            let hint = format!("write one of {}, or remove it", units::known());
            self.error("unknown-unit", &key, format!("`{unit}` is no unit that anything is converted by"), hint);
        }
    }

    /// Warns of a reference that was made of the rows of another route.
    fn foreign(&mut self, input: &Key, route: &str, reference: &Reference) {
        let of = &reference.header().route;
        if !of.is_empty() && of != route {
            let message = format!("the reference was made for route `{of}`, and `{route}` is held against it");
            let hint = format!("make one of the rows of this route: `evenkeel profile DATA -o REF --route {route}`");
            self.warning("foreign-reference", &input.field("reference"), message, hint);
        }
    }

    /// The tier at which a request starts that is in breach.
    fn start_at(&mut self, key: &Key, route: &Route, Then { start_at: name }: &Then) {
        match route.tiers.iter().position(|tier| tier.name == *name) {
            Some(0) => {
                let message = format!("`{name}` is the first tier: nothing stands above it to be skipped");
                self.error("order", key, message, "name a lower tier, or remove `then`");
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

    /// What guards find where there is no reference.
    fn without(&mut self, key: &Key, route: &Route) {
        for name in AGAINST {
            let at = key.field(name);
            if self.report.is_written(&at) {
                let message = format!("`{name}` holds an input against a reference, and there is none");
                self.error("missing-reference", &at, message, "write `reference` in the `input` of the route");
            }
        }
        let declared = route.input.as_ref().is_some_and(|it| !it.features.is_empty() || !it.columns.is_empty());
        for name in ["missing", "fallback_risk"].iter().filter(|_| !declared) {
            let at = key.field(name);
            if self.report.is_written(&at) {
                let message = format!("`{name}` looks at features, and the route declares none");
                self.error("missing-input", &at, message, "declare `input` on the route, or name a `reference` there");
            }
        }
        self.staleness(key, route);
    }

    /// Holds guards against the reference that they use.
    fn against(&mut self, (input, key): (&Key, &Key), route: &Route, reference: &Reference) {
        let has = |which: fn(&evenkeel_signals::reference::Column) -> bool| inputs(reference).any(which);
        let idle = [
            ("range", has(is_number), "numbers"),
            ("unseen", has(is_known), "categories that are not private"),
            ("norm", has(is_vector), "embeddings"),
            ("noise", has(is_number) || has(is_text), "numbers"),
        ];
        for (name, _, what) in idle.into_iter().filter(|it| !it.1) {
            let message = format!("the reference has no {what}, so this finds nothing");
            self.idle(&key.field(name), message, "remove it");
        }
        if let Some(it) = on(&route.guards, |it| it.norm.as_ref()) {
            self.norm(&key.field("norm"), it, has(is_bounded) || !has(is_vector));
        }
        match route.guards.anomaly.as_ref().map(Switch::on) {
            Some(Some(it)) => self.anomaly(&key.field("anomaly"), it, reference),
            Some(None) => {}
            None => self.default_anomaly(&input.field("reference"), reference),
        }
        self.distance((input, key), route, reference);
        self.staleness(key, route);
    }

    fn idle(&mut self, key: &Key, message: String, hint: &str) {
        if self.report.is_written(key) {
            self.warning("no-effect", key, message, hint);
        }
    }

    fn norm(&mut self, key: &Key, it: &Norm, bounded: bool) {
        let finite = [it.min, it.max].into_iter().flatten().all(f64::is_finite);
        if !finite || it.min.zip(it.max).is_some_and(|(min, max)| min > max) {
            let message = "no length is within these bounds";
            return self.error("order", &key.field("max"), message, "make `max` at least `min`, both numbers");
        }
        if it.min.is_none() && it.max.is_none() && !bounded {
            let message = "the reference declares no range for its embeddings, so this finds nothing".to_owned();
            self.idle(key, message, "write `min` or `max`");
        }
    }

    fn anomaly(&mut self, key: &Key, it: &Anomaly, reference: &Reference) {
        if it.rows == Rows::Split {
            let message = "rows do not start by themselves here: a request is anomalous, or it is not";
            self.error("misplaced-key", &key.field("rows"), message, "write any, all or {fraction: 0.2}");
        }
        let rate = key.field("false_alarm_rate");
        let at = if self.report.is_written(&rate) { &rate } else { key };
        let hint = "make the reference of more rows, raise the rate, or write `anomaly: off`";
        self.thin(at, standing(it.false_alarm_rate, reference), hint);
    }

    /// Says what is wrong with a rate.
    pub(super) fn thin(&mut self, key: &Key, standing: Result<(), (bool, String)>, hint: &str) {
        match standing {
            Ok(()) => {}
            Err((true, message)) => self.error("thin-reference", key, message, hint),
            Err((false, message)) => self.warning("thin-reference", key, message, hint),
        }
    }

    /// What nobody has asked for is no mistake where it cannot be had.
    fn default_anomaly(&mut self, key: &Key, reference: &Reference) {
        let rate = Anomaly::default().false_alarm_rate;
        if let Err((_, message)) = standing(rate, reference) {
            let message = format!("at the false-alarm rate of {rate}, {message}");
            let hint =
                "make the reference of more rows, or write `anomaly` with a greater rate, or `off`, under `guards`";
            self.warning("thin-reference", key, message, hint);
        }
    }

    fn staleness(&mut self, key: &Key, route: &Route) {
        let at = key.field("staleness");
        if route.enrich.is_none() && on(&route.guards, |it| it.staleness.as_ref()).is_some() {
            let message = "nothing says how old a feature is: the route is not enriched";
            self.error("missing-key", &at, message, "write `enrich` on the route, or remove it");
        }
    }

    /// The keys of an input that a chat has.
    pub(super) fn chat_input(&mut self, key: &Key, it: &Input) {
        for name in ["tensor", "columns", "features", "tensors", "sample", "derive"] {
            let at = key.field(name);
            if self.report.is_written(&at) {
                let message = "an `openai-chat` route has no tensors: only `reference` and `text` stand here";
                self.error("misplaced-key", &at, message, "remove it, or write `protocol: oip`");
            }
        }
        if it.reference.is_none() && it.text.is_none() {
            self.error("empty", key, "nothing stands here", "write `reference`, or leave `input` out");
        }
    }
}

fn on<T>(guards: &Guards, of: impl Fn(&Guards) -> Option<&Switch<T>>) -> Option<&T> {
    of(guards)?.on()
}

/// Says what is wrong with a rate at a reference, and whether it could never find anything, though there are rows enough for a score.
fn standing(rate: f64, reference: &Reference) -> Result<(), (bool, String)> {
    stands(reference.row_score().ok().map(|score| (score.standing(rate), score.rate_at_most(rate))))
}

/// Says what is wrong with how a score stands at a rate, and how high that may really be; none where there is no score.
pub(super) fn stands(standing: Option<(Standing, f64)>) -> Result<(), (bool, String)> {
    match standing {
        Some((Standing::Sound, _)) => Ok(()),
        Some((Standing::Thin { expected }, most)) => {
            let message = format!(
                "{expected:.1} calibrating rows are expected beyond this rate, fewer than 5: the rate that comes out may be far from it, \
                 with one reference in twenty above {most:.2e}"
            );
            Err((false, message))
        }
        Some((Standing::Refused { needed }, _)) => {
            Err((true, format!("no row could ever be called anomalous: {needed} calibrating rows are needed for that")))
        }
        Some((Standing::GuardsOnly { rows }, _)) => {
            Err((false, format!("the reference has {rows} rows, and a row score needs 1,000: rows are not scored")))
        }
        None => Err((false, "the reference has no row score: rows are not scored".into())),
    }
}

/// Says that there are more.
pub(super) fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" and {others} more") }
}
