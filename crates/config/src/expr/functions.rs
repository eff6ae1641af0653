//! Functions: those of numbers that the language itself has not: `abs`, `exp`, `log1p`, `max`, `min` and `sqrt`.
//!
//! Which types each takes says `typing`, so none is called with any other.
//!
//! # Invariants
//! - `FUN-1`: what has no order (NaN) has no largest and no smallest, and what is too large is an error, never a panic.
//! - `FUN-2`: the logarithm of what is not above −1, and the root of what is below 0, are an error: no infinity, no NaN.

use std::cmp::Ordering;

use cel::{
    Env, ExecutionError, Value,
    common::{
        functions::Function,
        types::{CelDouble, CelInt, DOUBLE_TYPE, INT_TYPE},
        value::CowVal,
    },
};
use evenkeel_signals::math::{exp, ln};

/// Adds them to a language.
pub(super) fn added_to(mut language: Env) -> Env {
    let mut add = |name: &str, id: &str, types, function: Function| {
        language.add_overload(name, id, types, function).expect("the language has no such function");
    };
    add("abs", "abs_double", vec![DOUBLE_TYPE], |values| {
        number(&values, 0).map(|it| CowVal::owned(CelDouble::from(it.abs())))
    });
    add("abs", "abs_int", vec![INT_TYPE], |values| {
        let it = whole(&values, 0)?;
        let zero = || Value::Int(0);
        let size = it.checked_abs().ok_or_else(|| ExecutionError::Overflow("abs", zero(), Value::Int(it)))?;
        Ok(CowVal::owned(CelInt::from(size)))
    });
    add("log1p", "log1p_double", vec![DOUBLE_TYPE], |values| {
        let it = number(&values, 0)?;
        if it.is_nan() || it <= -1.0 {
            return Err(ExecutionError::function_error("log1p", "it takes numbers above -1"));
        }
        Ok(CowVal::owned(CelDouble::from(log1p(it))))
    });
    add("sqrt", "sqrt_double", vec![DOUBLE_TYPE], |values| {
        let it = number(&values, 0)?;
        if it.is_nan() || it < 0.0 {
            return Err(ExecutionError::function_error("sqrt", "it takes numbers from 0"));
        }
        Ok(CowVal::owned(CelDouble::from(it.sqrt())))
    });
    add("exp", "exp_double", vec![DOUBLE_TYPE], |values| {
        number(&values, 0).map(|it| CowVal::owned(CelDouble::from(exp(it))))
    });
    add("max", "max_double", vec![DOUBLE_TYPE, DOUBLE_TYPE], |values| chosen(values, Ordering::Greater));
    add("max", "max_int", vec![INT_TYPE, INT_TYPE], |values| chosen(values, Ordering::Greater));
    add("min", "min_double", vec![DOUBLE_TYPE, DOUBLE_TYPE], |values| chosen(values, Ordering::Less));
    add("min", "min_int", vec![INT_TYPE, INT_TYPE], |values| chosen(values, Ordering::Less));
    language
}

/// The logarithm of one more, by the one logarithm that is the same everywhere; near 0, where one more would lose its digits, by its
/// series.
fn log1p(x: f64) -> f64 {
    if x.abs() < 1e-5 { x * (1.0 - x * (0.5 - x / 3.0)) } else { ln(1.0 + x) }
}

/// Returns the one of two that is so beside the other; of equal ones the first.
fn chosen<'b, 'v>(mut values: Vec<CowVal<'b, 'v>>, wanted: Ordering) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let order = match (whole(&values, 0), whole(&values, 1)) {
        (Ok(first), Ok(second)) => second.cmp(&first),
        _ => {
            let (first, second) = (number(&values, 0)?, number(&values, 1)?);
            let (a, b) = (Value::Float(first), Value::Float(second));
            second.partial_cmp(&first).ok_or(ExecutionError::ValuesNotComparable(a, b))?
        }
    };
    Ok(values.swap_remove(usize::from(order == wanted)))
}

fn number(values: &[CowVal<'_, '_>], at: usize) -> Result<f64, ExecutionError> {
    let found = values.get(at).and_then(|it| it.downcast_ref::<CelDouble>());
    found.map(|it| *it.inner()).ok_or_else(|| ExecutionError::function_error("number", "it is none"))
}

fn whole(values: &[CowVal<'_, '_>], at: usize) -> Result<i64, ExecutionError> {
    let found = values.get(at).and_then(|it| it.downcast_ref::<CelInt>());
    found.map(|it| *it.inner()).ok_or_else(|| ExecutionError::function_error("whole", "it is none"))
}
