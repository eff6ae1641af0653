//! What must hold for the times of routes, tiers and upstreams, one against another.

use evenkeel_core::MILLISECOND;

use super::Checks;
use crate::{
    schema::{path::Target, route::Route, scalar::Duration, tier::Tier},
    tree::Key,
};

/// The longest that streams are kept off a path after one broke (F-077).
const LONGEST_AFTER_BREAK: Duration = Duration::seconds(300);

impl Checks<'_> {
    /// A deadline in which nothing can answer, and a promise that is wider than the deadline.
    pub(super) fn route_clocks(&mut self, key: &Key, route: &Route) {
        let (deadline, own) = (key.field("deadline"), route.deadline());
        if own.nanos() < MILLISECOND {
            self.error("out-of-range", &deadline, "nothing can be asked in less than 1ms", "for example 5s");
        } else if route.slo.latency.p95.is_some_and(|p95| p95 > own) && !self.report.doubts(&deadline) {
            let message = "no answer is later than the deadline of the route, so this promise is never broken";
            let hint = "make it shorter than `deadline`";
            self.warning("no-effect", &key.field("slo").field("latency").field("p95"), message, hint);
        }
    }

    /// Clocks of a tier that contradict one another, or never fire as they are written.
    pub(super) fn clocks(&mut self, key: &Key, route: &Route, tier: &Tier) {
        let deadline = route.deadline();
        let first = key.field("first_token");
        if self.report.is_written(&first) && tier.first_token.shortest() > deadline.nanos() {
            let message = "the clock is longer than the deadline of the route, so it never fires";
            self.warning("no-effect", &first, message, "make it shorter: lower tiers need time, too");
        }
        let finalise = key.field("finalise");
        if route.protocol.streams() && tier.finalise().nanos() >= tier.stall.nanos() {
            let message = "the wait for the end of a stream is not shorter than the silence that breaks it";
            self.error("order", &finalise, message, "make `finalise` shorter than `stall`");
        }
        let total = key.field("total");
        if self.report.is_written(&total)
            && tier.total.nanos() < tier.first_token.shortest()
            && route.protocol.streams()
        {
            let message = "the whole attempt is shorter than its first clock, which never fires";
            self.warning("no-effect", &total, message, "make `total` longer, or `first_token` shorter");
        }
        if tier.after_break > LONGEST_AFTER_BREAK {
            let message = "longer than a break says anything about a path";
            self.error("out-of-range", &key.field("after_break"), message, "write 300s or less");
        }
    }

    /// Warns of a `connect` that outlives the first clock of every tier that needs it: it is never what ends an attempt.
    pub(super) fn connects(&mut self) {
        let file = self.file;
        for (name, upstream) in &file.upstreams {
            let key = Key::default().field("upstreams").field(name).field("connect");
            let firsts = file.routes.values().flat_map(|route| {
                let asks = |tier: &&Tier| tier.kinds.given().iter().any(|it| it.1.target() == Target::Upstream(name));
                route.tiers.iter().flat_map(Tier::asked).filter(asks).map(|tier| match route.protocol.streams() {
                    true => tier.first_token.longest().min(route.deadline().nanos()),
                    false => route.deadline().nanos(),
                })
            });
            if self.report.is_written(&key) && firsts.max().is_some_and(|longest| upstream.connect.nanos() > longest) {
                let message =
                    "longer than `first_token`, or the deadline, of every tier that calls it, so it never fires";
                self.warning("no-effect", &key, message, "make it shorter: 1s is much for a connection");
            }
        }
    }
}
