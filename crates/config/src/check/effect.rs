//! Keys that are written where nothing reads them: warnings, so that nobody relies on them.

use super::Checks;
use crate::{
    compile::batch,
    schema::{
        path::{PathKind, Target, leaves},
        route::{OnPolicy, Route, RouteProtocol},
        tier::Tier,
    },
    tree::Key,
};

impl Checks<'_> {
    /// Warns of keys of a route that mean nothing with its protocol and tiers.
    pub(super) fn route_effects(&mut self, key: &Key, route: &Route) {
        let policy = key.field("on_policy");
        let certain = |tier: &Tier| tier.kinds.given().iter().any(|(_, kind)| kind.target() == Target::Certain);
        if route.protocol == RouteProtocol::Oip && self.report.is_written(&policy) {
            let message = "`on_policy` changes nothing on an `oip` route: its servers do not judge content";
            self.warning("no-effect", &policy, message, "remove it");
        }
        for name in ["commit", "rescue"].into_iter().filter(|_| !route.protocol.streams()) {
            let key = key.field(name);
            if self.report.is_written(&key) {
                let message =
                    format!("nothing streams on an `{}` route: answers are sent whole", route.protocol.name());
                self.warning("no-effect", &key, message, "remove it");
            }
        }
        if route.on_policy == OnPolicy::Default && !route.tiers.iter().any(certain) {
            let message = "there is no safe default that could answer";
            self.warning("no-effect", &policy, message, "add a tier with a `fixed` answer");
        }
    }

    /// Warns of a `max_batch` that cannot be reached, where everything else is right.
    pub(super) fn batches(&mut self) {
        let file = self.file;
        for (name, route) in file.routes.iter().filter(|_| self.report.errors() == 0).collect::<Vec<_>>() {
            // Of a route that is not read as a whole nobody knows what all its tiers answer.
            if self.report.doubts_within(&Key::default().field("routes").field(name)) {
                continue;
            }
            let (written, most) = (route.max_batch, batch::most(route, &self.outside));
            if let (Some(written), Some(most)) = (written, most.filter(|most| written.is_some_and(|it| it > *most))) {
                let key = Key::default().field("routes").field(name).field("max_batch");
                let message = format!(
                    "{written} rows of a `rules` or `fixed` tier, or of what `map` writes, would be more than 16 MiB"
                );
                self.warning("no-effect", &key, message, format!("no more than {most} rows are taken: write that"));
            }
        }
    }

    /// Warns of keys of a tier that mean nothing on this route, or for this kind of path.
    pub(super) fn effects(&mut self, key: &Key, route: &Route, kind: &dyn PathKind) {
        let target = kind.target();
        let remote = matches!(target, Target::Upstream(_));
        // What holds for several is written with each of them.
        let attempted = !matches!(target, Target::Certain | Target::Stored | Target::Members);
        let streams = remote && route.protocol.streams();
        let speaks = remote && route.protocol != RouteProtocol::Oip;
        let read = [
            ("first_token", streams),
            ("stall", streams),
            ("finalise", streams),
            ("min_rate", streams),
            ("after_break", streams),
            ("prefill", streams),
            ("effects", remote),
            ("retries", remote),
            ("capacity_domain", remote),
            ("limit", remote),
            ("hedge", remote),
            ("max_answer", remote),
            ("context", speaks),
            ("features", speaks || (target == Target::Certain && route.protocol != RouteProtocol::Oip)),
            ("languages", attempted),
            ("datatypes", attempted && route.protocol == RouteProtocol::Oip),
            ("residency", leaves(kind, route)),
            ("space", route.protocol == RouteProtocol::OpenaiEmbeddings && target != Target::Stored),
            ("total", attempted),
            ("breaker", attempted),
        ];
        for (name, read) in read {
            let key = key.field(name);
            if !read && self.report.is_written(&key) {
                let message =
                    format!("`{name}` changes nothing for this kind of path on an `{}` route", route.protocol.name());
                self.warning("no-effect", &key, message, "remove it");
            }
        }
    }
}
