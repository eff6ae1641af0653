//! Key: what checkpoints are signed with, and how its public half is written (C2SP `signed-note`).
//!
//! A key is Ed25519 in PKCS#8, as `openssl genpkey -algorithm ed25519` writes it: as PEM, or its base64 in one line, as a secret
//! of the configuration has it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair},
};
use sha2::{Digest, Sha256};

use super::{base64, disk, entry::hex};

/// What stands before the 32 bytes of a seed in PKCS#8 (RFC 8410, section 7).
const BEFORE_SEED: [u8; 16] = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
/// The type of an Ed25519 key of a log (C2SP `signed-note`, *Signature types*).
const ED25519: u8 = 1;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("use the key {file}")]
    File {
        /// Which.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no such key.
    #[error("sign with {0}: it is no Ed25519 key in PKCS#8, such as `openssl genpkey -algorithm ed25519` makes")]
    Foreign(String),
    /// The origin cannot be written in a checkpoint.
    #[error(
        "write checkpoints of the origin {0:?}: `audit.origin` must not be empty, nor hold spaces, control characters or a plus sign"
    )]
    Origin(String),
}

/// Signs checkpoints of one origin.
#[derive(Debug)]
pub struct Signer {
    origin: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// Reads the key of `folder`, and makes one where there is none.
    ///
    /// # Errors
    /// The file cannot be read or made, or is no key.
    pub fn of_folder(folder: &Path, origin: Option<&str>) -> Result<Self, KeyError> {
        let file = folder.join("key");
        let fault = |source| KeyError::File { file: file.clone(), source };
        let pem = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pem = made().map_err(fault)?;
                disk::put(&file, pem.as_bytes(), 0o600).map_err(fault)?;
                pem
            }
            read => {
                if let Some(mode) = exposed(&file) {
                    tracing::warn!(target: "evenkeel::audit", file = %file.display(), mode, "others than its owner may read the key of the audit log, and can sign in its name; `chmod 600` it, and begin another log where they have");
                }
                read.map_err(fault)?
            }
        };
        Self::of_text(&pem, &file.display().to_string(), origin)
    }

    /// Reads a key that was given; `named` says in a message what it is.
    ///
    /// # Errors
    /// It is no key, or the origin is none.
    pub fn of_text(text: &str, named: &str, origin: Option<&str>) -> Result<Self, KeyError> {
        let digits: String = text.lines().map(str::trim).filter(|it| !it.starts_with("-----")).collect();
        let pair = base64::decode(&digits).and_then(|it| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&it).ok());
        let pair = pair.ok_or_else(|| KeyError::Foreign(named.into()))?;
        // Without a name of its own a log is named after its key: two logs never share one.
        let own = || format!("evenkeel/{}", hex(&Sha256::digest(pair.public_key())[..8]));
        let origin = origin.map_or_else(own, str::to_owned);
        let wrong = |it: char| it.is_whitespace() || it.is_control() || it == '+';
        match origin.is_empty() || origin.contains(wrong) {
            true => Err(KeyError::Origin(origin)),
            false => Ok(Self { origin, pair }),
        }
    }

    /// Returns the name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the public key, as those who verify write it: a vkey of `signed-note`.
    pub fn vkey(&self) -> String {
        let public = [&[ED25519], self.pair.public_key().as_ref()].concat();
        format!("{}+{}+{}", self.origin, hex(&self.id()), base64::encode(&public))
    }

    /// Writes a checkpoint: the text and its signature.
    pub(super) fn checkpoint(&self, size: u64, root: &[u8; 32]) -> String {
        let text = format!("{}\n{size}\n{}\n", self.origin, base64::encode(root));
        let signed = [self.id().as_slice(), self.pair.sign(text.as_bytes()).as_ref()].concat();
        format!("{text}\n— {} {}\n", self.origin, base64::encode(&signed))
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.origin).chain_update([b'\n', ED25519]);
        let hash: [u8; 32] = hash.chain_update(self.pair.public_key()).finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

/// Returns the mode of a key that others may read, in octal.
fn exposed(file: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| format!("{mode:o}"))
}

/// Makes a key, as PEM.
fn made() -> io::Result<String> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| io::Error::other("the system has no random numbers"))?;
    let der = [BEFORE_SEED.as_slice(), &seed].concat();
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64::encode(&der)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Signer::of_folder(folder.path(), None).expect("a key is made").vkey();
        assert_eq!(Signer::of_folder(folder.path(), None).expect("the key is read").vkey(), made);
        let mode = fs::metadata(folder.path().join("key")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(exposed(&folder.path().join("key")), None);
        for wider in [0o640, 0o604] {
            let to = fs::Permissions::from_mode(wider);
            fs::set_permissions(folder.path().join("key"), to).expect("changed");
            assert_eq!(exposed(&folder.path().join("key")), Some(format!("{wider:o}")), "it is told");
        }
        let other = Signer::of_folder(folder.path(), Some("example.com/log")).expect("the key is read");
        assert!(other.vkey().starts_with("example.com/log+"), "{}", other.vkey());
    }

    #[test]
    fn what_is_no_key_or_no_origin_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("key"), "hush").expect("written");
        let said = Signer::of_folder(folder.path(), None).expect_err("no key").to_string();
        assert!(said.contains("openssl genpkey") && !said.contains("hush"), "{said}");
        fs::remove_file(folder.path().join("key")).expect("removed");
        for wrong in ["", "a b", "a+b", "a\nb"] {
            let said = Signer::of_folder(folder.path(), Some(wrong)).expect_err(wrong).to_string();
            assert!(said.contains("audit.origin"), "{said}");
        }
    }
}
