//! Unicode: one form of a text for what looks the same, or means about the same.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick, is_nfkc_quick};

use super::READ;

/// A form of Unicode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Composed.
    Nfc,
    /// Composed, and one form for what means about the same.
    Nfkc,
}

/// Brings a text to a form. One above 64 KiB stays as it is: of such a text only parts are read, and work is bounded (`TEXT-1`).
pub fn composed(text: &str, form: Form) -> Cow<'_, str> {
    let done = text.is_ascii()
        || text.len() > READ
        || match form {
            Form::Nfc => is_nfc_quick(text.chars()) == IsNormalized::Yes,
            Form::Nfkc => is_nfkc_quick(text.chars()) == IsNormalized::Yes,
        };
    match form {
        _ if done => Cow::Borrowed(text),
        Form::Nfc => text.nfc().collect(),
        Form::Nfkc => text.nfkc().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_becomes_the_same_and_what_is_long_stays() {
        assert_eq!(composed("e\u{301}", Form::Nfc), "é");
        assert_eq!((composed("１２", Form::Nfc), composed("１２", Form::Nfkc)), ("１２".into(), "12".into()));
        assert!(matches!(composed("plain", Form::Nfkc), Cow::Borrowed("plain")));
        let long = "e\u{301}".repeat(READ);
        assert_eq!(composed(&long, Form::Nfc), long);
    }
}
