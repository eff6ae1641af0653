//! What must hold for `map` of a tier, and for the outputs of a tier that are known when the file is read.
//!
//! What becomes of their values is tried where it is done (`gateway`), before a revision is applied.

use super::Checks;
use crate::{
    diagnostic::nearest,
    schema::{
        contract::{Datatype, OutputTensor},
        map::MappedOutput,
        path::Site,
        route::RouteProtocol,
        value::Value,
    },
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn map(&mut self, route_key: &Key, key: &Key, site: Site<'_>) {
        let Site { route, tier } = site;
        if tier.map.is_empty() {
            return;
        }
        if route.protocol != RouteProtocol::Oip {
            let message = format!("an `{}` route has no tensors", route.protocol.name());
            return self.error("misplaced-key", key, message, "remove it");
        }
        let Some(output) = &route.output else {
            if !self.report.doubts_within(&route_key.field("output")) {
                let message = "`map` makes the outputs of the route, and this route does not say which they are";
                self.error("missing-output", key, message, "declare `output` on the route");
            }
            return;
        };
        for (name, mapped) in &tier.map {
            let key = key.field(name);
            match output.tensors.get(name) {
                Some(tensor) => self.mapped(&key, mapped, tensor),
                None => {
                    let hint = match nearest(name, output.tensors.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "write what the route calls it, and what the tier calls it under `from`".into(),
                    };
                    self.error("unknown-output", &key, format!("the contract has no output `{name}`"), hint);
                }
            }
        }
    }

    fn mapped(&mut self, key: &Key, mapped: &MappedOutput, tensor: &OutputTensor) {
        if let Some(default) = &mapped.default {
            if mapped.from.is_some() || mapped.has_steps() {
                let message = "a default is made of nothing that the tier gives, and nothing is done to it";
                let hint = "write `default` alone, or leave it out where the tier has the output";
                self.error("misplaced-key", key, message, hint);
            }
            return self.fixed_output(&key.field("default"), default, Some(tensor));
        }
        let written = self.report.is_written(&key.field("labels"));
        match &mapped.from {
            Some(from) => self.not_empty(&key.field("from"), from, "the output has no name", "name it"),
            None if !mapped.has_steps() && !written => {
                let message = "nothing is said of the output";
                let hint = "write `from`, what is done to it, or the `default` that takes its place";
                self.error("empty", key, message, hint);
            }
            None => {}
        }
        if written && mapped.labels.is_empty() {
            self.error("empty", &key.field("labels"), "there is no label", "write one for each number, from 0");
        }
        for (at, label) in mapped.labels.iter().enumerate().filter(|_| tensor.datatype == Datatype::Bytes) {
            self.one_value(&key.field("labels").index(at), &Value::Text(label.clone()), Some(tensor));
        }
        self.becomes(key, mapped, tensor);
        if let Some(shape) = &mapped.shape {
            let key = key.field("shape");
            self.dimensions(&key, shape);
            if !meets(shape, &tensor.shape) {
                let message = format!("the shape {shape:?} is not {:?}, that of the contract", tensor.shape);
                self.error("breaks-contract", &key, message, "look at the `output` of the route");
            }
        }
    }

    /// What the elements of a mapped output become is what the contract says of them.
    fn becomes(&mut self, key: &Key, mapped: &MappedOutput, tensor: &OutputTensor) {
        if matches!(mapped.datatype, Some(Datatype::Fp16 | Datatype::Bf16)) {
            let message = "nothing is converted to half precision";
            let hint = "write FP32 here and in the `output` of the route";
            return self.error("wrong-type", &key.field("datatype"), message, hint);
        }
        let (labelled, wanted) = (!mapped.labels.is_empty(), tensor.datatype);
        let becomes = if labelled { Some(Datatype::Bytes) } else { mapped.datatype };
        if let Some(becomes) = becomes.filter(|it| *it != wanted) {
            let name = if labelled { "labels" } else { "datatype" };
            let (becomes, wanted) = (becomes.name(), wanted.name());
            let message = match labelled {
                true => format!("labels are {becomes}, and the output of the contract is {wanted}"),
                false => format!("{becomes} is not {wanted}, the type of the contract"),
            };
            self.error("breaks-contract", &key.field(name), message, "look at the `output` of the route");
        }
        if let Some(other) = mapped.datatype.filter(|it| labelled && *it != Datatype::Bytes) {
            let message = format!("labels are BYTES, and no {}", other.name());
            self.error("wrong-type", &key.field("datatype"), message, "remove it, or the labels");
        }
        if mapped.round && !labelled && mapped.datatype.is_none_or(|it| it.whole().is_none()) {
            let message = "nothing is rounded: no number here becomes a whole one";
            let hint = "remove it, or write the `datatype` of whole numbers, or `labels`";
            self.error("misplaced-key", &key.field("round"), message, hint);
        }
    }

    /// The outputs of an answer are those that the contract is made of.
    pub(super) fn same_outputs<'n>(&mut self, key: &Key, names: impl Iterator<Item = &'n str> + Clone, site: Site<'_>) {
        let Some(output) = site.route.output.as_ref() else { return };
        let promised = || output.tensors.keys().map(String::as_str);
        for name in promised() {
            let Some(source) = site.source(name).filter(|source| !names.clone().any(|it| it == *source)) else {
                continue;
            };
            let (message, near) = match source == name {
                true => (format!("the output `{name}` of the contract is missing"), None),
                false => (
                    format!("`map` makes `{name}` of `{source}`, which the tier does not answer"),
                    nearest(source, names.clone()),
                ),
            };
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "answer every output of the route, or write its `default` in `map`".into(),
            };
            self.error("breaks-contract", key, message, hint);
        }
        for name in names.filter(|name| !promised().any(|it| site.source(it) == Some(*name))) {
            if output.tensors.contains_key(name) {
                let message = format!("the tier answers `{name}`, and `map` makes that of something else");
                self.error("breaks-contract", key, message, "remove one of the two");
                continue;
            }
            let hint = match nearest(name, promised()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it under `output` of the route, or remove it".into(),
            };
            self.error("breaks-contract", key, format!("the contract has no output `{name}`"), hint);
        }
    }

    /// What becomes of a sum is not known before the row: it is taken as it is, or the rules could fail (F-163).
    pub(super) fn sums_stay(&mut self, key: &Key, given: &str, site: Site<'_>) {
        for (name, mapped) in &site.tier.map {
            if mapped.source(name) == Some(given) && mapped.has_steps() {
                let message = format!("`map` changes `{given}`, a sum of which only a row shows what it is");
                self.error("breaks-contract", key, message, "let the rules answer what the route wants of them");
            }
        }
    }
}

/// Says whether a shape that is written can be that of the contract, of which a last dimension of 1 is no part.
fn meets(shape: &[i64], wanted: &[i64]) -> bool {
    let equal = |shape: &[i64], wanted: &[i64]| {
        let fits = |(it, wanted): (&i64, &i64)| it == wanted || *it < 0;
        shape.len() == wanted.len() && shape.iter().zip(wanted).all(fits)
    };
    equal(shape, wanted)
        || shape.strip_suffix(&[1]).is_some_and(|shape| equal(shape, wanted))
        || wanted.strip_suffix(&[1]).is_some_and(|wanted| equal(shape, wanted))
}
