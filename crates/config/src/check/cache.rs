//! What must hold for `routes.NAME.cache`.

use evenkeel_core::SECOND;

use super::Checks;
use crate::{
    schema::{cache::Cache, path::Target, route::Route},
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
        for (at, name) in cache.vary.iter().enumerate() {
            let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            if name.is_empty() || !name.chars().all(token) {
                let message = format!("`{name}` is no name of a header");
                self.error("bad-name", &key.field("vary").index(at), message, "for example x-tenant-id");
            }
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
