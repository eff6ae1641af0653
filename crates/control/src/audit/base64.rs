//! Base64 as RFC 4648, section 4, has it: strict, so that a text has one spelling and no bit of it is without meaning.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |value: u32| char::from(ALPHABET[(value & 63) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let value = at(0) << 16 | at(1) << 8 | at(2);
        text.extend([digit(value >> 18), digit(value >> 12)]);
        text.push(if group.len() > 1 { digit(value >> 6) } else { '=' });
        text.push(if group.len() > 2 { digit(value) } else { '=' });
    }
    text
}

/// Reads bytes; none of what is not padded, has a foreign character, or bits that say nothing.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in digits.bytes() {
        let value = ALPHABET.iter().position(|it| *it == byte)? as u32;
        (held, bits) = (held << 6 | value, bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    // One digit alone says less than a byte, and what is left over must be nothing.
    (held == 0 && bits < 6 && bytes.len().div_ceil(3) * 4 == text.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_hold_and_other_spellings_do_not() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for wrong in ["Zg", "Zh==", "Zm9=", "Zm 9v", "Z===", "====", "Zg==Zg==", "Zm9v=", "-m9v"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
