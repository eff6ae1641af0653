//! Rows: a large batch computed in turns, so that one that nobody waits for any more ends soon (TN-14).
//!
//! Where a model was proven to compute each row for itself, parts of a batch put together are the whole. Any other is run
//! as it is.
//!
//! # Invariants
//! - `ROWS-1`: in turns or at once, the answer is the same, bit for bit.

use std::ops::Range;

use evenkeel_core::ResultCode;
use evenkeel_onnx::{Data, Model, RunError, Tensor};

/// Rows of a turn: some milliseconds of a large forest. Fewer cost more beginnings, more keep a thread from the next.
const TURN: usize = 1_024;

/// Computes all outputs, as long as somebody wants them.
///
/// # Errors
/// The inputs are not what the model takes; or nobody waits.
pub(super) fn run(
    model: &Model,
    inputs: &[(&str, Tensor)],
    is_wanted: &dyn Fn() -> bool,
) -> Result<Vec<(String, Tensor)>, ResultCode> {
    let run = |inputs: &[(&str, Tensor)]| model.run(inputs).map_err(|error| result(&error));
    let Some(rows) = rows(model, inputs).filter(|rows| *rows > TURN) else { return run(inputs) };
    let mut whole: Vec<(String, Tensor)> = Vec::new();
    for from in (0..rows).step_by(TURN) {
        if !is_wanted() {
            return Err(ResultCode::ClientGone);
        }
        let turn = from..rows.min(from + TURN);
        let part: Vec<_> = inputs.iter().map(|(name, it)| (*name, cut(it, turn.clone()))).collect();
        let part = run(&part)?;
        if !part.iter().all(|(_, it)| it.shape().first() == Some(&turn.len())) {
            return run(inputs);
        }
        whole = if from == 0 { part } else { whole.into_iter().zip(part).map(joined).collect::<Result<_, _>>()? };
    }
    Ok(whole)
}

/// What it means for the path that it could not be computed: what a model does not take, it says so of; a panic is its own.
fn result(error: &RunError) -> ResultCode {
    match error {
        RunError::Panicked => ResultCode::PathPanic,
        _ => ResultCode::UnsupportedFeature,
    }
}

/// Returns how many rows all inputs have, where that is what their first dimension counts.
fn rows(model: &Model, inputs: &[(&str, Tensor)]) -> Option<usize> {
    let mut rows = inputs.iter().map(|(_, it)| it.shape().first().copied());
    let first = rows.next().flatten().filter(|_| model.is_by_row())?;
    rows.all(|it| it == Some(first)).then_some(first)
}

/// Cuts rows out of a tensor.
pub(super) fn cut(tensor: &Tensor, rows: Range<usize>) -> Tensor {
    let mut shape = tensor.shape().to_vec();
    let width: usize = shape.iter().skip(1).product();
    let places = rows.start * width..rows.end * width;
    shape[0] = rows.len();
    let data = match tensor.data() {
        Data::F32(it) => Data::F32(it[places].into()),
        Data::F64(it) => Data::F64(it[places].into()),
        Data::I32(it) => Data::I32(it[places].into()),
        Data::I64(it) => Data::I64(it[places].into()),
        Data::Bool(it) => Data::Bool(it[places].into()),
        Data::Text(it) => Data::Text(it[places].into()),
    };
    Tensor::new(shape, data).expect("so many rows of this width were cut out")
}

/// Puts the rows of an output behind those that are there.
pub(super) fn joined(((name, whole), (_, part)): ((String, Tensor), (String, Tensor))) -> Result<(String, Tensor), ResultCode> {
    let ((mut shape, mut data), (more, rest)) = (whole.into_parts(), part.into_parts());
    if shape[1..] != more[1..] {
        return Err(ResultCode::ContractShape);
    }
    shape[0] += more[0];
    match (&mut data, rest) {
        (Data::F32(it), Data::F32(rest)) => it.extend(rest),
        (Data::F64(it), Data::F64(rest)) => it.extend(rest),
        (Data::I32(it), Data::I32(rest)) => it.extend(rest),
        (Data::I64(it), Data::I64(rest)) => it.extend(rest),
        (Data::Bool(it), Data::Bool(rest)) => it.extend(rest),
        (Data::Text(it), Data::Text(rest)) => it.extend(rest),
        _ => return Err(ResultCode::ContractDtype),
    }
    Ok((name, Tensor::new(shape, data).map_err(|_| ResultCode::ContractShape)?))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn model() -> Model {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/home-value/distilled.onnx");
        Model::load(&std::fs::read(file).expect("it is there")).expect("it is whole")
    }

    fn inputs(model: &Model, rows: usize) -> Vec<(String, Tensor)> {
        let port = &model.inputs()[0];
        let width = port.shape[1].expect("a table") as usize;
        let values = (0..rows * width).map(|at| (at * 7 % 101) as f32 / 3.0).collect();
        vec![(port.name.clone(), Tensor::new(vec![rows, width], Data::F32(values)).expect("it fits"))]
    }

    #[test]
    fn rows_1_in_turns_or_at_once_the_answer_is_the_same() {
        let model = model();
        for rows in [0, 1, TURN, TURN + 1, 3 * TURN + 5] {
            let inputs = inputs(&model, rows);
            let inputs: Vec<_> = inputs.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
            let turns = Cell::new(0);
            let asked = || {
                turns.set(turns.get() + 1);
                true
            };
            assert_eq!(run(&model, &inputs, &asked), Ok(model.run(&inputs).expect("it runs")), "{rows}");
            assert_eq!(turns.get(), if rows > TURN { rows.div_ceil(TURN) } else { 0 }, "{rows}");
        }
    }

    #[test]
    fn tn_14_a_batch_that_nobody_wants_ends_after_its_turn() {
        let model = model();
        let inputs = inputs(&model, 10 * TURN);
        let inputs: Vec<_> = inputs.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
        let left = Cell::new(2);
        let wanted = || {
            left.set(left.get() - 1);
            left.get() > 0
        };
        assert_eq!(run(&model, &inputs, &wanted), Err(ResultCode::ClientGone));
        assert_eq!(left.get(), 0, "nobody asked again");
    }
}
