//! What must hold for `routes.NAME.cache`.

use evenkeel_core::SECOND;

use super::Checks;
use crate::{
    schema::{cache::Cache, path::Target, route::Route},
    secret::within,
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

impl Checks<'_> {
    /// Where gateways keep answers together.
    pub(super) fn shared(&mut self) {
        let (file, key) = (self.file, Key::default().field("shared"));
        let Some(reference) = file.shared() else { return };
        let plain = within(reference).is_none();
        if plain && !reference.contains('@') {
            // Nothing in it is secret; it is taken along like one all the same.
            drop(self.outside.fetch_secret(reference));
        } else {
            self.secret(&key, reference);
        }
        let known = self.outside.known_secret(reference);
        if known.is_some_and(|url| !is_redis(url.reveal())) {
            let hint = "write redis://HOST:PORT, or `none`";
            self.error("bad-url", &key, "it is no address of a Redis", hint);
        }
        if file.routes.values().all(|route| route.cache.is_none()) {
            self.warning("no-effect", &key, "no route keeps answers", "give a route a `cache`, or remove it");
        }
    }
}

/// Says whether a text is `redis://[[user]:password@]host[:port][/database]`.
fn is_redis(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("redis://") else { return false };
    let (place, database) = rest.split_once('/').unwrap_or((rest, "0"));
    let address = place.rsplit('@').next().unwrap_or_default();
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (address, "6379"),
    };
    let named = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c));
    named && port.parse::<u16>().is_ok_and(|port| port > 0) && (database.is_empty() || database.parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_redis;

    #[test]
    fn f_146_an_address_of_a_redis_is_told_from_others() {
        for url in ["redis://h", "redis://h:6379", "redis://127.0.0.1:1/3", "redis://:p@h:2/", "redis://u:p:q@[::1]:3"]
        {
            assert!(is_redis(url), "{url}");
        }
        for url in [
            "",
            "redis",
            "redis://",
            "http://h",
            "rediss://h",
            "redis://h:0",
            "redis://h:x",
            "redis://h/x",
            "redis://a b",
        ] {
            assert!(!is_redis(url), "{url}");
        }
    }
}
