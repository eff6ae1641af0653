//! What must hold within a rules file, and how it becomes a [`RuleSet`].

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Rule, RuleSet,
    reach::{coverage, gaps, reach},
};
use crate::{
    diagnostic::nearest,
    expr::{Expr, Row, Scalar, Type},
    report::Report,
    schema::{
        contract::FeatureKind,
        rules::{Mode, RulesFile, Test},
        value::Value,
    },
    tree::Key,
};

/// Words that CEL keeps for itself.
const RESERVED: [&str; 22] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
    "dyn",
];

/// What a test expects where no rule is to answer.
const OTHERWISE: &str = "otherwise";

/// How far a number may be from the expected one, for the rounding of sums.
const SLACK: f64 = 1e-9;

/// Compiles a file; none where something is so wrong that nothing can be tried.
pub(super) fn compile(file: &RulesFile, report: &mut Report<'_>) -> Option<RuleSet> {
    let root = Key::default();
    let inputs: Vec<(String, FeatureKind)> = file.inputs.iter().map(|(name, of)| (name.clone(), *of)).collect();
    let types: Vec<(String, Type)> = inputs.iter().map(|(name, of)| (name.clone(), of.in_rules())).collect();
    for (name, _) in &inputs {
        input_is_usable(&root.field("inputs").field(name), name, report);
    }
    if file.otherwise.is_empty() {
        let message = "`otherwise` names no output, so there is nothing to answer";
        report.error("empty", &root.field("otherwise"), message, "write each output with a safe value");
    }
    let mut set = RuleSet {
        inputs,
        types,
        mode: file.mode,
        rules: Vec::new(),
        outputs: file.otherwise.keys().cloned().collect(),
        otherwise: file.otherwise.values().cloned().collect(),
    };
    if file.mode == Mode::Score {
        for (name, value) in &file.otherwise {
            number_to_add(&root.field("otherwise").field(name), value, report);
        }
    }
    rules(file, &mut set, report);
    if report.errors() > 0 {
        return None;
    }
    reach(&set, report);
    if file.complete {
        gaps(&set, report);
    }
    let mut tried = BTreeSet::new();
    for (at, test) in file.tests.iter().enumerate() {
        tried.extend(try_one(&set, test, &root.field("tests").index(at), report));
    }
    if !file.tests.is_empty() && report.errors() == 0 {
        coverage(&set, &tried, report);
    }
    Some(set)
}

impl FeatureKind {
    /// Returns the type that conditions see.
    pub(crate) fn in_rules(self) -> Type {
        match self {
            Self::Float => Type::Float,
            Self::Int => Type::Int,
            Self::Category | Self::String => Type::Text,
            Self::Bool => Type::Bool,
        }
    }
}

fn input_is_usable(key: &Key, name: &str, report: &mut Report<'_>) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(word) || RESERVED.contains(&name) {
        let hint = "use letters, digits and _, not a digit first, and no word of CEL";
        report.error("bad-name", key, format!("a condition cannot name an input `{name}`"), hint);
    }
}

fn rules(file: &RulesFile, set: &mut RuleSet, report: &mut Report<'_>) {
    let mut ids = BTreeSet::new();
    for (at, rule) in file.rules.iter().enumerate() {
        let key = Key::default().field("rules").index(at);
        let id = key.field("id");
        if rule.id.is_empty() || rule.id.len() > 128 {
            report.error("bad-name", &id, "a rule needs a name of 1 to 128 bytes", "say what it is about");
        } else if rule.id == OTHERWISE {
            let message = "a rule cannot be named `otherwise`, which answers where no rule does";
            report.error("bad-name", &id, message, "say what it is about");
        } else if !ids.insert(&rule.id) {
            let message = format!("a rule named `{}` stands above", rule.id);
            report.error("duplicate-name", &id, message, "give each rule its own name");
        }
        answer(file, &rule.answer, &key.field("answer"), report);
        let when = key.field("when");
        if report.doubts(&when) {
            continue;
        }
        match Expr::compile(&rule.when, &set.types) {
            Ok(expr) => {
                let answer = set.outputs.iter().filter_map(|name| rule.answer.get(name).cloned()).collect();
                set.rules.push(Rule { id: rule.id.clone(), when: expr, answer });
            }
            // Of an input whose type nobody knows anything may hold (REP-1).
            Err(_) if doubted(file, report).any(|name| names(&rule.when, name)) => {}
            Err(problems) => {
                for it in problems {
                    report.error_in("bad-expression", &when, it.at, (it.message, it.hint));
                }
            }
        }
    }
}

/// Returns the inputs whose type is no type: another one stands in for it.
fn doubted<'f>(file: &'f RulesFile, report: &Report<'_>) -> impl Iterator<Item = &'f str> {
    let inputs = Key::default().field("inputs");
    file.inputs.keys().map(String::as_str).filter(move |name| report.doubts(&inputs.field(name)))
}

/// Says whether a condition names an input.
fn names(when: &str, input: &str) -> bool {
    when.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == input)
}

/// Each rule answers every output, with a value of the kind that `otherwise` has.
fn answer(file: &RulesFile, answer: &BTreeMap<String, Value>, key: &Key, report: &mut Report<'_>) {
    if report.doubts(key) || report.doubts(&Key::default().field("otherwise")) {
        return;
    }
    for name in file.otherwise.keys().filter(|name| !answer.contains_key(*name)) {
        let message = format!("the output `{name}` is missing, which `otherwise` has");
        report.error("outputs-differ", key, message, "every rule answers every output");
    }
    for (name, value) in answer {
        let key = key.field(name);
        let Some(example) = file.otherwise.get(name) else {
            let hint = match nearest(name, file.otherwise.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to `otherwise`, and to every rule".into(),
            };
            report.error("outputs-differ", &key, format!("`otherwise` has no output `{name}`"), hint);
            continue;
        };
        if std::mem::discriminant(value) != std::mem::discriminant(example)
            && (value.number().is_none() || example.number().is_none())
        {
            let message = format!("{value} is of another type than {example} under `otherwise`");
            report.error("outputs-differ", &key, message, "an output has one type");
        } else if file.mode == Mode::Score {
            number_to_add(&key, value, report);
        }
    }
}

fn number_to_add(key: &Key, value: &Value, report: &mut Report<'_>) {
    if value.number().is_none() {
        let message = format!("{value} cannot be added up");
        report.error("not-a-number", key, message, "in mode `score` every output is a number");
    }
}

/// A row of a test.
struct Given<'a>(Vec<Option<&'a Value>>);

impl Row for Given<'_> {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        Some(match self.0[input]? {
            Value::Int(it) => Scalar::Int(*it),
            Value::Float(it) => Scalar::Float(*it),
            Value::Bool(it) => Scalar::Bool(*it),
            Value::Text(it) => Scalar::Text(it),
        })
    }
}

/// Tries a test; returns the positions of the rules that have answered it.
fn try_one(set: &RuleSet, test: &Test, key: &Key, report: &mut Report<'_>) -> Vec<usize> {
    let before = report.errors();
    for (name, value) in &test.given {
        given_fits(set, &key.field("given").field(name), (name, value), report);
    }
    let expect = key.field("expect");
    for name in test.expect.keys().filter(|name| !set.outputs.contains(name)) {
        let message = format!("there is no output `{name}`");
        report.error("unknown-output", &expect.field(name), message, format!("one of {}", set.outputs.join(", ")));
    }
    if test.expect.is_empty() && test.rule.is_none() {
        let message = "the test expects nothing, so nothing is tried";
        report.error("missing-key", key, message, "write what is to be answered under `expect`, or by which `rule`");
    }
    if report.errors() > before {
        return Vec::new();
    }
    let row = Given(set.inputs.iter().map(|(name, _)| test.given.get(name)).collect());
    let answer = set.answer(&row);
    let by = match (answer.rule, answer.failed) {
        (Some(rule), _) => format!("rule `{rule}`"),
        (None, Some(rule)) => format!("`otherwise`, as rule `{rule}` cannot be computed"),
        (None, None) => "`otherwise`".into(),
    };
    for (name, value) in set.outputs.iter().zip(answer.values.iter()) {
        let Some(wanted) = test.expect.get(name).filter(|wanted| !same(value, wanted)) else { continue };
        let message = format!("the answer is {value}, by {by}; {wanted} is expected");
        report.error("failed-test", &expect.field(name), message, "correct the rule, or the test");
    }
    if let Some(wanted) = &test.rule {
        expected_rule(set, (wanted, answer.rule, &by), &key.field("rule"), report);
    }
    set.holding(&row)
}

/// Holds the rule that has answered against the one that was expected; `otherwise` is expected where none is to hold.
fn expected_rule(set: &RuleSet, (wanted, found, by): (&str, Option<&str>, &str), key: &Key, report: &mut Report<'_>) {
    if wanted != OTHERWISE && !set.rules.iter().any(|rule| rule.id == wanted) {
        let hint = match nearest(wanted, set.rules.iter().map(|it| it.id.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a rule of this file, or `otherwise`".into(),
        };
        return report.error("unknown-rule", key, format!("there is no rule `{wanted}`"), hint);
    }
    if found.unwrap_or(OTHERWISE) != wanted {
        let message = format!("{by} has answered; `{wanted}` is expected");
        report.error("failed-test", key, message, "correct the rules, their order, or the test");
    }
}

fn given_fits(set: &RuleSet, key: &Key, given: (&str, &Value), report: &mut Report<'_>) {
    let (name, value) = given;
    let Some((_, wanted)) = set.types.iter().find(|(input, _)| input == name) else {
        let hint = match nearest(name, set.types.iter().map(|(input, _)| input.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it under `inputs`".into(),
        };
        return report.error("unknown-input", key, format!("there is no input `{name}`"), hint);
    };
    let fits = match (wanted, value) {
        (Type::Float, it) => it.number().is_some(),
        (Type::Int, Value::Int(_)) | (Type::Bool, Value::Bool(_)) | (Type::Text, Value::Text(_)) => true,
        _ => false,
    };
    if !fits {
        let message = format!("{value} is not {}", wanted.name());
        report.error("wrong-type", key, message, "look at the types under `inputs`");
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => (a - b).abs() <= SLACK,
        _ => a == b,
    }
}
