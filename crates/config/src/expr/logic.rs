//! Logic: a condition as comparisons of inputs with constants, joined by and, or and not, as far as it is that.
//!
//! What is anything else stands in it under the way it is written, as something that may be true or false. So whatever is
//! proven of the logic holds for the condition; not everything that holds can be proven.

use cel::common::ast::{Expr as Node, IdedExpr, LiteralValue, operators as op};

use super::{Inputs, Type, typing::written};

/// A whole number beyond which not every one has a double of its own.
const EXACT: i64 = 1 << 53;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Logic {
    /// It holds always, or never.
    Always(bool),
    /// An input, by its position, compared with a constant.
    Compared(usize, Sign, Constant),
    /// Something else, as it is written.
    Opaque(String),
    Not(Box<Logic>),
    All(Vec<Logic>),
    Any(Vec<Logic>),
}

/// How an input is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Equal,
    Less,
    AtMost,
}

/// What an input is compared with.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum Constant {
    Number(f64),
    Text(String),
    Bool(bool),
}

/// Returns the logic of a condition that was checked.
pub(super) fn of(node: &IdedExpr, inputs: &Inputs) -> Logic {
    let below = |it: &IdedExpr| of(it, inputs);
    let opaque = || Logic::Opaque(written(node));
    match &node.expr {
        Node::Literal(LiteralValue::Boolean(it)) => Logic::Always(*it.inner()),
        Node::Ident(_) => match place(node, inputs) {
            Some(at) => Logic::Compared(at, Sign::Equal, Constant::Bool(true)),
            None => opaque(),
        },
        Node::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_NOT, [one]) => not(below(one)),
            (op::LOGICAL_AND, args) => Logic::All(args.iter().map(below).collect()),
            (op::LOGICAL_OR, args) => Logic::Any(args.iter().map(below).collect()),
            (op::CONDITIONAL, [choice, yes, no]) => {
                let choice = below(choice);
                let yes = Logic::All(vec![choice.clone(), below(yes)]);
                Logic::Any(vec![yes, Logic::All(vec![not(choice), below(no)])])
            }
            (op::IN, [one, list]) => one_of(one, list, inputs).unwrap_or_else(opaque),
            (name, [left, right]) => compared(name, (left, right), inputs).unwrap_or_else(opaque),
            _ => opaque(),
        },
        _ => opaque(),
    }
}

fn not(it: Logic) -> Logic {
    Logic::Not(Box::new(it))
}

fn one_of(one: &IdedExpr, list: &IdedExpr, inputs: &Inputs) -> Option<Logic> {
    let (at, Node::List(list)) = (place(one, inputs)?, &list.expr) else { return None };
    let equal = |item| Some(Logic::Compared(at, Sign::Equal, constant(item)?));
    list.elements.iter().map(equal).collect::<Option<_>>().map(Logic::Any)
}

fn compared(name: &str, (left, right): (&IdedExpr, &IdedExpr), inputs: &Inputs) -> Option<Logic> {
    let (at, constant, turned) = match (place(left, inputs), place(right, inputs)) {
        (Some(at), None) => (at, constant(right)?, false),
        (None, Some(at)) => (at, constant(left)?, true),
        _ => return None,
    };
    let number = matches!(constant, Constant::Number(_));
    let is = |sign| Logic::Compared(at, sign, constant.clone());
    Some(match (name, turned) {
        (op::EQUALS, _) => is(Sign::Equal),
        (op::NOT_EQUALS, _) => not(is(Sign::Equal)),
        // How texts are ordered is not looked into.
        _ if !number => return None,
        (op::LESS, false) | (op::GREATER, true) => is(Sign::Less),
        (op::LESS_EQUALS, false) | (op::GREATER_EQUALS, true) => is(Sign::AtMost),
        (op::GREATER, false) | (op::LESS, true) => not(is(Sign::AtMost)),
        (op::GREATER_EQUALS, false) | (op::LESS_EQUALS, true) => not(is(Sign::Less)),
        _ => return None,
    })
}

/// Returns the position of an input that a condition names.
fn place(node: &IdedExpr, inputs: &Inputs) -> Option<usize> {
    let Node::Ident(name) = &node.expr else { return None };
    inputs.binary_search_by(|(input, _)| input.as_str().cmp(name)).ok()
}

fn constant(node: &IdedExpr) -> Option<Constant> {
    match &node.expr {
        Node::Literal(LiteralValue::Int(it)) if it.inner().abs() < EXACT => Some(Constant::Number(*it.inner() as f64)),
        Node::Literal(LiteralValue::Double(it)) => Some(Constant::Number(*it.inner())),
        Node::Literal(LiteralValue::String(it)) => Some(Constant::Text(it.inner().to_owned())),
        Node::Literal(LiteralValue::Boolean(it)) => Some(Constant::Bool(*it.inner())),
        Node::Call(call) if call.func_name == op::NEGATE => match constant(call.args.first()?)? {
            Constant::Number(it) => Some(Constant::Number(-it)),
            _ => None,
        },
        _ => None,
    }
}

impl Logic {
    /// Calls back for every comparison, and for everything else that may be true or false.
    pub(crate) fn each(&self, seen: &mut impl FnMut(&Self)) {
        match self {
            Self::Always(_) => {}
            Self::Compared(..) | Self::Opaque(_) => seen(self),
            Self::Not(it) => it.each(seen),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|it| it.each(seen)),
        }
    }

    /// Says whether it holds, as far as what is known says; `known` speaks of comparisons, and of everything else that may be true
    /// or false.
    pub(crate) fn holds(&self, known: &impl Fn(&Self) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Always(it) => Some(*it),
            Self::Compared(..) | Self::Opaque(_) => known(self),
            Self::Not(it) => it.holds(known).map(|it| !it),
            Self::All(parts) => joined(parts, known, false),
            Self::Any(parts) => joined(parts, known, true),
        }
    }
}

/// One part that is `wins` decides; else all must be known.
fn joined(parts: &[Logic], known: &impl Fn(&Logic) -> Option<bool>, wins: bool) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part.holds(known) {
            Some(it) if it == wins => return Some(wins),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!wins)
}

impl Constant {
    /// Says whether a value of an input fits a comparison with it.
    pub(crate) fn is(&self, value: &Self, sign: Sign) -> bool {
        match sign {
            Sign::Equal => value == self,
            Sign::Less => value < self,
            Sign::AtMost => value <= self,
        }
    }

    /// Returns it as a value of an input of a type, as a test writes it.
    pub(crate) fn shown(&self, of: Type) -> String {
        match (self, of) {
            (Self::Number(it), Type::Float) => format!("{it:?}"),
            (Self::Number(it), _) => it.to_string(),
            (Self::Text(it), _) => format!("{it:?}"),
            (Self::Bool(it), _) => it.to_string(),
        }
    }
}
