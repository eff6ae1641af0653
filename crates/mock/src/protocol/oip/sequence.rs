//! Sequence: a model with a state, which answers each request of a sequence with the sum of all that came in it.
//!
//! It is strict as Triton is: what does not begin a sequence must belong to one that has begun.
//!
//! # Invariants
//! - `SUMS-1`: a copy is the model of another server: it has heard of no sequence.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::{Tensor, TensorData};
use crate::protocol::error::ApiError;

/// Sequences that are kept at once.
const MOST: usize = 65_536;

/// The sums of all sequences of one server.
#[derive(Debug, Default)]
pub struct Sums(Mutex<BTreeMap<String, f64>>);

impl Clone for Sums {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// To which sequence a request belongs.
#[derive(Debug)]
pub(super) struct Turn {
    /// The id, as JSON: a number and a text are never the same.
    id: String,
    start: bool,
    end: bool,
}

impl Turn {
    /// Reads it from the parameters of a request; none where that belongs to no sequence.
    pub(super) fn read(id: Option<&Value>, [start, end]: [Option<bool>; 2]) -> Option<Turn> {
        let id = id.filter(|id| **id != 0 && **id != "")?.to_string();
        Some(Turn { id, start: start.unwrap_or(false), end: end.unwrap_or(false) })
    }
}

impl Sums {
    /// Adds up a request; returns the sum with it.
    pub(super) fn add(&self, turn: Option<&Turn>, inputs: &[Tensor]) -> Result<f64, ApiError> {
        let turn = turn.ok_or_else(|| ApiError::invalid("a request to this model must belong to a sequence"))?;
        let more: f64 = inputs.iter().map(|input| sum(&input.data)).sum();
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match sums.get(&turn.id).copied() {
            _ if turn.start && sums.len() < MOST => 0.0,
            Some(before) if !turn.start => before,
            _ => {
                let words = "must specify the START flag on the first request of the sequence";
                return Err(ApiError::invalid(format!("inference request for sequence {} {words}", turn.id)));
            }
        };
        match turn.end {
            true => drop(sums.remove(&turn.id)),
            false => drop(sums.insert(turn.id.clone(), before + more)),
        }
        Ok(before + more)
    }
}

fn sum(data: &TensorData) -> f64 {
    match data {
        TensorData::Floats(all) => all.iter().sum(),
        TensorData::Integers(all) => all.iter().map(|it| *it as f64).sum(),
        TensorData::Booleans(_) | TensorData::Texts(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_added_up_from_its_start_to_its_end_and_nothing_goes_on_without_one() {
        let sums = Sums::default();
        let add = |id: Value, flags, number| {
            let data = TensorData::Floats(vec![number]);
            let inputs = [Tensor { name: "x".into(), datatype: "FP32".into(), shape: vec![1], data }];
            sums.add(Turn::read(Some(&id), flags).as_ref(), &inputs).map_err(|it| it.message)
        };
        let (start, end) = ([Some(true), None], [None, Some(true)]);
        assert!(add(7.into(), [None; 2], 1.0).expect_err("not begun").contains("must specify the START flag"));
        assert_eq!(add(7.into(), start, 1.0), Ok(1.0));
        assert_eq!(add("7".into(), start, 10.0), Ok(10.0), "another one");
        assert_eq!(add(7.into(), [None; 2], 2.0), Ok(3.0));
        assert_eq!(add(7.into(), start, 5.0), Ok(5.0), "begun anew");
        assert_eq!(add(7.into(), end, 1.0), Ok(6.0));
        assert!(add(7.into(), [None; 2], 1.0).is_err(), "it has ended");
        assert!(add(0.into(), start, 1.0).is_err() && add("".into(), start, 1.0).is_err(), "these are none");
        assert_eq!(add("7".into(), [None; 2], 1.0), Ok(11.0));
        assert_eq!(sums.clone().0.into_inner().expect("nobody panicked"), BTreeMap::new(), "SUMS-1");
    }
}
