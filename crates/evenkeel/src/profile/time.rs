//! Time: when a row was, as files write it.

use jiff::{Timestamp, civil, tz::TimeZone};

use super::cell::Cell;

/// Numbers below are seconds since the epoch, those below a thousand times as much milliseconds, and so on: no time from 1970 to
/// 5138 is taken for one in another unit but for those of the first months of 1970.
const SECONDS: f64 = 1e11;

/// Reads a time, ns since the epoch: RFC 3339, a date with a time of day or without (UTC then), or a number of seconds, ms, µs or ns.
pub(crate) fn read(cell: &Cell) -> Option<i128> {
    match cell {
        Cell::Time(it) => Some(*it),
        Cell::Raw(text) | Cell::Text(text) => of_text(text).or_else(|| cell.number().and_then(of_number)),
        Cell::Number(it) => of_number(*it),
        _ => None,
    }
}

/// Reads a time that is written as one, and is no bare number.
pub(crate) fn of_text(text: &str) -> Option<i128> {
    let text = text.trim();
    // Sixteen bytes are the shortest with a time of day; ten a date.
    if text.len() < 10 || !text.as_bytes()[..4].iter().all(u8::is_ascii_digit) || text.as_bytes()[4] != b'-' {
        return None;
    }
    let zoned = text.parse::<Timestamp>().ok();
    let utc = |it: civil::DateTime| it.to_zoned(TimeZone::UTC).ok().map(|it| it.timestamp());
    let civil = || text.parse::<civil::DateTime>().ok().and_then(utc);
    Some(zoned.or_else(civil)?.as_nanosecond())
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and is refused later")]
fn of_number(number: f64) -> Option<i128> {
    let scale = [1e9, 1e6, 1e3, 1.0];
    let at = (0..4).find(|it| number.abs() < SECONDS * 1e3_f64.powi(*it))?;
    // Whole units first: 1.7e18 ns have no place for their last digits in a double.
    let (whole, rest) = (number.trunc(), number.fract());
    let scale = scale[usize::try_from(at).ok()?];
    Some(whole as i128 * scale as i128 + (rest * scale) as i128)
}

/// Writes a time; none beyond the years that have four digits.
pub(crate) fn shown(ns: i128) -> Option<String> {
    Timestamp::from_nanosecond(ns).ok().map(|it| it.round(jiff::Unit::Second).unwrap_or(it).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_and_programs_write_them() {
        let second = 1_700_000_000_i128 * 1_000_000_000;
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00",
            "2023-11-14 22:13:20",
            "1700000000",
            "1700000000000",
            "1700000000000000",
            "1700000000000000000",
        ] {
            assert_eq!(read(&Cell::Raw(text.into())), Some(second), "{text}");
        }
        assert_eq!(read(&Cell::Text("2023-11-14".into())), Some(1_699_920_000 * 1_000_000_000));
        assert_eq!(read(&Cell::Number(1.5)), Some(1_500_000_000));
        for text in ["soon", "", "14.11.2023", "nan", "1e30", "2023-13-01"] {
            assert_eq!(read(&Cell::Raw(text.into())), None, "{text}");
        }
        assert_eq!(shown(second).as_deref(), Some("2023-11-14T22:13:20Z"));
    }
}
