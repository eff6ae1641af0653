//! What must hold for `input`: that it says in one way what a request holds, and that this can be.

use std::collections::BTreeSet;

use super::Checks;
use crate::{
    diagnostic::nearest,
    schema::contract::{Datatype, Feature, FeatureKind, Input},
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn input(&mut self, key: &Key, input: &Input) {
        let named = !input.features.is_empty() || !input.tensors.is_empty();
        match (&input.tensor, input.columns.is_empty()) {
            (Some(name), false) => self.not_empty(&key.field("tensor"), name, "the tensor has no name", "name it"),
            (Some(_), true) => {
                let message = "a tensor of columns needs their names";
                self.error("missing-key", &key.field("columns"), message, "write them in order");
            }
            (None, false) => {
                let message = "columns belong to a tensor, which has no name here";
                self.error("missing-key", &key.field("tensor"), message, "write `tensor: NAME`");
            }
            (None, true) if !named && input.sample.is_none() && input.reference.is_none() => {
                let message = "neither `features`, `tensors` nor `tensor` and `columns` stand here, and no `sample` or `reference`";
                self.error("empty", key, message, "say what a request holds, or leave `input` out");
            }
            (None, true) => {}
        }
        self.sample(&key.field("sample"), input);
        self.input_tensors(&key.field("tensors"), input);
        let mut columns = BTreeSet::new();
        for (at, name) in input.columns.iter().enumerate() {
            let key = key.field("columns").index(at);
            self.not_empty(&key, name, "the column has no name", "name it");
            if !columns.insert(name) {
                self.error("duplicate-name", &key, format!("`{name}` stands above"), "name each column once");
            }
        }
        for (name, feature) in &input.features {
            let at = key.field("features").field(name);
            self.feature(&at, feature);
            if input.tensor.is_some() && !columns.is_empty() {
                self.column(&at, (name.as_str(), feature), input);
            }
        }
    }

    /// A sample says all that a request holds.
    fn sample(&mut self, key: &Key, input: &Input) {
        let Some(file) = input.sample.as_ref().filter(|_| !self.report.doubts(key)) else { return };
        if input.tensor.is_some() || !input.features.is_empty() || !input.tensors.is_empty() {
            let message = "a sample says what a request holds, and so do the keys beside it";
            return self.error("misplaced-key", key, message, "remove one of the two");
        }
        if let Err(message) = self.outside.fetch_sample(file) {
            let hint =
                "write a request as clients send it, in JSON; a relative path starts from the configuration's folder";
            self.error("bad-sample", key, message, hint);
        }
    }

    fn input_tensors(&mut self, key: &Key, input: &Input) {
        if input.tensor.is_some() && !input.tensors.is_empty() {
            let message = "a request is one tensor of columns here, and nothing beside it";
            return self.error("misplaced-key", key, message, "remove it, or `tensor` and `columns`");
        }
        for (name, it) in &input.tensors {
            let key = key.field(name);
            self.not_empty(&key, name, "the tensor has no name", "name it");
            if input.features.contains_key(name) {
                self.error("duplicate-name", &key, format!("`{name}` is a feature, too"), "declare it once");
            }
            for (at, dimension) in it.shape.iter().enumerate().filter(|(_, dimension)| **dimension < -1) {
                let message = format!("{dimension} is not a dimension");
                self.error("bad-shape", &key.field("shape").index(at), message, "−1, or a whole number from 0");
            }
            self.bounds(&key, (it.min, it.max), it.datatype.is_number());
            self.categories(&key.field("categories"), &it.categories, it.datatype == Datatype::Bytes);
        }
    }

    /// Words that are accepted: of texts, and each once.
    pub(super) fn categories(&mut self, key: &Key, words: &[String], texts: bool) {
        if !self.report.is_written(key) {
            return;
        }
        if !texts {
            return self.error("misplaced-key", key, "`categories` are texts", "remove it, or choose a type of texts");
        }
        if words.is_empty() {
            self.error("empty", key, "no text is accepted", "write those that are, or leave it out");
        }
        let mut seen = BTreeSet::new();
        for (at, word) in words.iter().enumerate().filter(|(_, word)| !seen.insert(word.as_str())).collect::<Vec<_>>() {
            self.error("duplicate-name", &key.index(at), format!("`{word}` stands above"), "write each once");
        }
    }

    /// What holds of a feature that is a column.
    fn column(&mut self, key: &Key, feature: (&str, &Feature), input: &Input) {
        let (name, feature) = feature;
        if !input.columns.iter().any(|it| it == name) {
            let hint = match nearest(name, input.columns.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to `columns`".into(),
            };
            self.error("unknown-column", key, format!("there is no column `{name}`"), hint);
        }
        if !matches!(feature.kind, FeatureKind::Float | FeatureKind::Int) {
            let message = "a column of an FP32 tensor is a number";
            self.error("wrong-type", &key.field("type"), message, "write float or int");
        }
        let required = key.field("required");
        if self.report.is_written(&required) {
            self.error("misplaced-key", &required, "a column is always there", "remove it");
        }
    }

    fn feature(&mut self, key: &Key, feature: &Feature) {
        let number = matches!(feature.kind, FeatureKind::Float | FeatureKind::Int);
        self.bounds(key, (feature.min, feature.max), number);
        let texts = matches!(feature.kind, FeatureKind::Category | FeatureKind::String);
        self.categories(&key.field("categories"), &feature.categories, texts);
        self.absent(&key.field("missing"), feature);
    }
}

impl Input {
    /// Says whether it declares what a request holds.
    pub(crate) fn is_declared(&self) -> bool {
        self.tensor.is_some() || self.sample.is_some() || !self.features.is_empty() || !self.tensors.is_empty()
    }

    /// Returns the kind of an input; a column of which nothing is said is a number.
    pub(crate) fn kind_of(&self, name: &str) -> Option<FeatureKind> {
        let column = self.columns.iter().any(|it| it == name).then_some(FeatureKind::Float);
        self.features.get(name).map(|it| it.kind).or(column)
    }
}
