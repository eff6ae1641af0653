//! What must hold for `rows`: rows that are counted, and can be told apart.

use super::Checks;
use crate::{
    schema::{route::Route, rows::Rows, tensor::FixedOutput, tier::Tier},
    tree::Key,
};

impl Checks<'_> {
    /// A rule that needs to know how many rows there are, or which is which.
    pub(super) fn rows(&mut self, route_key: &Key, key: &Key, (route, rows): (&Route, Rows)) {
        if rows == Rows::Any || self.report.doubts_within(key) {
            return;
        }
        let Some(input) = route.input.as_ref().filter(|it| it.is_declared()) else {
            if !self.report.doubts_within(&route_key.field("input")) {
                let message = format!("`{}` counts rows, and this route does not say that it has any", rows.name());
                self.error("missing-input", key, message, "declare `input` on the route, or write any");
            }
            return;
        };
        let sampled = input.sample.as_ref().map(|file| self.outside.sample(file)).unwrap_or_default();
        for (name, it) in input.tensors.iter().chain(&sampled).filter(|(_, it)| it.shape.first() != Some(&-1)) {
            let message = format!("the input `{name}` has no rows to be told apart: its shape is {:?}", it.shape);
            self.error("no-rows", key, message, "make its first dimension -1, or write any");
        }
        if rows == Rows::Split {
            self.splits(route_key, key, route);
        }
    }

    /// Rows that are answered by several tiers are put together again: each output has some for each of them.
    fn splits(&mut self, route_key: &Key, key: &Key, route: &Route) {
        let Some(output) = &route.output else {
            if !self.report.doubts_within(&route_key.field("output")) {
                let message = "answers are put together row by row, and this route does not say what it answers";
                self.error("missing-output", key, message, "declare `output` on the route");
            }
            return;
        };
        for (name, tensor) in &output.tensors {
            if tensor.shape.first() != Some(&-1) {
                let message =
                    format!("the output `{name}` has no rows to be put together: its shape is {:?}", tensor.shape);
                self.error("no-rows", key, message, "make its first dimension -1, or write any");
            }
        }
        for (at, tier) in route.tiers.iter().enumerate() {
            let key = route_key.field("tiers").index(at);
            let whole = |it: &Tier| it.kinds.given().iter().any(|(_, kind)| kind.is_whole()) || has_whole_default(it);
            if tier.asked().any(whole) {
                let message =
                    format!("tier `{}` answers one tensor for all rows, and this route splits them", tier.name);
                self.error("no-rows", &key, message, "write one value, which is repeated for each row");
            }
        }
    }
}

fn has_whole_default(tier: &Tier) -> bool {
    tier.map.values().any(|it| matches!(it.default, Some(FixedOutput::Whole(_))))
}
