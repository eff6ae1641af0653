//! Expiry: until when a certificate may be shown.
//!
//! Accepted: an X.509 certificate in DER. Whatever is none has no end: who encrypts with it says better what is wrong with it.
//!
//! # Source
//! RFC 5280, sections 4.1 (the order of the fields) and 4.1.2.5 (two forms of time, the end at which there is none); X.690 (DER).

use jiff::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALISED_TIME: u8 = 0x18;

/// Returns until when a certificate is valid; none where that cannot be read, and where it has no end.
pub(super) fn not_after(mut certificate: &[u8]) -> Option<Timestamp> {
    let mut whole = sequence(&mut certificate)?;
    let mut fields = sequence(&mut whole)?;
    // Its version may be left out; the number, the signature's algorithm and the issuer follow.
    if element(&mut fields)?.0 == VERSION {
        element(&mut fields)?;
    }
    element(&mut fields)?;
    element(&mut fields)?;
    let mut validity = sequence(&mut fields)?;
    element(&mut validity)?;
    let (form, text) = element(&mut validity)?;
    time(form, std::str::from_utf8(text).ok()?)
}

/// Reads a time, to the second and in UTC, as RFC 5280 wants both of its forms.
fn time(form: u8, text: &str) -> Option<Timestamp> {
    let text = match form {
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALISED_TIME => text.to_owned(),
        _ => return None,
    };
    let digits = text.strip_suffix('Z').filter(|it| it.len() == 14 && it.bytes().all(|byte| byte.is_ascii_digit()))?;
    let [year, rest] = [&digits[..4], &digits[4..]];
    let part = |at: usize| &rest[at..at + 2];
    format!("{year}-{}-{}T{}:{}:{}Z", part(0), part(2), part(4), part(6), part(8)).parse().ok()
}

fn sequence<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    element(rest).filter(|(tag, _)| *tag == SEQUENCE).map(|(_, content)| content)
}

/// Takes the next element: its tag, and what is in it.
fn element<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, after) = rest.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7F => (usize::from(first), after),
        0x81..=0x84 => {
            let (bytes, after) = after.split_at_checked(usize::from(first & 0x7F))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_whatever_else_is_in_it() {
        let key = KeyPair::generate().expect("a key");
        for (year, name) in [(2026, "a"), (2049, "b"), (2050, "c"), (2100, &*"long-".repeat(40))] {
            let mut params = CertificateParams::new([]).expect("parameters");
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.not_after = date_time_ymd(year, 3, 9);
            let certificate = params.self_signed(&key).expect("a certificate");
            let expected = format!("{year}-03-09T00:00:00Z");
            assert_eq!(not_after(certificate.der()).map(|it| it.to_string()), Some(expected));
            for cut in 0..certificate.der().len() {
                // No piece of one is a reason to panic.
                let _ = not_after(&certificate.der()[..cut]);
            }
        }
        assert_eq!(time(GENERALISED_TIME, "99991231235959Z"), None, "it has no end");
        assert_eq!(time(UTC_TIME, "991231235959Z").map(|it| it.to_string()).as_deref(), Some("1999-12-31T23:59:59Z"));
        for none in ["", "2603091", "260309000000", "26030900000éZ", "261309000000Z"] {
            assert_eq!(time(UTC_TIME, none), None, "{none}");
        }
    }
}
