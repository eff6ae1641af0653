//! Models: the list of what clients may name, from the configuration and never from an upstream (OAI-15).
//!
//! # Source
//! `docs/design/protocols.md`, section 4.1.

use bytes::Bytes;
use serde::Serialize;

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

/// Writes one model. `created` is the time of the revision, in seconds since 1970.
pub(crate) fn one(id: &str, created: u64) -> Bytes {
    write(&model(id, created))
}

/// Writes all models.
pub(crate) fn list<'a>(ids: impl Iterator<Item = &'a str>, created: u64) -> Bytes {
    write(&List { object: "list", data: ids.map(|id| model(id, created)).collect() })
}

fn model(id: &str, created: u64) -> Model<'_> {
    Model { id, object: "model", created, owned_by: "evenkeel" }
}

fn write(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("names and numbers can be written into memory").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oai_15_routes_are_listed_as_models() {
        let golden: &[u8] =
            br#"{"object":"list","data":[{"id":"a/b","object":"model","created":7,"owned_by":"evenkeel"}]}"#;
        assert_eq!(list(["a/b"].into_iter(), 7), golden);
        assert_eq!(one("\"", 7), &br#"{"id":"\"","object":"model","created":7,"owned_by":"evenkeel"}"#[..]);
        assert_eq!(list([].into_iter(), 7), &br#"{"object":"list","data":[]}"#[..]);
    }
}
