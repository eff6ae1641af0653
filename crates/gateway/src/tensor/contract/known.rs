//! Known: the contract of a route as far as it is known by now: what its file declares, else what tier 0 says of its model.
//!
//! Who asks, and when, is the path's of that tier.
//!
//! # Invariants
//! - `KNOWN-1`: what is learned stays until something else is learned: a server that is gone, or says nothing, takes nothing back.
//! - `KNOWN-2`: what is learned binds requests alone. Answers are held against what is declared, so that a lower tier need
//!   not give what only tier 0 has.
//! - `KNOWN-3`: what others say is bounded, and believed as a whole or not at all.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.4; OIP-18.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde::Deserialize;

use super::{Contract, Port};
use crate::tensor::Datatype;

/// Inputs of a model, or outputs, at most.
const MAX_PORTS: usize = 1024;
/// Dimensions of each, at most.
const MAX_RANK: usize = 16;

/// The contract of a route, as far as it is known.
#[derive(Debug)]
pub(crate) struct Known {
    declared: Arc<Contract>,
    /// The same as clients meet it: what is fetched for them may be missing.
    asked: Arc<Contract>,
    learned: ArcSwapOption<(Signature, Arc<Contract>)>,
}

/// An input or an output as somebody else describes it, before it is believed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) datatype: String,
    /// A dimension of −1 is open.
    pub(crate) shape: Vec<i64>,
}

/// What a model takes and gives, by its own word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Signature {
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
}

impl Known {
    /// Begins with what is declared, of answers and of requests.
    pub(crate) fn new(declared: Contract, asked: Contract) -> Arc<Self> {
        Arc::new(Self { declared: Arc::new(declared), asked: Arc::new(asked), learned: ArcSwapOption::empty() })
    }

    /// Returns what the file declares, which is what answers are held against.
    pub(crate) fn declared(&self) -> &Arc<Contract> {
        &self.declared
    }

    /// Returns what requests are held against, and what clients are told.
    pub(crate) fn now(&self) -> Arc<Contract> {
        self.learned.load().as_ref().map_or_else(|| self.asked.clone(), |learned| learned.1.clone())
    }

    /// Says whether there is anything to be learned: a file that declares inputs has said it all.
    pub(crate) fn is_open(&self) -> bool {
        self.declared.inputs.is_empty()
    }

    /// Takes in what the model of tier 0 takes and gives; says whether that is news.
    pub(crate) fn learn(&self, signature: Signature) -> bool {
        let known = self.learned.load().as_ref().is_some_and(|learned| learned.0 == signature);
        if known || !self.is_open() || signature.inputs.is_empty() {
            return false;
        }
        let Signature { inputs, outputs } = signature.clone();
        let declared = &self.declared;
        let outputs = if declared.outputs.is_empty() { outputs } else { declared.outputs.clone() };
        let contract = Contract { inputs, outputs, learned: true, ..(**declared).clone() };
        self.learned.store(Some(Arc::new((signature, Arc::new(contract)))));
        true
    }

    /// Takes in what another has learned of the same model.
    pub(crate) fn inherit(&self, other: &Self) {
        if let Some(learned) = &*other.learned.load() {
            self.learn(learned.0.clone());
        }
    }
}

impl Signature {
    /// Believes what is said of a model, if it is something, and all of it can be true.
    pub(crate) fn believed(inputs: Vec<Said>, outputs: Vec<Said>) -> Option<Self> {
        let (inputs, outputs) = (ports(inputs)?, ports(outputs)?);
        Some(Self { inputs, outputs }).filter(|it| !it.inputs.is_empty())
    }
}

fn ports(said: Vec<Said>) -> Option<Vec<Port>> {
    if said.len() > MAX_PORTS {
        return None;
    }
    let mut names: Vec<&str> = said.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    let named = names.first() != Some(&"") && names.windows(2).all(|pair| pair[0] != pair[1]);
    let port = |it: &Said| {
        let shaped = it.shape.len() <= MAX_RANK && it.shape.iter().all(|dimension| *dimension >= -1);
        // Nobody says which inputs can be left out; some models have such.
        let port = Port { required: false, ..Port::new(&it.name, Datatype::named(&it.datatype)?, &it.shape) };
        Some(port).filter(|_| shaped)
    };
    if named { said.iter().map(port).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, datatype: &str, shape: &[i64]) -> Said {
        Said { name: name.into(), datatype: datatype.into(), shape: shape.into() }
    }

    fn of(declared: Contract) -> Arc<Known> {
        Known::new(declared.clone(), declared)
    }

    fn signature(input: &str) -> Signature {
        let (x, y) = (said(input, "FP32", &[-1, 4]), said("y", "INT64", &[-1]));
        Signature::believed(vec![x], vec![y]).expect("it can be true")
    }

    #[test]
    fn oip_18_what_a_server_says_is_believed_as_a_whole_or_not_at_all() {
        let x = || said("x", "FP32", &[-1, 4]);
        let check = |inputs: Vec<Said>, outputs: Vec<Said>, believed: bool| {
            assert_eq!(Signature::believed(inputs.clone(), outputs).is_some(), believed, "KNOWN-3: {inputs:?}");
        };
        check(vec![x()], vec![], true);
        check(vec![x(), said("s", "BYTES", &[])], vec![said("y", "BF16", &[3])], true);
        check(vec![x()], vec![said("y", "STRING", &[1])], false);
        check(vec![x(), said("z", "fp32", &[1])], vec![], false);
        check(vec![x(), x()], vec![], false);
        check(vec![x(), said("", "FP32", &[1])], vec![], false);
        check(vec![said("x", "FP32", &[-2])], vec![], false);
        check(vec![said("x", "FP32", &[1; 16])], vec![], true);
        check(vec![said("x", "FP32", &[1; 17])], vec![], false);
        let many = |count: usize| (0..count).map(|at| said(&format!("x{at}"), "FP32", &[1])).collect::<Vec<_>>();
        check(many(1024), vec![], true);
        check(many(1025), vec![], false);
        check(vec![], vec![x()], false);
        check(vec![], vec![], false);
    }

    #[test]
    fn what_was_learned_stays_until_something_else_is_learned() {
        let known = of(Contract::default());
        assert!(known.is_open() && known.now().inputs.is_empty());
        assert!(known.learn(signature("x")), "news");
        assert!(!known.learn(signature("x")), "no news");
        assert!(!known.learn(Signature::default()), "KNOWN-1");
        assert_eq!((known.now().inputs[0].name.as_str(), known.now().outputs[0].name.as_str()), ("x", "y"));
        assert!(known.learn(signature("z")));
        assert_eq!(known.now().inputs[0].name, "z");
        assert_eq!(**known.declared(), Contract::default(), "KNOWN-2");
    }

    #[test]
    fn what_is_declared_is_not_learned() {
        let inputs = vec![Port::new("a", Datatype::Bool, &[-1])];
        let known = of(Contract { inputs, ..Contract::default() });
        assert!(!known.is_open() && !known.learn(signature("x")));
        assert_eq!(known.now().inputs[0].name, "a");

        let outputs = vec![Port::new("b", Datatype::Bool, &[-1])];
        let known = of(Contract { outputs, max_batch: Some(3), non_finite: true, ..Contract::default() });
        assert!(known.learn(signature("x")));
        let now = known.now();
        assert_eq!((now.inputs[0].name.as_str(), now.outputs[0].name.as_str()), ("x", "b"));
        assert_eq!((now.max_batch, now.non_finite, now.learned), (Some(3), true, true));

        let heir = of(Contract::default());
        heir.inherit(&known);
        assert_eq!((heir.now().outputs[0].name.as_str(), heir.now().max_batch), ("y", None), "as it was said");
    }
}
