//! Look: what a gateway and its routes say of themselves, over gRPC.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.1 and 2.6; `grpc.health.v1`.

use bytes::Bytes;

use super::{
    Malformed,
    wire::{Fields, Writer},
};
use crate::{
    protocol::oip_rest::metadata::EXTENSIONS,
    rope::Rope,
    tensor::{Contract, Port},
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
pub(crate) fn model(name: &str, version: &str, contract: &Contract) -> Rope {
    let mut out = Writer::default();
    out.text(1, name);
    out.text(2, version);
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
