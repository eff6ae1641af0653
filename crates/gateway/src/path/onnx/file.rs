//! File: a model's bytes, held against what the configuration says of them.
//!
//! Accepted: the bytes that were read with the configuration, signed by the key that it names. Rejected: other bytes, a
//! signature of something else or by somebody else.
//!
//! # Source
//! Ed25519: RFC 8032; the key as a PEM file of a SubjectPublicKeyInfo: RFC 8410.

use std::{fmt::Write, path::Path, sync::Arc};

use evenkeel_config::kind;
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use sha2::{Digest, Sha256};

use crate::path::ModelFile;

/// What an Ed25519 key begins with as a SubjectPublicKeyInfo; 32 bytes follow.
const ED25519_KEY: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Reads a model, and proves that it is the one that is meant.
///
/// # Errors
/// It cannot be read, was changed since, or is not signed by whom it should be.
pub(super) fn read(kind: &kind::Onnx) -> Result<(Vec<u8>, Arc<ModelFile>), String> {
    let file = kind.file.display();
    let bytes = std::fs::read(&kind.file).map_err(|error| format!("`{file}` cannot be read: {error}"))?;
    if Sha256::digest(&bytes).as_slice() != kind.sha256 {
        return Err(format!("`{file}` was changed after the configuration was read; reload once it is whole"));
    }
    let signed = kind.signed.as_ref().map(|it| verify(&bytes, &it.signature, it.public_key.reveal()));
    let signed_by = signed.transpose().map_err(|why| format!("`{file}` {why}"))?;
    Ok((bytes, Arc::new(ModelFile { sha256: hex(&kind.sha256), signed_by })))
}

/// Proves a signature; returns whose it is: the SHA-256 of the key.
fn verify(bytes: &[u8], signature: &Path, public_key: &str) -> Result<String, String> {
    let beside = signature.display();
    let signature = std::fs::read(signature).map_err(|error| format!("has no signature: `{beside}`: {error}"))?;
    let key = SubjectPublicKeyInfoDer::from_pem_slice(public_key.as_bytes());
    let key = key.map_err(|_| "has a `public_key` that is no PEM file of a public key".to_owned())?;
    let Some(raw) = key.strip_prefix(&ED25519_KEY).filter(|it| it.len() == 32) else {
        return Err("has a `public_key` that is not of Ed25519".into());
    };
    let found = UnparsedPublicKey::new(&ED25519, raw).verify(bytes, &signature);
    found.map_err(|_| format!("is not what `{beside}` signs, or not with this `public_key`"))?;
    Ok(hex(&Sha256::digest(&*key)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    /// A PEM file of a key.
    fn pem(der: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in der.chunks(3) {
            let all = chunk.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for at in 0..4 {
                let letter = char::from(LETTERS[(all >> (18 - 6 * at) & 63) as usize]);
                text.push(if at <= chunk.len() { letter } else { '=' });
            }
        }
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    #[test]
    fn a_file_is_taken_only_with_a_signature_of_its_own_by_the_key_that_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("m.sig");
        let keys = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed has 32 bytes");
        let public = |keys: &Ed25519KeyPair| [&ED25519_KEY[..], keys.public_key().as_ref()].concat();
        let (ours, theirs) = (keys(1), keys(2));
        let (file, key) = (b"a model".as_slice(), pem(&public(&ours)));
        let check = |signature: &[u8], file: &[u8], key: &str| {
            std::fs::write(&place, signature).expect("written");
            verify(file, &place, key)
        };
        let sound = ours.sign(file);
        assert_eq!(check(sound.as_ref(), file, &key), Ok(hex(&Sha256::digest(public(&ours)))));
        let refused = |found: Result<String, String>, words: &str| {
            let why = found.expect_err(words);
            assert!(why.contains(words), "{why}");
        };
        refused(check(sound.as_ref(), b"another", &key), "is not what");
        refused(check(theirs.sign(file).as_ref(), file, &key), "is not what");
        refused(check(&sound.as_ref()[1..], file, &key), "is not what");
        refused(check(sound.as_ref(), file, &pem(&[7; 44])), "not of Ed25519");
        refused(check(sound.as_ref(), file, "no key"), "no PEM file");
        std::fs::remove_file(&place).expect("removed");
        refused(verify(file, &place, &key), "has no signature");
    }
}
