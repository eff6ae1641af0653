//! `onnx`: a model that is computed in this process, on threads of its own.

use std::{borrow::Cow, path::PathBuf};

use evenkeel_core::{MILLISECOND, Nanos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Kind, PathKind, Site, Target};
use crate::{check::Checks, outside::Outside, schema::route::RouteProtocol, secret::Secret, tree::Key};

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
    /// How many requests may wait for a thread; beyond them the next tier is asked at once.
    #[serde(default = "queue")]
    #[schemars(range(min = 1, max = 65_536))]
    queue: u32,
    /// The most rows of requests that wait at once which are computed in one run, where the model computes each row for itself;
    /// 1 computes each request alone. Nothing waits for company, and the answers are the same.
    #[serde(default = "batch")]
    #[schemars(range(min = 1, max = 1_024))]
    batch: u16,
    /// SHA-256 of the file, in hexadecimal digits: another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// A file of 64 bytes: an Ed25519 signature of the file, which must be by `public_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// A PEM file: the public key whose signature the file must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
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
    /// How many requests may wait for a thread.
    pub queue: u32,
    /// The most rows of several requests that are computed in one run.
    pub batch: u16,
    /// What proves whose it is; none where nobody asks.
    pub signed: Option<Signed>,
}

/// A signature of a model, and the key that it must be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Where the signature is: 64 bytes.
    pub signature: PathBuf,
    /// The public key, as PEM.
    pub public_key: Secret,
}

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::Oip]);
        checks.model(&key.field("file"), &self.file);
        if let Some(sha256) = &self.sha256 {
            checks.checksum(&key.field("sha256"), &self.file, sha256);
        }
        match (&self.signature, &self.public_key) {
            (Some(signature), Some(public_key)) => {
                checks.model(&key.field("signature"), signature);
                checks.pem(&key.field("public_key"), public_key);
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                let message = "a signature is proven by the key that it must be of";
                checks.error("missing-key", key, message, "write both `signature` and `public_key`, or none of them");
            }
        }
    }

    fn ready(&self, _: Site<'_>, outside: &Outside) -> Kind {
        let file = outside.file(&self.file);
        let signed = self.signature.as_ref().zip(self.public_key.as_ref());
        Kind::Onnx(Onnx {
            file: file.path.clone(),
            sha256: file.sha256,
            threads: self.threads,
            queue: self.queue,
            batch: self.batch,
            signed: signed.map(|(signature, public_key)| Signed {
                signature: outside.file(signature).path.clone(),
                public_key: outside.pem(public_key),
            }),
        })
    }

    fn target(&self) -> Target<'_> {
        Target::Model
    }

    fn file(&self) -> Option<(&'static str, Cow<'_, str>)> {
        Some(("file", self.file.as_str().into()))
    }

    /// What a model is trusted by: another key under the same name is another configuration.
    fn proofs(&self, outside: &Outside) -> Vec<(&'static str, [u8; 32])> {
        let signature = self.signature.as_ref().map(|it| ("signature", outside.file(it).sha256));
        let of = |it: &String| ("public_key", Sha256::digest(outside.pem(it).reveal()).into());
        signature.into_iter().chain(self.public_key.as_ref().map(of)).collect()
    }

    fn need(&self) -> Nanos {
        50 * MILLISECOND
    }
}

fn threads() -> u16 {
    1
}

fn queue() -> u32 {
    1_024
}

fn batch() -> u16 {
    256
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::Onnx;
    use crate::{Kind, Loaded, load_text};

    const TEXT: &str = "version: 1\nroutes: {r: {protocol: oip, output: {tensors: {y: {datatype: FP32}}}, tiers: [{name: m, onnx: \
                        ONNX}, {name: d, fixed: {outputs: {y: 0.5}}}]}}\n";

    /// Loads a route with a tier of this kind, in a folder with a model, a signature and a key.
    fn loaded(onnx: &str) -> (Loaded, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["m.onnx", "m.sig", "key.pem"] {
            std::fs::write(folder.path().join(name), name).expect("written");
        }
        (load_text("e.yaml", &TEXT.replace("ONNX", onnx), folder.path()), folder)
    }

    fn codes(onnx: &str) -> Vec<&'static str> {
        loaded(onnx).0.diagnostics.iter().map(|it| it.code).collect()
    }

    fn sha256() -> String {
        Sha256::digest("m.onnx").iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_model_is_checked_with_what_is_said_of_its_file() {
        let digest = sha256();
        assert_eq!(codes("{file: m.onnx, threads: 2, queue: 9, batch: 1}"), Vec::<&str>::new());
        assert_eq!(codes(&format!("{{file: m.onnx, sha256: \"{digest}\"}}")), Vec::<&str>::new());
        assert_eq!(codes(&format!("{{file: m.onnx, sha256: \"{}\"}}", digest.to_uppercase())), Vec::<&str>::new());
        assert_eq!(codes(&format!("{{file: m.sig, sha256: \"{digest}\"}}")), ["checksum"]);
        assert_eq!(codes("{file: m.onnx, sha256: \"12\"}"), ["checksum"]);
        assert_eq!(codes("{file: m.onnx, signature: m.sig}"), ["missing-key"]);
        assert_eq!(codes("{file: m.onnx, public_key: key.pem}"), ["missing-key"]);
        assert_eq!(codes("{file: m.onnx, signature: no.sig, public_key: key.pem}"), ["missing-file"]);
        assert_eq!(codes("{file: m.onnx, signature: m.sig, public_key: no.pem}"), ["missing-file"]);
        assert_eq!(codes("{file: m.onnx, queue: 0}"), ["out-of-range"]);
        assert_eq!(codes("{file: m.onnx, batch: 2000}"), ["out-of-range"]);
    }

    #[test]
    fn a_signature_and_its_key_count_with_what_they_hold() {
        let onnx = "{file: m.onnx, signature: m.sig, public_key: key.pem}";
        let (before, folder) = loaded(onnx);
        let text = before.deployment.as_ref().expect("compiles").name();
        let digest_with = |changed: &str| {
            std::fs::write(folder.path().join(changed), "another").expect("written");
            let after = load_text("e.yaml", &TEXT.replace("ONNX", onnx), folder.path()).deployment.expect("compiles");
            std::fs::write(folder.path().join(changed), changed).expect("written");
            after.name()
        };
        assert_eq!(loaded(onnx).0.deployment.expect("compiles").name(), text, "wherever they stand");
        let others = [digest_with("m.sig"), digest_with("key.pem")];
        assert!(!others.contains(&text) && others[0] != others[1], "{text} {others:?}");
    }

    #[test]
    fn each_field_changes_what_the_gateway_gets_and_the_revision() {
        let read = |onnx: &str| {
            let (loaded, folder) = loaded(onnx);
            let deployment = loaded.deployment.expect("compiles");
            let Kind::Onnx(onnx) = deployment.paths[0].kind.clone() else { panic!("{:?}", deployment.paths[0].kind) };
            (onnx, deployment.name(), folder)
        };
        let (Onnx { threads, queue, batch, signed, .. }, plain, _) = read("{file: m.onnx}");
        assert_eq!((threads, queue, batch, signed), (1, 1_024, 256, None));
        assert_eq!(read("{file: m.onnx, threads: 1, queue: 1024, batch: 256}").1, plain, "what is meant alike");
        let others = [
            read("{file: m.onnx, threads: 3}"),
            read("{file: m.onnx, queue: 3}"),
            read("{file: m.onnx, batch: 3}"),
            read("{file: m.onnx, signature: m.sig, public_key: key.pem}"),
        ];
        assert!(others.iter().all(|it| it.1 != plain));
        assert_eq!((others[0].0.threads, others[1].0.queue, others[2].0.batch), (3, 3, 3));
        let (onnx, _, folder) = &others[3];
        let signed = onnx.signed.as_ref().expect("both are given");
        assert_eq!((&signed.signature, signed.public_key.reveal()), (&folder.path().join("m.sig"), "key.pem"));
    }
}
