//! Metadata: what a gateway and its routes say of themselves, and what a server says of its model.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.1 and 2.4; OIP-16, OIP-18, OIP-32.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::tensor::{Contract, Port, Said, Signature};

/// What the gateway does beyond the specification's minimum.
pub(crate) const EXTENSIONS: [&str; 2] = ["binary_tensor_data", "parameters"];

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    versions: &'a [String],
    platform: &'static str,
    inputs: Vec<Place<'a>>,
    outputs: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [i64],
}

/// Writes the answer of `GET /v2/health/live`: never empty, since one client parses it.
pub(crate) fn live() -> Bytes {
    Bytes::from_static(b"{\"live\":true}")
}

/// Writes the answer of `GET /v2/health/ready`.
pub(crate) fn ready() -> Bytes {
    Bytes::from_static(b"{\"ready\":true}")
}

/// Writes the answer of `GET …/ready` of a route that may answer now.
pub(crate) fn model_ready(name: &str) -> Bytes {
    write(&serde_json::json!({"name": name, "ready": true}))
}

/// Writes the answer of `GET /v2`.
pub(crate) fn server(version: &str) -> Bytes {
    write(&serde_json::json!({"name": "evenkeel", "version": version, "extensions": EXTENSIONS}))
}

/// Writes the answer of `GET /v2/models`.
pub(crate) fn models<'a>(names: impl Iterator<Item = &'a str>) -> Bytes {
    write(&serde_json::json!({"models": names.collect::<Vec<_>>()}))
}

/// Writes the answer of `GET /v2/models/{m}`.
pub(crate) fn model(name: &str, versions: &[String], contract: &Contract) -> Bytes {
    let (inputs, outputs) = (places(&contract.inputs), places(&contract.outputs));
    write(&Model { name, versions, platform: "evenkeel", inputs, outputs })
}

/// Reads the names of the outputs out of such an answer of a server; none where it is no such answer.
pub(crate) fn read_outputs(body: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    #[derive(Deserialize)]
    struct Model {
        outputs: Option<Vec<Named>>,
    }
    let Model { outputs } = serde_json::from_slice(body).ok()?;
    Some(outputs?.into_iter().map(|it| it.name).collect())
}

/// Reads such an answer of a server; none where it says nothing of its inputs, or what cannot be.
pub(crate) fn read_model(body: &[u8]) -> Option<Signature> {
    #[derive(Deserialize)]
    struct Model {
        inputs: Option<Vec<Said>>,
        outputs: Option<Vec<Said>>,
    }
    let Model { inputs, outputs } = serde_json::from_slice(body).ok()?;
    Signature::believed(inputs.unwrap_or_default(), outputs.unwrap_or_default())
}

fn places(ports: &[Port]) -> Vec<Place<'_>> {
    ports
        .iter()
        .map(|port| Place { name: &port.name, datatype: port.datatypes[0].name(), shape: &port.shape })
        .collect()
}

fn write(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("names and numbers can be written into memory").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Datatype;

    fn contract() -> Contract {
        let port = Port::new;
        Contract {
            inputs: vec![port("x", Datatype::Fp32, &[-1, 4])],
            outputs: vec![port("y", Datatype::Int64, &[-1])],
            ..Contract::default()
        }
    }

    #[test]
    fn oip_32_health_bodies_are_never_empty() {
        assert_eq!(live(), r#"{"live":true}"#);
        assert_eq!(ready(), r#"{"ready":true}"#);
        assert_eq!(model_ready("a/b"), r#"{"name":"a/b","ready":true}"#);
        assert_eq!(
            server("0.1.0"),
            r#"{"extensions":["binary_tensor_data","parameters"],"name":"evenkeel","version":"0.1.0"}"#
        );
        assert_eq!(models(["a", "b"].into_iter()), r#"{"models":["a","b"]}"#);
    }

    #[test]
    fn oip_18_metadata_that_are_empty_or_cannot_be_say_nothing() {
        let read = |body: &str| read_model(body.as_bytes());
        let own = model("r", &["1".into()], &contract());
        let Signature { inputs, outputs } = read_model(&own).expect("what we write we can read");
        assert_eq!((&*inputs[0].name, &*inputs[0].shape, &*outputs[0].name), ("x", &[-1, 4][..], "y"));
        let x = r#"{"name":"x","datatype":"FP32","shape":[-1,4],"parameters":{"content_type":"np"}}"#;
        assert!(read(&format!(r#"{{"name":"m","inputs":[{x}],"outputs":null}}"#)).is_some(), "and more than we write");
        for empty in ["{}", r#"{"inputs":[],"outputs":[]}"#, r#"{"inputs":null}"#, "", "<html>", "[]", "null"] {
            assert_eq!(read(empty), None, "{empty}");
        }
        for member in [r#""shape":[null]"#, r#""shape":[1.5]"#, r#""shape":"any""#, r#""dims":[1]"#] {
            let input = format!(r#"{{"inputs":[{{"name":"x","datatype":"FP32",{member}}}]}}"#);
            assert_eq!(read(&input), None, "{input}");
        }
    }

    #[test]
    fn oip_16_a_model_is_its_route_and_its_contract() {
        let golden = concat!(
            r#"{"name":"r","versions":["7"],"platform":"evenkeel","#,
            r#""inputs":[{"name":"x","datatype":"FP32","shape":[-1,4]}],"#,
            r#""outputs":[{"name":"y","datatype":"INT64","shape":[-1]}]}"#
        );
        assert_eq!(model("r", &["7".into()], &contract()), golden);
    }
}
