//! Lacking: whether a server has refused a request because it has not the outputs that it was asked for.
//!
//! Most servers answer 400 then, as to a client's mistake. It is none where the route promises the output: the names that a
//! client gives were among those, and the names that its tier has for them are ours.
//!
//! # Invariants
//! - `LACK-1`: an output that has come once is there, whatever the metadata say, so that clients with bad requests cannot
//!   count against a server whose metadata are not whole.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.3; OIP-20, OIP-39.

use std::collections::BTreeSet;

use arc_swap::ArcSwap;

use crate::tensor::{Infer, Mapping};

/// What is known of the outputs of one model.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    /// Those that it was asked for by name, and gave. They are among the route's, so that they are few.
    came: ArcSwap<BTreeSet<String>>,
}

impl Lacking {
    /// Takes note that all came that was asked for.
    pub(super) fn came(&self, mapping: &Mapping, asked: &Infer) {
        let names = || asked.outputs.iter().map(|wanted| &wanted.name);
        let known = self.came.load();
        if !mapping.contract().outputs.is_empty() && !names().all(|name| known.contains(name)) {
            self.came.rcu(|known| known.iter().cloned().chain(names().cloned()).collect::<BTreeSet<_>>());
        }
    }

    /// Says whether a model that has refused a request lacks what it was asked for: by its own word, which is asked for
    /// only where it matters. One that says nothing lacks nothing.
    pub(super) async fn explains(
        &self,
        (mapping, asked): (&Mapping, &Infer),
        has: impl Future<Output = Option<Vec<String>>>,
    ) -> bool {
        let known = self.came.load_full();
        let names = asked.outputs.iter().map(|wanted| &wanted.name);
        let new: Vec<&String> = names.filter(|name| !known.contains(*name)).collect();
        if mapping.contract().outputs.is_empty() || new.is_empty() {
            return false;
        }
        let has = has.await.unwrap_or_default();
        !has.is_empty() && !new.into_iter().all(|name| has.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Contract, Datatype, Form, Port, Wanted};

    fn asking(names: &[&str]) -> Infer {
        let wanted = |name: &&str| Wanted { name: (*name).into(), binary: None, classes: None, parameters: vec![], extra: vec![] };
        let outputs = names.iter().map(wanted).collect();
        Infer { id: None, parameters: vec![], inputs: vec![], outputs, form: Form::Text, extra: vec![], count: crate::tensor::Count::default() }
    }

    #[tokio::test]
    async fn lack_1_an_output_is_lacking_that_is_promised_and_not_said_and_never_came() {
        let port = |name| Port::new(name, Datatype::Fp32, &[-1]);
        let promises = Mapping::from(Contract { outputs: vec![port("a"), port("b")], ..Contract::default() });
        let lacking = Lacking::default();
        let check = async |mapping: &Mapping, names: &[&str], has: Option<&[&str]>, expected: bool| {
            let has = has.map(|it| it.iter().map(|name| (*name).to_owned()).collect());
            let found = lacking.explains((mapping, &asking(names)), std::future::ready(has)).await;
            assert_eq!(found, expected, "{names:?}");
        };
        check(&promises, &["a"], Some(&["b"]), true).await;
        check(&promises, &["a", "b"], Some(&["b"]), true).await;
        check(&promises, &["a", "b"], Some(&["b", "a"]), false).await;
        check(&promises, &["a"], Some(&[]), false).await;
        check(&promises, &["a"], None, false).await;
        check(&promises, &[], Some(&["b"]), false).await;
        check(&Mapping::default(), &["a"], Some(&["b"]), false).await;
        lacking.came(&Mapping::default(), &asking(&["a"]));
        check(&promises, &["a"], Some(&["b"]), true).await;
        lacking.came(&promises, &asking(&["a"]));
        check(&promises, &["a"], Some(&["b"]), false).await;
        check(&promises, &["a", "c"], Some(&["b"]), true).await;
    }
}
