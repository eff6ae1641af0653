//! Words of capabilities: languages and regions, as they are written and compared.

/// Letters of a language tag, or of the name of a region, at most.
const MOST: usize = 35;

/// Says whether a text can be a language tag (RFC 5646): letters and digits in parts of one to eight, the first of letters.
pub fn is_language(tag: &str) -> bool {
    let part = |it: &str| (1..=8).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let first = tag.split('-').next().unwrap_or_default();
    tag.len() <= MOST && tag.split('-').all(part) && first.len() > 1 && first.bytes().all(|it| it.is_ascii_alphabetic())
}

/// Says whether a text can be the name of a region: letters, digits, `-` and `_`.
pub fn is_region(name: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=MOST).contains(&name.len()) && name.bytes().all(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_names_are_told_from_other_texts() {
        for (text, language, region) in [
            ("de", true, true),
            ("pt-BR", true, true),
            ("zh-Hant-TW", true, true),
            ("eu_west", false, true),
            ("german-language", true, true),
            ("x", false, true),
            ("", false, false),
            ("d1", false, true),
            ("de-", false, true),
            ("de,en", false, false),
            ("*", false, false),
            ("abcdefghijklmnopqrstuvwxyzabcdefghij", false, false),
        ] {
            assert_eq!((is_language(text), is_region(text)), (language, region), "{text}");
        }
    }
}
