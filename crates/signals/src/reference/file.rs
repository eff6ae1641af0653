//! File: the frame of a reference, and its seals.
//!
//! `EKREF`, version u16, length of the header u32, header, then sections of tag (4 bytes), length u64, SHA-256 of the content, and
//! content; at the end SHA-256 of all before it, which is the reference digest. Little-endian.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{
    Reference,
    bytes::{Reader, Writer},
    header, sections,
};

const MAGIC: &[u8; 5] = b"EKREF";
/// The version that is written, and the only one that is read.
const VERSION: u16 = 1;
const DIGEST: usize = 32;

/// A section's tag.
pub(super) type Tag = [u8; 4];

/// The bytes of the header, and those of each section.
type Parts<'a> = (&'a [u8], BTreeMap<Tag, &'a [u8]>);

/// Why bytes are no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// They do not begin as one.
    #[error("it does not begin with EKREF: it is no reference")]
    NoReference,
    /// Another version wrote them.
    #[error(
        "it has version {0}, and this program reads version 1: make it again with this program, or take a newer program"
    )]
    Version(u16),
    /// They end too early, or go on.
    #[error(
        "it is {0} bytes long, and its parts do not add up to that: it was truncated or mixed up; take the file from where it came"
    )]
    Length(usize),
    /// A seal is broken.
    #[error("the checksum of {0} is not that of its content: a bit was changed; take the file from where it came")]
    Checksum(String),
    /// The header is none.
    #[error("its header cannot be read: {0}")]
    Header(String),
    /// A section is not there, or there twice, or holds what cannot be.
    #[error("its section {0} {1}")]
    Section(String, &'static str),
}

impl Reference {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.0.extend(VERSION.to_le_bytes());
        let header = header::write(&self.header);
        out.count(header.len());
        out.0.extend(header);
        for (tag, content) in sections::write(self) {
            out.0.extend(tag);
            out.u64(u64::try_from(content.len()).expect("a length"));
            out.0.extend(Sha256::digest(&content));
            out.0.extend(content);
        }
        let digest = Sha256::digest(&out.0);
        out.0.extend(digest);
        out.0
    }

    /// Reads it.
    ///
    /// # Errors
    /// Says what is wrong with the bytes; whoever asks keeps the last good one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let length = || Unreadable::Length(bytes.len());
        let mut reader = Reader(bytes);
        if reader.take(MAGIC.len()) != Some(&MAGIC[..]) {
            return Err(Unreadable::NoReference);
        }
        let version = reader.u16().ok_or_else(length)?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let sealed = bytes.len().checked_sub(DIGEST).filter(|it| *it >= MAGIC.len() + 2).ok_or_else(length)?;
        let digest = Sha256::digest(&bytes[..sealed]);
        let mut reader = Reader(&bytes[MAGIC.len() + 2..sealed]);
        // What is broken is named first by its part; the seal of the whole finds the rest.
        let parts = parts(&mut reader, &length);
        if digest[..] != bytes[sealed..] {
            return Err(parts
                .err()
                .filter(|it| matches!(it, Unreadable::Checksum(_) | Unreadable::Length(_)))
                .unwrap_or_else(|| Unreadable::Checksum("the whole".into())));
        }
        let (header, found) = parts?;
        let header = header::read(header).map_err(Unreadable::Header)?;
        sections::read(header, digest.into(), &found)
    }
}

/// Takes the bytes of the header and of all sections.
fn parts<'a>(reader: &mut Reader<'a>, length: &impl Fn() -> Unreadable) -> Result<Parts<'a>, Unreadable> {
    let count = reader.count(1).ok_or_else(length)?;
    let header = reader.take(count).ok_or_else(length)?;
    let mut found = BTreeMap::new();
    while !reader.0.is_empty() {
        let tag: Tag = reader.take(4).and_then(|it| it.try_into().ok()).ok_or_else(length)?;
        let name = || String::from_utf8_lossy(&tag).into_owned();
        let count = reader.u64().and_then(|it| usize::try_from(it).ok()).ok_or_else(length)?;
        let digest = reader.digest().ok_or_else(length)?;
        let content = reader.take(count).ok_or_else(length)?;
        if Sha256::digest(content)[..] != digest {
            return Err(Unreadable::Checksum(format!("section {}", name())));
        }
        if found.insert(tag, content).is_some() {
            return Err(Unreadable::Section(name(), "is there twice"));
        }
    }
    Ok((header, found))
}

/// Gives a reference the digest that its bytes have.
pub(super) fn sealed(reference: Reference) -> Reference {
    let bytes = reference.encode();
    let digest = bytes[bytes.len() - DIGEST..].try_into().expect("a digest");
    Reference { digest, ..reference }
}
