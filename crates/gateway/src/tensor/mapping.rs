//! Mapping: the outputs of a tier as those of its route, so that a fallback keeps the meaning of the answer (`map`).
//!
//! It knows names, types and shapes, not clients and not servers: a path asks what to ask for, and has what came accepted.
//! An output that does not stand in the map is taken as it is.
//!
//! # Invariants
//! - `MAP-1`: no step wraps, cuts or invents: what the wanted type cannot hold is a miss, and the next tier answers.
//! - `MAP-2`: whatever came, nothing panics, and no output that is made is larger than an answer may be.
//! - `MAP-3`: what goes to a client has been accepted by the contract of its route, mapped or not.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.3.

mod calibrated;
mod convert;
mod pick;
mod proof;

use std::{borrow::Cow, sync::Arc};

use evenkeel_config::{MapSource, MappedOutput, PathSpec};
use evenkeel_core::{ResultCode, Where};

use self::pick::Pick;
use super::{Contract, Datatype, Extra, Infer, InferAnswer, Output, Parameters, Port, Prepared, Tensor, Wanted};
use crate::calibration::Scale;

/// Bytes of an output that is made of the answer of a path in this process; for another, its tier says how many.
const MOST_OWN: usize = 64 << 20;

/// What a tier answers, as its route promises it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping {
    contract: Arc<Contract>,
    /// Sorted by the name that the route has for it.
    outputs: Vec<(String, Source)>,
    most: usize,
    /// How scores are brought to the scale of the first tier, once they are outputs of the route.
    scale: Option<Scale>,
}

/// What an output is made of.
#[derive(Clone, Debug)]
enum Source {
    Picked(Pick),
    Default(Prepared),
}

impl Mapping {
    /// Makes the mapping of a tier onto the contract of its route.
    ///
    /// # Errors
    /// A default does not fit its datatype, which `check` has ruled out.
    pub(crate) fn new(spec: &PathSpec, path: &evenkeel_core::Path, contract: &Arc<Contract>) -> Result<Self, String> {
        let most = match path.place {
            Where::Remote(_) => usize::try_from(spec.max_answer).unwrap_or(usize::MAX),
            Where::Local | Where::Certain | Where::Stored | Where::Ensemble => MOST_OWN,
        };
        Self::of(&spec.map, most, contract)
    }

    /// Makes a mapping by which no output gets more than so many bytes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn of(map: &[MappedOutput], most: usize, contract: &Arc<Contract>) -> Result<Self, String> {
        let source = |it: &MappedOutput| {
            let source = match &it.source {
                MapSource::Picked(pick) => Source::Picked(Pick::new(pick)),
                MapSource::Default(default) => Source::Default(Prepared::new(default)?),
            };
            Some((it.name.clone(), source))
        };
        let outputs = map.iter().map(source).collect::<Option<_>>().ok_or("a default does not fit its datatype")?;
        Ok(Self { contract: contract.clone(), outputs, most, scale: None })
    }

    /// Brings scores to another scale, once they are outputs of the route.
    pub(crate) fn on(self, scale: Option<&Scale>) -> Self {
        Self { scale: scale.cloned(), ..self }
    }

    /// Returns the contract that answers are accepted by.
    pub(crate) fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Says whether every output is taken as the tier has it.
    pub(crate) fn is_plain(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Returns a request as the tier is asked it: for its own outputs, by its own names. A tier with a map is always told
    /// which ones, since some servers answer only one of theirs when nobody names any.
    pub(crate) fn asked<'a>(&self, request: &'a Infer) -> Cow<'a, Infer> {
        if self.is_plain() {
            return Cow::Borrowed(request);
        }
        let mut outputs: Vec<Wanted> = Vec::new();
        for port in self.contract.outputs.iter().filter(|port| request.wants(&port.name)) {
            let wanted = request.outputs.iter().find(|it| it.name == port.name);
            let as_it_is = || wanted.cloned().unwrap_or_else(|| bare(&port.name));
            let wanted = match self.source(&port.name) {
                None => as_it_is(),
                Some(Source::Picked(pick)) if pick.has_steps() => bare(&pick.from),
                Some(Source::Picked(pick)) => Wanted { name: pick.from.clone(), ..as_it_is() },
                Some(Source::Default(_)) => continue,
            };
            if !outputs.iter().any(|it| it.name == wanted.name) {
                outputs.push(wanted);
            }
        }
        Cow::Owned(Infer { outputs, ..request.clone() })
    }

    /// Accepts an answer to a request: made into what the route promises, and held against its contract.
    ///
    /// # Errors
    /// The result of the attempt that gave it.
    pub(crate) fn accept(&self, answer: InferAnswer, request: &Infer) -> Result<InferAnswer, ResultCode> {
        let answer = match self.is_plain() || answer.outputs.is_empty() {
            true => answer,
            false => self.mapped(answer, request)?,
        };
        let answer = match self.scale.as_ref().and_then(Scale::now) {
            Some(by) => calibrated::calibrated(answer, by),
            None => answer,
        };
        self.contract.accept(answer, request)
    }

    /// Says whether an output of the route can be made of what a tier has: a datatype, and the width of the last axis where
    /// that is known.
    ///
    /// # Errors
    /// What it would be in its place.
    pub(crate) fn fits(&self, port: &Port, found: Datatype, width: Option<u64>) -> Result<(), String> {
        match self.source(&port.name) {
            Some(Source::Picked(pick)) => pick.fits(port, found, width),
            Some(Source::Default(_)) => Ok(()),
            None if port.datatypes.contains(&found) => Ok(()),
            None => Err(format!("is {} in the model and {} in the route", found.name(), port.datatypes[0].name())),
        }
    }

    /// Returns the output of the tier that an output of the route is made of; none where it is made of nothing.
    pub(crate) fn name_of<'a>(&'a self, output: &'a str) -> Option<&'a str> {
        match self.source(output) {
            Some(Source::Picked(pick)) => Some(&pick.from),
            Some(Source::Default(_)) => None,
            None => Some(output),
        }
    }

    /// Returns words for why an output of the tier is needed.
    pub(crate) fn why(&self, output: &str) -> String {
        match self.source(output) {
            Some(_) => format!("of which `map` makes `{output}`"),
            None => "which the route promises".into(),
        }
    }

    fn source(&self, output: &str) -> Option<&Source> {
        self.outputs.iter().find(|(name, _)| name == output).map(|(_, source)| source)
    }

    fn mapped(&self, answer: InferAnswer, request: &Infer) -> Result<InferAnswer, ResultCode> {
        let wanted = || self.contract.outputs.iter().filter(|port| request.wants(&port.name));
        let there = |port: &Port| self.name_of(&port.name).is_none_or(|name| answer.output(name).is_some());
        // What is absent is a fault of the server, whatever else is wrong with what is there.
        if !wanted().all(there) {
            return Err(ResultCode::OutputMissing);
        }
        let outputs = wanted().map(|port| self.made(port, &answer, request)).collect::<Result<_, _>>()?;
        Ok(InferAnswer { parameters: answer.parameters, outputs, ..InferAnswer::default() })
    }

    /// Makes an output of an answer that has what it is made of.
    fn made(&self, port: &Port, answer: &InferAnswer, request: &Infer) -> Result<Output, ResultCode> {
        let given = |name: &str| answer.outputs.iter().find(|it| it.tensor.name() == name);
        let pick = match self.source(&port.name) {
            None => return given(&port.name).cloned().ok_or(ResultCode::OutputMissing),
            Some(Source::Default(default)) => {
                let tensor = default.tensor(request.batch()).ok_or(ResultCode::ContractShape)?;
                return Ok(Output { tensor, parameters: Parameters::new() });
            }
            Some(Source::Picked(pick)) => pick,
        };
        let Output { tensor, parameters } = given(&pick.from).ok_or(ResultCode::OutputMissing)?;
        // What the tier says of its own output says nothing of what is made of it.
        let parameters = if pick.has_steps() { Parameters::new() } else { parameters.clone() };
        let tensor: Tensor = pick.apply(tensor, port, (request.batch(), self.most))?;
        Ok(Output { tensor, parameters })
    }
}

/// An output that is wanted, and nothing more said of it.
fn bare(name: &str) -> Wanted {
    Wanted { name: name.into(), binary: None, classes: None, parameters: Parameters::new(), extra: Extra::new() }
}

#[cfg(test)]
impl From<Contract> for Mapping {
    fn from(contract: Contract) -> Self {
        Self { contract: Arc::new(contract), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
