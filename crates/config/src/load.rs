//! Load: bytes to a deployment, or to everything that is wrong with them.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use evenkeel_core::{PathId, UpstreamId};

use crate::{
    check::{Checks, limits::every_path},
    compile::{Alone, Deployment, NotAlone, compile},
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
    /// Where each part is declared.
    parts: BTreeMap<Part, Declared>,
}

/// A part that cannot be made ready, found by whoever runs it: a model is damaged, or does not fit its route; a certificate is
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Which part.
    pub part: Part,
    /// What is wrong.
    pub message: String,
}

/// A part of a configuration that whoever runs it makes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A path.
    Path(PathId),
    /// The certificate of the data plane.
    Certificate,
    /// Who may have issued the certificate of an upstream.
    Issuers(UpstreamId),
    /// The store in which gateways keep answers together.
    Shared,
}

/// Where a part is declared.
#[derive(Clone, Debug)]
struct Declared {
    code: &'static str,
    file: String,
    key: String,
    place: Place,
    /// What to do where it cannot be made ready.
    hint: &'static str,
}

impl Loaded {
    fn unreadable(name: &str, unreadable: Unreadable) -> Self {
        let diagnostics = vec![unreadable.diagnostic(name, HINT)];
        Self { deployment: None, diagnostics, sources: Sources::default(), parts: BTreeMap::new() }
    }

    /// A file of which a tier was to be read that cannot stand alone.
    fn not_alone(name: &str, tree: &Node, found: Vec<Diagnostic>, error: &NotAlone) -> Self {
        let mut report = Report::new(name, tree, Vec::new(), found);
        report.error(
            "not-alone",
            &Key::default().field("routes"),
            error.to_string(),
            "name a tier that is computed in this process",
        );
        Self { deployment: None, diagnostics: report.finish(), sources: Sources::default(), parts: BTreeMap::new() }
    }

    /// Takes note of parts that cannot be made ready: each is a mistake at the place of its declaration.
    pub fn refuse(&mut self, unfit: Vec<Unfit>) {
        for Unfit { part, message } in unfit {
            let Declared { code, file, key, place: Place { line, column }, hint } = self.parts[&part].clone();
            let (severity, hint) = (Severity::Error, hint.into());
            self.diagnostics.push(Diagnostic { code, severity, file, line, column, key, message, hint });
            self.deployment = None;
        }
    }

    /// Takes note of parts that can be made ready now, and not for much longer.
    pub fn warn(&mut self, expiring: Vec<Unfit>) {
        for Unfit { part, message } in expiring {
            let Declared { file, key, place: Place { line, column }, .. } = self.parts[&part].clone();
            let (code, severity) = ("expires-soon", Severity::Warning);
            let hint = "renew it; the file is looked at like the configuration".into();
            self.diagnostics.push(Diagnostic { code, severity, file, line, column, key, message, hint });
        }
    }

    /// Counts the mistakes that keep it from working.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|it| it.severity == Severity::Error).count()
    }
}

/// Reads a file.
pub fn load_file(path: &Path) -> Loaded {
    load_part(path, Extent::Whole)
}

/// Reads one tier of a file, which needs what it names itself and nothing else.
pub fn load_alone(path: &Path, alone: &Alone) -> Loaded {
    load_part(path, Extent::Alone(alone))
}

/// Reads a file again, as much of it as was read before.
pub fn load_again(read: &Sources) -> Loaded {
    load_part(read.file(), read.alone().map_or(Extent::Whole, Extent::Alone))
}

/// Reads a file as it is without what was learnt of its votes: to learn it, also where what stands there does not fit any more.
pub fn load_to_learn(path: &Path) -> Loaded {
    load_part(path, Extent::Unlearnt)
}

/// How much of a file is read.
#[derive(Clone, Copy)]
enum Extent<'a> {
    Whole,
    Alone(&'a Alone),
    /// All but what was learnt of votes.
    Unlearnt,
}

impl<'a> Extent<'a> {
    fn alone(self) -> Option<&'a Alone> {
        match self {
            Self::Alone(alone) => Some(alone),
            Self::Whole | Self::Unlearnt => None,
        }
    }

    /// Takes out of a file what is not read.
    fn leave_out(self, file: &mut File) {
        if matches!(self, Self::Unlearnt) {
            let tiers = file.routes.values_mut().flat_map(|it| &mut it.tiers);
            tiers.filter_map(|it| it.vote.as_mut()).for_each(|it| it.calibration = None);
        }
    }
}

fn load_part(path: &Path, extent: Extent<'_>) -> Loaded {
    let name = path.display().to_string();
    let read = sources::bytes(path);
    let mut loaded = match text(&read) {
        Ok(text) => load(&name, text, path.parent().unwrap_or(Path::new(".")), extent),
        Err(message) => Loaded::unreadable(&name, Unreadable { place: Place::default(), message }),
    };
    loaded.sources.read(path, read.as_deref().ok(), extent.alone());
    loaded
}

/// Reads a text under the name that its diagnostics shall show; relative paths start from `base`.
pub fn load_text(name: &str, text: &str, base: &Path) -> Loaded {
    load(name, text, base, Extent::Whole)
}

fn load(name: &str, text: &str, base: &Path, extent: Extent<'_>) -> Loaded {
    let tree = match tree::parse(text) {
        Ok(tree) => tree,
        Err(unreadable) => return Loaded::unreadable(name, unreadable),
    };
    let schema = json_schema();
    let Shaped { value, found, mut doubts } = Shape::check(name, schema, &tree);
    let mut file: File = serde_json::from_value(value).expect("SHAPE-1");
    extent.leave_out(&mut file);
    let mut parts = declared(name, &file, &tree);
    let alone = match extent.alone().map(|it| it.find(&file).map(|at| (it, at))).transpose() {
        Ok(alone) => alone,
        Err(error) => return Loaded::not_alone(name, &tree, found, &error),
    };
    if let Some((alone, at)) = alone {
        // Nothing is said of them, and nothing is fetched for them.
        doubts.extend(alone.others(&file, at));
        parts = of_one(parts, &alone.key(at).to_string());
    }
    let (diagnostics, outside) = Checks::run(&file, Report::new(name, &tree, doubts, found), base);
    let broken = diagnostics.iter().any(|it| it.severity == Severity::Error);
    let deployment = (!broken).then(|| match alone {
        None => compile(file, &outside),
        Some((alone, at)) => {
            let whole = compile(alone.cut(file, at), &outside);
            whole.only(&alone.route, &alone.tier).expect("it was found")
        }
    });
    Loaded { deployment: deployment.map(Arc::new), diagnostics, sources: outside.sources(), parts }
}

/// Returns the parts that are left where one tier stands alone.
fn of_one(parts: BTreeMap<Part, Declared>, key: &str) -> BTreeMap<Part, Declared> {
    let part = |(part, declared): (Part, Declared)| match part {
        Part::Path(_) if declared.key == key => Some((Part::Path(PathId(0)), declared)),
        Part::Certificate => Some((part, declared)),
        Part::Path(_) | Part::Issuers(_) | Part::Shared => None,
    };
    parts.into_iter().filter_map(part).collect()
}

/// Finds where each part is declared, by the numbers that `compile` gives them.
fn declared(name: &str, file: &File, tree: &Node) -> BTreeMap<Part, Declared> {
    let top = Key::default();
    let declared = |key: Key, code, hint| Declared {
        code,
        file: name.into(),
        place: tree.place_of(&key),
        key: key.to_string(),
        hint,
    };
    let tiers = file.routes.iter().flat_map(|(name, it)| every_path(&top.field("routes").field(name), it));
    let paths = tiers.enumerate().map(|(id, (key, tier))| {
        let hint = match tier.map.is_empty() {
            true => "make the model anew, or take another file",
            false => "answer what `map` takes, or mend `map`",
        };
        (Part::Path(PathId(id as u16)), declared(key, "unfit-model", hint))
    });
    let code = "unfit-certificate";
    let hint = "name PEM files: the certificate first, then its issuers; and the key that belongs to it";
    let own = (Part::Certificate, declared(top.field("server").field("tls"), code, hint));
    let issuers = file.upstreams.keys().enumerate().map(|(id, upstream)| {
        let key = top.field("upstreams").field(upstream).field("ca");
        (Part::Issuers(UpstreamId(id as u16)), declared(key, code, "name a PEM file of certificates"))
    });
    let hint = "write an address as the guide has it, and name a PEM file of certificates where it has a `ca`";
    let shared = (Part::Shared, declared(top.field("shared"), "unfit-store", hint));
    paths.chain([own, shared]).chain(issuers).collect()
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
