//! Taught: what of a file is read where something is learnt of a tier: that tier, and the first of its route, whose scale it may get.
//!
//! # Invariants
//! - `TAUGHT-1`: whoever learns calls nobody: it needs no secret, no certificate, and no file but those of these two tiers.
//! - `TAUGHT-2`: what was learnt before is passed over: it may be missing, or of what is no more.

use super::only::{Alone, NotAlone, OF_ALL_INPUTS, OF_ALL_TIERS, unjudged};
use crate::{
    schema::{
        audit::Audit,
        file::{File, STORE_OFF},
        route::Route,
        tier::Tier,
    },
    tree::Key,
};

/// A tier of which something is learnt.
#[derive(Clone, Copy)]
pub(crate) struct Taught<'a> {
    tier: &'a Alone,
    /// Its position on its route.
    at: usize,
}

impl<'a> Taught<'a> {
    /// Finds the tier, and leaves out of a file what was learnt before (TAUGHT-2).
    pub(crate) fn find(tier: &'a Alone, file: &mut File) -> Result<Self, NotAlone> {
        let at = tier.place(file)?;
        file.routes.values_mut().for_each(|it| it.certificate = None);
        for it in file.routes.values_mut().flat_map(|it| &mut it.tiers) {
            it.accept.iter_mut().for_each(|it| it.calibration = None);
            it.calibrate_to = None;
            it.vote.iter_mut().for_each(|it| it.calibration = None);
        }
        Ok(Self { tier, at })
    }

    /// Returns the keys of everything that is not read: nothing that they name is fetched (TAUGHT-1).
    pub(crate) fn others(self, file: &File) -> Vec<Key> {
        let (top, route) = (Key::default(), self.tier.route_key());
        let routes = file.routes.keys().filter(|it| **it != self.tier.route).map(|it| top.field("routes").field(it));
        let tiers = (0..file.routes[&self.tier.route].tiers.len()).filter(|it| !self.is_read(*it));
        let tiers = tiers.map(|it| self.tier.key(it));
        let upstreams = file.upstreams.keys().map(|it| top.field("upstreams").field(it));
        let secrets = upstreams.flat_map(|it| ["api_key", "ca"].map(|name| it.field(name)));
        let of_all = OF_ALL_TIERS.map(|name| route.field(name)).into_iter();
        let of_all = of_all.chain(OF_ALL_INPUTS.map(|name| route.field("input").field(name)));
        // Before something is learnt of a confidence nobody knows which threshold of it can be reached.
        let thresholds = (0..file.routes[&self.tier.route].tiers.len()).map(|it| self.tier.key(it));
        let thresholds = thresholds.map(|it| it.field("accept").field("at_least"));
        let own = ["shared", "store", "audit"].map(|it| top.field(it));
        let own = [&own[..], &[top.field("server").field("tls")]].concat();
        routes.chain(tiers).chain(secrets).chain(of_all).chain(thresholds).chain(own).collect()
    }

    /// Leaves nothing else in a file that was checked.
    pub(crate) fn cut(self, mut file: File) -> File {
        file.routes.retain(|name, _| *name == self.tier.route);
        (file.shared, file.server.tls) = (None, None);
        (file.store, file.audit) = (STORE_OFF.into(), Audit::default());
        file.upstreams.values_mut().for_each(|it| (it.api_key, it.ca) = (None, None));
        file.routes.values_mut().for_each(unjudged);
        for Route { tiers, enrich, cache, post, .. } in file.routes.values_mut() {
            let read = |(at, tier): (usize, Tier)| Some(tier).filter(|_| self.is_read(at));
            *tiers = std::mem::take(tiers).into_iter().enumerate().filter_map(read).collect();
            (*enrich, *cache) = (None, None);
            post.clear();
        }
        file
    }

    /// Says whether a path is read that is declared at a key: one of these tiers, or a member of it.
    pub(crate) fn reads(self, key: &str) -> bool {
        let within = |at: usize| {
            key.strip_prefix(&self.tier.key(at).to_string()).is_some_and(|it| it.is_empty() || it.starts_with('.'))
        };
        within(0) || within(self.at)
    }

    fn is_read(self, at: usize) -> bool {
        at == 0 || at == self.at
    }
}

#[cfg(test)]
mod tests {
    use crate::{Alone, load_file, load_to_learn};

    const TEXT: &str = "
version: 1
server: {listen: \"127.0.0.1:0\", tls: {certificate: not-there.pem, key: not-there.key}}
shared: \"${env:EVENKEEL_NOT_SET}\"
upstreams:
  u: {protocol: oip, url: \"https://127.0.0.1:1\", api_key: \"${env:EVENKEEL_NOT_SET}\", ca: not-there.pem}
  v: {protocol: openai, url: \"https://127.0.0.1:2\", api_key: \"${env:EVENKEEL_NOT_SET}\"}
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
      - {name: distilled, onnx: {file: not-there.onnx}}
      - {name: rules, rules: {file: score.rules}, calibrate_to: {path: primary, file: not-there.map}}
      - name: panel
        vote: {output: label, calibration: not-there.votes}
        paths: [{oip: {upstream: u, model: m}}, {rules: {file: score.rules}}]
      - {name: default, fixed: {outputs: {y: 0.5, label: none}}}
";
    const RULES: &str = "inputs: {a: float}\nrules: [{id: r1, when: a > 1.0, answer: {y: 1, label: high}}]\notherwise: {y: 0, label: low}\n";

    #[test]
    fn taught_1_taught_2_whoever_learns_needs_the_files_of_two_tiers_and_no_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("evenkeel.yaml");
        std::fs::write(&file, TEXT).expect("written");
        let read = |route: &str, tier: &str| load_to_learn(&file, &Alone { route: route.into(), tier: tier.into() });
        let wrong = |tier: &str| {
            let of = |it: crate::Diagnostic| (it.severity == crate::Severity::Error).then_some((it.code, it.key));
            read("score", tier).diagnostics.into_iter().filter_map(of).collect::<Vec<_>>()
        };
        assert_eq!(wrong("rules"), [("missing-file", "routes.score.tiers[2].rules.file".to_owned())]);
        std::fs::write(folder.path().join("score.rules"), RULES).expect("written");
        assert!(load_file(&file).deployment.is_none(), "the whole needs all");
        for tier in ["rules", "panel"] {
            assert_eq!(wrong(tier), [], "{tier}");
            let deployment = read("score", tier).deployment.expect("compiles");
            let route = &deployment.revision.routes[0];
            let tiers: Vec<_> = route.tiers.iter().map(|it| it.name.as_str()).collect();
            assert_eq!((deployment.revision.routes.len(), tiers), (1, vec!["primary", tier]));
            assert!(deployment.upstreams.iter().all(|it| it.api_key.is_none() && it.issuers.is_none()));
            assert!(deployment.shared.is_none() && deployment.certificate.is_none());
        }
        for (route, tier, words) in [
            ("nope", "x", "there is no route `nope`; there are: `help`, `score`"),
            (
                "score",
                "x",
                "route `score` has no tier `x`; it has: `primary`, `distilled`, `rules`, `panel`, `default`",
            ),
        ] {
            let refused = read(route, tier);
            let said = &refused.diagnostics[0];
            assert!(refused.deployment.is_none() && said.message == words, "{said:?}");
        }
    }
}
