//! `fixed`: an answer that is written down, prepared when the revision is applied, so that it cannot fail (F-163).
//!
//! Accepted: `fixed: {content: "A person will reply within one hour."}`, `fixed: {outputs: {score: 0.5}}`. Rejected by
//! `check`: an empty `content`, an output that the route does not promise.

use std::sync::Arc;

use evenkeel_config as config;
use evenkeel_core::ResultCode;

use super::{Attempting, Certain, Ended, Path, Pieces, Site};
use crate::{
    ask::{Ask, Question},
    protocol::openai::own::{Meta, own_chat, own_stream},
    tensor::{Datatype, Infer, InferAnswer, Tensor, element},
    upstream::Call,
};

/// A fixed answer.
pub(crate) struct Fixed {
    content: String,
    outputs: Vec<Output>,
    name: String,
}

/// A tensor of a fixed answer.
struct Output {
    name: String,
    datatype: Datatype,
    /// A dimension below 0 is the number of rows.
    shape: Vec<i64>,
    /// All elements, or the one that is repeated.
    data: Vec<u8>,
}

impl Fixed {
    pub(super) fn path(kind: &config::kind::Fixed, site: Site<'_>) -> Result<Arc<dyn Path>, String> {
        let outputs = kind.outputs.iter().map(Output::new).collect::<Option<_>>();
        let outputs = outputs.ok_or("a value does not fit its datatype")?;
        Ok(Arc::new(Self { content: kind.content.clone(), outputs, name: site.path.name.as_str().into() }))
    }

    fn infer(&self, request: &Infer) -> InferAnswer {
        let wanted = |it: &&Output| request.outputs.is_empty() || request.outputs.iter().any(|one| one.name == it.name);
        InferAnswer::of(self.outputs.iter().filter(wanted).filter_map(|it| it.tensor(request.batch())))
    }
}

impl Output {
    fn new(it: &config::FixedTensor) -> Option<Self> {
        let (datatype, mut data) = (it.datatype.into(), Vec::new());
        it.data.iter().try_for_each(|value| element::push(&mut data, datatype, value))?;
        Some(Self { name: it.name.clone(), datatype, shape: it.shape.clone(), data })
    }

    fn tensor(&self, rows: u64) -> Option<Tensor> {
        let per_row = self.shape.iter().any(|dimension| *dimension < 0);
        let shape = self.shape.iter().map(|dimension| u64::try_from(*dimension).unwrap_or(rows)).collect();
        let times = if per_row { usize::try_from(rows).ok()? } else { 1 };
        Tensor::new(self.name.clone(), self.datatype, shape, self.data.repeat(times).into()).ok()
    }
}

impl Path for Fixed {
    fn attempt(self: Arc<Self>, _: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        // The core answers a certain path without an attempt; one that is made all the same has nothing to call.
        Box::pin(std::future::ready(Ended::bare(ResultCode::PathPanic, None)))
    }

    fn certain(&self, ask: &Ask, evenkeel: &str) -> Option<Certain> {
        let Ask { decision, created, revision, .. } = ask;
        let meta = Meta { decision, created: *created, path: &self.name, revision, evenkeel };
        match &ask.question {
            Question::Chat(peek) if peek.stream => {
                Some(Certain::Events(own_stream(&self.content, peek.n, peek.include_usage, meta)))
            }
            Question::Chat(peek) => Some(Certain::Whole(own_chat(&self.content, peek.n, meta))),
            // `check` refuses a fixed answer on an embeddings route.
            Question::Embeddings(_) => None,
            Question::Infer(asked) => Some(Certain::Infer(self.infer(&asked.infer))),
        }
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
            Output::new(&config::FixedTensor { name, datatype, shape: shape.into(), data }).expect("it fits")
        };
        let read = |output: Output, rows| output.tensor(rows).map(|it| (it.shape().to_vec(), it.to_f64()));
        assert_eq!(read(output(&[-1], &[0.5]), 3), Some((vec![3], Some(vec![0.5; 3]))));
        assert_eq!(read(output(&[-1, 1], &[0.5]), 2), Some((vec![2, 1], Some(vec![0.5; 2]))));
        assert_eq!(read(output(&[-1], &[0.5]), 0), Some((vec![0], Some(vec![]))));
        assert_eq!(read(output(&[2], &[0.5, 1.0]), 7), Some((vec![2], Some(vec![0.5, 1.0]))));
    }
}
