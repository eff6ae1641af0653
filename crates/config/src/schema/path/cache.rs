//! `cache`: an earlier answer to the same request, where one was kept (F-143).

use evenkeel_core::{MILLISECOND, Nanos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, PathKind, Site, Target};
use crate::{check::Checks, outside::Outside, schema::tier::Method, tree::Key};

/// An earlier answer to the same request, or where the route's `cache` says `semantic`, to other words; no older than its
/// `stale_if_error`. It has no keys of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CacheTier")]
pub(crate) struct Block {}

/// An earlier answer to the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache;

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        if site.route.cache.is_none() {
            let message = "the route keeps no answers";
            checks.error("no-cache", key, message, "add `cache: {}` to the route, or remove the tier");
        }
        let first = site.route.tiers.first().is_some_and(|first| first.name == site.tier.name);
        if first {
            let message = "an earlier answer cannot come first: it is another tier's";
            checks.error("order", key, message, "fresh answers are given before the first tier; move this one down");
        }
    }

    fn ready(&self, _: Site<'_>, _: &Outside) -> Kind {
        Kind::Cache(Cache)
    }

    fn target(&self) -> Target<'_> {
        Target::Stored
    }

    fn need(&self) -> Nanos {
        50 * MILLISECOND
    }

    fn methods(&self) -> &'static [Method] {
        &[Method::Cache]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::load_text;

    fn codes(cache: &str, tiers: &str) -> Vec<&'static str> {
        let text = format!(
            "version: 1\nupstreams: {{u: {{protocol: openai, url: \"http://h/v1\"}}}}\nroutes:\n  r:\n    protocol: openai-chat\n{cache}    tiers:\n{tiers}      - {{name: d, fixed: {{content: x}}}}\n"
        );
        load_text("e.yaml", &text, Path::new(".")).diagnostics.iter().map(|it| it.code).collect()
    }

    const MODEL: &str = "      - {name: m, openai: {upstream: u, model: m}}\n";
    const EARLIER: &str = "      - {name: earlier, cache: {}}\n";

    #[test]
    fn f_143_an_earlier_answer_is_a_tier_of_a_route_that_keeps_answers_and_never_the_first() {
        let both = format!("{MODEL}{EARLIER}");
        assert!(codes("    cache: {}\n", &both).is_empty());
        assert_eq!(codes("", &both), ["no-cache"]);
        assert_eq!(codes("    cache: {}\n", &format!("{EARLIER}{MODEL}")), ["order"]);
        assert_eq!(codes("    cache: {}\n", &both.replace("cache: {}", "cache: {ttl: 1s}")), ["unknown-key"]);
        let method = both.replace("earlier,", "earlier, method: primary,");
        assert_eq!(codes("    cache: {}\n", &method), ["method"]);
        let breaker = both.replace("earlier,", "earlier, breaker: {open: 1s},");
        assert_eq!(codes("    cache: {}\n", &breaker), ["no-effect"]);
    }
}
