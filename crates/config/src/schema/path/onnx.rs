//! `onnx`: a model that is computed in this process, on threads of its own.

use std::{borrow::Cow, path::PathBuf};

use evenkeel_core::{MILLISECOND, Nanos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, PathKind, Site, Target};
use crate::{check::Checks, outside::Outside, schema::route::RouteProtocol, tree::Key};

/// A model that is computed in this process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Onnx")]
pub(crate) struct Block {
    /// The ONNX file; a relative path starts from the configuration's folder.
    file: String,
    /// How many requests are computed at once, each on a thread.
    #[serde(default = "threads")]
    #[schemars(range(min = 1, max = 256))]
    threads: u16,
}

/// A model file, as it was when the configuration was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onnx {
    /// Where it is.
    pub file: PathBuf,
    /// SHA-256 of its content; another content is another revision.
    pub sha256: [u8; 32],
    /// How many requests are computed at once, each on a thread.
    pub threads: u16,
}

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::Oip]);
        checks.model(&key.field("file"), &self.file);
    }

    fn ready(&self, _: Site<'_>, outside: &Outside) -> Kind {
        let file = outside.file(&self.file);
        Kind::Onnx(Onnx { file: file.path.clone(), sha256: file.sha256, threads: self.threads })
    }

    fn target(&self) -> Target<'_> {
        Target::Model
    }

    fn file(&self) -> Option<(&'static str, Cow<'_, str>)> {
        Some(("file", self.file.as_str().into()))
    }

    fn need(&self) -> Nanos {
        50 * MILLISECOND
    }
}

fn threads() -> u16 {
    1
}
