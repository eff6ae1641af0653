//! What must hold for `routes` and their tiers.

use std::collections::BTreeSet;

use super::Checks;
use crate::{
    schema::{
        breaker::Breaker,
        path::{Kind, Kinds},
        route::{Route, RouteProtocol},
        scalar::Ratio,
        tier::{Method, Tier},
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
            self.tiers(&key, route);
            if route.protocol == RouteProtocol::OpenaiEmbeddings {
                self.one_space(&key, route);
            }
        }
    }

    fn name_is_usable(&mut self, key: &Key, name: &str) {
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
            if let Some(above) = certain {
                let message = format!("tier `{}` is never reached: `{above}` above cannot fail", tier.name);
                self.warning("unreachable", &key, message, "move it above the fixed answer, or remove it");
            }
            if let Some(kind) = self.one_kind(&key, tier) {
                kind.1.rules().check(&key.field(kind.0), route.protocol, self);
                certain = certain.or(kind.1.rules().is_certain().then_some(tier.name.as_str()));
                self.method(&key, tier, &kind.1);
            }
            self.breaker(&key.field("breaker"), &tier.breaker);
            if tier.finalise().0 >= tier.stall.0 {
                let message = "the wait for the end of a stream is not shorter than the silence that breaks it";
                self.error("order", &key.field("finalise"), message, "make `finalise` shorter than `stall`");
            }
        }
        if certain.is_none() && route.protocol != RouteProtocol::OpenaiEmbeddings && !route.tiers.is_empty() {
            let key = route_key.field("tiers").index(route.tiers.len() - 1);
            let message = "the last tier can fail, so a request may end in 503";
            self.warning("last-tier-can-fail", &key, message, "add a tier with a `fixed` answer below it");
        }
    }

    fn one_kind(&mut self, key: &Key, tier: &Tier) -> Option<(&'static str, Kind)> {
        let mut given = tier.kinds.given();
        if given.len() == 1 {
            return given.pop();
        }
        let names = Kinds::NAMES.join(", ");
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

    fn method(&mut self, key: &Key, tier: &Tier, kind: &Kind) {
        if tier.method == Some(Method::Default) && !kind.rules().is_certain() {
            let message = "a `default` is the answer that cannot fail, and this path can";
            self.error("method", &key.field("method"), message, "leave `method` out, or use a `fixed` answer");
        }
    }

    fn breaker(&mut self, key: &Key, breaker: &Breaker) {
        if breaker.open_max.0 < breaker.open.0 {
            let message = "the longest open time is shorter than the first";
            self.error("order", &key.field("open_max"), message, "make `open_max` at least `open`");
        }
        let steps = breaker.ramp.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !steps || breaker.ramp.last() != Some(&Ratio(1_000)) || breaker.ramp.first() == Some(&Ratio(0)) {
            let message = "the steps must rise, from above 0 to 1";
            self.error("ramp", &key.field("ramp"), message, "for example [0.05, 0.25, 0.5, 1]");
        }
        for (name, (samples, bad, _)) in [("fast", breaker.fast), ("slow", breaker.slow)] {
            if samples == 0 || bad.0 == 0 {
                let message = "a window without samples, or with a share of 0, would open at once";
                self.error("window", &key.field(name), message, "for example [20, 0.5, 10s]");
            }
        }
        if breaker.low.0 == 0 || breaker.low.1 == 0 {
            let message = "a streak of 0 would open at once";
            self.error("window", &key.field("low"), message, "for example [2, 3]");
        }
    }

    /// Vectors of unlike models cannot be compared: a fallback to another space would corrupt in silence.
    fn one_space(&mut self, route_key: &Key, route: &Route) {
        let first = route.tiers.first().and_then(|tier| tier.space.as_ref());
        for (at, tier) in route.tiers.iter().enumerate().filter(|_| route.tiers.len() > 1) {
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
