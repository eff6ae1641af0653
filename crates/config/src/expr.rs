//! Expr: a CEL expression, typed and bounded when it is read, computed without IO.
//!
//! The one place that knows the CEL library: nothing of it stands in a signature that leaves this folder. What CEL can
//! do and a condition does not need (comprehensions, maps, messages, time) is refused by `typing`, so the cost of an
//! expression is the number of its nodes.
//!
//! # Invariants
//! - `EXPR-1`: an expression that compiles names only its inputs, and its result is of the type that was asked for.
//! - `EXPR-2`: computing it is linear in its nodes and in the texts that it reads, and ends (SE-11).
//! - `EXPR-3`: what can still go wrong is arithmetic (overflow, division by zero), an order that NaN does not have, and
//!   a value that is absent; it comes out as an error, never as a panic.

mod functions;
mod logic;
mod outputs;
mod parse;
mod range;
mod typing;

use std::sync::{Arc, LazyLock};

use cel::{
    Context, Env, ExecutionError,
    common::{
        ast::IdedExpr,
        types::{CelBool, CelDouble, CelInt, CelString},
        value::CowVal,
    },
    context::VariableResolver,
};

pub(crate) use logic::{Constant, Logic, Sign};
pub use outputs::{Root, Take, Taken};
pub(crate) use range::Range;
pub(crate) use typing::Type;
use typing::{Naming, Wanted};

/// The operators and functions of the language; which of them may be used is up to `typing`.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(functions::added_to(Env::stdlib())));

/// The largest number up to which every whole number has a double of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value of an input, as a condition reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(&'a str),
}

/// A row of values, looked up one by one as conditions ask for them.
pub trait Row: Send + Sync {
    /// Returns the value of an input, by its position among the inputs; none where it is absent. Whole numbers may stand
    /// for numbers, and numbers without a fraction for whole ones; any other type is as good as absent.
    fn value(&self, input: usize) -> Option<Scalar<'_>>;
}

/// What was computed of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Computed {
    /// A number.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A text.
    Text(String),
}

impl From<Scalar<'_>> for Computed {
    fn from(it: Scalar<'_>) -> Self {
        match it {
            Scalar::Int(it) => Self::Number(it as f64),
            Scalar::Float(it) => Self::Number(it),
            Scalar::Bool(it) => Self::Flag(it),
            Scalar::Text(it) => Self::Text(it.into()),
        }
    }
}

/// Why something cannot be computed of a row, in words without its values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncomputed {
    /// Something that it names is not there.
    #[error("`{0}` is absent")]
    Absent(String),
    /// What is there does not do: a division by zero, a number that is too large, an order that NaN does not have.
    #[error("{0}")]
    Impossible(&'static str),
}

/// The inputs of an expression: names with their types, sorted by name.
pub(crate) type Inputs = [(String, Type)];

/// What an expression takes of outputs, each with its type.
pub(crate) type Named = Vec<(Taken, Type)>;

/// Something that is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The position of the character where it begins.
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// An expression: a condition, which is true or false, or a number.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    tree: IdedExpr,
    /// Its parts between `&&`, written alike if they mean the same; the whole, where it has none.
    parts: Vec<String>,
    constant: bool,
}

impl Expr {
    /// Reads a condition over these inputs.
    ///
    /// # Errors
    /// Everything that is wrong with it: syntax, size, unknown names, types.
    pub(crate) fn compile(source: &str, inputs: &Inputs) -> Result<Self, Vec<Problem>> {
        let parsed = parse::parse(source)?;
        let typed = typing::check(&parsed, (Naming::Inputs, inputs), Wanted::Condition)?;
        Ok(Self { parts: typing::parts(&parsed.tree), constant: typed.names == 0, tree: parsed.tree })
    }

    /// Reads a number over what an answer of a model holds: `of` says of which type each is that it names, or what is wrong with
    /// that.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn over(
        root: Root,
        source: &str,
        of: impl FnMut(&Taken) -> Result<Type, (String, String)>,
    ) -> Result<(Self, Named), Vec<Problem>> {
        Self::named((root, source), Wanted::Number, of)
    }

    /// Reads a value over the outputs of a model, of whatever type; `of` as for a number.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn of_outputs(
        source: &str,
        of: impl FnMut(&Taken) -> Result<Type, (String, String)>,
    ) -> Result<(Self, Named), Vec<Problem>> {
        Self::named((Root::Outputs, source), Wanted::Anything, of)
    }

    fn named(
        (root, source): (Root, &str),
        wanted: Wanted,
        mut of: impl FnMut(&Taken) -> Result<Type, (String, String)>,
    ) -> Result<(Self, Named), Vec<Problem>> {
        let mut parsed = parse::parse(source)?;
        let (mut taken, mut problems) = (Vec::new(), Vec::new());
        for place in outputs::name(root, &mut parsed.tree) {
            match of(&place.taken) {
                Ok(found) => taken.push((place.taken, found)),
                Err((message, hint)) => problems.push(Problem { at: parsed.at_id(place.node), message, hint }),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        taken.sort_by_key(|(taken, _)| taken.name());
        taken.dedup();
        let inputs: Vec<_> = taken.iter().map(|(taken, found)| (taken.name(), *found)).collect();
        let typed = typing::check(&parsed, (Naming::Outputs, &inputs), wanted)?;
        let expr = Self { parts: typing::parts(&parsed.tree), constant: typed.names == 0, tree: parsed.tree };
        Ok((expr, taken))
    }

    /// Computes a condition for a row.
    ///
    /// # Errors
    /// Why it cannot be computed for this row.
    pub(crate) fn holds(&self, inputs: &Inputs, row: &dyn Row) -> Result<bool, Uncomputed> {
        self.compute(inputs, row, |value| match value.downcast_ref::<CelBool>() {
            Some(it) => Ok(*it.inner()),
            None => Err(Uncomputed::Impossible("the condition is neither true nor false")),
        })
    }

    /// Computes a number for a row.
    ///
    /// # Errors
    /// Why it cannot be computed for this row.
    pub(crate) fn number(&self, inputs: &Inputs, row: &dyn Row) -> Result<f64, Uncomputed> {
        self.compute(inputs, row, |value| match (value.downcast_ref::<CelDouble>(), value.downcast_ref::<CelInt>()) {
            (Some(it), _) => Ok(*it.inner()),
            (_, Some(it)) => Ok(*it.inner() as f64),
            _ => Err(Uncomputed::Impossible("it is no number")),
        })
    }

    /// Reads a value over the features of a request, of whatever type, and says of which.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn of_features(source: &str, inputs: &Inputs) -> Result<(Self, Type), Vec<Problem>> {
        let parsed = parse::parse(source)?;
        let typed = typing::check(&parsed, (Naming::Features, inputs), Wanted::Anything)?;
        let expr = Self { parts: typing::parts(&parsed.tree), constant: typed.names == 0, tree: parsed.tree };
        Ok((expr, typed.found))
    }

    /// Returns the names of the inputs that it reads, each once.
    pub(crate) fn names(&self) -> std::collections::BTreeSet<String> {
        let mut names = std::collections::BTreeSet::new();
        typing::names(&self.tree, &mut names);
        names
    }

    /// Computes a value for a row, of whatever type.
    ///
    /// # Errors
    /// Why it cannot be computed for this row.
    pub(crate) fn value(&self, inputs: &Inputs, row: &dyn Row) -> Result<Computed, Uncomputed> {
        self.compute(inputs, row, |value| {
            let number = value.downcast_ref::<CelDouble>().map(|it| *it.inner());
            let number = number.or_else(|| value.downcast_ref::<CelInt>().map(|it| *it.inner() as f64));
            let flag = value.downcast_ref::<CelBool>().map(|it| Computed::Flag(*it.inner()));
            let text = value.downcast_ref::<CelString<'_>>().map(|it| Computed::Text(it.inner().to_string()));
            number.map(Computed::Number).or(flag).or(text).ok_or(Uncomputed::Impossible("it is of no type"))
        })
    }

    fn compute<T>(
        &self,
        inputs: &Inputs,
        row: &dyn Row,
        read: impl FnOnce(CowVal<'_, '_>) -> Result<T, Uncomputed>,
    ) -> Result<T, Uncomputed> {
        let lookup = Lookup { inputs, row };
        let mut context = Context::with_env(LANGUAGE.clone());
        context.set_variable_resolver(&lookup);
        match cel::Value::resolve_val(&self.tree, &context) {
            Ok(value) => read(value),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns its logic, as far as it is comparisons with constants.
    pub(crate) fn logic(&self, inputs: &Inputs) -> Logic {
        match self.constant() {
            Some(always) => Logic::Always(always),
            None => logic::of(&self.tree, inputs),
        }
    }

    /// Returns the range of a number, by those of its inputs.
    pub(crate) fn range(&self, of: &dyn Fn(&str) -> Range) -> Range {
        range::of(&self.tree, of)
    }

    /// Returns what it always is, where it names no input.
    fn constant(&self) -> Option<bool> {
        self.holds(&[], &Nothing).ok().filter(|_| self.constant)
    }

    /// Says whether it can only hold where the other holds, as far as its text shows.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        other.parts.iter().all(|part| self.parts.contains(part))
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

/// A row without values.
struct Nothing;

impl Row for Nothing {
    fn value(&self, _: usize) -> Option<Scalar<'_>> {
        None
    }
}

/// Hands out values of a row by name, when they are asked for: nothing is converted beforehand.
struct Lookup<'a> {
    inputs: &'a Inputs,
    row: &'a dyn Row,
}

impl VariableResolver for Lookup<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let at = self.inputs.binary_search_by(|(input, _)| input.as_str().cmp(name)).ok()?;
        Some(match (self.row.value(at)?, self.inputs[at].1) {
            (Scalar::Int(it), Type::Int) => CowVal::owned(CelInt::from(it)),
            (Scalar::Int(it), Type::Float) => CowVal::owned(CelDouble::from(it as f64)),
            (Scalar::Float(it), Type::Float) => CowVal::owned(CelDouble::from(it)),
            (Scalar::Float(it), Type::Int) if it.fract() == 0.0 && it.abs() <= EXACT => {
                CowVal::owned(CelInt::from(it as i64))
            }
            (Scalar::Bool(it), Type::Bool) => CowVal::owned(CelBool::from(it)),
            (Scalar::Text(it), Type::Text) => CowVal::owned(CelString::from(it)),
            // A value of another type is as good as none: the condition cannot be computed.
            _ => return None,
        })
    }
}

impl From<ExecutionError> for Uncomputed {
    fn from(error: ExecutionError) -> Self {
        Self::Impossible(match error {
            ExecutionError::UndeclaredReference(name) => return Self::Absent(name.to_string()),
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero",
            ExecutionError::Overflow(..) => "a number that is too large",
            // The types were checked, so only NaN is left to have no order.
            ExecutionError::ValuesNotComparable(..) | ExecutionError::NoSuchOverload(_) => "a comparison with NaN",
            _ => "a value that cannot be computed",
        })
    }
}

#[cfg(test)]
mod tests;
