//! Rules across fields: what the schema cannot say, all reported, none fatal to the others.

mod accept;
mod audit;
mod cache;
mod calibrate_to;
mod capability;
pub(crate) mod certificate;
mod clocks;
mod contract;
mod drift;
mod effect;
mod enrich;
mod guards;
mod input;
mod ladder;
mod learnt_votes;
pub(crate) mod limits;
mod map;
mod post;
mod quality;
mod routes;
mod rows;
mod shared;
mod sizes;
mod store;
mod upstreams;
mod vote;

use std::{path::Path, sync::Arc};

use crate::{
    diagnostic::{Diagnostic, nearest},
    outside::Outside,
    report::Report,
    rules::RuleSet,
    schema::{
        file::File,
        route::{Route, RouteProtocol},
        upstream::UpstreamProtocol,
    },
    tree::Key,
};

/// A file under check: what it says, what it names, what is wrong with it.
pub(crate) struct Checks<'a> {
    pub(crate) file: &'a File,
    report: Report<'a>,
    outside: Outside,
}

impl<'a> Checks<'a> {
    /// Applies every rule; returns what was found, and what the file names outside of it.
    pub(crate) fn run(file: &'a File, report: Report<'a>, base: &Path) -> (Vec<Diagnostic>, Outside) {
        let mut checks = Self { file, report, outside: Outside::new(base) };
        checks.server();
        checks.upstreams();
        checks.routes();
        checks.shared();
        checks.decision_store();
        checks.audit();
        checks.limits();
        checks.connects();
        checks.capability_names();
        checks.unused();
        checks.batches();
        (checks.report.finish(), checks.outside)
    }

    /// Reports a mistake.
    pub(crate) fn error(&mut self, code: &'static str, key: &Key, message: impl Into<String>, hint: impl Into<String>) {
        self.report.error(code, key, message, hint);
    }

    /// Reports something that works, but probably not as meant.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        key: &Key,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report.warning(code, key, message, hint);
    }

    /// Reports a text that should say something.
    pub(crate) fn not_empty(&mut self, key: &Key, text: &str, message: &str, hint: &str) {
        if text.is_empty() {
            self.error("empty", key, message, hint);
        }
    }

    /// Checks that a kind of path can answer on its route.
    pub(crate) fn serves(&mut self, key: &Key, route: &Route, protocols: &[RouteProtocol]) {
        if protocols.contains(&route.protocol) {
            return;
        }
        if route.protocol == RouteProtocol::OpenaiEmbeddings {
            let message = "such an answer has no place in a vector space";
            let hint = "remove the tier: vectors of unlike origin cannot be compared, so such a route may end in 503";
            return self.error("not-a-vector", key, message, hint);
        }
        let can: Vec<_> = protocols.iter().map(|it| format!("`{}`", it.name())).collect();
        let message = format!("this kind of path cannot answer on an `{}` route", route.protocol.name());
        self.error("wrong-protocol", key, message, format!("it can on {} routes", can.join(" and ")));
    }

    /// Checks a reference to an upstream.
    pub(crate) fn upstream(&mut self, key: &Key, name: &str, protocols: &[UpstreamProtocol]) {
        let file = self.file;
        let Some(upstream) = file.upstreams.get(name) else {
            let hint = match nearest(name, file.upstreams.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it under `upstreams`".into(),
            };
            return self.error("unknown-upstream", key, format!("there is no upstream `{name}`"), hint);
        };
        let declared = Key::default().field("upstreams").field(name).field("protocol");
        if !protocols.contains(&upstream.protocol) && !self.report.doubts(&declared) {
            let wanted: Vec<_> = protocols.iter().map(|it| format!("`{}`", it.name())).collect();
            let (speaks, wanted) = (upstream.protocol.name(), wanted.join(" or "));
            let message = format!("upstream `{name}` speaks `{speaks}`, not {wanted}");
            self.error("wrong-protocol", key, message, "name an upstream of the path's own protocol");
        }
    }

    /// Takes note of a model file.
    pub(crate) fn model(&mut self, key: &Key, file: &str) {
        self.made(key, file, "a relative path starts from the configuration's folder");
    }

    /// Looks at a file that belongs to the configuration; the hint says where it comes from.
    pub(crate) fn made(&mut self, key: &Key, file: &str, hint: &str) {
        if self.report.doubts(key) {
            return;
        }
        if let Err(message) = self.outside.fetch_file(file) {
            self.error("missing-file", key, message, hint);
        }
    }

    /// Holds a file that was noted against its checksum.
    pub(crate) fn checksum(&mut self, key: &Key, file: &str, sha256: &str) {
        let Some(found) = self.outside.checksum(file).filter(|_| !self.report.doubts(key)) else { return };
        if !found.eq_ignore_ascii_case(sha256) {
            let message = format!("`{file}` has the SHA-256 {found}");
            self.error("checksum", key, message, "write that, 64 hexadecimal digits, once you know whose file it is");
        }
    }

    /// Reads a file of certificates, or of a key.
    pub(crate) fn pem(&mut self, key: &Key, file: &str) {
        if self.report.doubts(key) {
            return;
        }
        match self.outside.fetch_pem(file) {
            Ok(()) => {}
            Err((message, true)) => {
                let hint = "write it as PEM: openssl x509 -inform der -in FILE -out FILE.pem, of a key openssl pkey -inform der …, \
                            of PKCS #12 openssl pkcs12 -in FILE -nodes …";
                self.error("not-pem", key, message, hint);
            }
            Err((message, false)) => {
                self.error("missing-file", key, message, "a relative path starts from the configuration's folder");
            }
        }
    }

    /// Reads a rules file; its own mistakes are reported with its own lines.
    pub(crate) fn rules(&mut self, key: &Key, file: &str) -> Option<Arc<RuleSet>> {
        if self.report.doubts(key) {
            return None;
        }
        match self.outside.fetch_rules(file) {
            Ok((set, found)) => {
                self.report.include(found);
                set
            }
            Err(message) => {
                self.error("missing-file", key, message, "a relative path starts from the configuration's folder");
                None
            }
        }
    }
}
