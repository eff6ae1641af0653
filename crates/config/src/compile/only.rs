//! Only: one tier of a deployment, alone: what `evenkeel serve-path` serves, so that a path can have a process of its own.

use std::sync::Arc;

use evenkeel_core::{ImputedPolicy, Method, PathId, Protocol, Revision, RouteId, Tier, Where};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Deployment, PathSpec, RouteSpec};

/// Why a tier cannot stand alone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAlone {
    /// There is no such route.
    #[error("there is no route `{route}`; there are: {routes}")]
    NoRoute {
        /// What was asked for.
        route: String,
        /// What there is.
        routes: String,
    },
    /// The route has no such tier.
    #[error("route `{route}` has no tier `{tier}`; it has: {tiers}")]
    NoTier {
        /// The route.
        route: String,
        /// What was asked for.
        tier: String,
        /// What it has.
        tiers: String,
    },
    /// The route's clients speak something else.
    #[error("route `{0}` is no `oip` route, and what is served is an Open Inference Protocol server")]
    NotOip(String),
    /// The tier is a server of its own already.
    #[error("tier `{0}` calls an upstream, which is a server of its own already")]
    Remote(String),
    /// The tier asks several paths.
    #[error("tier `{0}` asks several paths at once, and their vote is taken where the route is")]
    Several(String),
    /// The tier has no answers of its own.
    #[error("tier `{0}` answers with what the tiers above it have said, and has nothing to say alone")]
    Stored(String),
}

impl Deployment {
    /// Returns a deployment in which a route has one tier, one that is computed in this process, and nothing else is there.
    ///
    /// # Errors
    /// There is no such tier, or it is none that can stand alone.
    pub fn only(&self, route: &str, tier: &str) -> Result<Self, NotAlone> {
        let revision = &*self.revision;
        let names = |all: Vec<&str>| all.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        let at = revision.route(route).ok_or_else(|| NotAlone::NoRoute {
            route: route.into(),
            routes: names(revision.routes.iter().map(|it| it.name.as_str()).collect()),
        })?;
        let whole = &revision.routes[at.index()];
        let found = whole.tiers.iter().find(|it| it.name == tier).ok_or_else(|| NotAlone::NoTier {
            route: route.into(),
            tier: tier.into(),
            tiers: names(whole.tiers.iter().map(|it| it.name.as_str()).collect()),
        })?;
        let path = &revision.paths[found.path.index()];
        match path.place {
            _ if whole.protocol != Protocol::Oip => return Err(NotAlone::NotOip(route.into())),
            Where::Remote(_) => return Err(NotAlone::Remote(tier.into())),
            Where::Ensemble => return Err(NotAlone::Several(tier.into())),
            Where::Stored => return Err(NotAlone::Stored(tier.into())),
            Where::Local | Where::Certain => {}
        }
        let digest = Sha256::new_with_prefix(revision.digest).chain_update(route).chain_update([0]).chain_update(tier);
        // Alone it is no fall-back: whoever asks it means it.
        let method = if found.method == Method::Distilled { Method::Primary } else { found.method };
        let tiers = vec![Tier { method, path: PathId(0), ..found.clone() }];
        let revision = Revision {
            digest: digest.finalize().into(),
            // Whoever asks it has fetched what was missing.
            routes: vec![evenkeel_core::Route {
                tiers,
                imputed: ImputedPolicy::default(),
                cache: None,
                ..whole.clone()
            }],
            // And nobody stands below it who would take what it is not sure of.
            paths: vec![evenkeel_core::Path { route: RouteId(0), accept: None, ..path.clone() }],
            upstreams: Vec::new(),
            names: revision.names.clone(),
        };
        Ok(Self {
            shared: None,
            revision: Arc::new(revision),
            server: self.server.clone(),
            certificate: self.certificate.clone(),
            upstreams: Vec::new(),
            paths: vec![PathSpec { accept: None, ..self.paths[found.path.index()].clone() }],
            routes: vec![RouteSpec {
                enrich: None,
                cache: None,
                post: Arc::default(),
                ..self.routes[at.index()].clone()
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::load_text;

    const TEXT: &str = "
version: 1
upstreams: {u: {protocol: oip, url: \"http://127.0.0.1:1\"}}
routes:
  chat: {protocol: openai-chat, tiers: [{name: default, fixed: {content: x}}]}
  score:
    protocol: oip
    deadline: 2s
    tiers:
      - {name: primary, oip: {upstream: u, model: m}}
      - {name: default, fixed: {outputs: {y: 0.5}}}
  vote:
    protocol: oip
    output: {tensors: {y: {datatype: FP32}}}
    tiers: [{name: panel, paths: [{oip: {upstream: u, model: m}}, {oip: {upstream: u, model: n}}]}]
";

    #[test]
    fn a_tier_stands_alone_with_all_that_its_route_says_of_it() {
        let whole = load_text("t", TEXT, Path::new(".")).deployment.expect("nothing is wrong with it");
        let alone = whole.only("score", "default").expect("it is computed here");
        let (revision, before) = (&alone.revision, &whole.revision);
        assert_eq!((revision.routes.len(), revision.paths.len(), revision.upstreams.len()), (1, 1, 0));
        assert_eq!(
            (revision.routes[0].deadline, revision.paths[0].name.as_str()),
            (before.routes[1].deadline, "default")
        );
        assert_eq!(alone.paths, whole.paths[2..3]);
        assert_ne!(revision.digest, before.digest, "it is another configuration");
        assert_eq!(revision.digest, whole.only("score", "default").expect("again").revision.digest);
    }

    #[test]
    fn what_cannot_stand_alone_is_refused_in_words() {
        let whole = load_text("t", TEXT, Path::new(".")).deployment.expect("nothing is wrong with it");
        for (route, tier, words) in [
            ("nope", "x", "there is no route `nope`; there are: `chat`, `score`, `vote`"),
            ("score", "x", "route `score` has no tier `x`; it has: `primary`, `default`"),
            ("score", "primary", "calls an upstream"),
            ("vote", "panel", "asks several paths at once"),
            ("chat", "default", "is no `oip` route"),
        ] {
            let refused = whole.only(route, tier).expect_err(words).to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
