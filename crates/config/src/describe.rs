//! What a configuration may say: the JSON schema for editors, and a commented example.

use serde_json::Value;

use crate::schema::file::File;

/// A commented configuration that works once its two servers do.
pub const EXAMPLE: &str = include_str!("example.yaml");

/// Returns the JSON schema (draft 2020-12) of a configuration, as the types declare it.
pub fn json_schema() -> Value {
    schemars::schema_for!(File).to_value()
}
