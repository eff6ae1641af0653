//! What a configuration may say: the JSON schema for editors, and a commented example.

use std::sync::LazyLock;

use serde_json::Value;

use crate::schema::{file::File, rules::RulesFile};

/// A commented configuration that works once its servers do.
pub const EXAMPLE: &str = include_str!("example.yaml");

/// Returns the JSON schema (draft 2020-12) of a configuration, as the types declare it.
///
/// # Cost
/// It is made once, and kept.
pub fn json_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(File).to_value());
    &SCHEMA
}

/// Returns the JSON schema (draft 2020-12) of a rules file.
pub fn rules_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(RulesFile).to_value());
    &SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls back for every key that a schema declares.
    fn keys(schema: &Value, seen: &mut impl FnMut(&str, &Value)) {
        let blocks = schema["$defs"].as_object().into_iter().flat_map(|it| it.values());
        for block in blocks.chain([schema]) {
            block["properties"].as_object().into_iter().flatten().for_each(|(name, of)| seen(name, of));
        }
    }

    #[test]
    fn every_key_says_what_it_is_for() {
        let mut count = 0;
        for schema in [json_schema(), rules_schema()] {
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            keys(schema, &mut |name, of| {
                count += 1;
                assert!(of["description"].as_str().is_some_and(|it| it.ends_with('.')), "{name}: {of}");
            });
        }
        assert!(count > 70, "{count}");
    }

    #[test]
    fn no_block_lets_an_unknown_key_pass() {
        let schema = json_schema();
        assert_eq!(schema["additionalProperties"], false);
        let blocks = schema["$defs"].as_object().into_iter().flatten();
        for (name, block) in blocks.filter(|(_, it)| it["type"] == "object") {
            assert_eq!(block["additionalProperties"], false, "{name}");
        }
    }
}
