//! Computed: mock models over tensors of one value a row, each output computed from the inputs.

use std::fmt;

use evenkeel_mock::{Evaluate, OipModel, Tensor, TensorData, TensorSpec};

/// Names and types of tensors.
pub(crate) type Names = &'static [(&'static str, &'static str)];

/// What a model was asked.
pub(crate) struct Asked<'a>(&'a [Tensor]);

impl Asked<'_> {
    fn input(&self, name: &str) -> Result<&Tensor, String> {
        self.0.iter().find(|it| it.name == name).ok_or_else(|| format!("no input {name}"))
    }

    /// Returns the values of an input.
    pub(crate) fn values(&self, name: &str) -> Result<TensorData, String> {
        Ok(self.input(name)?.data.clone())
    }

    /// Returns the values of an input of numbers.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<f64>, String> {
        let TensorData::Floats(numbers) = self.values(name)? else { return Err(format!("{name} is of floats")) };
        Ok(numbers)
    }

    /// Returns the values of an input of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let TensorData::Texts(texts) = self.values(name)? else { return Err(format!("{name} is of texts")) };
        Ok(texts)
    }
}

struct Computed<F> {
    outputs: Names,
    compute: F,
}

impl<F> fmt::Debug for Computed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Computed({:?})", self.outputs)
    }
}

impl<F: Fn(&Asked<'_>) -> Result<Vec<TensorData>, String> + Send + Sync> Evaluate for Computed<F> {
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let shape = &inputs.first().ok_or("nothing is asked")?.shape;
        let computed = (self.compute)(&Asked(inputs))?;
        let output = |(&(name, datatype), data): (&(&str, &str), _)| Tensor {
            name: name.into(),
            datatype: datatype.into(),
            shape: shape.clone(),
            data,
        };
        Ok(self.outputs.iter().zip(computed).map(output).collect())
    }
}

/// Makes a model of what computes the values of its outputs, in their order.
pub(crate) fn model(
    inputs: Names,
    outputs: Names,
    compute: impl Fn(&Asked<'_>) -> Result<Vec<TensorData>, String> + Send + Sync + 'static,
) -> OipModel {
    let specs = |names: Names| names.iter().map(|(name, datatype)| TensorSpec::new(*name, *datatype, [-1])).collect();
    OipModel::evaluated(specs(inputs), specs(outputs), Computed { outputs, compute })
}

/// Makes a model whose output `y` follows from its input `x`.
pub(crate) fn of_x(compute: impl Fn(f64) -> f64 + Send + Sync + 'static) -> OipModel {
    let computes = move |asked: &Asked<'_>| {
        let y = asked.numbers("x")?.into_iter().map(&compute).collect();
        Ok(vec![TensorData::Floats(y)])
    };
    model(&[("x", "FP32")], &[("y", "FP32")], computes)
}
