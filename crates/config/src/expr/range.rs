//! Range: between which bounds a number lies, as far as that follows from those of what it names.
//!
//! # Invariants
//! - `RANGE-1`: what is computed for a row lies within, or cannot be computed. The bounds may be wider than what can be reached:
//!   nothing is known of one input by another, so `x - x` has a range.

use cel::common::ast::{Expr as Node, IdedExpr, LiteralValue, operators as op};
use evenkeel_signals::math::exp;

/// The least and the greatest that a number can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Range {
    /// Any number.
    pub(crate) const ANY: Self = Self { least: f64::NEG_INFINITY, most: f64::INFINITY };

    /// Between the smallest and the largest of some numbers; any, where one of them is none.
    fn around(numbers: &[f64]) -> Self {
        if numbers.iter().any(|it| it.is_nan()) {
            return Self::ANY;
        }
        let fold = |with: fn(f64, f64) -> f64| numbers.iter().copied().reduce(with);
        fold(f64::min).zip(fold(f64::max)).map_or(Self::ANY, |(least, most)| Self { least, most })
    }

    /// What a function of two numbers is that falls or rises in each of them.
    fn of_both(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        let corners =
            [(self.least, other.least), (self.least, other.most), (self.most, other.least), (self.most, other.most)];
        Self::around(&corners.map(|(a, b)| of(a, b)))
    }

    fn abs(self) -> Self {
        let sizes = Self::around(&[self.least.abs(), self.most.abs()]);
        if self.least <= 0.0 && self.most >= 0.0 { Self { least: 0.0, ..sizes } } else { sizes }
    }
}

/// Returns the range of a number; `of` knows that of an input.
pub(super) fn of(node: &IdedExpr, of: &dyn Fn(&str) -> Range) -> Range {
    let below = |it: &IdedExpr| self::of(it, of);
    let point = |it: f64| Range { least: it, most: it };
    match &node.expr {
        Node::Ident(name) => of(name),
        Node::Literal(LiteralValue::Int(it)) => point(*it.inner() as f64),
        Node::Literal(LiteralValue::Double(it)) => point(*it.inner()),
        Node::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (op::NEGATE, [it]) => below(it).of_both(point(0.0), |it, _| -it),
            (op::ADD, [a, b]) => below(a).of_both(below(b), |a, b| a + b),
            (op::SUBSTRACT, [a, b]) => below(a).of_both(below(b), |a, b| a - b),
            (op::MULTIPLY, [a, b]) => below(a).of_both(below(b), |a, b| a * b),
            ("max", [a, b]) => below(a).of_both(below(b), f64::max),
            ("min", [a, b]) => below(a).of_both(below(b), f64::min),
            ("abs", [it]) => below(it).abs(),
            ("exp", [it]) => below(it).of_both(point(0.0), |it, _| exp(it)),
            ("double", [it]) => below(it),
            (op::CONDITIONAL, [_, yes, no]) => {
                let (yes, no) = (below(yes), below(no));
                Range::around(&[yes.least, yes.most, no.least, no.most])
            }
            _ => Range::ANY,
        },
        _ => Range::ANY,
    }
}
