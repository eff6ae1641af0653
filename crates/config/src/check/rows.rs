//! What must hold for `accept` and `rows`: a number over outputs that count rows, and rows that can be told apart.

use super::Checks;
use crate::{
    confidence::Confidence,
    expr::Range,
    schema::{
        accept::Accept,
        path::Site,
        route::{Route, RouteProtocol},
        rows::Rows,
        tensor::FixedOutput,
        tier::Tier,
    },
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn accept(&mut self, route_key: &Key, key: &Key, site: Site<'_>) {
        let Site { route, tier } = site;
        let Some(it) = &tier.accept else { return };
        if route.protocol != RouteProtocol::Oip {
            let message = format!("the answers of an `{}` route have no rows", route.protocol.name());
            return self.error("misplaced-key", key, message, "remove it");
        }
        let kinds = tier.kinds.given();
        if let Some((name, _)) = kinds.iter().find(|(name, _)| !matches!(*name, "oip" | "onnx")) {
            let message = format!("`{name}` is no model: it is as sure of each answer as of any");
            return self.error("misplaced-key", key, message, "remove it, or write it on a tier with `oip` or `onnx`");
        }
        self.rows(route_key, &key.field("rows"), (route, it.rows));
        self.confidence(route_key, key, (route, it));
    }

    fn confidence(&mut self, route_key: &Key, key: &Key, (route, it): (&Route, &Accept)) {
        let least = key.field("at_least");
        if !it.at_least.is_finite() && !self.report.doubts(&least) {
            self.error("out-of-range", &least, "it is no number that can be reached", "write a finite number");
        }
        let Some(output) = &route.output else {
            if !self.report.doubts_within(&route_key.field("output")) {
                let message = "a confidence is taken of the outputs of the route, and it does not say which they are";
                self.error("missing-output", key, message, "declare `output` on the route");
            }
            return;
        };
        let key = key.field("confidence");
        if self.report.doubts(&key) {
            return;
        }
        match Confidence::read(&it.confidence, &output.tensors) {
            Ok(confidence) if !self.report.doubts(&least) => {
                let range = confidence.range(&output.tensors);
                self.threshold(&least, (&it.confidence, confidence.compared(it.at_least)), range);
            }
            Ok(_) => {}
            Err(problems) => problems
                .into_iter()
                .for_each(|it| self.report.error_in("bad-expression", &key, it.at, (it.message, it.hint))),
        }
    }

    /// A threshold that nothing, or everything, passes that the route's contract accepts.
    fn threshold(&mut self, key: &Key, (confidence, at_least): (&str, f64), Range { least, most }: Range) {
        if at_least > most {
            let message =
                format!("no answer is ever accepted: `{confidence}` is at most {most}, by the bounds of the outputs");
            self.error("out-of-range", key, message, format!("write at most {most}, or other bounds under `output`"));
        } else if at_least <= least {
            let message =
                format!("every answer is accepted: `{confidence}` is at least {least}, by the bounds of the outputs");
            self.warning("no-effect", key, message, format!("write more than {least}, or remove `accept`"));
        }
    }

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
