//! Load: bytes to a deployment, or to everything that is wrong with them.

use std::{path::Path, sync::Arc};

use crate::{
    check::Checks,
    compile::{Deployment, compile},
    describe::json_schema,
    diagnostic::{Diagnostic, Severity},
    schema::file::File,
    shape::Shape,
    tree,
};

/// The largest configuration that is read.
const MAX_BYTES: u64 = 4 << 20;

/// A file that was read: what it compiles to, if it does, and everything worth saying about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Present exactly when no diagnostic is an error.
    pub deployment: Option<Arc<Deployment>>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    fn unreadable(name: &str, place: tree::Place, message: String) -> Self {
        let diagnostic = Diagnostic {
            code: "unreadable",
            severity: Severity::Error,
            file: name.into(),
            line: place.line,
            column: place.column,
            key: String::new(),
            message,
            hint: "`evenkeel config example` prints a file that works".into(),
        };
        Self { deployment: None, diagnostics: vec![diagnostic] }
    }

    /// Counts the mistakes that keep it from working.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|it| it.severity == Severity::Error).count()
    }
}

/// Reads a file.
pub fn load_file(path: &Path) -> Loaded {
    let name = path.display().to_string();
    let nowhere = tree::Place::default();
    match std::fs::metadata(path) {
        Ok(file) if file.len() > MAX_BYTES => {
            return Loaded::unreadable(&name, nowhere, format!("{} bytes, more than 4 MiB", file.len()));
        }
        Ok(_) => {}
        Err(error) => return Loaded::unreadable(&name, nowhere, format!("cannot be read: {error}")),
    }
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => load_text(&name, &text, path.parent().unwrap_or(Path::new("."))),
        Ok(Err(error)) => {
            Loaded::unreadable(&name, nowhere, format!("not UTF-8 from byte {}", error.utf8_error().valid_up_to()))
        }
        Err(error) => Loaded::unreadable(&name, nowhere, format!("cannot be read: {error}")),
    }
}

/// Reads a text under the name that its diagnostics shall show; relative paths start from `base`.
pub fn load_text(name: &str, text: &str, base: &Path) -> Loaded {
    let tree = match tree::parse(text) {
        Ok(tree) => tree,
        Err(unreadable) => return Loaded::unreadable(name, unreadable.place, unreadable.message),
    };
    let schema = json_schema();
    let (value, mut diagnostics) = Shape::check(name, &schema, &tree);
    // A file whose shape is wrong in places is still checked, as far as its types can read what is left.
    let file = serde_json::from_value::<File>(value);
    if let Ok(file) = &file {
        diagnostics.extend(Checks::run(name, &tree, file, base));
    }
    diagnostics.sort_by_key(|it| (it.line, it.column));
    let broken = diagnostics.iter().any(|it| it.severity == Severity::Error);
    let deployment = match file {
        Ok(file) if !broken => Some(Arc::new(compile(&file, base))),
        Err(error) if !broken => return Loaded::unreadable(name, tree.place, format!("not readable: {error}")),
        _ => None,
    };
    Loaded { deployment, diagnostics }
}

#[cfg(test)]
mod tests;
