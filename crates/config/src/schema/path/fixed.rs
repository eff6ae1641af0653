//! `fixed`: an answer that is written down, and so cannot fail.

use std::collections::BTreeMap;

use evenkeel_core::{Features, MILLISECOND, Nanos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, PathKind, Site, Target};
use crate::{
    check::Checks,
    compile::FixedTensor,
    outside::Outside,
    schema::{route::RouteProtocol, tensor::FixedOutput, tier::Method},
    tree::Key,
};

/// A fixed answer: `content` on a chat route, `outputs` on an `oip` route.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fixed")]
pub(crate) struct Block {
    /// The text that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// The outputs that are answered, by name: a value that is repeated for each row, or a whole tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outputs: Option<BTreeMap<String, FixedOutput>>,
}

/// A fixed answer that was proven against the contract of its route.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed {
    /// The text of a chat; empty on an `oip` route.
    pub content: String,
    /// The tensors of an inference, sorted by name; none on a chat route.
    pub outputs: Vec<FixedTensor>,
}

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::OpenaiChat, RouteProtocol::Oip]);
        let (wanted, unwanted, found) = match site.route.protocol {
            RouteProtocol::OpenaiChat => ("content", "outputs", (self.content.is_some(), self.outputs.is_some())),
            RouteProtocol::Oip => ("outputs", "content", (self.outputs.is_some(), self.content.is_some())),
            RouteProtocol::OpenaiEmbeddings => return,
        };
        let protocol = site.route.protocol.name();
        if !found.0 {
            let message = format!("a fixed answer of an `{protocol}` route needs `{wanted}`");
            checks.error("missing-key", &key.field(wanted), message, "write what is to be answered");
        }
        if found.1 {
            let message = format!("`{unwanted}` says nothing on an `{protocol}` route");
            checks.error("misplaced-key", &key.field(unwanted), message, format!("write `{wanted}` in its place"));
        }
        if let Some(content) = &self.content {
            checks.not_empty(
                &key.field("content"),
                content.trim(),
                "the answer is empty",
                "write what users should read",
            );
        }
        if let (Some(outputs), true) = (&self.outputs, found.0) {
            checks.fixed_fits(&key.field("outputs"), outputs, site);
        }
    }

    fn ready(&self, site: Site<'_>, _: &Outside) -> Kind {
        let tensor = |(name, output): (&String, &FixedOutput)| FixedTensor::new(name, output, site.promised(name));
        Kind::Fixed(Fixed {
            content: self.content.clone().unwrap_or_default(),
            outputs: self.outputs.iter().flatten().map(tensor).collect(),
        })
    }

    fn target(&self) -> Target<'_> {
        Target::Certain
    }

    fn is_whole(&self) -> bool {
        self.outputs.iter().flat_map(BTreeMap::values).any(|output| matches!(output, FixedOutput::Whole(_)))
    }

    fn row(&self, _: &Outside) -> u64 {
        let repeated = |output: &FixedOutput| match output {
            FixedOutput::PerRow(value) => value.size(),
            FixedOutput::Whole(_) => 0,
        };
        self.outputs.iter().flat_map(BTreeMap::values).map(repeated).sum()
    }

    fn need(&self) -> Nanos {
        5 * MILLISECOND
    }

    /// It reads nothing and says one thing: it calls no tool that must be called, follows no schema, and is JSON only
    /// where its text is.
    fn features(&self) -> Features {
        let reads = Features::TOOLS.with(Features::N).with(Features::IMAGE).with(Features::AUDIO).with(Features::FILE);
        let content = self.content.as_deref().unwrap_or_default();
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(content) {
            Ok(_) => reads.with(Features::JSON),
            Err(_) => reads,
        }
    }

    fn methods(&self) -> &'static [Method] {
        &[Method::Default]
    }
}
