//! Push-back: how long a server asks to be left alone (F-050).
//!
//! # Source
//! RFC 9110, section 10.2.3; `retry-after-ms` is what OpenAI and Azure send beside it, `grpc-retry-pushback-ms` what gRPC has
//! (gRFC A6: one that is negative says "do not", and so no time).

use evenkeel_core::{MILLISECOND, Nanos, SECOND};
use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822};

/// Says whether a server said anything of the kind, readable or not.
pub(crate) fn is_said(headers: &HeaderMap) -> bool {
    [header::RETRY_AFTER.as_str(), "retry-after-ms", "grpc-retry-pushback-ms"]
        .iter()
        .any(|it| headers.contains_key(*it))
}

/// Reads the time that a server names: milliseconds first, since they are exact; a date in the past is no time, and what
/// cannot be read was not said. The core bounds it.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Nanos> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = ["retry-after-ms", "grpc-retry-pushback-ms"].into_iter().filter_map(text);
    let millis = millis.filter_map(|it| scaled(it, MILLISECOND)).next();
    millis.or_else(|| {
        let said = text("retry-after")?;
        scaled(said, SECOND).or_else(|| date(said, now))
    })
}

fn scaled(text: &str, unit: Nanos) -> Option<Nanos> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * unit as f64) as Nanos)
}

fn date(text: &str, now: Timestamp) -> Option<Nanos> {
    let then = rfc2822::DateTimeParser::new().parse_zoned(text).ok()?.timestamp();
    Some(u64::try_from(then.as_nanosecond() - now.as_nanosecond()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_050_up_03_every_form_is_read_and_garbage_is_not() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().expect("a time");
        for (name, said, nanos) in [
            ("retry-after", "2", Some(2 * SECOND)),
            ("retry-after", " 0 ", Some(0)),
            ("retry-after", "1.5", Some(3 * SECOND / 2)),
            ("retry-after", "1000000000", Some(1_000_000_000 * SECOND)),
            ("retry-after", "Wed, 25 Nov 2026 12:00:07 GMT", Some(7 * SECOND)),
            ("retry-after", "Wed, 25 Nov 2026 11:00:00 GMT", Some(0)),
            ("retry-after", "soon", None),
            ("retry-after", "-3", None),
            ("retry-after", "NaN", None),
            ("retry-after", "", None),
            ("retry-after-ms", "250", Some(250 * MILLISECOND)),
            ("grpc-retry-pushback-ms", "250", Some(250 * MILLISECOND)),
            ("grpc-retry-pushback-ms", "-1", None),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().expect("a name"), said.parse().expect("a value"))]);
            assert!(is_said(&headers));
            assert_eq!(read(&headers, now), nanos, "{name}: {said}");
        }
        let both = [("retry-after", "9"), ("retry-after-ms", "10")]
            .map(|(name, said)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(said)));
        assert_eq!(read(&HeaderMap::from_iter(both), now), Some(10 * MILLISECOND), "the exact one");
    }
}
