//! What must hold for `routes.NAME.cache`.

use evenkeel_core::SECOND;

use super::Checks;
use crate::{
    schema::{
        cache::{Cache, Semantic},
        path::Target,
        route::{Route, RouteProtocol},
        upstream::UpstreamProtocol,
    },
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn cache(&mut self, route_key: &Key, route: &Route) {
        let Some(cache) = &route.cache else { return };
        let key = route_key.field("cache");
        let earlier = route.tiers.iter().flat_map(|tier| tier.kinds.given()).any(|it| it.1.target() == Target::Stored);
        self.cache_times(&key, cache, earlier);
        if cache.max_entry.0 > cache.memory.0 / 8 {
            let message = "one answer may take more than an eighth of the memory";
            self.error("order", &key.field("max_entry"), message, "raise `memory`, or lower `max_entry`");
        }
        if !cache.fresh && !earlier {
            let message = "what is kept is never given: fresh answers are off, and no tier is of kind `cache`";
            self.warning("no-effect", &key.field("fresh"), message, "add a tier `{name: earlier, cache: {}}`");
        }
        if let Some(semantic) = &cache.semantic {
            self.semantic(&key.field("semantic"), route, (cache, semantic, earlier));
        }
        for (at, name) in cache.vary.iter().enumerate() {
            if !is_header(name) {
                let message = format!("`{name}` is no name of a header");
                self.error("bad-name", &key.field("vary").index(at), message, "for example x-tenant-id");
            }
        }
    }

    fn semantic(&mut self, key: &Key, route: &Route, of: (&Cache, &Semantic, bool)) {
        let (cache, it, earlier) = of;
        if route.protocol != RouteProtocol::OpenaiChat {
            let message = format!("what an `{}` route is asked has no words", route.protocol.name());
            self.error(
                "misplaced-key",
                key,
                message,
                "remove it: only an `openai-chat` route can look for other words",
            );
        }
        let of = key.field("embeddings");
        self.upstream(&of.field("upstream"), &it.embeddings.upstream, &[UpstreamProtocol::Openai]);
        let hint = "write the name the upstream knows";
        self.not_empty(&of.field("model"), &it.embeddings.model, "the model has no name", hint);
        if it.at_least.0 < 500 {
            let message = "two questions that have nothing to do with one another may be as near as this";
            self.error("out-of-range", &key.field("at_least"), message, "write 0.5 or more, for example 0.95");
        }
        if it.fresh && !cache.fresh {
            let message = "a fresh answer to other words would be given, and one to the same words would not";
            self.error("order", &key.field("fresh"), message, "remove it, or `fresh: false` of the cache");
        }
        if !earlier && !it.fresh {
            let message = "answers to other words are never given: `fresh` is off, and no tier is of kind `cache`";
            self.warning("no-effect", key, message, "add a tier `{name: earlier, cache: {}}`");
        }
    }

    fn cache_times(&mut self, key: &Key, cache: &Cache, earlier: bool) {
        if cache.ttl.0 < SECOND && !self.report.doubts(&key.field("ttl")) {
            let message = "an answer that is fresh for less than 1s is fresh for nobody";
            self.error("out-of-range", &key.field("ttl"), message, "for example 5m");
        }
        let stale = key.field("stale_if_error");
        if !earlier && self.report.is_written(&stale) {
            let message = "`stale_if_error` changes nothing: no tier is of kind `cache`";
            self.warning("no-effect", &stale, message, "add a tier `{name: earlier, cache: {}}`, or remove it");
        }
        if earlier && cache.stale_if_error.0 < cache.ttl.0 {
            let message = "an answer would be fresh for longer than it may stand in for a failure";
            self.error("order", &stale, message, "make `stale_if_error` at least `ttl`");
        }
    }
}

/// Says whether a text may be the name of a header.
pub(super) fn is_header(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}
