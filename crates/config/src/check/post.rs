//! What must hold for `post`, the steps that every answer of a route goes through.

use std::collections::BTreeSet;

use super::Checks;
use crate::{
    diagnostic::{Diagnostic, Severity, nearest},
    post::{Pattern, Round as Places, Schema, folded},
    schema::{
        commit::Commit,
        contract::{Datatype, OutputTensor},
        post::{Allow, Clamp, Json, MaxLength, OnError, Redact, Round, Step},
        route::{Route, RouteProtocol},
    },
    tree::Key,
};

/// How many steps there may be.
const MOST: usize = 64;

impl Checks<'_> {
    pub(super) fn post(&mut self, route_key: &Key, route: &Route) {
        let key = route_key.field("post");
        if route.post.is_empty() || self.report.doubts(&route_key.field("protocol")) {
            return;
        }
        if route.protocol == RouteProtocol::OpenaiEmbeddings {
            let message = "a vector has nothing that a step could change";
            return self.error("misplaced-key", &key, message, "remove it");
        }
        if route.post.len() > MOST {
            let message = format!("{} steps are more than {MOST}", route.post.len());
            self.error("out-of-range", &key, message, "one step can have many patterns or labels");
        }
        for (at, step) in route.post.iter().enumerate() {
            let key = key.index(at);
            if let Some(name) = self.one_step(&key, step) {
                self.step(&key.field(name), (name, step), route);
            }
        }
    }

    fn one_step(&mut self, key: &Key, step: &Step) -> Option<&'static str> {
        let given: Vec<_> = step.given().iter().map(|it| it.0).collect();
        match given.as_slice() {
            [one] => return Some(one),
            [] if Step::NAMES.iter().any(|name| self.report.doubts_within(&key.field(name))) => return None,
            [] => self.error(
                "no-step",
                key,
                "the step says nothing to do",
                format!("write exactly one of {}", Step::NAMES.join(", ")),
            ),
            several => {
                let message = format!("`{}` stand in one step", several.join("` and `"));
                self.error("two-steps", key, message, "write a step for each, in the order in which they are done");
            }
        }
        None
    }

    fn step(&mut self, key: &Key, (name, step): (&str, &Step), route: &Route) {
        if self.report.doubts_within(key) {
            return;
        }
        let errors = self.report.errors();
        let tensor = self.post_output(key, (name, step), route);
        if self.report.errors() > errors {
            return;
        }
        if let Some(it) = &step.clamp {
            self.clamp(key, it, tensor);
        }
        if let Some(it) = &step.round {
            self.round(key, it, tensor);
        }
        if let Some(it) = &step.allow {
            self.allow(key, it, tensor);
        }
        if let Some(it) = &step.max_length {
            self.max_length(key, it);
        }
        let whole = match step {
            Step { allow: Some(_), .. } => true,
            Step { redact: Some(it), .. } => self.redact(key, it),
            Step { json: Some(it), .. } => {
                self.json_schema(key, it);
                true
            }
            _ => false,
        };
        if whole && route.protocol == RouteProtocol::OpenaiChat && route.commit != Commit::Full {
            let message =
                format!("`{name}` needs the whole answer, and a stream of this route is sent before it is whole");
            let hint = match step.redact {
                Some(_) => "bound each pattern, as in `x{1,64}`, or write `commit: full` on the route",
                None => "write `commit: full` on the route",
            };
            self.error("needs-whole", key, message, hint);
        }
    }

    /// Checks what a step is about; returns what the route promises of it.
    fn post_output<'r>(
        &mut self,
        key: &Key,
        (name, step): (&str, &Step),
        route: &'r Route,
    ) -> Option<&'r OutputTensor> {
        let output = step.given().first().and_then(|it| it.1.map(str::to_owned));
        let numbers = matches!(name, "clamp" | "round");
        if route.protocol == RouteProtocol::OpenaiChat {
            if numbers {
                let message = format!("`{name}` is for the numbers of an `oip` route");
                self.error("wrong-protocol", key, message, "the answers of a chat are texts");
            } else if output.is_some() {
                let key = key.field("output");
                self.error("misplaced-key", &key, "a chat has no outputs", "leave it out: the text is meant");
            }
            return None;
        }
        let Some(output) = output else {
            let message = "the step does not say which output it is about";
            self.error("missing-key", &key.field("output"), message, "name an output of the route");
            return None;
        };
        let key = key.field("output");
        let tensors = &route.output.as_ref()?.tensors;
        let Some(tensor) = tensors.get(&output) else {
            let hint = match nearest(&output, tensors.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name an output of the route".into(),
            };
            self.error("unknown-output", &key, format!("there is no output `{output}`"), hint);
            return None;
        };
        let (fits, wanted) = match name {
            "clamp" => (tensor.datatype.is_number() && !is_short(tensor.datatype), "numbers, but for FP16 and BF16"),
            "round" => (matches!(tensor.datatype, Datatype::Fp32 | Datatype::Fp64), "FP32 or FP64"),
            _ => (tensor.datatype == Datatype::Bytes, "BYTES"),
        };
        if !fits {
            let message = format!("`{name}` is for {wanted}, and `{output}` is {}", tensor.datatype.name());
            self.error("wrong-type", &key, message, "remove the step, or name another output");
        }
        if matches!(name, "redact" | "strip" | "max_length" | "json") && !tensor.categories.is_empty() {
            let message = format!("`{output}` is one of its `categories`, and any other text breaks that promise");
            self.error("breaks-contract", &key, message, "remove the step, or `categories`");
        }
        Some(tensor)
    }

    fn clamp(&mut self, key: &Key, it: &Clamp, tensor: Option<&OutputTensor>) {
        if it.min.is_none() && it.max.is_none() {
            return self.error("missing-key", key, "there is no bound", "write `min`, `max` or both");
        }
        self.bounds(key, (it.min, it.max), true);
        let Some(tensor) = tensor else { return };
        let whole = tensor.datatype.whole().is_some();
        if let (true, Some(min), Some(max)) = (whole, it.min, it.max)
            && min <= max
            && min.ceil() > max.floor()
        {
            let message = format!("no whole number is at least {min} and at most {max}");
            self.error("order", &key.field("max"), message, "make room for one");
        }
        let apart = [
            ("min", it.min.zip(tensor.max).filter(|(mine, promised)| mine > promised)),
            ("max", it.max.zip(tensor.min).filter(|(mine, promised)| mine < promised)),
        ];
        for (name, (mine, promised)) in apart.into_iter().filter_map(|(name, it)| Some((name, it?))) {
            let message = format!("{mine} is beyond {promised}, which the `output` of the route promises");
            self.error(
                "breaks-contract",
                &key.field(name),
                message,
                "values are held against the contract before this step",
            );
        }
        let none = |mine: Option<f64>, promised: Option<f64>, beyond: fn(f64, f64) -> bool| {
            mine.is_none_or(|mine| promised.is_some_and(|promised| beyond(mine, promised)))
        };
        if none(it.min, tensor.min, |mine, promised| mine <= promised)
            && none(it.max, tensor.max, |mine, promised| mine >= promised)
        {
            let message =
                "the step never changes anything: what it bounds, the `output` of the route has refused before";
            self.warning("no-effect", key, message, "remove it, or leave the bounds of the output out");
        }
    }

    fn round(&mut self, key: &Key, it: &Round, tensor: Option<&OutputTensor>) {
        let round = Places { places: it.places };
        let Some(tensor) = tensor else { return };
        let leaves =
            tensor.min.is_some_and(|min| round.of(min) < min) || tensor.max.is_some_and(|max| round.of(max) > max);
        if leaves {
            let message = format!("with {} decimal places a bound of the output is rounded to beyond it", it.places);
            self.error("breaks-contract", &key.field("places"), message, "leave as many places as the bounds have");
        }
    }

    fn allow(&mut self, key: &Key, it: &Allow, tensor: Option<&OutputTensor>) {
        if it.on_error == OnError::Pass && it.otherwise.is_some() {
            let message = "nothing is left to pass: `otherwise` stands in for whatever is no label";
            self.warning("no-effect", &key.field("on_error"), message, "remove one of the two");
        }
        let mut seen = BTreeSet::new();
        let labels = it.labels.iter().enumerate().map(|(at, label)| (key.field("labels").index(at), label));
        let otherwise = it.otherwise.iter().map(|label| (key.field("otherwise"), label));
        for (at, (key, label)) in labels.chain(otherwise).enumerate() {
            if folded(label).is_empty() {
                self.error("empty", &key, "the label is empty", "write a word");
            } else if at < it.labels.len() && !seen.insert(folded(label)) {
                let message = format!("`{label}` stands above, but for case or what is around it");
                self.error("duplicate-name", &key, message, "write each label once");
            }
            if tensor.is_some_and(|it| !it.categories.is_empty() && !it.categories.contains(label)) {
                let message = format!("`{label}` is none of the `categories` of the output");
                self.error("breaks-contract", &key, message, "write it as it stands there");
            }
        }
    }

    /// Checks patterns; says whether one of them has matches of any length.
    fn redact(&mut self, key: &Key, it: &Redact) -> bool {
        if it.patterns.is_empty() && it.own.is_empty() {
            self.error(
                "empty",
                &key.field("patterns"),
                "there is nothing to look for",
                "name a pattern, or write your own",
            );
        }
        let mut whole = false;
        for (name, source) in &it.own {
            let key = key.field("own").field(name);
            self.name_is_usable(&key, name);
            match Pattern::own(name, source) {
                Ok(pattern) => whole |= !pattern.is_bounded(),
                Err(it) => self.report.error_in(
                    "bad-pattern",
                    &key,
                    it.at,
                    (it.message, "see docs.rs/regex for what may be written".into()),
                ),
            }
        }
        whole
    }

    fn max_length(&mut self, key: &Key, it: &MaxLength) {
        if it.mark.chars().count() >= it.characters as usize {
            let message = format!("the mark `{}` leaves no room for a text of {} characters", it.mark, it.characters);
            self.error("out-of-range", &key.field("mark"), message, "write a shorter one, or \"\"");
        }
    }

    fn json_schema(&mut self, key: &Key, it: &Json) {
        let key = key.field("schema");
        let hint = "a relative path starts from the configuration's folder";
        match self.outside.fetch_schema(&it.schema) {
            Err(message) => self.error("missing-file", &key, message, hint),
            Ok((file, text)) => {
                let Err(((line, column), message)) = Schema::read(&text, it.repair) else { return };
                let (code, severity, key) = ("bad-schema", Severity::Error, String::new());
                let hint =
                    "write a JSON Schema that names nothing outside of itself, with patterns without look-around"
                        .into();
                self.report.include(vec![Diagnostic { code, severity, file, line, column, key, message, hint }]);
            }
        }
    }
}

fn is_short(datatype: Datatype) -> bool {
    matches!(datatype, Datatype::Fp16 | Datatype::Bf16)
}
