//! Outputs: what an expression takes of the answer of a model: `outputs.NAME`, one place of it, or the largest or smallest; of a
//! text `logprobs.NAME`.
//!
//! The language has no tensors. So each of these becomes a name of its own before the expression is typed, and whoever has
//! the tensors gives it its value, row by row.
//!
//! Accepted: `outputs.score`, `outputs['my-score']`, `outputs.p[1]`, `max(outputs.p)`, `min(outputs.p)`. Everything else is left as
//! it is, and refused where types are checked.

use cel::common::ast::{Expr as Node, IdedExpr, LiteralValue, operators as op};

/// The word before the name of what is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// Of an output.
    Outputs,
    /// Of a number about the log-probabilities of a text.
    Logprobs,
}

impl Root {
    /// Returns the word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Outputs => "outputs",
            Self::Logprobs => "logprobs",
        }
    }
}

/// What is taken of a row of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Take {
    /// Its only value.
    Only,
    /// The value in this place, from 0.
    At(usize),
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
}

/// An output that an expression names, and what it takes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The word before the name.
    pub root: Root,
    /// The name of the output.
    pub output: String,
    /// What is taken of each row.
    pub take: Take,
}

impl Taken {
    /// Returns the name that stands for it in the expression, which no input can have.
    pub(crate) fn name(&self) -> String {
        let Self { root, output, take } = self;
        let root = root.name();
        match take {
            Take::Only => format!("{root}.{output}"),
            Take::At(at) => format!("{root}.{output}[{at}]"),
            Take::Max => format!("max({root}.{output})"),
            Take::Min => format!("min({root}.{output})"),
        }
    }
}

/// What stands where in an expression.
pub(super) struct Place {
    pub(super) taken: Taken,
    /// The node of the word before the name in it.
    pub(super) node: u64,
}

/// Puts a name in the place of all that is taken of what stands behind this word; returns what that is.
pub(super) fn name(root: Root, node: &mut IdedExpr) -> Vec<Place> {
    let mut places = Vec::new();
    replace(root, node, &mut places);
    places
}

fn replace(root: Root, node: &mut IdedExpr, places: &mut Vec<Place>) {
    if let Some(place) = taken(root, node) {
        node.expr = Node::Ident(place.taken.name());
        return places.push(place);
    }
    match &mut node.expr {
        Node::Call(call) => {
            call.target.as_deref_mut().into_iter().chain(&mut call.args).for_each(|it| replace(root, it, places))
        }
        Node::List(list) => list.elements.iter_mut().for_each(|it| replace(root, it, places)),
        _ => {}
    }
}

fn taken(root: Root, node: &IdedExpr) -> Option<Place> {
    if let Some((output, node)) = output(root, node) {
        return Some(Place { taken: Taken { root, output, take: Take::Only }, node });
    }
    let Node::Call(call) = &node.expr else { return None };
    let (take, of) = match (call.func_name.as_str(), call.args.as_slice()) {
        ("max", [of]) => (Take::Max, of),
        ("min", [of]) => (Take::Min, of),
        (op::INDEX, [of, at]) => (Take::At(place(at)?), of),
        _ => return None,
    };
    let (output, node) = output(root, of)?;
    Some(Place { taken: Taken { root, output, take }, node })
}

/// Reads `outputs.NAME` and `outputs['NAME']`: the name, and the node of the word before it.
fn output(root: Root, node: &IdedExpr) -> Option<(String, u64)> {
    let is_root = |node: &IdedExpr| matches!(&node.expr, Node::Ident(name) if name == root.name());
    match &node.expr {
        Node::Select(select) if is_root(&select.operand) && !select.test => {
            Some((select.field.clone(), select.operand.id))
        }
        Node::Call(call) if call.func_name == op::INDEX => match call.args.as_slice() {
            [root, IdedExpr { expr: Node::Literal(LiteralValue::String(name)), .. }] if is_root(root) => {
                Some((name.inner().to_string(), root.id))
            }
            _ => None,
        },
        _ => None,
    }
}

fn place(node: &IdedExpr) -> Option<usize> {
    match &node.expr {
        Node::Literal(LiteralValue::Int(at)) => usize::try_from(*at.inner()).ok(),
        _ => None,
    }
}
