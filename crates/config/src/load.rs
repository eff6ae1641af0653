//! Load: bytes to a deployment, or to everything that is wrong with them.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use evenkeel_core::{PathId, UpstreamId};

use crate::{
    check::{Checks, limits::every_path},
    compile::{Alone, Deployment, NotAlone, Taught, compile},
    describe::json_schema,
    diagnostic::{Diagnostic, Severity},
    outside::Outside,
    report::Report,
    schema::file::File,
    shape::{Shape, Shaped},
    sources::{self, MAX_BYTES, Sources},
    tree::{self, Key, Node, Place, Unreadable},
};

/// What to do about a file that is no configuration at all.
pub(crate) const HINT: &str = "`evenkeel config example` prints a file that works";

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
    /// Where decisions are stored.
    Store,
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

    /// A file of which a tier was to be read that cannot stand alone, or is not there.
    fn not_alone(name: &str, tree: &Node, found: Vec<Diagnostic>, (error, hint): (&NotAlone, &str)) -> Self {
        let mut report = Report::new(name, tree, Vec::new(), found);
        report.error("not-alone", &Key::default().field("routes"), error.to_string(), hint);
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

/// Reads of a file a tier of which something is learnt, and the first tier of its route, without what was learnt before: that may not
/// fit any more. Nobody is called, so that no secret is needed.
pub fn load_to_learn(path: &Path, tier: &Alone) -> Loaded {
    load_part(path, Extent::Taught(tier))
}

/// How much of a file is read.
#[derive(Clone, Copy)]
enum Extent<'a> {
    Whole,
    Alone(&'a Alone),
    /// A tier of which something is learnt.
    Taught(&'a Alone),
}

impl<'a> Extent<'a> {
    fn alone(self) -> Option<&'a Alone> {
        match self {
            Self::Alone(alone) => Some(alone),
            Self::Whole | Self::Taught(_) => None,
        }
    }

    /// Finds in a file what is read of it.
    fn find(self, file: &mut File) -> Result<Found<'a>, NotAlone> {
        match self {
            Self::Whole => Ok(Found::Whole),
            Self::Alone(alone) => Ok(Found::Alone(alone, alone.find(file)?)),
            Self::Taught(tier) => Ok(Found::Taught(Taught::find(tier, file)?)),
        }
    }

    /// What to do where it is not there.
    fn hint(self) -> &'static str {
        match self {
            Self::Whole | Self::Alone(_) => "name a tier that is computed in this process",
            Self::Taught(_) => "name a route and one of its tiers",
        }
    }
}

/// What is read of a file, and where that is.
enum Found<'a> {
    Whole,
    /// A tier, by its position on its route.
    Alone(&'a Alone, usize),
    Taught(Taught<'a>),
}

impl Found<'_> {
    /// Returns the keys of everything else: nothing is said of it, and nothing is fetched for it.
    fn others(&self, file: &File) -> Vec<Key> {
        match self {
            Self::Whole => Vec::new(),
            Self::Alone(alone, at) => alone.others(file, *at),
            Self::Taught(taught) => taught.others(file),
        }
    }

    /// Returns the parts that whoever runs it makes ready.
    fn parts(&self, all: BTreeMap<Part, Declared>) -> BTreeMap<Part, Declared> {
        match self {
            Self::Whole => all,
            Self::Alone(alone, at) => of_one(all, &alone.key(*at).to_string()),
            Self::Taught(taught) => {
                let is_read = |(part, it): &(Part, Declared)| matches!(part, Part::Path(_)) && taught.reads(&it.key);
                let paths = all.into_iter().filter(is_read).zip(0..);
                paths.map(|((_, declared), at)| (Part::Path(PathId(at)), declared)).collect()
            }
        }
    }

    /// Compiles it of a file in which nothing is wrong with it.
    fn compile(self, file: File, outside: &Outside) -> Deployment {
        match self {
            Self::Whole => compile(file, outside),
            Self::Alone(alone, at) => {
                let whole = compile(alone.cut(file, at), outside);
                whole.only(&alone.route, &alone.tier).expect("it was found")
            }
            Self::Taught(taught) => compile(taught.cut(file), outside),
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
    let part = match extent.find(&mut file) {
        Ok(part) => part,
        Err(error) => return Loaded::not_alone(name, &tree, found, (&error, extent.hint())),
    };
    doubts.extend(part.others(&file));
    let parts = part.parts(declared(name, &file, &tree));
    let (diagnostics, outside) = Checks::run(&file, Report::new(name, &tree, doubts, found), base);
    let broken = diagnostics.iter().any(|it| it.severity == Severity::Error);
    let deployment = (!broken).then(|| part.compile(file, &outside));
    Loaded { deployment: deployment.map(Arc::new), diagnostics, sources: outside.sources(), parts }
}

/// Returns the parts that are left where one tier stands alone.
fn of_one(parts: BTreeMap<Part, Declared>, key: &str) -> BTreeMap<Part, Declared> {
    let part = |(part, declared): (Part, Declared)| match part {
        Part::Path(_) if declared.key == key => Some((Part::Path(PathId(0)), declared)),
        Part::Certificate => Some((part, declared)),
        Part::Path(_) | Part::Issuers(_) | Part::Shared | Part::Store => None,
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
        let hint = match (tier.map.is_empty(), tier.kinds.given().first().map(|(kind, _)| *kind)) {
            (false, _) => "answer what `map` takes, or mend `map`",
            (true, Some("retrieval")) => "mend what the tier says of its documents, or build their index again",
            (true, Some("fixed" | "rules")) => "mend the answer, or what the route asks of it (`output`, `post`)",
            (true, _) => "make the model anew, or take another file",
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
    let hint = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE, or `sqlite`";
    let store = (Part::Store, declared(top.field("store"), "unfit-store", hint));
    paths.chain([own, shared, store]).chain(issuers).collect()
}

/// Takes what was read for text.
pub(crate) fn text(read: &io::Result<Vec<u8>>) -> Result<&str, String> {
    match read {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok(bytes) if bytes.len() as u64 > MAX_BYTES => Err("larger than 4 MiB".into()),
        Ok(bytes) => std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 from byte {}", error.valid_up_to())),
    }
}

#[cfg(test)]
mod tests;
