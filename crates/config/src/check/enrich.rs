//! What must hold for `enrich`: a feature server, columns to fill, whom they are about, and values that can stand in.

use std::collections::BTreeSet;

use super::Checks;
use crate::{
    diagnostic::nearest,
    schema::{
        contract::{Datatype, FeatureKind, Input},
        enrich::{Enrich, Fetched, JoinKey},
        path::Target,
        route::{Route, RouteProtocol},
        rows::Rows,
        scalar::{Duration, Ratio},
        tier::Tier,
        upstream::{Upstream, UpstreamProtocol},
    },
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn enrich(&mut self, route_key: &Key, route: &Route) {
        let (Some(it), key) = (&route.enrich, route_key.field("enrich")) else { return };
        if route.protocol != RouteProtocol::Oip {
            if !self.report.doubts(&route_key.field("protocol")) {
                let message = format!("an `{}` route has no features", route.protocol.name());
                self.error("misplaced-key", &key, message, "remove it, or write `protocol: oip`");
            }
            return;
        }
        self.upstream(&key.field("upstream"), &it.upstream, &[UpstreamProtocol::Feast]);
        self.breaker(&key.field("breaker"), &it.breaker);
        self.enrich_clock(&key.field("timeout"), route, it.timeout);
        self.most_imputed(&key, route, it);
        self.rows(route_key, &key.field("rows"), (route, it.rows));
        let Some((tensor, input)) = route.input.as_ref().and_then(|input| Some((input.tensor.as_ref()?, input))) else {
            let message = "features fill columns of a tensor, and this route does not say that it has one";
            return self.error(
                "missing-input",
                &key,
                message,
                "write `input: {tensor: NAME, columns: […]}` on the route",
            );
        };
        self.entity(&key.field("entity"), it, tensor);
        if it.features.is_empty() && !self.report.doubts_within(&key.field("features")) {
            self.error("empty", &key.field("features"), "nothing is fetched", "name a column, or leave `enrich` out");
        }
        for (name, fetched) in &it.features {
            self.fetched(&key.field("features").field(name), (name, fetched), input);
        }
    }

    fn enrich_clock(&mut self, key: &Key, route: &Route, timeout: Duration) {
        if timeout.nanos() > route.deadline().nanos() / 2 && !self.report.doubts(key) {
            let message = "no more than half of the deadline is spent on features, so the rest of this never is";
            self.warning("no-effect", key, message, "make it at most half of `deadline`");
        }
    }

    /// A share above which tiers are skipped, and the tier that takes what is above it.
    fn most_imputed(&mut self, key: &Key, route: &Route, it: &Enrich) {
        let (most, start) = (key.field("max_imputed"), key.field("start_at"));
        let all = it.max_imputed == Ratio(1_000);
        if !all && it.start_at.is_none() && route.tiers.len() < 2 {
            let message = "there is no tier below the first, so such rows would have no answer";
            self.error("no-tier", &most, message, "add a tier, or leave `max_imputed` out");
        }
        let rows = key.field("rows");
        if all && it.rows != Rows::Any && !self.report.doubts(&most) {
            let message = "without `max_imputed` every tier takes every row, so none moves";
            self.warning("no-effect", &rows, message, "write `max_imputed`, or remove it");
        }
        let Some(name) = &it.start_at else { return };
        if all && !self.report.doubts(&most) {
            let message = "without `max_imputed` every tier takes every row, so no other is started at";
            self.warning("no-effect", &start, message, "write `max_imputed`, or remove it");
        }
        match route.tiers.iter().position(|tier| tier.name == *name) {
            Some(0) => {
                let message = format!("`{name}` is the first tier: nothing stands above it to be skipped");
                self.error("order", &start, message, "name a lower tier");
            }
            Some(at) if it.rows == Rows::Split => {
                let is_certain = |tier: &&Tier| tier.kinds.given().iter().any(|(_, it)| it.target() == Target::Certain);
                if let Some(above) = route.tiers[..at].iter().find(is_certain) {
                    let message =
                        format!("`{}` above it cannot fail, and ends each batch before `{name}` is asked", above.name);
                    self.error("order", &start, message, "name that tier, or one above it");
                }
            }
            Some(_) => {}
            None => {
                let hint = match nearest(name, route.tiers.iter().map(|tier| tier.name.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name a tier of this route".into(),
                };
                self.error("unknown-tier", &start, format!("there is no tier `{name}`"), hint);
            }
        }
    }

    fn entity(&mut self, key: &Key, it: &Enrich, tensor: &str) {
        if it.entity.is_empty() && !self.report.doubts_within(key) {
            let message = "a feature server must be told whom the features are about";
            self.error("empty", key, message, "for example {customer_id: {input: customer}}");
        }
        let mut seen = BTreeSet::new();
        for (name, JoinKey { input, .. }) in &it.entity {
            self.not_empty(&key.field(name), name, "the join key has no name", "write the one of the feature store");
            let at = key.field(name).field("input");
            self.not_empty(&at, input, "the input has no name", "name it");
            if input == tensor || !seen.insert(input) {
                let what = if input == tensor { "the tensor of columns" } else { "the input of another join key" };
                let message = format!("`{input}` is {what}");
                self.error("duplicate-name", &at, message, "name an input of its own, with one value a row");
            }
        }
    }

    fn fetched(&mut self, key: &Key, fetched: (&str, &Fetched), input: &Input) {
        let (name, it) = fetched;
        self.name_is_usable(key, name);
        if !input.columns.iter().any(|column| column == name) {
            let hint = match nearest(name, input.columns.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to `columns` of the `input`".into(),
            };
            self.error("unknown-column", key, format!("there is no column `{name}`"), hint);
        }
        let at = key.field("feature");
        let parts: Vec<_> = it.feature.split(':').collect();
        if !self.report.doubts(&at) && (parts.len() != 2 || parts.iter().any(|part| part.is_empty())) {
            let message = format!("`{}` is not a feature of a view", it.feature);
            self.error("bad-feature", &at, message, "write view:feature, such as stats:txn_7d");
        }
        self.default_fits(&key.field("default"), it.default, (name, input));
    }

    /// What stands in must be a value that a client could have sent.
    fn default_fits(&mut self, key: &Key, default: f64, (name, input): (&str, &Input)) {
        if self.report.doubts(key) {
            return;
        }
        let number = Datatype::Fp32.holds(default);
        let declared = input.features.get(name);
        let whole = declared.is_some_and(|it| it.kind == FeatureKind::Int) && number.fract() != 0.0;
        let [min, max] = [declared.and_then(|it| it.min), declared.and_then(|it| it.max)];
        if !number.is_finite() || whole || min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
            let message = format!("{default} is no value of the column `{name}`");
            self.error("breaks-contract", key, message, "look at the `input` of the route");
        }
    }

    /// Keys of an upstream that a feature server does not have, and the number of its addresses.
    pub(super) fn feature_server(&mut self, key: &Key, upstream: &Upstream) {
        if upstream.protocol != UpstreamProtocol::Feast {
            return;
        }
        for name in ["dialect", "probe", "capacity_domain", "min_available"] {
            let key = key.field(name);
            if self.report.is_written(&key) {
                let message = format!("`{name}` means nothing for a feature server");
                self.error("misplaced-key", &key, message, "remove it");
            }
        }
        if upstream.addresses().count() > 1 {
            let message = "a feature server has one address here";
            self.error("one-address", &key.field("urls"), message, "write `url` with the address of its balancer");
        }
    }
}
