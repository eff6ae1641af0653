//! Labels: the names of classes, numbers or texts.

use super::texts;
use crate::{
    attribute::Attributes,
    tensor::{Data, Tensor},
};

/// The names of classes.
#[derive(Debug)]
pub(super) enum Labels {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

impl Labels {
    /// Reads texts where there are any, else numbers, whose attribute is called differently from operator to operator.
    pub(super) fn read(attributes: Attributes<'_>, numbers: &str) -> Result<Self, String> {
        let (texts, numbers) = (attributes.texts("classlabels_strings"), attributes.ints(numbers));
        match (texts.is_empty(), numbers.is_empty()) {
            (true, false) => Ok(Self::Numbers(numbers.into())),
            (false, true) => Ok(Self::Texts(texts)),
            _ => Err("exactly one list of class labels must be given".into()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(it) => it.len(),
            Self::Texts(it) => it.len(),
        }
    }

    /// Returns the labels of chosen classes.
    pub(super) fn of(&self, chosen: &[usize]) -> Result<Tensor, String> {
        Ok(Tensor::list(match self {
            Self::Numbers(it) => Data::I64(chosen.iter().map(|at| it[*at]).collect()),
            Self::Texts(it) => texts(it, chosen.iter().copied())?,
        }))
    }
}
