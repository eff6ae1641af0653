//! Look: what a gateway and its routes say of themselves over gRPC, and what a server says of its model.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.1 and 2.6; `grpc.health.v1`.

use bytes::Bytes;

use super::{
    MAX_TENSORS, Malformed,
    request::read_shape,
    wire::{Fields, Writer},
};
use crate::{
    protocol::oip_rest::metadata::EXTENSIONS,
    rope::Rope,
    tensor::{Contract, Port, Said, Signature},
};

/// A model that is asked about: its name and its version, which may be empty.
pub(crate) fn read_model(message: Bytes) -> Result<(String, String), Malformed> {
    let (mut name, mut version) = (String::new(), String::new());
    for field in Fields::of(message) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => version = value.text()?,
            _ => {}
        }
    }
    Ok((name, version))
}

/// Writes yes or no, which is what `ServerLive`, `ServerReady` and `ModelReady` answer.
pub(crate) fn said(yes: bool) -> Rope {
    let mut out = Writer::default();
    if yes {
        out.number(1, 1);
    }
    Rope::from(out.take())
}

/// Reads such an answer.
pub(crate) fn is_said(message: Bytes) -> Result<bool, Malformed> {
    let mut said = false;
    for field in Fields::of(message) {
        if let (1, value) = field? {
            said = value.varint()? != 0;
        }
    }
    Ok(said)
}

/// Writes the answer of `ServerMetadata`.
pub(crate) fn server(version: &str) -> Rope {
    let mut out = Writer::default();
    out.text(1, "evenkeel");
    out.text(2, version);
    EXTENSIONS.iter().for_each(|extension| out.text(3, extension));
    Rope::from(out.take())
}

/// Reads the name of a server out of such an answer, or of anything else that says its name first and a text second.
pub(crate) fn read_server(message: Bytes) -> Result<String, Malformed> {
    read_model(message).map(|(name, _)| name)
}

/// Writes the answer of `ModelMetadata`.
pub(crate) fn model(name: &str, versions: &[String], contract: &Contract) -> Rope {
    let mut out = Writer::default();
    out.text(1, name);
    versions.iter().for_each(|version| out.text(2, version));
    out.text(3, "evenkeel");
    let mut place = |field, port: &Port| {
        out.message(field, |out| {
            out.text(1, &port.name);
            out.text(2, port.datatypes[0].name());
            // A dimension that is open is negative, and goes as its 64 bits.
            out.packed(3, |out| port.shape.iter().for_each(|dimension| out.put_varint(*dimension as u64)));
        });
    };
    contract.inputs.iter().for_each(|port| place(4, port));
    contract.outputs.iter().for_each(|port| place(5, port));
    Rope::from(out.take())
}

/// Reads the names of the outputs out of such an answer.
pub(crate) fn read_outputs(message: Bytes) -> Result<Vec<String>, Malformed> {
    let mut names = Vec::new();
    for field in Fields::of(message) {
        if let (5, value) = field? {
            names.push(read_server(value.bytes()?)?);
        }
    }
    Ok(names)
}

/// Reads such an answer of a server; none where it says nothing of its inputs, or what cannot be.
pub(crate) fn read_signature(message: Bytes) -> Option<Signature> {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for field in Fields::of(message) {
        let (list, value) = match field.ok()? {
            (4, value) => (&mut inputs, value),
            (5, value) => (&mut outputs, value),
            _ => continue,
        };
        if list.len() == MAX_TENSORS {
            return None;
        }
        list.push(read_place(value.bytes().ok()?).ok()?);
    }
    Signature::believed(inputs, outputs)
}

fn read_place(message: Bytes) -> Result<Said, Malformed> {
    let mut said = Said { name: String::new(), datatype: String::new(), shape: Vec::new() };
    for field in Fields::of(message) {
        match field? {
            (1, value) => said.name = value.text()?,
            (2, value) => said.datatype = value.text()?,
            (3, value) => read_shape(value, &mut said.shape)?,
            _ => {}
        }
    }
    Ok(said)
}

/// What `grpc.health.v1` calls a service that answers, and one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Serving = 1,
    NotServing = 2,
    Unknown = 3,
}

/// Writes the answer of `Check`, or one of `Watch`.
pub(crate) fn health(health: Health) -> Rope {
    let mut out = Writer::default();
    out.number(1, health as u64);
    Rope::from(out.take())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Datatype;

    #[test]
    fn oip_18_metadata_are_read_as_they_are_written_and_empty_ones_say_nothing() {
        let contract = Contract {
            inputs: vec![Port::new("x", Datatype::Fp32, &[-1, 4])],
            outputs: vec![Port::new("y", Datatype::Int64, &[-1])],
            ..Contract::default()
        };
        let bytes = |mut rope: Rope| Bytes::from_iter(std::iter::from_fn(|| rope.next_piece()).flatten());
        let message = bytes(model("r", &["1".into()], &contract));
        let Signature { inputs, outputs } = read_signature(message.clone()).expect("what we write we can read");
        assert_eq!((&*inputs[0].name, inputs[0].datatypes[0], &*inputs[0].shape), ("x", Datatype::Fp32, &[-1, 4][..]));
        assert_eq!((&*outputs[0].name, outputs[0].datatypes[0], &*outputs[0].shape), ("y", Datatype::Int64, &[-1][..]));
        assert_eq!(read_signature(message.slice(..message.len() - 1)), None, "cut");
        assert_eq!(read_signature(bytes(model("r", &[], &Contract::default()))), None, "empty");
        assert_eq!(read_signature(Bytes::new()), None);
    }
}
