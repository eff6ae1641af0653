//! Report: what is wrong with one file, each with its place.
//!
//! # Invariants
//! - `REP-1`: nothing is said twice: what is said of a key that `shape` has doubts about is left out.

use crate::{
    diagnostic::{Diagnostic, Severity},
    tree::{Key, Node, Place},
};

/// What was found in a file so far.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    name: &'a str,
    tree: &'a Node,
    /// The way to the tree, where it is a part of the file.
    at: Key,
    doubts: Vec<Key>,
    found: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// Starts with what `shape` found, and where.
    pub(crate) fn new(name: &'a str, tree: &'a Node, doubts: Vec<Key>, found: Vec<Diagnostic>) -> Self {
        Self { name, tree, at: Key::default(), doubts, found }
    }

    /// Starts a report of a part of the file, in which keys count from that part on.
    pub(crate) fn part(&self, at: &Key) -> Report<'a> {
        let doubts = self.doubts.iter().filter_map(|doubt| doubt.from(at)).collect();
        let tree = self.tree.find(at).unwrap_or(self.tree);
        Report { name: self.name, tree, at: at.clone(), doubts, found: Vec::new() }
    }

    /// Reports a mistake.
    pub(crate) fn error(&mut self, code: &'static str, key: &Key, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.tree.place_of(key);
        self.add(Severity::Error, code, (key, place), (message.into(), hint.into()));
    }

    /// Reports a mistake at a character of the text that stands at a key.
    pub(crate) fn error_in(&mut self, code: &'static str, key: &Key, character: usize, words: (String, String)) {
        let place = self.tree.find(key).map_or_else(|| self.tree.place_of(key), |node| node.place_in(character));
        self.add(Severity::Error, code, (key, place), words);
    }

    /// Reports something that works, but probably not as meant.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        key: &Key,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let place = self.tree.place_of(key);
        self.add(Severity::Warning, code, (key, place), (message.into(), hint.into()));
    }

    /// Takes over what was found in another file.
    pub(crate) fn include(&mut self, found: Vec<Diagnostic>) {
        self.found.extend(found);
    }

    /// Says whether something was said already of a key, or of something above it.
    pub(crate) fn doubts(&self, key: &Key) -> bool {
        self.doubts.iter().any(|doubt| key.is_within(doubt))
    }

    /// Says whether something was said already of a key, or of something above or below it.
    pub(crate) fn doubts_within(&self, key: &Key) -> bool {
        self.doubts.iter().any(|doubt| key.is_within(doubt) || doubt.is_within(key))
    }

    /// Says whether a key is written in the file.
    pub(crate) fn is_written(&self, key: &Key) -> bool {
        self.tree.find(key).is_some_and(|node| !node.is_nothing())
    }

    /// Counts the mistakes so far.
    pub(crate) fn errors(&self) -> usize {
        self.found.iter().filter(|it| it.severity == Severity::Error).count()
    }

    /// Returns what was found, file by file, in the order of each.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let (name, mut found) = (self.name, self.found);
        let wrong: Vec<String> =
            found.iter().filter(|it| it.severity == Severity::Error).map(|it| it.key.clone()).collect();
        // Of a key that changes nothing and is wrong, too, the mistake says enough.
        found.retain(|it| it.code != "no-effect" || !wrong.iter().any(|key| key.starts_with(&it.key)));
        found.sort_by(|a, b| {
            let order = |it: &Diagnostic| (it.file != name, it.file.clone(), it.line, it.column);
            order(a).cmp(&order(b))
        });
        found
    }

    fn add(&mut self, severity: Severity, code: &'static str, at: (&Key, Place), words: (String, String)) {
        let (key, Place { line, column }) = at;
        if self.doubts(key) {
            return;
        }
        let (message, hint) = words;
        let (file, key) = (self.name.to_owned(), self.at.below(key).to_string());
        self.found.push(Diagnostic { code, severity, file, line, column, key, message, hint });
    }
}
