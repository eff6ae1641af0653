//! What a route asks of its inputs: the columns that are watched, where each stands in a request, and the guards.
//!
//! # Invariants
//! - `WATCH-1`: what is watched stands in the order of the reference's inputs; without a reference in that of the features.

mod asked;

use std::{collections::BTreeMap, fmt, sync::Arc};

use evenkeel_core::{self as core, RowRule, Signal};
use evenkeel_signals::{
    reference::{Column, ColumnKind, Reference, Role},
    row::Kind,
};

use super::Absent;
use crate::{
    derived::{self, Derived},
    outside::Outside,
    schema::{
        contract::{Datatype, Feature, FeatureKind, Input, InputTensor, Unicode},
        path::kind::Embeddings,
        route::{Route, RouteProtocol},
    },
    units::{Conversion, convert},
};

/// Steps of one in which p is compared.
pub const MILLIONTHS: u32 = 1_000_000;

/// What a route asks of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Guarding {
    /// What inputs were like when all was well; without it only what is declared is asked.
    pub reference: Option<Against>,
    /// The columns, in the order of the reference's inputs.
    pub columns: Vec<Watched>,
    /// Who says what a text means, where a guard asks.
    pub encoder: Option<Embeddings>,
    /// The guards that are on, in the order in which they are asked.
    pub guards: Vec<Guard>,
    /// Names of tensors that are declared, and may come without being watched; none where nothing is declared.
    pub declared: Option<Vec<String>>,
}

/// A reference that was read.
#[derive(Clone)]
pub struct Against(pub Arc<Reference>);

impl PartialEq for Against {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest() == other.0.digest()
    }
}

impl fmt::Debug for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Against({})", self.name())
    }
}

impl Against {
    /// Returns its digest as records have it: `sha256:` and twelve hex digits.
    pub fn name(&self) -> String {
        evenkeel_core::digest_name(&self.0.digest())
    }
}

/// A column that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Where its value stands.
    pub from: From,
    /// What a client writes where there is none.
    pub missing: Option<Absent>,
    /// How a number of the client becomes one of the reference.
    pub conversion: Option<Conversion>,
    /// The form that its texts are brought to.
    pub unicode: Unicode,
}

/// Where the value of a column stands.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// In a tensor of its name.
    Tensor,
    /// In the tensor of columns, at this place.
    Column(usize),
    /// Nowhere: it is computed.
    Derived(Box<Derived>),
    /// In the last message of the user.
    Question,
}

/// A guard that is on.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// What it asks.
    pub asks: Asks,
    /// What it holds that against, quantised.
    pub threshold: u64,
    /// The first tier that is asked about what is in breach; none where that changes nothing.
    pub start_at: Option<u8>,
}

/// What a guard asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asks {
    /// Features of the wrong type, or missing though required.
    Contract,
    /// The share of missing features, in 1/10,000.
    Missing,
    /// Numbers outside their range.
    Range,
    /// Categories that were never seen.
    Unseen,
    /// Embeddings whose length is outside these bounds; without any, outside the declared range.
    Norm(Option<[f64; 2]>),
    /// 1 for a noisy request.
    Noise,
    /// The age of the oldest feature, ms.
    Staleness,
    /// How rare the row is that decides, in millionths.
    Anomaly(RowRule),
    /// How rare it is that a text means something so far from the reference, in millionths.
    Distance,
    /// How likely the first tier's answer will not do, in 1/10,000.
    FallbackRisk,
}

impl Asks {
    /// Returns its key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Missing => "missing",
            Self::Range => "range",
            Self::Unseen => "unseen",
            Self::Norm(_) => "norm",
            Self::Noise => "noise",
            Self::Staleness => "staleness",
            Self::Anomaly(_) => "anomaly",
            Self::Distance => "distance",
            Self::FallbackRisk => "fallback_risk",
        }
    }

    /// Returns what the core calls the number that it finds.
    pub const fn signal(self) -> Signal {
        match self {
            Self::Contract => Signal::InputContract,
            Self::Missing => Signal::MissingRatio,
            Self::Range => Signal::InputRange,
            Self::Unseen => Signal::InputUnseen,
            Self::Norm(_) => Signal::InputNorm,
            Self::Noise => Signal::Noise,
            Self::Staleness => Signal::Staleness,
            Self::Anomaly(_) => Signal::AnomalyP,
            Self::Distance => Signal::DistanceP,
            Self::FallbackRisk => Signal::FallbackRisk,
        }
    }

    /// Says whether a value speaks against an input: as the core compares it.
    pub const fn breached(self, value: u64, threshold: u64) -> bool {
        self.signal().breached_when().holds(value, threshold)
    }
}

impl Guarding {
    /// Returns the guards whose breach decides where a request starts; of the others the core knows nothing.
    fn in_core(&self) -> Vec<core::Guard> {
        let guard = |it: &Guard| {
            Some(core::Guard { signal: it.asks.signal(), threshold: it.threshold, start_at: it.start_at? })
        };
        self.guards.iter().filter_map(guard).collect()
    }
}

/// What is wrong with a column that should be watched: the code, the message, and the key below `input` where it is declared.
pub(crate) struct Misfit {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) at: Option<(&'static str, String)>,
}

/// The input columns of a reference.
pub(crate) fn inputs(reference: &Reference) -> impl Iterator<Item = &Column> {
    reference.header().schema.iter().filter(|it| it.role == Role::Input)
}

/// Finds where each column stands that a route watches, or says why it is nowhere.
pub(crate) fn watched(
    route: &Route,
    tensors: &BTreeMap<String, InputTensor>,
    reference: Option<&Reference>,
) -> Vec<Result<Watched, Misfit>> {
    let Some(input) = &route.input else { return Vec::new() };
    match reference {
        Some(reference) => {
            let finder = Finder { route, input, tensors, columns: inputs(reference).count() };
            inputs(reference).map(|it| finder.of(it)).collect()
        }
        None if input.columns.is_empty() => input.features.keys().map(|it| Ok(declared(it, input))).collect(),
        None => input.columns.iter().map(|it| Ok(declared(it, input))).collect(),
    }
}

/// A feature as it is declared, where there is no reference.
fn declared(name: &str, input: &Input) -> Watched {
    let kind = match input.kind_of(name) {
        Some(FeatureKind::Float | FeatureKind::Int) | None => Kind::Number,
        Some(FeatureKind::Category | FeatureKind::Bool) => Kind::Category,
        Some(FeatureKind::String) => Kind::Text,
    };
    let from = input.columns.iter().position(|it| it == name).map_or(From::Tensor, From::Column);
    Watched { missing: missing(name, input), ..plain(name, kind, from) }
}

fn plain(name: &str, kind: Kind, from: From) -> Watched {
    Watched { name: name.into(), kind, from, missing: None, conversion: None, unicode: Unicode::AsItIs }
}

/// Returns what stands for a value of a feature that is missing.
pub(crate) fn missing(name: &str, input: &Input) -> Option<Absent> {
    let feature = input.features.get(name)?;
    Absent::of(feature.missing.as_ref()?, feature.kind)
}

struct Finder<'a> {
    route: &'a Route,
    input: &'a Input,
    tensors: &'a BTreeMap<String, InputTensor>,
    /// How many columns the reference has.
    columns: usize,
}

impl Finder<'_> {
    fn of(&self, column: &Column) -> Result<Watched, Misfit> {
        let (name, kind, input) = (column.name.as_str(), column.kind.kind(), self.input);
        if self.route.protocol == RouteProtocol::OpenaiChat {
            return self.question(name, kind);
        }
        if let Some(source) = input.derive.get(name) {
            return derive((name, kind), source, input);
        }
        let from = input.columns.iter().position(|it| it == name).map_or(From::Tensor, From::Column);
        if let Some(tensor) = self.tensors.get(name) {
            return tensor_fits(name, kind, tensor).map(|()| plain(name, kind, From::Tensor));
        }
        let Some(declared) = input.kind_of(name) else {
            if !input.is_declared() {
                return Ok(plain(name, kind, From::Tensor));
            }
            let message = format!("the reference has a column `{name}`, and no request has it");
            return Err(Misfit { code: "unknown-column", message, at: None });
        };
        feature_fits(name, kind, declared)?;
        let feature = input.features.get(name);
        let conversion = feature.map_or(Ok(None), |it| unit(name, it, column))?;
        let unicode = feature.map_or(Unicode::AsItIs, |it| it.unicode);
        Ok(Watched { missing: missing(name, input), conversion, unicode, ..plain(name, kind, from) })
    }

    /// Of a chat the last message of the user is known, and nothing else.
    fn question(&self, name: &str, kind: Kind) -> Result<Watched, Misfit> {
        if kind != Kind::Text || self.columns > 1 {
            let message = format!(
                "the reference has {} columns, among them `{name}`, and of a chat one text is known, and nothing else",
                self.columns
            );
            return Err(Misfit { code: "unknown-column", message, at: None });
        }
        let unicode = self.input.text.as_ref().map_or(Unicode::AsItIs, |it| it.unicode);
        Ok(Watched { unicode, ..plain(name, kind, From::Question) })
    }
}

fn derive((name, kind): (&str, Kind), source: &str, input: &Input) -> Result<Watched, Misfit> {
    let at = Some(("derive", name.to_owned()));
    // What else is wrong with it is said at its own key.
    let wrong = || Misfit { code: "bad-expression", message: "it cannot be computed".into(), at: at.clone() };
    let (derived, found) = Derived::read(source, input).map_err(|_| wrong())?;
    if !derived::fits(found, kind) {
        let message = format!("`{name}` is {} here, and {} in the reference", found.name(), word(kind));
        return Err(Misfit { code: "wrong-type", message, at });
    }
    Ok(plain(name, kind, From::Derived(Box::new(derived))))
}

/// Names what a column holds.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "a number",
        Kind::Category => "a category",
        Kind::Text => "a text",
        Kind::Vector(_) => "an embedding",
    }
}

fn feature_fits(name: &str, kind: Kind, declared: FeatureKind) -> Result<(), Misfit> {
    let fits = match declared {
        FeatureKind::Float | FeatureKind::Int | FeatureKind::Bool => matches!(kind, Kind::Number | Kind::Category),
        FeatureKind::Category | FeatureKind::String => matches!(kind, Kind::Category | Kind::Text),
    };
    if fits {
        return Ok(());
    }
    let message =
        format!("`{name}` is declared as {declared:?}, and is {} in the reference", word(kind)).to_lowercase();
    Err(Misfit { code: "wrong-type", message, at: Some(("features", name.into())) })
}

fn tensor_fits(name: &str, kind: Kind, tensor: &InputTensor) -> Result<(), Misfit> {
    let texts = tensor.datatype == Datatype::Bytes;
    let fits = match (kind, tensor.shape.as_slice()) {
        (Kind::Number, [-1] | [-1, 1]) => !texts,
        (Kind::Category, [-1] | [-1, 1]) => true,
        (Kind::Text, [-1] | [-1, 1]) => texts,
        (Kind::Vector(width), [-1, it]) => !texts && (*it == -1 || usize::try_from(*it) == Ok(width)),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let (datatype, shape) = (tensor.datatype.name(), &tensor.shape);
    let message = format!("`{name}` is {datatype} of the shape {shape:?}, and {} a row in the reference", word(kind));
    Err(Misfit { code: "wrong-type", message, at: Some(("tensors", name.into())) })
}

fn unit(name: &str, feature: &Feature, column: &Column) -> Result<Option<Conversion>, Misfit> {
    let (Some(from), Some(to)) = (&feature.unit, &column.unit) else { return Ok(None) };
    let at = Some(("features", name.to_owned()));
    if column.kind != ColumnKind::Number {
        return Err(Misfit { code: "wrong-unit", message: format!("`{name}` is no number, and has no unit"), at });
    }
    convert(from, to).map_err(|()| {
        let message = format!("`{name}` is in {from} here and in {to} in the reference, which nobody can convert");
        Misfit { code: "wrong-unit", message, at }
    })
}

/// Returns what a route asks of its inputs, none where it asks nothing; and what of that the core compares.
pub(super) fn guarding(route: &Route, outside: &Outside) -> (Option<Arc<Guarding>>, Vec<core::Guard>) {
    let input = route.input.as_ref();
    let reference = input.and_then(|it| it.reference.as_ref()).map(|it| outside.reference(it));
    let columns = watched(route, input.map_or(&BTreeMap::new(), |it| &it.tensors), reference.as_deref());
    let columns = columns.into_iter().map(|it| it.map_err(|it| it.message).expect("checked: it is found")).collect();
    let place = |name: &str| route.tiers.iter().position(|it| it.name == name).map(|it| it as u8);
    let encoder = route.encoder();
    let guards = asked::asked(&route.guards, (route.protocol, encoder.is_some()), reference.as_deref())
        .into_iter()
        .map(|(asks, threshold, then)| Guard { asks, threshold, start_at: then.and_then(place) });
    let guards: Vec<Guard> = guards.collect();
    if reference.is_none() && guards.is_empty() {
        return (None, Vec::new());
    }
    let declared = input.filter(|it| it.is_declared());
    let declared =
        declared.map(|it| it.tensor.iter().chain(it.features.keys()).chain(it.tensors.keys()).cloned().collect());
    let asks = guards.iter().any(|it| it.asks == Asks::Distance);
    let encoder = encoder.filter(|_| asks).map(|it| Embeddings {
        upstream: it.upstream.clone(),
        model: it.model.clone(),
        timeout: it.timeout.nanos(),
    });
    let guarding = Guarding { reference: reference.map(Against), columns, encoder, guards, declared };
    let in_core = guarding.in_core();
    (Some(Arc::new(guarding)), in_core)
}

pub(crate) fn is_number(it: &Column) -> bool {
    it.kind == ColumnKind::Number
}

pub(crate) fn is_text(it: &Column) -> bool {
    it.kind == ColumnKind::Text
}

pub(crate) fn is_vector(it: &Column) -> bool {
    matches!(it.kind, ColumnKind::Vector(_))
}

/// Says whether the names of a column are known.
pub(crate) fn is_known(it: &Column) -> bool {
    it.kind == ColumnKind::Category && !it.private
}

pub(crate) fn is_bounded(it: &Column) -> bool {
    is_vector(it) && it.declared_range().is_some()
}
