//! What must hold for `routes` and their tiers.

use std::collections::BTreeSet;

use evenkeel_core::MILLISECOND;

use super::Checks;
use crate::{
    schema::{
        breaker::Breaker,
        path::{Kinds, PathKind, Site, Target},
        route::{Route, RouteProtocol},
        scalar::Ratio,
        tier::Tier,
    },
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn routes(&mut self) {
        let file = self.file;
        let routes = Key::default().field("routes");
        if file.routes.is_empty() {
            self.error("empty", &routes, "there is no route", "declare at least one, with one tier");
        }
        for (name, route) in &file.routes {
            let key = routes.field(name);
            self.name_is_usable(&key, name);
            self.contract(&key, route);
            self.enrich(&key, route);
            self.guards(&key, route);
            self.tiers(&key, route);
            self.post(&key, route);
            self.last_tier(&key, route);
            self.certificate(&key, (name, route));
            self.route_effects(&key, route);
            self.route_clocks(&key, route);
            self.attempts(&key, route);
            self.cache(&key, route);
            self.drift(&key, route);
            self.quality(&key, route);
            self.ladder(&key, route);
            self.contexts(&key, route);
            self.capabilities(&key, route);
            if route.protocol == RouteProtocol::OpenaiEmbeddings {
                self.one_space(&key, route);
            }
        }
    }

    pub(super) fn name_is_usable(&mut self, key: &Key, name: &str) {
        let usable = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(usable) {
            let hint = "use letters, digits and - _ . / : , at most 128 of them";
            self.error("bad-name", key, format!("`{name}` cannot be a name"), hint);
        }
    }

    fn tiers(&mut self, route_key: &Key, route: &Route) {
        let mut names = BTreeSet::new();
        let mut certain: Option<&str> = None;
        for (at, tier) in route.tiers.iter().enumerate() {
            let key = route_key.field("tiers").index(at);
            self.name_is_usable(&key.field("name"), &tier.name);
            if !names.insert(&tier.name) {
                let message = format!("a tier named `{}` stands above", tier.name);
                self.error("duplicate-name", &key.field("name"), message, "give each tier of a route its own name");
            }
            if let Some(domain) = &tier.capacity_domain {
                self.name_is_usable(&key.field("capacity_domain"), domain);
            }
            if let Some(above) = certain {
                let message = format!("tier `{}` is never reached: `{above}` above cannot fail", tier.name);
                self.warning("unreachable", &key, message, "move it above the fixed answer, or remove it");
            }
            if let Some((name, kind)) = self.one_kind(&key, tier, Kinds::NAMES) {
                if !self.report.doubts(&route_key.field("protocol")) {
                    kind.check(&key.field(name), Site { route, tier }, self);
                    self.effects(&key, route, kind);
                }
                certain = certain.or((kind.target() == Target::Certain).then_some(tier.name.as_str()));
                self.method(&key, tier, (name, kind));
                if matches!(kind.target(), Target::Upstream(_)) {
                    self.clocks(&key, route, tier);
                    self.largest_answer(&key, tier);
                }
            }
            self.breaker(&key.field("breaker"), &tier.breaker);
            if !self.report.doubts(&route_key.field("protocol")) {
                self.map(route_key, &key.field("map"), Site { route, tier });
                self.accept(route_key, &key.field("accept"), Site { route, tier });
                self.calibrate_to(route_key, &key.field("calibrate_to"), Site { route, tier });
                self.ensemble(route_key, &key, Site { route, tier });
            }
        }
    }

    /// A route whose last tier can fail (CF-07).
    fn last_tier(&mut self, route_key: &Key, route: &Route) {
        let can_fail = |tier: &Tier| tier.kinds.given().iter().all(|(_, kind)| kind.target().can_fail());
        let Some(last) = route.tiers.last() else { return };
        let key = route_key.field("tiers").index(route.tiers.len() - 1);
        let unknown = last.kinds.given().is_empty() && self.misshapen(&key);
        if route.protocol == RouteProtocol::OpenaiEmbeddings || !can_fail(last) || unknown {
            return;
        }
        let message = "the last tier can fail, so a request may end in 503";
        self.warning("last-tier-can-fail", &key, message, "add a tier with a `fixed` answer below it");
    }

    /// Returns what a tier, or a member of one, calls, where it is exactly one of these kinds.
    pub(super) fn one_kind<'t>(
        &mut self,
        key: &Key,
        tier: &'t Tier,
        kinds: &[&str],
    ) -> Option<(&'static str, &'t dyn PathKind)> {
        let mut given = tier.kinds.given();
        if given.len() == 1 {
            return given.pop();
        }
        if given.is_empty() && self.misshapen(key) {
            return None;
        }
        let names = kinds.join(", ");
        let (code, message) = match given.len() {
            0 => ("no-kind", "the tier says nothing about how it answers".to_owned()),
            _ => {
                let given: Vec<_> = given.iter().map(|it| format!("`{}`", it.0)).collect();
                ("two-kinds", format!("{} stand in one tier", given.join(" and ")))
            }
        };
        self.error(code, key, message, format!("write exactly one of {names}"));
        None
    }

    /// Says whether a tier has a kind that was read as none: something is said of it already.
    fn misshapen(&self, key: &Key) -> bool {
        Kinds::NAMES.iter().any(|name| self.report.doubts_within(&key.field(name)))
    }

    /// Clients are told the method, and decide by it: it may not claim another origin than the path has.
    fn method(&mut self, key: &Key, tier: &Tier, kind: (&str, &dyn PathKind)) {
        let (name, kind) = kind;
        let Some(method) = tier.method.filter(|it| !kind.methods().contains(it)) else { return };
        let method = method.name();
        let message = format!(
            "a tier of kind `{name}` does not answer as `{method}`, and clients are told how they are answered"
        );
        let methods: Vec<_> = kind.methods().iter().map(|it| format!("`{}`", it.name())).collect();
        let hint = format!("write {}, or leave `method` out", methods.join(" or "));
        self.error("method", &key.field("method"), message, hint);
    }

    /// A model that is smaller than one above it cannot stand in for all of its requests (CF-07).
    fn contexts(&mut self, route_key: &Key, route: &Route) {
        let mut largest = 0;
        for (at, tier) in route.tiers.iter().enumerate() {
            let Some(context) = tier.context else { continue };
            if context < largest {
                let key = route_key.field("tiers").index(at).field("context");
                let message =
                    format!("a tier above takes {largest} tokens, so not all of its requests can fall to this one");
                self.warning("smaller-context", &key, message, "such requests go on to the tiers below");
            }
            largest = largest.max(context);
        }
    }

    pub(super) fn breaker(&mut self, key: &Key, breaker: &Breaker) {
        let mut judge = |name: &str, wrong: bool, words: (&'static str, &str, &str)| {
            let key = key.field(name);
            if wrong && !self.report.doubts_within(&key) {
                self.error(words.0, &key, words.1, words.2);
            }
        };
        let moment = ("out-of-range", "a path that is cut off for less than 1ms is not cut off", "for example 10s");
        judge("open", breaker.open.0 < MILLISECOND, moment);
        let order = ("order", "the longest open time is shorter than the first", "make `open_max` at least `open`");
        judge("open_max", breaker.open_max.0 < breaker.open.0, order);
        let rises =
            breaker.ramp.windows(2).all(|pair| pair[0].0 < pair[1].0) && breaker.ramp.first() != Some(&Ratio(0));
        let ramp = ("ramp", "the steps must rise, from above 0 to 1", "for example [0.05, 0.25, 0.5, 1]");
        judge("ramp", !rises || breaker.ramp.last() != Some(&Ratio(1_000)), ramp);
        let message = "a window without samples, or with a share of 0, would open at once";
        for (name, (samples, bad, _)) in [("fast", breaker.fast), ("slow", breaker.slow)] {
            judge(name, samples == 0 || bad.0 == 0, ("window", message, "for example [20, 0.5, 10s]"));
        }
        let low = ("window", "a streak of 0 would open at once", "for example [2, 3]");
        judge("low", breaker.low.0 == 0 || breaker.low.1 == 0, low);
    }

    /// Vectors of unlike models cannot be compared: a fallback to another space would corrupt in silence.
    fn one_space(&mut self, route_key: &Key, route: &Route) {
        let first = route.tiers.first().and_then(|tier| tier.space.as_ref());
        // What was kept of earlier answers is of the space of whoever gave it.
        let speaks = |tier: &Tier| !tier.kinds.given().iter().any(|(_, kind)| kind.target() == Target::Stored);
        let several = route.tiers.iter().filter(|tier| speaks(tier)).count() > 1;
        for (at, tier) in route.tiers.iter().enumerate().filter(|(_, tier)| several && speaks(tier)) {
            let key = route_key.field("tiers").index(at).field("space");
            match (&tier.space, first) {
                (None, _) => {
                    let hint = "declare `space:` on every tier, the same name for the same model";
                    self.error("space", &key, "the vector space is not declared", hint);
                }
                (Some(space), Some(first)) if space != first => {
                    let message = format!("space `{space}` is not `{first}`, that of the first tier");
                    self.error("space", &key, message, "only a model with the same vectors can stand in");
                }
                _ => {}
            }
        }
    }
}
