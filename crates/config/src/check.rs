//! Rules across fields: what the schema cannot say, all reported, none fatal to the others.

mod routes;
mod upstreams;

use std::path::Path;

use crate::{
    diagnostic::{Diagnostic, Severity, nearest},
    schema::{file::File, upstream::UpstreamProtocol},
    tree::{Key, Node},
};

/// A file under check: where it stands, what it says, what is wrong with it.
pub(crate) struct Checks<'a> {
    name: &'a str,
    tree: &'a Node,
    pub(crate) file: &'a File,
    /// The folder that relative paths start from.
    pub(crate) base: &'a Path,
    found: Vec<Diagnostic>,
}

impl<'a> Checks<'a> {
    /// Applies every rule and returns what it found.
    pub(crate) fn run(name: &'a str, tree: &'a Node, file: &'a File, base: &'a Path) -> Vec<Diagnostic> {
        let mut checks = Self { name, tree, file, base, found: Vec::new() };
        checks.upstreams();
        checks.routes();
        checks.found
    }

    /// Reports a mistake.
    pub(crate) fn error(&mut self, code: &'static str, key: &Key, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Severity::Error, code, key, (message.into(), hint.into()));
    }

    /// Reports something that works, but probably not as meant.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        key: &Key,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report(Severity::Warning, code, key, (message.into(), hint.into()));
    }

    /// Checks a reference to an upstream.
    pub(crate) fn upstream(&mut self, key: &Key, name: &str, protocol: UpstreamProtocol) {
        let file = self.file;
        let Some(upstream) = file.upstreams.get(name) else {
            let hint = match nearest(name, file.upstreams.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it under `upstreams`".into(),
            };
            return self.error("unknown-upstream", key, format!("there is no upstream `{name}`"), hint);
        };
        if upstream.protocol != protocol {
            let message = format!("upstream `{name}` speaks another protocol");
            self.error("wrong-protocol", key, message, "name an upstream of the path's own protocol");
        }
    }

    fn report(&mut self, severity: Severity, code: &'static str, key: &Key, words: (String, String)) {
        let place = self.tree.place_of(key);
        let (message, hint) = words;
        let (file, key) = (self.name.to_owned(), key.to_string());
        self.found.push(Diagnostic {
            code,
            severity,
            file,
            line: place.line,
            column: place.column,
            key,
            message,
            hint,
        });
    }
}
