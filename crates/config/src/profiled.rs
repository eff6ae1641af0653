//! Profiled: what a route says of its rows to whoever makes its reference: the columns, what stands for no value, what is computed.
//!
//! Nothing else of the file counts: the reference that it names may not be there yet, or be broken, and tiers may want what is only where
//! they are served.
//!
//! # Invariants
//! - `PROF-1`: a row is read here as it is where it is served: the same values are missing, the same columns are computed, by the same
//!   code ([`Derived`]), and a number keeps the unit of the route, which is written down beside it.

use std::path::Path;

use evenkeel_signals::reference::{Column, ColumnKind, Role};

use crate::{
    check::Checks,
    compile::{Absent, guards::missing},
    derived::Derived,
    describe::json_schema,
    diagnostic::{Diagnostic, Severity},
    expr::Type,
    load::{HINT, text},
    report::Report,
    schema::{
        contract::{self, Datatype, FeatureKind, Input, Unicode},
        file::File,
        route::Route,
    },
    shape::{Shape, Shaped},
    sources,
    tree::{self, Key, Place, Unreadable},
};

/// What a route says of its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profiled {
    /// What clients send, in the order of the route.
    pub features: Vec<ProfiledFeature>,
    /// What is computed of it, by name.
    pub derived: Vec<(Column, Derived)>,
    /// What the route gives, of one value a row.
    pub outputs: Vec<Column>,
}

/// A feature that clients send.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfiledFeature {
    /// The column that it is, in the unit of the route.
    pub column: Column,
    /// What its values are.
    pub kind: FeatureKind,
    /// What a client writes where there is no value.
    pub missing: Option<Absent>,
    /// The form that its texts are brought to.
    pub unicode: Unicode,
}

/// Reads of a file what a route says of its rows.
///
/// # Errors
/// What is wrong with that part of it; or the file cannot be read, or has no such route.
pub fn load_to_profile(path: &Path, route: &str) -> Result<Profiled, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let read = sources::bytes(path);
    let unreadable = |it: Unreadable| vec![it.diagnostic(&name, HINT)];
    let text = text(&read).map_err(|message| unreadable(Unreadable { place: Place::default(), message }))?;
    let tree = tree::parse(text).map_err(unreadable)?;
    let Shaped { value, found, mut doubts } = Shape::check(&name, json_schema(), &tree);
    let file: File = serde_json::from_value(value).expect("SHAPE-1");
    let Some(declared) = file.routes.get(route) else {
        let mut report = Report::new(&name, &tree, Vec::new(), Vec::new());
        let all: Vec<_> = file.routes.keys().map(|it| format!("`{it}`")).collect();
        let message = format!("there is no route `{route}`; there are: {}", all.join(", "));
        report.error("unknown-route", &Key::default().field("routes"), message, "name one of these");
        return Err(report.finish());
    };
    doubts.extend(others(&file, route));
    let base = path.parent().unwrap_or(Path::new("."));
    let (mut diagnostics, _) = Checks::run(&file, Report::new(&name, &tree, doubts, found), base);
    let own = ["input", "output"].map(|it| Key::default().field("routes").field(route).field(it).to_string());
    diagnostics.retain(|it| it.severity == Severity::Error && own.iter().any(|own| it.key.starts_with(own.as_str())));
    if diagnostics.is_empty() { Ok(Profiled::of(declared)) } else { Err(diagnostics) }
}

/// The keys of everything else: nothing that they name is fetched.
fn others(file: &File, route: &str) -> Vec<Key> {
    let (top, own) = (Key::default(), Key::default().field("routes").field(route));
    let routes = file.routes.keys().filter(|it| *it != route).map(|it| top.field("routes").field(it));
    let of_route = ["tiers", "enrich", "cache", "post", "guards", "certificate", "drift", "quality"];
    let of_route = of_route.map(|it| own.field(it)).into_iter().chain([own.field("input").field("reference")]);
    let own = ["upstreams", "shared", "store", "audit"].map(|it| top.field(it));
    let whole = [&own[..], &[top.field("server").field("tls")]].concat();
    routes.chain(of_route).chain(whole).collect()
}

impl Profiled {
    fn of(route: &Route) -> Self {
        let outputs = route.output.iter().flat_map(|it| &it.tensors);
        let outputs = outputs.filter(|it| it.1.shape.len() == 1).map(|it| output(it.0, it.1));
        let Some(input) = &route.input else { return Self { outputs: outputs.collect(), ..Self::default() } };
        let names: Vec<&String> = match input.tensor {
            Some(_) => input.columns.iter().collect(),
            None => input.features.keys().collect(),
        };
        let features: Vec<_> = names.into_iter().map(|it| feature(it, input)).collect();
        let derived: Vec<_> = input.derive.iter().filter_map(|it| derived(it.0, it.1, input)).collect();
        let taken = |name: &str| {
            features.iter().any(|it| it.column.name == name) || derived.iter().any(|it: &(Column, _)| it.0.name == name)
        };
        let outputs = outputs.filter(|it| !taken(&it.name)).collect();
        Self { features, derived, outputs }
    }
}

fn feature(name: &str, input: &Input) -> ProfiledFeature {
    let declared = input.features.get(name);
    let kind = declared.map_or(FeatureKind::Float, |it| it.kind);
    let (held, number) = match kind {
        FeatureKind::Float | FeatureKind::Int => (ColumnKind::Number, true),
        FeatureKind::Category | FeatureKind::String | FeatureKind::Bool => (ColumnKind::Category, false),
    };
    let range = declared.and_then(|it| it.min.zip(it.max));
    let missing = missing(name, input);
    let column = Column {
        unit: declared.and_then(|it| it.unit.clone()).filter(|_| number),
        // Where a client may write that there is none, a row may lack it.
        required: declared.is_none_or(|it| it.required) && missing.is_none(),
        range: range.map(|(least, most)| [least, most].map(|it| it.to_string())),
        ..Column::new(name, held, Role::Input)
    };
    let unicode = declared.map_or(Unicode::AsItIs, |it| it.unicode);
    ProfiledFeature { column, kind, missing, unicode }
}

fn derived(name: &str, source: &str, input: &Input) -> Option<(Column, Derived)> {
    let (derived, found) = Derived::read(source, input).ok()?;
    let kind = match found {
        Type::Int | Type::Float => ColumnKind::Number,
        Type::Text | Type::Bool => ColumnKind::Category,
    };
    Some((Column::new(name, kind, Role::Input), derived))
}

fn output(name: &str, it: &contract::OutputTensor) -> Column {
    let kind = match it.datatype {
        Datatype::Bytes | Datatype::Bool => ColumnKind::Category,
        _ => ColumnKind::Number,
    };
    Column::new(name, kind, Role::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
version: 1
server: {listen: \"127.0.0.1:0\"}
upstreams: {u: {protocol: oip, url: \"https://127.0.0.1:1\", api_key: \"${env:EVENKEEL_NOT_SET}\"}}
routes:
  fraud:
    protocol: oip
    input:
      tensor: x
      columns: [amount, age_s]
      reference: not-there.ref
      features: {age_s: {type: float, missing: -1, unit: s, min: 0, max: 9}}
      derive: {amount_log: \"log1p(amount)\", old: \"age_s > 5.0\"}
    output: {tensors: {score: {datatype: FP32}, wide: {datatype: FP32, shape: [-1, 3]}}}
    tiers: [{name: primary, oip: {upstream: u, model: m}}, {name: local, onnx: {file: not-there.onnx}}]
";

    fn read(text: &str, route: &str) -> Result<Profiled, Vec<(&'static str, String)>> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("evenkeel.yaml");
        std::fs::write(&file, text).expect("written");
        load_to_profile(&file, route).map_err(|all| all.into_iter().map(|it| (it.code, it.message)).collect())
    }

    #[test]
    fn prof_1_columns_are_read_without_the_reference_that_is_made_of_them() {
        let read = read(TEXT, "fraud").expect("all that it says of its rows is there");
        let names: Vec<_> = read.features.iter().map(|it| it.column.name.as_str()).collect();
        assert_eq!(names, ["amount", "age_s"]);
        let age = &read.features[1];
        assert_eq!((age.column.unit.as_deref(), &age.column.range), (Some("s"), &Some(["0".into(), "9".into()])));
        assert!(age.missing.as_ref().is_some_and(|it| it.is_number(-1.0)) && !age.column.required);
        assert!(read.features[0].column.required, "a column is always there");
        let derived: Vec<_> = read.derived.iter().map(|it| (it.0.name.as_str(), it.0.kind)).collect();
        assert_eq!(derived, [("amount_log", ColumnKind::Number), ("old", ColumnKind::Category)]);
        assert_eq!(read.outputs, [Column::new("score", ColumnKind::Number, Role::Output)]);
    }

    #[test]
    fn what_is_wrong_with_the_columns_is_said_and_nothing_else() {
        for (from, to, route, code, words) in [
            ("", "", "other", "unknown-route", "there are: `fraud`"),
            ("log1p(amount)", "log1p(amont)", "fraud", "bad-expression", "amont"),
            ("unit: s", "unit: furlongs", "fraud", "unknown-unit", "furlongs"),
        ] {
            let found = read(&TEXT.replacen(from, to, 1), route).expect_err(words);
            assert!(found.len() == 1 && found[0].0 == code && found[0].1.contains(words), "{found:?}");
        }
    }
}
