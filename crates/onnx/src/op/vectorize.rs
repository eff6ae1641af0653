//! `FeatureVectorizer`: tables side by side, each as wide as was said.
//!
//! # Source
//! ONNX-ML operators, version 1.

use std::ops::RangeInclusive;

use super::{Operator, room, table};
use crate::{attribute::Attributes, extent::Extent, tensor::Tensor};

/// The widest table; wider ones no data stand behind.
const MAX_WIDTH: usize = 1 << 16;

/// Puts tables side by side; what is too wide is cut, what is too narrow is followed by zeros.
#[derive(Debug)]
pub(super) struct FeatureVectorizer {
    widths: Vec<usize>,
}

impl FeatureVectorizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let width = |it: &i64| usize::try_from(*it).ok().filter(|it| *it <= MAX_WIDTH);
        let widths: Option<Vec<usize>> = attributes.ints("inputdimensions").iter().map(width).collect();
        let widths = widths.filter(|it| !it.is_empty() && it.len() <= 1_024);
        let widths = widths.ok_or_else(|| format!("`inputdimensions` has none, too many, or one above {MAX_WIDTH}"))?;
        Ok(Self { widths })
    }

    /// Returns how many tables it takes.
    pub(super) fn inputs(&self) -> RangeInclusive<usize> {
        self.widths.len()..=self.widths.len()
    }
}

impl Operator for FeatureVectorizer {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let width: usize = self.widths.iter().sum();
        let tables = inputs.iter().map(|it| table(it)).collect::<Result<Vec<_>, _>>()?;
        let rows = tables.first().map_or(0, |it| it.0);
        if tables.iter().any(|it| it.0 != rows) {
            return Err("the tables have different numbers of rows".into());
        }
        let mut out = vec![0.0; room(&[rows, width])?];
        let mut from = 0;
        for ((_, columns, numbers), wanted) in tables.iter().zip(&self.widths) {
            let taken = (*columns).min(*wanted);
            for row in 0..rows {
                let at = row * width + from;
                out[at..at + taken].copy_from_slice(&numbers[row * columns..row * columns + taken]);
            }
            from += wanted;
        }
        Ok(vec![Tensor::table(rows, width, out)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 2)]
    }
}
