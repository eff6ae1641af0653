//! Words: numbers, shares, spans and what scores are good for as people read them, and tables.

use std::fmt::Write as _;

use evenkeel_signals::anomaly::Standing;

use super::build::rows;

/// Writes a span of time in its largest unit.
pub(crate) fn span_of(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    let (number, unit) = match seconds {
        it if it >= 86_400.0 => (it / 86_400.0, "d"),
        it if it >= 3_600.0 => (it / 3_600.0, "h"),
        it if it >= 60.0 => (it / 60.0, "min"),
        it => (it, "s"),
    };
    format!("{} {unit}", short((number * 10.0).round() / 10.0))
}

/// Says whether a score can call anything anomalous.
pub(crate) fn judges(standing: &Standing) -> bool {
    matches!(standing, Standing::Sound | Standing::Thin { .. })
}

/// Says what the rate of false alarms of one reference may be; nothing where none can be anomalous.
pub(crate) fn of_references(rate_at_most: Option<f64>) -> String {
    let words = |it| format!("; 19 of 20 references of this size have one of at most {}", short(it));
    rate_at_most.map_or(String::new(), words)
}

/// Says what a score may be used for, in words and as a code.
pub(crate) fn stands(standing: Standing) -> (String, &'static str) {
    match standing {
        Standing::Sound => ("sound".into(), "sound"),
        Standing::Thin { expected } => {
            (format!("thin: {expected:.1} calibrating rows lie beyond the threshold, 5 should"), "thin")
        }
        Standing::Refused { needed } => {
            // A quarter of the rows calibrates.
            let all = needed.saturating_mul(4);
            (
                format!(
                    "refused: {needed} rows would have to calibrate, a quarter of all: take {all} rows and more, or a greater \
                     --false-alarm-rate"
                ),
                "refused",
            )
        }
        Standing::GuardsOnly { rows: n } => {
            (format!("refused: {} are too few, guards alone judge", rows(n)), "guards-only")
        }
    }
}

/// Writes a share.
pub(crate) fn percent(share: f64) -> String {
    if share == 0.0 {
        "0 %".into()
    } else if share < 0.001 {
        "<0.1 %".into()
    } else {
        format!("{:.1} %", share * 100.0)
    }
}

/// Writes a number in four digits.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".into()
    } else if !(1e-3..1e7).contains(&size) {
        format!("{number:.2e}")
    } else {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 6")]
        let places = (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
        let text = format!("{number:.places$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }
}

/// Writes bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, it| text + &format!("{it:02x}"))
}

/// Writes rows under each other: the first three columns to the left, numbers to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |at: usize| rows.iter().filter_map(|it| it.get(at)).map(|it| it.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    let mut text = String::new();
    for row in rows {
        let cell = |(at, it): (usize, &String)| {
            let pad = " ".repeat(widths[at] - it.chars().count());
            if at < 3 || at + 1 == columns { format!("{it}{pad}") } else { format!("{pad}{it}") }
        };
        let line = row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short_and_spans_in_their_unit() {
        let numbers = [0.0, 1.0, 0.001_234_56, 123_456.0, 12.345_6, -0.5, 1e9, 1e-9];
        assert_eq!(numbers.map(short), ["0", "1", "0.001235", "123456", "12.35", "-0.5", "1.00e9", "1.00e-9"]);
        assert_eq!([5, 90, 7_200, 864_000].map(|it| span_of(it * 1_000_000_000)), ["5 s", "1.5 min", "2 h", "10 d"]);
        assert_eq!([0.0, 0.0001, 0.25].map(percent), ["0 %", "<0.1 %", "25.0 %"]);
        let table = [
            vec!["a".into(), "b".into(), "c".into(), "1".into(), "x".into()],
            vec!["aa".into(), String::new(), String::new(), "10".into(), "y".into()],
        ];
        assert_eq!(aligned(&table), "a   b  c   1  x\naa        10  y\n");
    }
}
