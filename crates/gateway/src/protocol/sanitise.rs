//! Sanitise: makes an upstream's words fit for a client.
//!
//! # Source
//! `docs/design/protocols.md`, section 1.

/// The longest text of an upstream that a client gets, in bytes.
const TEXT_MAX: usize = 2048;

/// Removes control characters and cuts at 2 KiB.
pub(crate) fn sanitise(text: &str) -> String {
    let mut clean: String = text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
    clean.truncate(clean.floor_char_boundary(TEXT_MAX));
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_clean_short_and_cut_between_characters() {
        assert_eq!(sanitise("a\0b\u{1b}[2J\r\nc\u{85}"), "ab[2Jc");
        assert_eq!(sanitise(&"ä".repeat(5_000)).len(), TEXT_MAX);
        assert_eq!(sanitise(&format!("x{}", "ä".repeat(5_000))).len(), TEXT_MAX - 1);
    }
}
