//! `fixed`: an answer that is written down, and so cannot fail.

use evenkeel_core::{Features, MILLISECOND, Nanos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PathKind;
use crate::{check::Checks, schema::route::RouteProtocol, tree::Key};

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// The text that is answered.
    pub content: String,
}

impl PathKind for Fixed {
    fn check(&self, key: &Key, route: RouteProtocol, checks: &mut Checks<'_>) {
        if route == RouteProtocol::OpenaiEmbeddings {
            checks.error(
                "fixed-embeddings",
                key,
                "a fixed answer has no place in a vector space",
                "remove the tier: vectors of unlike origin cannot be compared, so such a route may end in 503",
            );
        }
        if self.content.trim().is_empty() {
            checks.error("empty", &key.field("content"), "the answer is empty", "write what users should read");
        }
    }

    fn upstream(&self) -> Option<&str> {
        None
    }

    fn is_certain(&self) -> bool {
        true
    }

    fn need(&self) -> Nanos {
        5 * MILLISECOND
    }

    /// It reads nothing and says one thing: it calls no tool that must be called, follows no schema, and is JSON only
    /// where its text is.
    fn features(&self) -> Features {
        let reads = Features::TOOLS.with(Features::N).with(Features::IMAGE).with(Features::AUDIO).with(Features::FILE);
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&self.content) {
            Ok(_) => reads.with(Features::JSON),
            Err(_) => reads,
        }
    }
}
