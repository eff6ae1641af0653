//! The contract that a route declares in its configuration.

use evenkeel_config::{self as config, Absent, FeatureKind, KeyKind, RouteSpec};

use super::{Contract, Port};
use crate::tensor::{Datatype, Values};

impl Contract {
    /// Makes the contract of a route; one that declares nothing binds nothing.
    pub(crate) fn declared(route: &RouteSpec) -> Self {
        Self {
            inputs: route.input.as_ref().map(inputs).unwrap_or_default(),
            outputs: route.output.iter().flat_map(|it| &it.tensors).map(output).collect(),
            max_batch: route.max_batch,
            non_finite: route.output.as_ref().is_some_and(|it| it.non_finite),
            learned: false,
        }
    }
}

impl Contract {
    /// Makes the contract as a client of a route meets it: what is fetched may be missing, and whose it is may be said.
    pub(crate) fn asked(route: &RouteSpec) -> Self {
        let mut contract = Self::declared(route);
        let (Some(enrich), Some(tensor)) = (&route.enrich, contract.inputs.first_mut()) else { return contract };
        enrich.features.iter().for_each(|feature| tensor.values[feature.column].missing = true);
        let key = |key: &config::JoinKey| {
            let datatypes: &[Datatype] = match key.kind {
                KeyKind::Int => &[Datatype::Int64, Datatype::Int32],
                KeyKind::String => &[Datatype::Bytes],
            };
            Port { datatypes: datatypes.into(), required: false, ..Port::new(&key.input, datatypes[0], &[-1]) }
        };
        contract.inputs.extend(enrich.entity.iter().map(key));
        contract
    }
}

fn inputs(input: &config::Input) -> Vec<Port> {
    match &input.tensor {
        Some(name) => {
            let columns = input.features.iter().map(|it| Values { column: Some(it.name.clone()), ..values(it) });
            let width = input.features.len() as i64;
            vec![Port { values: columns.collect(), ..Port::new(name, Datatype::Fp32, &[-1, width]) }]
        }
        None => input.features.iter().map(feature).chain(input.tensors.iter().map(tensor)).collect(),
    }
}

fn tensor(it: &config::InputTensor) -> Port {
    let bound = it.min.is_some() || it.max.is_some();
    let categories = it.categories.clone();
    let values = Values { finite: bound, min: it.min, max: it.max, categories, ..Values::default() };
    Port { required: it.required, values: vec![values], ..Port::new(&it.name, it.datatype.into(), &it.shape) }
}

/// A feature that is a tensor of its own: one value a row.
fn feature(it: &config::Feature) -> Port {
    use Datatype as D;
    let datatypes: &[D] = match it.kind {
        FeatureKind::Float => &[D::Fp32, D::Fp64],
        FeatureKind::Int => &[D::Int64, D::Int32, D::Int16, D::Int8, D::Uint64, D::Uint32, D::Uint16, D::Uint8],
        FeatureKind::Category | FeatureKind::String => &[D::Bytes],
        FeatureKind::Bool => &[D::Bool],
    };
    Port {
        datatypes: datatypes.into(),
        required: it.required,
        values: vec![values(it)],
        ..Port::new(&it.name, datatypes[0], &[-1])
    }
}

fn values(it: &config::Feature) -> Values {
    let (whole, number) = (it.kind == FeatureKind::Int, matches!(it.kind, FeatureKind::Int | FeatureKind::Float));
    let mut categories = it.categories.clone();
    // A number that is none is misread, by rules most of all, unless the feature says what its absence means.
    let (missing, absent) = match &it.missing {
        Some(Absent::Nan) => (true, None),
        Some(Absent::Number(number)) => (false, Some(*number)),
        Some(Absent::Text(word)) => {
            if let (false, Err(at)) = (categories.is_empty(), categories.binary_search(word)) {
                categories.insert(at, word.clone());
            }
            (false, None)
        }
        None => (false, None),
    };
    Values { column: None, missing, absent, finite: number, whole, min: it.min, max: it.max, categories }
}

fn output(it: &config::OutputTensor) -> Port {
    let values = Values { min: it.min, max: it.max, categories: it.categories.clone(), ..Values::default() };
    Port { values: vec![values], ..Port::new(&it.name, it.datatype.into(), &it.shape) }
}

impl From<config::Datatype> for Datatype {
    fn from(it: config::Datatype) -> Self {
        Self::named(it.name()).expect("the configuration knows no datatype that is none of the protocol")
    }
}
