//! Digest: the name that a SHA-256 goes by, in headers, records, readiness and logs alike.
//!
//! It computes none: `config` does, of configurations and of the files they name. It is here because the crates that
//! show the name do not know one another.
//!
//! # Source
//! `docs/design/interfaces.md`, section 3: `sha256:` and twelve hex digits.

use alloc::{borrow::ToOwned, format, string::String};

/// Returns the name of a digest: `sha256:` and its first six bytes as twelve hex digits.
pub fn digest_name(digest: &[u8; 32]) -> String {
    digest[..6].iter().fold("sha256:".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_beginning_of_the_digest() {
        let mut digest = [0xFF; 32];
        digest[..6].copy_from_slice(&[0x00, 0x0A, 0x1B, 0xC0, 0xDE, 0x9F]);
        assert_eq!(digest_name(&digest), "sha256:000a1bc0de9f");
    }
}
