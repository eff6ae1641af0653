//! Only: one tier of a deployment, alone: what `evenkeel serve-path` serves, so that a path can have a process of its own.
//!
//! # Invariants
//! - `ONLY-1`: a tier that is read alone needs no secret and no file of anything else: that process has none of them.

use std::sync::Arc;

use evenkeel_core::{ImputedPolicy, Method, PathId, Protocol, Revision, RouteId, Tier, Where};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{DecisionStore, Deployment, PathSpec, RouteSpec};
use crate::{
    schema::{
        audit::Audit,
        file::{File, STORE_OFF},
        guards::Guards,
        path::Target,
        route::{Route, RouteProtocol},
    },
    tree::Key,
};

/// A tier that is read alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alone {
    /// Its route.
    pub route: String,
    /// Its name.
    pub tier: String,
}

/// Keys of a route that say nothing of one tier that stands alone: whoever asks it has fetched what was missing, keeps answers and
/// does to them what is done to all.
pub(super) const OF_ALL_TIERS: [&str; 5] = ["enrich", "cache", "post", "guards", "certificate"];
/// The same of its input.
pub(super) const OF_ALL_INPUTS: [&str; 3] = ["reference", "derive", "text"];

impl Alone {
    /// Finds the tier, by its position on its route, whatever it is.
    pub(super) fn place(&self, file: &File) -> Result<usize, NotAlone> {
        let Self { route, tier } = self;
        let whole = file.routes.get(route).ok_or_else(|| NotAlone::no_route(route, file.routes.keys()))?;
        let at = whole.tiers.iter().position(|it| it.name == *tier);
        at.ok_or_else(|| NotAlone::no_tier((route, tier), whole.tiers.iter().map(|it| &it.name)))
    }

    /// Finds the tier, by its position on its route, where it can stand alone.
    pub(crate) fn find(&self, file: &File) -> Result<usize, NotAlone> {
        let at = self.place(file)?;
        let (Self { route, tier }, whole) = (self, &file.routes[&self.route]);
        let kinds = whole.tiers[at].kinds.given();
        match kinds.first().map(|(_, kind)| kind.target()) {
            _ if whole.protocol != RouteProtocol::Oip => Err(NotAlone::NotOip(route.clone())),
            Some(Target::Upstream(_)) => Err(NotAlone::Remote(tier.clone())),
            Some(Target::Members) => Err(NotAlone::Several(tier.clone())),
            Some(Target::Stored) => Err(NotAlone::Stored(tier.clone())),
            Some(Target::Model | Target::Rules | Target::Certain) | None => Ok(at),
        }
    }

    /// Returns the key of the tier, which is found there.
    pub(crate) fn key(&self, at: usize) -> Key {
        self.route_key().field("tiers").index(at)
    }

    pub(super) fn route_key(&self) -> Key {
        Key::default().field("routes").field(&self.route)
    }

    /// Returns the keys of everything that is none of the tier's business: nothing that they name is fetched.
    pub(crate) fn others(&self, file: &File, at: usize) -> Vec<Key> {
        let top = Key::default();
        let routes = file.routes.keys().filter(|name| **name != self.route).map(|name| top.field("routes").field(name));
        let tiers = (0..file.routes[&self.route].tiers.len()).filter(|it| *it != at).map(|it| self.key(it));
        let input = self.route_key().field("input");
        let of_all = OF_ALL_TIERS.map(|name| self.route_key().field(name)).into_iter();
        let of_all = of_all.chain(OF_ALL_INPUTS.map(|name| input.field(name)));
        routes
            .chain(tiers)
            .chain(of_all)
            .chain(["upstreams", "shared", "store", "audit"].map(|it| top.field(it)))
            .collect()
    }

    /// Leaves nothing but the tier in a file that was checked.
    pub(crate) fn cut(&self, mut file: File, at: usize) -> File {
        file.routes.retain(|name, _| *name == self.route);
        file.upstreams.clear();
        file.shared = None;
        // Whoever asks it stores what is stored of a request.
        (file.store, file.audit) = (STORE_OFF.into(), Audit::default());
        for route in file.routes.values_mut() {
            unjudged(route);
            let Route { tiers, enrich, cache, post, certificate, .. } = route;
            *certificate = None;
            tiers.swap(0, at);
            tiers.truncate(1);
            (*enrich, *cache) = (None, None);
            post.clear();
        }
        file
    }
}

/// Leaves out what judges an input: whoever asks a tier alone has done that.
pub(super) fn unjudged(route: &mut Route) {
    route.guards = Guards::default();
    if let Some(input) = &mut route.input {
        (input.reference, input.text) = (None, None);
        input.derive.clear();
    }
}

impl NotAlone {
    fn no_route<'n>(route: &str, all: impl Iterator<Item = &'n String>) -> Self {
        Self::NoRoute { route: route.into(), routes: quoted(all) }
    }

    fn no_tier<'n>((route, tier): (&str, &str), all: impl Iterator<Item = &'n String>) -> Self {
        Self::NoTier { route: route.into(), tier: tier.into(), tiers: quoted(all) }
    }
}

fn quoted<'n>(all: impl Iterator<Item = &'n String>) -> String {
    all.map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}

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
        let at = revision.route(route);
        let at = at.ok_or_else(|| NotAlone::no_route(route, revision.routes.iter().map(|it| &it.name)))?;
        let whole = &revision.routes[at.index()];
        let found = whole.tiers.iter().find(|it| it.name == tier);
        let found = found.ok_or_else(|| NotAlone::no_tier((route, tier), whole.tiers.iter().map(|it| &it.name)))?;
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
                guards: Vec::new(),
                drift: None,
                certificate: None,
                ..whole.clone()
            }],
            // And nobody stands below it who would take what it is not sure of.
            paths: vec![evenkeel_core::Path { route: RouteId(0), accept: None, ..path.clone() }],
            upstreams: Vec::new(),
            names: revision.names.clone(),
        };
        Ok(Self {
            shared: None,
            audit: None,
            data_dir: self.data_dir.clone(),
            // Whoever asks it keeps what is kept of a request.
            decisions: None,
            store: DecisionStore::Off,
            revision: Arc::new(revision),
            server: self.server.clone(),
            certificate: self.certificate.clone(),
            upstreams: Vec::new(),
            paths: vec![PathSpec { accept: None, confidence_of: None, ..self.paths[found.path.index()].clone() }],
            routes: vec![RouteSpec {
                enrich: None,
                guarding: None,
                cache: None,
                drift: None,
                post: Arc::default(),
                certificate: None,
                ..self.routes[at.index()].clone()
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Alone;
    use crate::{load_again, load_alone, load_text};

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

    const APART: &str = "
version: 1
server: {listen: \"127.0.0.1:0\"}
shared: \"${env:EVENKEEL_NOT_SET}\"
upstreams: {u: {protocol: oip, url: \"https://127.0.0.1:1\", api_key: \"${env:EVENKEEL_NOT_SET}\", ca: not-there.pem}}
routes:
  help: {protocol: openai-chat, tiers: [{name: documents, retrieval: {index: ./not-there}}, {name: default, fixed: {content: x}}]}
  score:
    protocol: oip
    cache: {ttl: 1m}
    input: {features: {a: {type: float}}}
    output: {tensors: {y: {datatype: FP32, min: 0, max: 1}, label: {datatype: BYTES}}}
    post: [{json: {output: label, schema: not-there.json}}]
    tiers:
      - {name: primary, oip: {upstream: u, model: m}}
      - {name: distilled, onnx: {file: not-there.onnx, sha256: \"12\"}, calibrate_to: {path: primary, file: not-there.map}}
      - {name: rules, rules: {file: score.rules}}
      - {name: default, fixed: {outputs: {y: 0.5, label: none}}}
";
    const RULES: &str = "inputs: {a: float}\nrules: [{id: r1, when: a > 1.0, answer: {y: 1, label: high}}]\notherwise: {y: 0, label: low}\n";

    #[test]
    fn only_1_a_tier_that_is_read_alone_needs_what_it_names_itself_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("evenkeel.yaml");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("evenkeel.yaml", APART);
        let read = |tier: &str| load_alone(&file, &Alone { route: "score".into(), tier: tier.into() });
        let wrong = |tier: &str| read(tier).diagnostics.into_iter().map(|it| (it.code, it.key)).collect::<Vec<_>>();
        assert_eq!(wrong("default"), [], "it names nothing");
        let own = |at: usize, key: &str| format!("routes.score.tiers[{at}].{key}");
        assert_eq!(wrong("rules"), [("missing-file", own(2, "rules.file"))], "what it names itself it needs");
        write("score.rules", RULES);
        let alone = read("rules");
        assert_eq!(alone.diagnostics, [], "with its place in the file that is there");
        let deployment = alone.deployment.as_ref().expect("nothing is wrong with it");
        let names: Vec<_> = deployment.revision.paths.iter().map(|it| it.name.as_str()).collect();
        assert_eq!((names, deployment.upstreams.len()), (vec!["rules"], 0));
        assert!(deployment.shared.is_none() && deployment.routes[0].cache.is_none());
        assert!(crate::load_file(&file).deployment.is_none(), "the whole needs all");

        let name = deployment.name();
        write("evenkeel.yaml", &APART.replace("url: ", "url:  ").replace("127.0.0.1:1", "127.0.0.1:2"));
        let again = load_again(&alone.sources);
        assert_eq!(
            again.deployment.map(|it| it.name()),
            Some(name.clone()),
            "what is not its own is none of its revision"
        );
        write("score.rules", &RULES.replace("1.0", "2.0"));
        let mut sources = again.sources;
        assert!(sources.look(), "its own file is watched");
        assert_ne!(load_again(&sources).deployment.map(|it| it.name()), Some(name));
    }

    #[test]
    fn what_cannot_be_read_alone_is_refused_in_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("evenkeel.yaml");
        std::fs::write(&file, TEXT).expect("written");
        for (route, tier, words) in [
            ("nope", "x", "there is no route `nope`; there are: `chat`, `score`, `vote`"),
            ("score", "x", "route `score` has no tier `x`; it has: `primary`, `default`"),
            ("score", "primary", "calls an upstream"),
            ("vote", "panel", "asks several paths at once"),
            ("chat", "default", "is no `oip` route"),
        ] {
            let refused = load_alone(&file, &Alone { route: route.into(), tier: tier.into() });
            let said = &refused.diagnostics[0];
            assert!(
                refused.deployment.is_none() && said.code == "not-alone" && said.message.contains(words),
                "{said:?}"
            );
        }
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
