//! Load: bytes to a deployment, or to everything that is wrong with them.

use std::{io, path::Path, sync::Arc};

use evenkeel_core::PathId;

use crate::{
    check::Checks,
    compile::{Deployment, compile},
    describe::json_schema,
    diagnostic::{Diagnostic, Severity},
    report::Report,
    schema::file::File,
    shape::{Shape, Shaped},
    sources::{self, MAX_BYTES, Sources},
    tree::{self, Key, Node, Place, Unreadable},
};

/// What to do about a file that is no configuration at all.
const HINT: &str = "`evenkeel config example` prints a file that works";

/// A file that was read: what it compiles to, if it does, and everything worth saying about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Present exactly when no diagnostic is an error.
    pub deployment: Option<Arc<Deployment>>,
    /// In the order of the file; those of files that it names follow.
    pub diagnostics: Vec<Diagnostic>,
    /// What was read, right or wrong.
    pub sources: Sources,
    /// Where each path is declared, by its id.
    paths: Vec<Declared>,
}

/// A path that cannot be made ready, found by whoever runs it: its model is damaged, or does not fit its route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The path.
    pub path: PathId,
    /// What is wrong.
    pub message: String,
}

/// Where a path is declared.
#[derive(Clone, Debug)]
struct Declared {
    file: String,
    key: String,
    place: Place,
    /// What to do where it cannot be made ready.
    hint: &'static str,
}

impl Loaded {
    fn unreadable(name: &str, unreadable: Unreadable) -> Self {
        let diagnostics = vec![unreadable.diagnostic(name, HINT)];
        Self { deployment: None, diagnostics, sources: Sources::default(), paths: Vec::new() }
    }

    /// Takes note of paths that cannot be made ready: each is a mistake at the place of its declaration.
    pub fn refuse(&mut self, unfit: Vec<Unfit>) {
        for Unfit { path, message } in unfit {
            let Declared { file, key, place: Place { line, column }, hint } = self.paths[path.index()].clone();
            let (code, severity) = ("unfit-model", Severity::Error);
            self.diagnostics.push(Diagnostic { code, severity, file, line, column, key, message, hint: hint.into() });
            self.deployment = None;
        }
    }

    /// Counts the mistakes that keep it from working.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|it| it.severity == Severity::Error).count()
    }
}

/// Reads a file.
pub fn load_file(path: &Path) -> Loaded {
    let name = path.display().to_string();
    let read = sources::bytes(path);
    let mut loaded = match text(&read) {
        Ok(text) => load_text(&name, text, path.parent().unwrap_or(Path::new("."))),
        Err(message) => Loaded::unreadable(&name, Unreadable { place: Place::default(), message }),
    };
    loaded.sources.read(path, read.as_deref().ok());
    loaded
}

/// Reads a text under the name that its diagnostics shall show; relative paths start from `base`.
pub fn load_text(name: &str, text: &str, base: &Path) -> Loaded {
    let tree = match tree::parse(text) {
        Ok(tree) => tree,
        Err(unreadable) => return Loaded::unreadable(name, unreadable),
    };
    let schema = json_schema();
    let Shaped { value, found, doubts } = Shape::check(name, &schema, &tree);
    let file: File = serde_json::from_value(value).expect("SHAPE-1");
    let (diagnostics, outside) = Checks::run(&file, Report::new(name, &tree, doubts, found), base);
    let broken = diagnostics.iter().any(|it| it.severity == Severity::Error);
    let paths = declared(name, &file, &tree);
    let deployment = (!broken).then(|| Arc::new(compile(file, &outside)));
    Loaded { deployment, diagnostics, sources: outside.sources(), paths }
}

/// Finds where each path is declared, in the order in which `compile` numbers them.
fn declared(name: &str, file: &File, tree: &Node) -> Vec<Declared> {
    let routes = Key::default().field("routes");
    let tiers = file.routes.iter().flat_map(|(route, it)| (0..it.tiers.len()).map(move |at| (route, at)));
    let declared = |(route, at): (&String, usize)| {
        let key = routes.field(route).field("tiers").index(at);
        let hint = match file.routes[route].tiers[at].map.is_empty() {
            true => "make the model anew, or take another file",
            false => "answer what `map` takes, or mend `map`",
        };
        Declared { file: name.into(), place: tree.place_of(&key), key: key.to_string(), hint }
    };
    tiers.map(declared).collect()
}

/// Takes what was read for text.
fn text(read: &io::Result<Vec<u8>>) -> Result<&str, String> {
    match read {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok(bytes) if bytes.len() as u64 > MAX_BYTES => Err("larger than 4 MiB".into()),
        Ok(bytes) => std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 from byte {}", error.valid_up_to())),
    }
}

#[cfg(test)]
mod tests;
