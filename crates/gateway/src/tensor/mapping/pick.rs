//! Pick: what is done to one output of a tier, in this order: a column, a type, a shape, labels.

use evenkeel_config as config;
use evenkeel_core::ResultCode;

use super::convert::{self, Number};
use crate::tensor::{Datatype, Port, Tensor, elements, push_bytes};

/// An output of a tier, and what is done to it.
#[derive(Clone, Debug)]
pub(super) struct Pick {
    /// What the tier calls it.
    pub(super) from: String,
    column: Option<usize>,
    datatype: Option<Datatype>,
    round: bool,
    shape: Option<Vec<i64>>,
    labels: Vec<String>,
}

impl Pick {
    pub(super) fn new(it: &config::Pick) -> Self {
        Self {
            from: it.from.clone(),
            column: it.column.map(|it| it as usize),
            datatype: it.datatype.map(Datatype::from),
            round: it.round,
            shape: it.shape.clone(),
            labels: it.labels.clone(),
        }
    }

    /// Says whether it becomes something else than it was, but for its name.
    pub(super) fn has_steps(&self) -> bool {
        let Self { from: _, column, datatype, round: _, shape, labels } = self;
        column.is_some() || datatype.is_some() || shape.is_some() || !labels.is_empty()
    }

    /// Says whether an output of this datatype, and of this width of its last axis where that is known, can become what the
    /// route promises.
    ///
    /// # Errors
    /// What it is in place of that.
    pub(super) fn fits(&self, port: &Port, found: Datatype, width: Option<u64>) -> Result<(), String> {
        if let (Some(column), Some(width)) = (self.column, width)
            && column as u64 >= width
        {
            return Err(format!("has {width} columns, so that there is no column {column}"));
        }
        let (name, wanted) = (found.name(), port.datatypes[0].name());
        let fraction = !self.round && convert::can(found, Datatype::Int64, true);
        let hint = if fraction { " without `round: true`" } else { "" };
        match self.datatype {
            _ if !self.labels.is_empty() => match convert::can(found, Datatype::Int64, self.round) {
                true => Ok(()),
                false => Err(format!("is {name}, which does not become labels{hint}")),
            },
            Some(to) if !convert::can(found, to, self.round) => {
                Err(format!("is {name}, which does not become {wanted}{hint}"))
            }
            None if !port.datatypes.contains(&found) => {
                Err(format!("is {name}, and {wanted} in the route: write `datatype: {wanted}`"))
            }
            _ => Ok(()),
        }
    }

    /// Makes the output `port` of it, for a request of so many rows, with no more than so many bytes.
    ///
    /// # Errors
    /// The result of the attempt that gave it.
    pub(super) fn apply(&self, given: &Tensor, port: &Port, bounds: (u64, usize)) -> Result<Tensor, ResultCode> {
        let (rows, most) = bounds;
        let mut tensor = given.clone().named(&port.name);
        if let Some(column) = self.column {
            tensor = take(&tensor, column, port)?;
        }
        if let Some(datatype) = self.datatype {
            tensor = convert::convert(&tensor, datatype, (self.round, most))?;
        }
        if let Some(wanted) = &self.shape {
            let shape = filled(wanted, tensor.shape(), rows).ok_or(ResultCode::ContractShape)?;
            tensor = tensor.reshape(shape).map_err(|_| ResultCode::ContractShape)?;
        }
        if !self.labels.is_empty() {
            tensor = self.labelled(&tensor, most)?;
        }
        Ok(tensor)
    }

    /// Writes the label of each number.
    fn labelled(&self, tensor: &Tensor, most: usize) -> Result<Tensor, ResultCode> {
        if !convert::can(tensor.datatype(), Datatype::Int64, self.round) {
            return Err(ResultCode::ContractDtype);
        }
        let mut data = Vec::new();
        for number in convert::numbers(tensor) {
            let place = match number {
                Number::Whole(whole) => whole,
                Number::Real(real) => convert::rounded(real)?,
            };
            let label = usize::try_from(place).ok().and_then(|place| self.labels.get(place));
            let label = label.ok_or(ResultCode::ContractRange)?;
            if data.len() + label.len() + 4 > most {
                return Err(ResultCode::AnswerTooLarge);
            }
            push_bytes(&mut data, label.as_bytes());
        }
        tensor.remade(Datatype::Bytes, tensor.shape(), data).map_err(|_| ResultCode::ContractShape)
    }
}

/// Takes a column of the last axis. Where the route counts rows, the only axis is no row of columns: it is the rows.
fn take(tensor: &Tensor, column: usize, port: &Port) -> Result<Tensor, ResultCode> {
    let (width, shape) = tensor.shape().split_last().ok_or(ResultCode::ContractShape)?;
    let width = usize::try_from(*width).map_err(|_| ResultCode::ContractShape)?;
    if column >= width || (shape.is_empty() && port.is_batched()) {
        return Err(ResultCode::ContractShape);
    }
    let mut data = Vec::new();
    match tensor.datatype().size() {
        // Where there are elements, a row of them has no more bytes than there are.
        Some(size) if !tensor.data().is_empty() => {
            let elements = tensor.data().chunks_exact(width * size).map(|row| &row[column * size..][..size]);
            elements.for_each(|element| data.extend_from_slice(element));
        }
        Some(_) => {}
        None => tensor.strings().skip(column).step_by(width).for_each(|element| push_bytes(&mut data, element)),
    }
    tensor.remade(tensor.datatype(), shape, data).map_err(|_| ResultCode::ContractShape)
}

/// Returns a shape in which the open dimension is what remains of the elements; where nothing is left to divide, the rows.
fn filled(wanted: &[i64], found: &[u64], rows: u64) -> Option<Vec<u64>> {
    let known: Vec<u64> = wanted.iter().filter_map(|it| u64::try_from(*it).ok()).collect();
    let open = match (elements(found)?, elements(&known)?) {
        (0, 0) => rows,
        (count, each) => count.checked_div(each)?,
    };
    Some(wanted.iter().map(|it| u64::try_from(*it).unwrap_or(open)).collect())
}
