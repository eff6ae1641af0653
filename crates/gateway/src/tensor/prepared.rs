//! Prepared: a tensor that is written down, for any number of rows.

use evenkeel_config as config;

use super::{Datatype, Tensor, element};

/// A tensor that is there before anybody asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepared {
    pub(crate) name: String,
    pub(crate) datatype: Datatype,
    /// A dimension below 0 is the number of rows.
    pub(crate) shape: Vec<i64>,
    /// All elements, or those of the one row that is repeated.
    pub(crate) data: Vec<u8>,
}

impl Prepared {
    /// Makes one of what is written; none where a value does not fit its datatype, which `check` has ruled out.
    pub(crate) fn new(it: &config::FixedTensor) -> Option<Self> {
        let (datatype, mut data) = (it.datatype.into(), Vec::new());
        it.data.iter().try_for_each(|value| element::push(&mut data, datatype, value))?;
        Some(Self { name: it.name.clone(), datatype, shape: it.shape.clone(), data })
    }

    /// Returns the tensor for so many rows; none where they are more than memory has.
    pub(crate) fn tensor(&self, rows: u64) -> Option<Tensor> {
        let per_row = self.shape.iter().any(|dimension| *dimension < 0);
        let shape = self.shape.iter().map(|dimension| u64::try_from(*dimension).unwrap_or(rows)).collect();
        let times = if per_row { usize::try_from(rows).ok()? } else { 1 };
        Tensor::new(self.name.clone(), self.datatype, shape, self.data.repeat(times).into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_config::Value;

    use super::*;

    #[test]
    fn f_163_one_value_is_repeated_for_each_row_and_a_whole_tensor_is_not() {
        let output = |shape: &[i64], data: &[f64]| {
            let data = data.iter().map(|it| Value::Float(*it)).collect();
            let (name, datatype) = ("score".into(), config::Datatype::Fp32);
            Prepared::new(&config::FixedTensor { name, datatype, shape: shape.into(), data }).expect("it fits")
        };
        let read = |output: Prepared, rows| output.tensor(rows).map(|it| (it.shape().to_vec(), it.to_f64()));
        assert_eq!(read(output(&[-1], &[0.5]), 3), Some((vec![3], Some(vec![0.5; 3]))));
        assert_eq!(read(output(&[-1, 1], &[0.5]), 2), Some((vec![2, 1], Some(vec![0.5; 2]))));
        assert_eq!(read(output(&[-1], &[0.5]), 0), Some((vec![0], Some(vec![]))));
        assert_eq!(read(output(&[2], &[0.5, 1.0]), 7), Some((vec![2], Some(vec![0.5, 1.0]))));
    }
}
