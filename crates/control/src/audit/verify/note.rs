//! Note: a text with its signatures (C2SP `signed-note`), the checkpoint in one (`tlog-checkpoint`), and the keys that verify it.

use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use super::hash::{Hash, hex};
use crate::audit::base64;

/// The type of an Ed25519 key of a log, and of a witness (`signed-note`, *Signature types*).
const LOG: u8 = 1;
const WITNESS: u8 = 4;
/// Signatures of a note that are looked at. The specification asks for 16 at least.
const MOST_SIGNATURES: usize = 64;

/// A public key with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    /// Whose it is; of a log, its origin.
    pub name: String,
    id: [u8; 4],
    kind: u8,
    pub(super) public: Vec<u8>,
}

/// Why a text is no key.
#[derive(Debug, thiserror::Error)]
#[error("read a key: {0}; it is one line, NAME+8 HEX DIGITS+BASE64, as `evenkeel audit key` prints it")]
pub struct NotAKey(&'static str);

impl Vkey {
    /// Reads a key.
    ///
    /// # Errors
    /// It is none, or of another algorithm than Ed25519.
    pub fn read(text: &str) -> Result<Self, NotAKey> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NotAKey("it does not have three parts"));
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(NotAKey("its name is empty, or has spaces"));
        }
        let key = base64::decode(key).ok_or(NotAKey("its last part is no base64"))?;
        let (kind, public) = key.split_first().ok_or(NotAKey("its last part is empty"))?;
        if ![LOG, WITNESS].contains(kind) || public.len() != 32 {
            return Err(NotAKey("it is not of Ed25519"));
        }
        let hash = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(&key).finalize();
        let mine: [u8; 4] = hash[..4].try_into().expect("four bytes");
        if id != hex(&mine) {
            return Err(NotAKey("its digits are not those of its name and key, so a part of it was changed"));
        }
        Ok(Self { name: name.into(), id: mine, kind: *kind, public: public.into() })
    }

    /// Says whether it may sign checkpoints of a log.
    pub fn is_of_a_log(&self) -> bool {
        self.kind == LOG
    }

    /// Says whether it may cosign them, as a witness.
    pub fn is_of_a_witness(&self) -> bool {
        self.kind == WITNESS
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        match (self.kind, signature.split_first_chunk::<8>()) {
            (WITNESS, Some((time, signature))) => {
                let time = u64::from_be_bytes(*time);
                key.verify(format!("cosignature/v1\ntime {time}\n{text}").as_bytes(), signature).is_ok()
            }
            (WITNESS, None) => false,
            _ => key.verify(text.as_bytes(), signature).is_ok(),
        }
    }
}

/// A checkpoint, read and not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// The entries that it covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// What is signed.
    text: String,
    signatures: Vec<(String, Vec<u8>)>,
}

/// What a key has to do with a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    Yes,
    /// There is no signature of it.
    No,
    /// There is one, and it is wrong.
    Wrongly,
}

impl Checkpoint {
    /// Reads a checkpoint; a text says what is wrong with one that is none.
    ///
    /// # Errors
    /// It is not in its form.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let note = str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        if note.contains(|it: char| it.is_ascii_control() && it != '\n') {
            return Err("it has control characters");
        }
        let end = note.rfind("\n\n").ok_or("no empty line parts its text from its signatures")?;
        let (text, signed) = (&note[..=end], &note[end + 2..]);
        let signed = signed.strip_suffix('\n').ok_or("its last line has no end")?;
        let signature = |line: &str| {
            let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
            Some((name.to_owned(), base64::decode(signature).filter(|it| it.len() > 4)?))
        };
        let signatures: Option<Vec<_>> = signed.split('\n').take(MOST_SIGNATURES).map(signature).collect();
        let signatures = signatures.ok_or("one of its signatures is in no form that a signature has")?;
        let mut lines = text.split_terminator('\n');
        let origin = lines.next().filter(|it| !it.is_empty()).ok_or("it has no origin")?;
        let size = lines.next().and_then(decimal).ok_or("its second line is not the size of a tree")?;
        let root = lines.next().and_then(base64::decode).and_then(|it| it.try_into().ok());
        let root = root.ok_or("its third line is not the root of a tree")?;
        if lines.any(str::is_empty) {
            return Err("its text has an empty line");
        }
        Ok(Self { origin: origin.into(), size, root, text: text.into(), signatures })
    }

    pub(super) fn signed_by(&self, key: &Vkey) -> Signed {
        let mine = self.signatures.iter().filter(|(name, it)| *name == key.name && it[..4] == key.id);
        let verified: Vec<_> = mine.map(|(_, it)| key.verifies(&self.text, &it[4..])).collect();
        match verified.as_slice() {
            [] => Signed::No,
            all if all.iter().all(|it| *it) => Signed::Yes,
            _ => Signed::Wrongly,
        }
    }
}

/// Reads a number as it is written without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const SIGNED: &str = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";

    #[test]
    fn the_signature_of_the_specification_verifies_and_a_changed_one_does_not() {
        let key = Vkey::read(KEY).expect("a key");
        let signature = base64::decode(SIGNED).expect("base64");
        assert_eq!(signature[..4], key.id);
        assert!(key.is_of_a_log() && key.verifies("This is an example message.\n", &signature[4..]));
        assert!(!key.verifies("This is another message.\n", &signature[4..]));
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_is_wrong() {
        for (wrong, why) in [
            ("", "three parts"),
            ("example.com/foo+530d903a", "three parts"),
            ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "name"),
            ("example.com/fou+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "changed"),
            ("example.com/foo+530d903a+AekzeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "changed"),
            ("example.com/foo+530d903a+AekyeRrm", "Ed25519"),
            ("example.com/foo+530d903a+Aeky!", "base64"),
        ] {
            let said = Vkey::read(wrong).expect_err(wrong).to_string();
            assert!(said.contains(why) && said.contains("audit key"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_checkpoint_that_is_not_in_its_form_is_refused_with_what_is_wrong() {
        let root = base64::encode(&[7; 32]);
        let text = format!("log\n9\n{root}\n\n— log {SIGNED}\n");
        let read = Checkpoint::read(text.as_bytes()).expect("a checkpoint");
        assert_eq!((read.origin.as_str(), read.size, read.root, read.signatures.len()), ("log", 9, [7; 32], 1));
        for (from, to, why) in [
            ("log\n9", "log\n09", "size"),
            ("log\n9", "log\n-9", "size"),
            ("log\n9", "\n9", "origin"),
            (root.as_str(), "AAAA", "root"),
            ("\n\n", "\n", "empty line"),
            ("— log", "- log", "signature"),
            ("log\n9", "log\r\n9", "control"),
            (SIGNED, "AAAA", "signature"),
        ] {
            let said = Checkpoint::read(text.replacen(from, to, 1).as_bytes()).expect_err(to);
            assert!(said.contains(why), "{to}: {said}");
        }
        assert!(Checkpoint::read(&text.as_bytes()[..text.len() - 1]).is_err());
        assert!(Checkpoint::read(b"\xff").is_err());
    }
}
