//! Text: a JSON string as it stands, decoded only where somebody wants to know what it says.

use std::borrow::Cow;

/// A string as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// Returns what it says.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            let (said, taken) = unescape(&rest.as_bytes()[at..]);
            out.push(said);
            rest = &rest[at + taken..];
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string can be written into memory");
}

/// Reads four hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.get(..4)?;
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
}

/// Reads one escape that was checked; returns what it says and how long it is.
fn unescape(bytes: &[u8]) -> (char, usize) {
    let plain = match bytes[1] {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = |at: usize| hex(&bytes[at..]).expect("the escape was checked");
            let high = unit(2);
            let (code, taken) = match high {
                0xD800..=0xDBFF => (0x10000 + ((high - 0xD800) << 10) + (unit(8) - 0xDC00), 12),
                _ => (high, 6),
            };
            return (char::from_u32(code).expect("lone surrogates were refused"), taken);
        }
        same => char::from(same),
    };
    (plain, 2)
}
