//! What must hold for `routes.NAME.quality`: something that a label can be compared with, on a route whose answers have rows.

use super::{Checks, cache::is_header};
use crate::{
    compile::quality::MOST_DELAY,
    schema::route::{Route, RouteProtocol},
    tree::Key,
    truth::Truth,
};

/// The least memory in which the answers of a busy second find room.
const LEAST: u64 = 64 << 10;

impl Checks<'_> {
    pub(super) fn quality(&mut self, route_key: &Key, route: &Route) {
        let (it, key) = (&route.quality, route_key.field("quality"));
        for (name, tolerance) in [("abs_tol", it.abs_tol), ("rel_tol", it.rel_tol)] {
            let key = key.field(name);
            if !(0.0..f64::INFINITY).contains(&tolerance) {
                self.error("out-of-range", &key, "it is no distance", "write 0 or more");
            } else if self.report.is_written(&key) && it.output.is_none() && it.label.is_none() {
                let message = "no label is compared: neither `output` nor `label` says with what";
                self.warning("no-effect", &key, message, "write `output: NAME`, or remove it");
            }
        }
        if it.memory.0 < LEAST {
            let message = "answers would be forgotten before their labels come";
            self.error("out-of-range", &key.field("memory"), message, "write 64KiB or more, for example 16MiB");
        }
        if let Some(delay) = it.label_delay {
            let key = key.field("label_delay");
            if delay.0 > MOST_DELAY {
                let message = "labels count for 14 days at most";
                self.error(
                    "out-of-range",
                    &key,
                    message,
                    "write a time up to 14d, in which labels come, for example 2d",
                );
            } else if route.certificate.is_none() {
                let message = "it is waited for labels where they speak of a certificate, and the route has none";
                self.warning("no-effect", &key, message, "write `certificate` on the route, or remove it");
            }
        }
        for (at, name) in it.vary.iter().enumerate() {
            if !is_header(name) {
                let message = format!("`{name}` is no name of a header");
                self.error("bad-name", &key.field("vary").index(at), message, "for example x-tenant-id");
            }
        }
        self.truth(route_key, &key, route);
    }

    /// What a label is compared with.
    fn truth(&mut self, route_key: &Key, key: &Key, route: &Route) {
        let (output, label) = (&route.quality.output, &route.quality.label);
        let of = match (output, label) {
            (None, None) => return,
            (Some(_), Some(_)) => {
                let message = "a label is compared with an output or with what an expression says, not with both";
                return self.error("misplaced-key", &key.field("label"), message, "remove `output` or `label`");
            }
            (Some(_), None) => key.field("output"),
            (None, Some(_)) => key.field("label"),
        };
        if route.protocol != RouteProtocol::Oip {
            let message = format!("the answers of an `{}` route have no outputs", route.protocol.name());
            let hint = "remove it: such a route takes `correct` and `score`";
            return self.error("misplaced-key", &of, message, hint);
        }
        let Some(promised) = &route.output else {
            if !self.report.doubts_within(&route_key.field("output")) {
                let message = "a label is compared with outputs of the route, and it does not say which they are";
                self.error("missing-output", &of, message, "declare `output` on the route");
            }
            return;
        };
        if self.report.doubts(&of) {
            return;
        }
        if let Some(Err((message, hint))) = output.as_ref().map(|name| Truth::output(name, &promised.tensors)) {
            self.error("unknown-output", &of, message, hint);
        }
        let problems = label.as_ref().and_then(|source| Truth::label(source, &promised.tensors).err());
        for it in problems.into_iter().flatten() {
            self.report.error_in("bad-expression", &of, it.at, (it.message, it.hint));
        }
    }
}
