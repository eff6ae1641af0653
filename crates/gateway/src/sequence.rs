//! Sequence: whose a sequence is, and by which id its servers know it (OIP-36).
//!
//! Clients choose ids themselves, and two of them choose the same one sooner or later. So neither the core nor a server sees
//! what a client wrote, but a name that is made of it, of its route, and of whoever asks. It is not kept here who goes where:
//! that is the core's.
//!
//! # Invariants
//! - `SEQN-1`: two sequences have one name only where route, credential and id are the same, each byte for byte.
//! - `SEQN-2`: a name says nothing of the credential in it, and is another one in each process: what a server still has of a
//!   sequence that this one knows nothing of is not gone on with by chance.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.5. SHA-256 over a secret and what is named: nobody can look for another's name.

use std::fmt::Write as _;

use evenkeel_core::Sequence;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use crate::{
    entropy,
    tensor::{Infer, Parameter},
};

/// Parameters of a request that say to which sequence it belongs, and that it begins or ends it.
pub(crate) const ID: &str = "sequence_id";
pub(crate) const START: &str = "sequence_start";
pub(crate) const END: &str = "sequence_end";

/// The secret of one process that names are made with.
pub(crate) struct Names([u8; 32]);

/// A request's place in a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) sequence: Sequence,
    /// The id, as its client wrote it.
    id: Parameter,
}

impl Names {
    pub(crate) fn drawn() -> Self {
        Self(entropy::secret())
    }

    /// Finds out whether a request belongs to a sequence, and puts the name of that in place of its id.
    pub(crate) fn name(&self, infer: &mut Infer, route: &str, headers: &HeaderMap) -> Option<Turn> {
        let flag = |name: &str| infer.parameters.contains(&(name.to_owned(), Parameter::Bool(true)));
        let (start, end) = (flag(START), flag(END));
        let (_, id) = infer.parameters.iter_mut().find(|(name, _)| name == ID)?;
        let digest = self.digest(route, headers, id);
        let (key, rest) = digest.split_at(16);
        let key = u128::from_le_bytes(key.try_into().expect("16 of 32 bytes"));
        let named = match id {
            Parameter::String(_) => Parameter::String(hexadecimal(rest)),
            // What every server and every form takes: positive, and not 0.
            _ => {
                let number = u64::from_le_bytes(rest[..8].try_into().expect("8 of 16 bytes"));
                Parameter::Int((number >> 1).max(1) as i64)
            }
        };
        let id = std::mem::replace(id, named);
        Some(Turn { sequence: Sequence { key, start, end }, id })
    }

    fn digest(&self, route: &str, headers: &HeaderMap, id: &Parameter) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(self.0);
        // Each with its length before it, so that no two rows of parts are the same bytes.
        let mut feed = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        feed(route.as_bytes());
        match id {
            Parameter::String(id) => feed(id.as_bytes()),
            Parameter::Int(id) => feed(&[&[0][..], &id.to_le_bytes()].concat()),
            Parameter::Uint(id) => feed(&[&[1][..], &id.to_le_bytes()].concat()),
            Parameter::Bool(_) | Parameter::Float(_) => {}
        }
        feed(&[matches!(id, Parameter::String(_)).into()]);
        for credential in headers.get_all(header::AUTHORIZATION) {
            feed(credential.as_bytes());
        }
        digest.finalize().into()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every byte");
        text
    })
}

impl Turn {
    /// Returns what its client is told of it: what it asked for itself.
    pub(crate) fn told(&self) -> [(&'static str, Parameter); 3] {
        let Sequence { start, end, .. } = self.sequence;
        [(ID, self.id.clone()), (START, Parameter::Bool(start)), (END, Parameter::Bool(end))]
    }

    /// Says whether a server that refuses this request says that it knows nothing of the sequence: one that was started anew,
    /// or that heard nothing of it for long.
    pub(crate) fn is_unknown_to(&self, status: u16, message: &str) -> bool {
        // Triton's words, of a request that does not begin what is not there; 409 is that of a gateway.
        !self.sequence.start && (status == 409 || message.contains("must specify the START flag"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Extra, Form};

    fn named(names: &Names, id: Parameter, (route, credential): (&str, Option<&str>)) -> (u128, Parameter) {
        let parameters = vec![(ID.to_owned(), id), (START.to_owned(), Parameter::Bool(true))];
        let (inputs, outputs) = (Vec::new(), Vec::new());
        let mut infer = Infer {
            id: None,
            parameters,
            inputs,
            outputs,
            form: Form::Text,
            extra: Extra::new(),
            count: crate::tensor::Count::default(),
        };
        let credential = credential.map(|it| (header::AUTHORIZATION, it.parse().expect("a value")));
        let turn = names.name(&mut infer, route, &credential.into_iter().collect()).expect("it belongs to one");
        assert!(turn.sequence.start && !turn.sequence.end);
        (turn.sequence.key, infer.parameters.swap_remove(0).1)
    }

    #[test]
    fn oip_36_a_name_is_of_one_route_one_credential_and_one_id() {
        let names = Names::drawn();
        let ids = [
            Parameter::Int(7),
            Parameter::Int(8),
            Parameter::Uint(u64::MAX),
            Parameter::Int(i64::MAX),
            Parameter::String("7".into()),
            Parameter::String("\0\x07".into()),
        ];
        let askers = [("m", None), ("n", None), ("m", Some("")), ("m", Some("Bearer a")), ("m", Some("Bearer b"))];
        let mut seen = Vec::new();
        for id in &ids {
            for asker in askers {
                let (key, told) = named(&names, id.clone(), asker);
                assert_eq!(named(&names, id.clone(), asker), (key, told.clone()), "the same each time");
                assert!(
                    !seen.iter().any(|it: &(u128, Parameter)| it.0 == key || it.1 == told),
                    "SEQN-1: {id:?} {asker:?}"
                );
                match (id, &told) {
                    (Parameter::String(_), Parameter::String(told)) => assert_eq!(told.len(), 32),
                    (Parameter::Int(_) | Parameter::Uint(_), Parameter::Int(told)) => assert!(*told > 0),
                    _ => panic!("{id:?} is told as {told:?}"),
                }
                seen.push((key, told));
            }
        }
        let (key, _) = named(&Names::drawn(), ids[0].clone(), askers[0]);
        assert!(!seen.iter().any(|it| it.0 == key), "SEQN-2: of one process");
    }
}
