//! `ArrayFeatureExtractor`: some columns of a table.
//!
//! # Source
//! ONNX-ML operators, version 1.

use super::{Operator, pick, room};
use crate::{
    extent::Extent,
    tensor::{Data, Tensor},
};

/// Picks columns by their positions, which are its second input.
#[derive(Debug)]
pub(super) struct ArrayFeatureExtractor;

impl Operator for ArrayFeatureExtractor {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [from, positions] = inputs else { return Err("it takes a table and positions".into()) };
        let (rows, columns) = from.rows().ok_or_else(|| format!("the shape {:?} is no table", from.shape()))?;
        let Data::I64(positions) = positions.data() else { return Err("positions are whole numbers".into()) };
        let position = |it: &i64| {
            let inside = usize::try_from(*it).ok().filter(|it| *it < columns);
            inside.ok_or_else(|| format!("there is no column {it} among {columns}"))
        };
        let positions = positions.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        room(&[rows, positions.len()])?;
        let places = (0..rows).flat_map(|row| positions.iter().map(move |column| row * columns + column));
        let data = pick(from.data(), places)?;
        let picked = Tensor::new(vec![rows, positions.len()], data);
        Ok(vec![picked.expect("each row has as many places as there are positions")])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![match inputs {
            [table, Extent::Fixed(_)] => Extent::of_table(std::slice::from_ref(table), 2),
            _ => Extent::Mixed,
        }]
    }
}
