//! Typing: what an expression may say, and of which type each part is. The library has no type checker; a mistake would
//! show at the first request that runs into it.
//!
//! Accepted: inputs, literals, `! && || ?:`, comparisons, `+ - * / %` on numbers of one type, `in` a list, and the
//! functions of [`FUNCTIONS`]. Everything else has a message that says so.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, Expr as Node, IdedExpr, LiteralValue, operators as op};

use super::{Inputs, Problem, parse::Parsed};
use crate::diagnostic::nearest;

/// The most nodes that an expression may have: a bound on what one computation costs.
const MAX_NODES: usize = 1_024;
/// The deepest that parts may nest: computing them recurses.
const MAX_DEPTH: usize = 64;

/// The type of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Int,
    Float,
    Bool,
    Text,
}

/// Functions: name, types of the arguments (the first may stand before a dot), type of the result.
const FUNCTIONS: [(&str, &[Type], Type); 15] = [
    ("contains", &[Type::Text, Type::Text], Type::Bool),
    ("startsWith", &[Type::Text, Type::Text], Type::Bool),
    ("endsWith", &[Type::Text, Type::Text], Type::Bool),
    ("size", &[Type::Text], Type::Int),
    ("double", &[Type::Int], Type::Float),
    ("int", &[Type::Float], Type::Int),
    ("abs", &[Type::Float], Type::Float),
    ("abs", &[Type::Int], Type::Int),
    ("log1p", &[Type::Float], Type::Float),
    ("sqrt", &[Type::Float], Type::Float),
    ("exp", &[Type::Float], Type::Float),
    ("max", &[Type::Float, Type::Float], Type::Float),
    ("max", &[Type::Int, Type::Int], Type::Int),
    ("min", &[Type::Float, Type::Float], Type::Float),
    ("min", &[Type::Int, Type::Int], Type::Int),
];

impl Type {
    /// Names it as people say it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Float => "a number with a fraction",
            Self::Bool => "true or false",
            Self::Text => "a text",
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }

    /// Says whether two can be compared: numbers with numbers, else only the same.
    fn compares(self, other: Self) -> bool {
        self == other || (self.is_number() && other.is_number())
    }
}

/// What was learned of an expression.
pub(super) struct Typed {
    /// How often it names an input.
    pub(super) names: usize,
    /// What it is as a whole.
    pub(super) found: Type,
}

/// What an expression has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// True or false.
    Condition,
    Number,
    /// Of whatever type.
    Anything,
}

/// What an expression may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// The inputs of rules.
    Inputs,
    /// The outputs of a model.
    Outputs,
    /// The features of a request.
    Features,
}

impl Wanted {
    /// Says what it should be and how to come to it, where it is something else.
    fn lacks(self, found: Type) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Condition => Some((Type::Bool.name(), "compare it with something")).filter(|_| found != Type::Bool),
            Self::Number => Some(("a number", "choose between two numbers, as in `outputs.sure ? 1.0 : 0.0`"))
                .filter(|_| !found.is_number()),
            Self::Anything => None,
        }
    }
}

impl Naming {
    const fn declare(self) -> &'static str {
        match self {
            Self::Inputs => "declare it under `inputs`",
            Self::Outputs => "outputs are written `outputs.NAME`",
            Self::Features => "declare it under `features` or `columns` of the `input`",
        }
    }
}

/// Checks an expression against what it may name, and what it has to be.
pub(super) fn check(
    parsed: &Parsed,
    (naming, inputs): (Naming, &Inputs),
    wanted: Wanted,
) -> Result<Typed, Vec<Problem>> {
    let mut typing = Typing { parsed, inputs, naming, problems: Vec::new(), nodes: 0, depth: 0, names: 0 };
    let found = typing.of(&parsed.tree);
    if typing.nodes > MAX_NODES {
        let message = format!("the expression has {} parts, more than {MAX_NODES}", typing.nodes);
        typing.problem(&parsed.tree, message, "split the rule");
    }
    if let Some((found, (words, hint))) = found.and_then(|it| Some((it, wanted.lacks(it)?))) {
        typing.problem(&parsed.tree, format!("the whole is {}, not {words}", found.name()), hint);
    }
    match found {
        Some(found) if typing.problems.is_empty() => Ok(Typed { names: typing.names, found }),
        _ => Err(typing.problems),
    }
}

struct Typing<'a> {
    parsed: &'a Parsed,
    inputs: &'a Inputs,
    naming: Naming,
    problems: Vec<Problem>,
    nodes: usize,
    depth: usize,
    names: usize,
}

impl Typing<'_> {
    fn problem(&mut self, node: &IdedExpr, message: String, hint: impl Into<String>) {
        self.problems.push(Problem { at: self.parsed.at(node), message, hint: hint.into() });
    }

    /// Returns the type of a part; none where something is wrong with it, which has been said.
    fn of(&mut self, node: &IdedExpr) -> Option<Type> {
        self.nodes += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.problem(node, format!("the expression nests deeper than {MAX_DEPTH} levels"), "split the rule");
            self.depth -= 1;
            return None;
        }
        let found = self.part(node);
        self.depth -= 1;
        found
    }

    fn part(&mut self, node: &IdedExpr) -> Option<Type> {
        match &node.expr {
            Node::Literal(literal) => self.literal(node, literal),
            Node::Ident(name) => self.input(node, name),
            Node::Call(call) => self.call(node, call),
            _ => {
                let hint = "use inputs, numbers, texts, comparisons, `&&`, `||`, `!` and `in`";
                self.problem(node, "fields, maps, lists and macros have no place here".into(), hint);
                None
            }
        }
    }

    fn literal(&mut self, node: &IdedExpr, literal: &LiteralValue) -> Option<Type> {
        match literal {
            LiteralValue::Int(_) => Some(Type::Int),
            LiteralValue::Double(it) if it.inner().is_finite() => Some(Type::Float),
            LiteralValue::Boolean(_) => Some(Type::Bool),
            LiteralValue::String(_) => Some(Type::Text),
            LiteralValue::Double(_) => {
                self.problem(node, "the number is too large".into(), "write a number below 1.8e308");
                None
            }
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => {
                self.problem(node, "no input has this type".into(), "write a number, a text, true or false");
                None
            }
        }
    }

    fn input(&mut self, node: &IdedExpr, name: &str) -> Option<Type> {
        self.names += 1;
        if let Ok(at) = self.inputs.binary_search_by(|(input, _)| input.as_str().cmp(name)) {
            return Some(self.inputs[at].1);
        }
        let hint = match nearest(name, self.inputs.iter().map(|(input, _)| input.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => self.naming.declare().into(),
        };
        self.problem(node, format!("there is no input `{name}`"), hint);
        None
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<Type> {
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (op::IN, [value, list]) => return self.one_of(node, value, list),
            (op::INDEX | op::OPT_INDEX | op::OPT_SELECT, _) => {
                self.problem(node, "nothing here has parts".into(), "name an input");
                return None;
            }
            _ => {}
        }
        // All arguments are looked at before anything is said about the whole.
        let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let types: Vec<Option<Type>> = arguments.iter().map(|it| self.of(it)).collect();
        let types: Vec<Type> = types.into_iter().collect::<Option<_>>()?;
        let result = match (name, types.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, [Type::Bool, Type::Bool]) | (op::LOGICAL_NOT, [Type::Bool]) => {
                Ok(Type::Bool)
            }
            (op::EQUALS | op::NOT_EQUALS, [a, b]) if a.compares(*b) => Ok(Type::Bool),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [a, b])
                if a.compares(*b) && *a != Type::Bool =>
            {
                Ok(Type::Bool)
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE, [a, b]) if a == b && a.is_number() => Ok(*a),
            (op::MODULO, [Type::Int, Type::Int]) => Ok(Type::Int),
            (op::NEGATE, [a]) if a.is_number() => Ok(*a),
            (op::CONDITIONAL, [Type::Bool, a, b]) if a == b => Ok(*a),
            _ => function(name, &types),
        };
        result.map_err(|(message, hint)| self.problem(node, message, hint)).ok()
    }

    fn one_of(&mut self, node: &IdedExpr, value: &IdedExpr, list: &IdedExpr) -> Option<Type> {
        let found = self.of(value);
        let Node::List(items) = &list.expr else {
            self.problem(list, "`in` needs a list that is written out".into(), "for example `country in ['de', 'fr']`");
            return None;
        };
        for item in &items.elements {
            let (Some(item_type), Some(found)) = (self.of(item), found) else { continue };
            if !found.compares(item_type) {
                let message = format!("{} is never {}", found.name(), item_type.name());
                self.problem(item, message, "compare with values of the same type");
            }
        }
        if items.elements.is_empty() {
            self.problem(node, "the list is empty, so nothing is in it".into(), "write at least one value");
        }
        found.map(|_| Type::Bool)
    }
}

/// Returns the type of a call, or why there is none, with a hint.
fn function(name: &str, types: &[Type]) -> Result<Type, (String, String)> {
    let words = |types: &[Type]| types.iter().map(|it| it.name()).collect::<Vec<_>>().join(" and ");
    let known: Vec<_> = FUNCTIONS.iter().filter(|it| it.0 == name).collect();
    if let Some((_, _, result)) = known.iter().find(|it| it.1 == types) {
        return Ok(*result);
    }
    if !known.is_empty() {
        let wanted: Vec<_> = known.iter().map(|it| words(it.1)).collect();
        let message = format!("`{name}` takes {}, not {}", wanted.join(", or "), words(types));
        let hint = match (name, types) {
            ("max" | "min", [a, b]) if a.is_number() && b.is_number() => {
                "write 2.0 in place of 2, or `double(count)`".into()
            }
            ("max" | "min", [_, _, _, ..]) => format!("write `{name}(a, {name}(b, c))`"),
            ("max" | "min", [_]) => format!("`{name}` of one is for an output of a model: `{name}(outputs.NAME)`"),
            _ => "look at the types of what stands in it".into(),
        };
        return Err((message, hint));
    }
    let operator = name.trim_matches('_').trim_matches('@');
    if !name.contains('_') {
        let hint = match nearest(name, FUNCTIONS.iter().map(|it| it.0)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let mut names = FUNCTIONS.map(|it| it.0).to_vec();
                names.dedup();
                format!("there are {}", names.join(", "))
            }
        };
        return Err((format!("there is no function `{name}`"), hint));
    }
    let hint = match types {
        [a, b] if a.is_number() && b.is_number() && a != b => "write 2.0 in place of 2, or `double(count)`",
        _ => "compare and compute with values of the same type",
    };
    Err((format!("`{operator}` does not go with {}", words(types)), hint.into()))
}

/// Collects the names of the inputs in a part that was checked.
pub(super) fn names(node: &IdedExpr, to: &mut BTreeSet<String>) {
    match &node.expr {
        Node::Ident(name) => drop(to.insert(name.clone())),
        Node::List(list) => list.elements.iter().for_each(|it| names(it, to)),
        Node::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(|it| names(it, to)),
        _ => {}
    }
}

/// Returns the parts between `&&`, in a form that does not depend on positions and spaces.
pub(super) fn parts(node: &IdedExpr) -> Vec<String> {
    match &node.expr {
        Node::Call(call) if call.func_name == op::LOGICAL_AND => call.args.iter().flat_map(parts).collect(),
        _ => vec![written(node)],
    }
}

/// Returns a form that does not depend on positions and spaces.
pub(super) fn written(node: &IdedExpr) -> String {
    let all = |nodes: &[IdedExpr]| nodes.iter().map(written).collect::<Vec<_>>().join(",");
    match &node.expr {
        Node::Ident(name) => name.clone(),
        Node::Literal(LiteralValue::Int(it)) => it.inner().to_string(),
        Node::Literal(it) => format!("{it:?}"),
        Node::List(list) => format!("[{}]", all(&list.elements)),
        Node::Call(call) => {
            let target = call.target.as_deref().map(written).unwrap_or_default();
            format!("{target}.{}({})", call.func_name, all(&call.args))
        }
        // `check` has refused everything else.
        other => format!("{other:?}"),
    }
}
