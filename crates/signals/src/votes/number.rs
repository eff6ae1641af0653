//! Numbers in texts, in the one form that equal numbers share.

/// Returns the shortest decimal form of a number as people write it: `1,000.50` and `1000.5` and `1.0005e3` are one number.
///
/// None for what is no such number. Exact: no float is made of it. A comma parts groups of three digits and nothing else: `3,14`
/// is no number here, since elsewhere it is two of them.
pub fn canonical_number(text: &str) -> Option<String> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text.strip_prefix('\u{2212}').unwrap_or(text)),
    };
    let negative = negative || text.starts_with('\u{2212}');
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|it| it.abs() <= 400)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = ungrouped(whole)?;
    let digits_only = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
    if !digits_only(fraction) || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    Some(shortest(negative, &(whole.clone() + fraction), i64::try_from(whole.len()).ok()? + i64::from(exponent)))
}

/// Takes the commas out of `1,234,567`; none where they stand elsewhere.
fn ungrouped(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let rest: Vec<_> = groups.collect();
    let grouped = rest.is_empty() || (!first.is_empty() && first.len() <= 3 && rest.iter().all(|it| it.len() == 3));
    let joined = first.to_owned() + &rest.concat();
    (grouped && joined.bytes().all(|byte| byte.is_ascii_digit())).then_some(joined)
}

/// Writes digits with the point after the first `point` of them.
fn shortest(negative: bool, digits: &str, point: i64) -> String {
    let from = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let point = point - i64::try_from(from).expect("a short text");
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let length = i64::try_from(significant.len()).expect("a short text");
    let body = if point <= 0 {
        format!("0.{}{significant}", zeros(-point))
    } else if point >= length {
        format!("{significant}{}", zeros(point - length))
    } else {
        let (whole, fraction) = significant.split_at(usize::try_from(point).expect("positive"));
        format!("{whole}.{fraction}")
    };
    if negative { format!("-{body}") } else { body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_one_form() {
        for (text, form) in [
            ("1,000.50", Some("1000.5")),
            ("1.0005e3", Some("1000.5")),
            ("007", Some("7")),
            ("+5", Some("5")),
            ("-0.0", Some("0")),
            ("\u{2212}12", Some("-12")),
            (".5", Some("0.5")),
            ("5.", Some("5")),
            ("12e-4", Some("0.0012")),
            ("1e3", Some("1000")),
            ("3,14", None),
            ("1,0000", None),
            ("1.2.3", None),
            ("e5", None),
            ("-", None),
            ("", None),
            ("12a", None),
            ("1e9999", None),
        ] {
            assert_eq!(canonical_number(text).as_deref(), form, "{text}");
        }
    }
}
