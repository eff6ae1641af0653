//! Personal: patterns of what identifies somebody, with their check digits.
//!
//! # Source
//! Payment cards: ISO/IEC 7812-1 (13 to 19 digits here, with the Luhn digit of its Annex B; a first digit of 2 to 6, which is
//! what payment cards have). IBAN: ISO 13616, lengths as in the registry of SWIFT, check digits by ISO 7064 (mod 97-10).

use super::pattern::{Pattern, Unusable};
use crate::schema::post::Personal;

/// What a match must be besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing.
    None,
    /// The number of a payment card.
    Card,
    /// An IBAN.
    Iban,
}

/// Returns a built-in pattern.
pub(crate) fn pattern_of(kind: Personal) -> Result<Pattern, Unusable> {
    let (source, check) = match kind {
        Personal::Card => (r"(?-u:\b)[2-6](?:[ -]?[0-9]){12,18}(?-u:\b)", Check::Card),
        Personal::Iban => (r"(?-u:\b)[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}", Check::Iban),
        Personal::Email => {
            // Letters of any script stand before the `@`; names of hosts are written in Latin ones.
            let source = r"[A-Za-z0-9\u{c0}-\u{24f}\u{370}-\u{1fff}\u{3041}-\u{d7ff}._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,24}";
            (source, Check::None)
        }
        Personal::Phone => (r"\+[1-9](?:[ ./()-]{0,2}[0-9]){7,14}", Check::None),
    };
    Pattern::new(source, check, format!("[{}]", kind.name()))
}

impl Personal {
    /// Returns the word of the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

impl Check {
    /// Returns how many bytes of a match are what it looks for, the most where there are several; none where it is not.
    pub(crate) fn accepts(self, found: &str) -> Option<usize> {
        match self {
            Self::None => Some(found.len()),
            Self::Card => card(found),
            Self::Iban => iban(found),
        }
    }
}

/// A group of digits that stands behind a number is not of it, so that each end of a group is tried, the usual lengths first.
fn card(found: &str) -> Option<usize> {
    let digits: Vec<(usize, u32)> = found.char_indices().filter_map(|(at, c)| Some((at, c.to_digit(10)?))).collect();
    CARDS.into_iter().find_map(|length| {
        let number: Vec<u32> = digits.get(..length)?.iter().map(|it| it.1).collect();
        let end = digits[length - 1].0 + 1;
        let goes_on = found[end..].starts_with(|c: char| c.is_ascii_digit());
        (!goes_on && luhn(&number)).then_some(end)
    })
}

/// Digits of a card, the usual numbers first.
const CARDS: [usize; 7] = [16, 15, 14, 19, 13, 18, 17];

fn luhn(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| match at % 2 {
        0 => *digit,
        _ if *digit > 4 => digit * 2 - 9,
        _ => digit * 2,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn iban(found: &str) -> Option<usize> {
    let country = found.get(..2)?.to_ascii_uppercase();
    let length = usize::from(LENGTHS.iter().find(|(it, _)| *it == country)?.1);
    let letters = found.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric());
    let letters: Vec<(usize, char)> = letters.take(length).collect();
    let end = letters.last()?.0 + 1;
    let goes_on = found[end..].starts_with(|c: char| c.is_ascii_alphanumeric());
    let (head, rest) = letters.split_at_checked(4)?;
    let value = rest.iter().chain(head).try_fold(0_u32, |sum, (_, c)| {
        let digit = c.to_digit(36)?;
        Some((sum * if digit > 9 { 100 } else { 10 } + digit) % 97)
    });
    (letters.len() == length && !goes_on && value == Some(1)).then_some(end)
}

/// Letters and digits of an IBAN, by country.
const LENGTHS: [(&str, u8); 89] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a text.
    fn redacted(kind: Personal, text: &str) -> String {
        let pattern = pattern_of(kind).expect("it is one");
        let mut finding = super::super::pattern::Finding::default();
        let (sure, _) = finding.push(&pattern, text);
        sure + &finding.end(&pattern).0
    }

    #[test]
    fn a_card_has_the_right_check_digit() {
        let check = |text: &str, expected: &str| assert_eq!(redacted(Personal::Card, text), expected, "{text}");
        check("4111 1111 1111 1111.", "[card].");
        check("4111-1111-1111-1111", "[card]");
        check("pay 4111111111111111 now", "pay [card] now");
        check("378282246310005 or 6011111111111117", "[card] or [card]");
        check("4111 1111 1111 1112", "4111 1111 1111 1112");
        check("order 12 4111 1111 1111 1111 34", "order 12 [card] 34");
        check("a4111111111111111", "a4111111111111111");
        check("9111111111111111", "9111111111111111");
    }

    #[test]
    fn an_iban_has_the_length_of_its_country_and_the_right_check_digits() {
        let check = |text: &str, expected: &str| assert_eq!(redacted(Personal::Iban, text), expected, "{text}");
        check("DE89 3704 0044 0532 0130 00 is mine", "[iban] is mine");
        check("de89370400440532013000", "[iban]");
        check("to GB29NWBK60161331926819, please", "to [iban], please");
        check("NO9386011117947", "[iban]");
        check("DE89370400440532013001", "DE89370400440532013001");
        check("DE8937040044053201300", "DE8937040044053201300");
        check("DE893704004405320130001", "DE893704004405320130001");
        check("XX89370400440532013000", "XX89370400440532013000");
        check("MT84MALT011000012345MTLCAST001S", "[iban]");
    }

    #[test]
    fn addresses_and_numbers_are_found_where_people_write_them() {
        let check = |kind, text: &str, expected: &str| assert_eq!(redacted(kind, text), expected, "{text}");
        check(Personal::Email, "write to a.b+c@shop.example.com.", "write to [email].");
        check(Personal::Email, "<jürgen@example.de>", "<[email]>");
        check(Personal::Email, "a@b and @c.de", "a@b and @c.de");
        check(Personal::Phone, "call +49 (0)30 123456, or +1-202-555-0143", "call [phone], or [phone]");
        check(Personal::Phone, "1 + 2 = 3, +5", "1 + 2 = 3, +5");
    }

    #[test]
    fn lengths_are_sorted_and_each_country_stands_once() {
        assert!(LENGTHS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(LENGTHS.iter().all(|(_, length)| (15..=33).contains(length)));
    }
}
