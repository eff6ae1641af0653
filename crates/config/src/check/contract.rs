//! What must hold for `input` and `output`, and for the answers that can be held against them when the file is read.

use std::collections::BTreeMap;

use super::Checks;
use crate::{
    expr::Type,
    rules::RuleSet,
    schema::{
        contract::{Datatype, OutputTensor},
        path::Site,
        route::{Route, RouteProtocol},
        tensor::{FixedOutput, WholeTensor},
        value::Value,
    },
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn contract(&mut self, route_key: &Key, route: &Route) {
        let keys = ["input", "output", "max_batch", "versions"].map(|name| route_key.field(name));
        if route.protocol != RouteProtocol::Oip && !self.report.doubts(&route_key.field("protocol")) {
            let chat = route.input.as_ref().filter(|_| route.protocol == RouteProtocol::OpenaiChat);
            if let Some(it) = chat {
                self.chat_input(&keys[0], it);
            }
            let keys = &keys[usize::from(chat.is_some())..];
            for key in keys.iter().filter(|key| self.report.is_written(key)).collect::<Vec<_>>() {
                let message = format!("an `{}` route has no tensors", route.protocol.name());
                self.error("misplaced-key", key, message, "remove it, or write `protocol: oip`");
            }
            return;
        }
        let [input, output, _, versions] = keys;
        self.versions(&versions, &route.versions);
        if let Some(it) = &route.input {
            self.input(&input, it);
        }
        let Some(it) = &route.output else { return };
        let tensors = output.field("tensors");
        if it.tensors.is_empty() {
            self.error("empty", &tensors, "the answer has no tensors", "declare at least one, or leave `output` out");
        }
        for (name, tensor) in &it.tensors {
            self.output_tensor(&tensors.field(name), tensor);
        }
    }

    fn versions(&mut self, key: &Key, versions: &[String]) {
        for (at, version) in versions.iter().enumerate() {
            let key = key.index(at);
            if version.is_empty() || !version.bytes().all(|it| it.is_ascii_digit()) {
                let message = format!("`{version}` is not a version that clients can name: those are digits");
                self.error("version", &key, message, "for example \"7\"");
            }
            if versions[..at].contains(version) {
                self.error("duplicate-name", &key, format!("`{version}` stands above"), "name each version once");
            }
        }
    }

    fn output_tensor(&mut self, key: &Key, tensor: &OutputTensor) {
        let shape = key.field("shape");
        self.dimensions(&shape, &tensor.shape);
        self.bounds(key, (tensor.min, tensor.max), tensor.datatype.is_number());
        self.categories(&key.field("categories"), &tensor.categories, tensor.datatype == Datatype::Bytes);
    }

    pub(super) fn dimensions(&mut self, key: &Key, shape: &[i64]) {
        for (at, dimension) in shape.iter().enumerate() {
            if *dimension < -1 || (*dimension == -1 && at > 0) {
                let message = format!("{dimension} is not a dimension");
                let hint = "−1, the number of rows, in the first place; elsewhere a whole number from 0";
                self.error("bad-shape", &key.index(at), message, hint);
            }
        }
    }

    pub(super) fn bounds(&mut self, key: &Key, bounds: (Option<f64>, Option<f64>), number: bool) {
        for (name, bound) in [("min", bounds.0), ("max", bounds.1)] {
            if bound.is_some() && !number {
                let message = format!("`{name}` is for numbers");
                self.error("misplaced-key", &key.field(name), message, "remove it, or choose a type of numbers");
            }
        }
        if let (Some(min), Some(max)) = bounds
            && min > max
        {
            let message = format!("no value is at least {min} and at most {max}");
            self.error("order", &key.field("max"), message, "make `max` at least `min`");
        }
    }

    /// Proves fixed outputs against the route's contract (F-163).
    pub(crate) fn fixed_fits(&mut self, key: &Key, outputs: &BTreeMap<String, FixedOutput>, site: Site<'_>) {
        if outputs.is_empty() {
            self.error("empty", key, "there is no output", "write each output with its value");
        }
        self.same_outputs(key, outputs.keys().map(String::as_str), site);
        for (name, output) in outputs {
            self.fixed_output(&key.field(name), output, site.promised(name));
        }
    }

    /// Proves an output that is written down against what the contract says of it.
    pub(super) fn fixed_output(&mut self, key: &Key, output: &FixedOutput, tensor: Option<&OutputTensor>) {
        match output {
            FixedOutput::PerRow(value) => {
                self.one_value(key, value, tensor);
                self.one_a_row(key, tensor);
            }
            FixedOutput::Whole(whole) => self.whole_tensor(key, whole, tensor),
        }
    }

    pub(super) fn one_value(&mut self, key: &Key, value: &Value, tensor: Option<&OutputTensor>) {
        let Some(tensor) = tensor else { return };
        if let Err(message) = tensor.datatype.check(value).and_then(|()| tensor.check_range(value)) {
            self.error("breaks-contract", key, message, "look at the `output` of the route");
        }
    }

    /// One value a row fits a tensor that has one element a row, or one element.
    fn one_a_row(&mut self, key: &Key, tensor: Option<&OutputTensor>) {
        let Some(tensor) = tensor.filter(|it| it.shape.iter().any(|at| !matches!(at, -1 | 1))) else { return };
        let message = format!("one value a row does not fill the shape {:?}", tensor.shape);
        self.error("breaks-contract", key, message, "write {dtype, shape, data}, or change the shape");
    }

    fn whole_tensor(&mut self, key: &Key, whole: &WholeTensor, tensor: Option<&OutputTensor>) {
        let count = whole.shape.iter().try_fold(1u64, |all, at| all.checked_mul(u64::from(*at)));
        if count != Some(whole.data.len() as u64) {
            let message = format!("the shape {:?} does not hold {} elements", whole.shape, whole.data.len());
            self.error("bad-shape", &key.field("data"), message, "make the product of the shape their number");
        }
        for (at, value) in whole.data.iter().enumerate() {
            let fits = whole.dtype.check(value).and_then(|()| tensor.map_or(Ok(()), |it| it.check_range(value)));
            if let Err(message) = fits {
                self.error("breaks-contract", &key.field("data").index(at), message, "write another value");
            }
        }
        let Some(tensor) = tensor else { return };
        if whole.dtype != tensor.datatype {
            let message = format!("{} is not {}, the type of the contract", whole.dtype.name(), tensor.datatype.name());
            self.error("breaks-contract", &key.field("dtype"), message, "look at the `output` of the route");
        }
        let shape: Vec<i64> = whole.shape.iter().map(|it| i64::from(*it)).collect();
        if tensor.shape.first() == Some(&-1) {
            let message = "a whole tensor has as many rows as are written, whatever the request has";
            self.error("breaks-contract", key, message, "write one value, which is repeated for each row");
        } else if shape != tensor.shape {
            let message = format!("the shape {shape:?} is not {:?}, that of the contract", tensor.shape);
            self.error("breaks-contract", &key.field("shape"), message, "look at the `output` of the route");
        }
    }

    /// Holds rules against the route's contract: inputs that it has, outputs that it wants (F-163).
    pub(crate) fn rules_fit(&mut self, key: &Key, set: &RuleSet, site: Site<'_>) {
        let Some(input) = &site.route.input else {
            let message = "rules name their inputs, and this route does not say what a request holds";
            return self.error("missing-input", key, message, "declare `input` on the route");
        };
        for (name, wanted) in set.inputs() {
            let Some(found) = input.kind_of(name) else {
                let message = format!("the rules read `{name}`, which is no feature and no column of the route");
                self.error(
                    "unknown-input",
                    key,
                    message,
                    "declare it under `features` or `columns`, or do not read it",
                );
                continue;
            };
            let fits = found.in_rules() == wanted.in_rules()
                || (found.in_rules() == Type::Int && wanted.in_rules() == Type::Float);
            if !fits {
                let message = format!("the rules take `{name}` as {wanted:?}, the route as {found:?}").to_lowercase();
                self.error("wrong-type", key, message, "use one type in both places");
            }
        }
        self.same_outputs(key, set.outputs().iter().map(String::as_str), site);
        for (at, name) in set.outputs().iter().enumerate() {
            let tensor = site.promised(name);
            self.rows_fit(key, name, tensor);
            if set.values(at).any(|(_, whole)| !whole) {
                self.sums_stay(key, name, site);
            }
            self.rule_values(key, (name, set.values(at)), tensor);
        }
    }

    /// Rules answer as many elements as a request has rows: only a shape that counts rows has room for them (F-163).
    fn rows_fit(&mut self, key: &Key, name: &str, tensor: Option<&OutputTensor>) {
        let Some(OutputTensor { shape, .. }) = tensor else { return };
        if !matches!(shape.split_first(), Some((-1, rest)) if rest.iter().all(|at| *at == 1)) {
            let message = format!("rules answer `{name}` once a row, and the shape {shape:?} has no room for that");
            self.error("breaks-contract", key, message, "write `shape: [-1]`, or leave `shape` out");
        }
    }

    /// Every value has room in its datatype, which its route may leave open. The range holds for a whole answer; a sum is
    /// kept within it, whatever its parts are.
    fn rule_values<'v>(
        &mut self,
        key: &Key,
        output: (&str, impl Iterator<Item = (&'v Value, bool)> + Clone),
        tensor: Option<&OutputTensor>,
    ) {
        let (name, values) = output;
        let datatype = tensor.map_or_else(|| Datatype::of_all(values.clone().map(|it| it.0)), |it| it.datatype);
        for (value, whole) in values {
            let range = || tensor.filter(|_| whole).map_or(Ok(()), |it| it.check_range(value));
            if let Err(message) = datatype.check(value).and_then(|()| range()) {
                let message = format!("rules answer `{name}`: {message}");
                let hint = match tensor {
                    Some(_) => "look at the `output` of the route",
                    None => "fractions make all values FP64; declare `output` on the route, or write smaller numbers",
                };
                self.error("breaks-contract", key, message, hint);
            }
        }
    }
}

impl OutputTensor {
    /// Says whether the contract takes a value.
    fn check_range(&self, value: &Value) -> Result<(), String> {
        if let Value::Text(text) = value
            && !self.categories.is_empty()
            && !self.categories.contains(text)
        {
            return Err(format!("{value} is none of the categories"));
        }
        let Some(number) = value.number().map(|it| self.datatype.holds(it)) else { return Ok(()) };
        let [min, max] = [self.min, self.max].map(|bound| bound.map(|it| self.datatype.holds(it)));
        if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
            let end = |it: Option<f64>| it.map_or("any".into(), |it| it.to_string());
            return Err(format!("{value} is out of range: {} to {}", end(self.min), end(self.max)));
        }
        Ok(())
    }
}

impl Datatype {
    /// Says whether a value can be an element, without wrapping and without losing a fraction.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (Self::Bool, Value::Bool(_)) | (Self::Bytes, Value::Text(_)) => true,
            (Self::Fp64, Value::Int(it)) => it.unsigned_abs() <= 1 << 53,
            (Self::Fp32, Value::Int(it)) => it.unsigned_abs() <= 1 << 24,
            (Self::Fp64, Value::Float(_)) => true,
            (Self::Fp32, Value::Float(it)) => it.abs() <= f64::from(f32::MAX),
            (whole, Value::Int(it)) => {
                whole.whole().is_some_and(|(least, most)| (least..=most).contains(&i128::from(*it)))
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("{value} does not fit {}", self.name())) }
    }

    /// Returns what becomes of a number in an element: FP32 has fewer digits than the file.
    pub(crate) fn holds(self, number: f64) -> f64 {
        if self == Self::Fp32 { f64::from(number as f32) } else { number }
    }

    /// Returns the least and the greatest number that it has, if it has numbers.
    pub(crate) fn range(self) -> Option<(f64, f64)> {
        match self {
            Self::Fp16 => Some((-65_504.0, 65_504.0)),
            Self::Bf16 => Some((-f64::from(f32::from_bits(0x7f7f_0000)), f64::from(f32::from_bits(0x7f7f_0000)))),
            Self::Fp32 => Some((f64::from(f32::MIN), f64::from(f32::MAX))),
            Self::Fp64 => Some((f64::MIN, f64::MAX)),
            _ => self.whole().map(|(least, most)| (least as f64, most as f64)),
        }
    }

    /// Returns the type in which all values of an output have room: a fraction among them makes all of them FP64.
    pub(crate) fn of_all<'v>(values: impl Iterator<Item = &'v Value>) -> Self {
        let all = values.map(Self::of).reduce(|all, it| if it == Self::Fp64 { it } else { all });
        all.expect("an output has the value of `otherwise`")
    }

    /// Returns the type of a value of which no contract speaks.
    pub(crate) const fn of(value: &Value) -> Self {
        match value {
            Value::Int(_) => Self::Int64,
            Value::Float(_) => Self::Fp64,
            Value::Bool(_) => Self::Bool,
            Value::Text(_) => Self::Bytes,
        }
    }
}
