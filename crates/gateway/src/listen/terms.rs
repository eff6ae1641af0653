//! What a client's headers ask of the decision, and which of them go on to an upstream (`protocols.md`, section 4.4).

use evenkeel_core::{MILLISECOND, Nanos, Permille, SECOND};
use http::{HeaderMap, HeaderName, header};

use super::Fault;
use crate::{cache, protocol::problem::Problem};

/// Headers that go upstream by name; those that begin like the next two do as well.
const FORWARDED: [HeaderName; 6] = [
    header::USER_AGENT,
    HeaderName::from_static("x-client-request-id"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];
const FORWARDED_PREFIXES: [&str; 2] = ["openai-", "anthropic-"];

/// Returns the headers that go upstream: a list of what may, so that nothing else can (OAI-11).
pub(super) fn forwarded(headers: &HeaderMap) -> Result<HeaderMap, Fault> {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|it| it.to_str().ok());
    let named: Vec<_> = named.flat_map(|it| it.split(',')).map(|it| it.trim().to_ascii_lowercase()).collect();
    for name in &named {
        if matches!(name.as_str(), "authorization" | "content-length" | "transfer-encoding" | "host") {
            let message = format!("the Connection header may not name `{name}`");
            return Err(Fault::closing(Problem::Invalid, "bad_connection_header", message));
        }
    }
    // What the Connection header names is for us alone (RFC 9110, section 7.6.1).
    let ours = |name: &HeaderName| named.iter().any(|it| it == name.as_str());
    let may = |name: &HeaderName| {
        let listed = FORWARDED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        (FORWARDED.contains(name) || listed) && !ours(name)
    };
    let mut kept: HeaderMap =
        headers.iter().filter(|(name, _)| may(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    let agent = kept.get(header::USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let agent = format!("{agent} evenkeel/{}", env!("CARGO_PKG_VERSION"));
    if let Ok(agent) = agent.trim_start().parse() {
        kept.insert(header::USER_AGENT, agent);
    }
    Ok(kept)
}

/// Returns the client's own deadline: it may only shorten the route's (F-021). What is not a number is ignored.
pub(super) fn deadline(headers: &HeaderMap, stream: bool) -> Option<Nanos> {
    let number = |name: &str, unit: Nanos| {
        let number: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
        // What is less than nothing leaves no time; a conversion stays within its bounds (CL-09).
        (!number.is_nan()).then_some((number * unit as f64) as Nanos)
    };
    let envoy = number("x-envoy-expected-rq-timeout-ms", MILLISECOND);
    let stainless = ["x-stainless-read-timeout", "x-stainless-timeout"].map(|name| {
        // A stream's deadline ends at its first content; a client's read timeout speaks of the whole.
        number(name, SECOND).filter(|_| !stream)
    });
    envoy.into_iter().chain(stainless.into_iter().flatten()).chain(grpc_timeout(headers)).min()
}

/// Reads `grpc-timeout`: at most eight digits, and a unit.
pub(super) fn grpc_timeout(headers: &HeaderMap) -> Option<Nanos> {
    let timeout = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = timeout.split_at_checked(timeout.len().checked_sub(1)?)?;
    let unit = match unit {
        "H" => 3_600 * SECOND,
        "M" => 60 * SECOND,
        "S" => SECOND,
        "m" => MILLISECOND,
        "u" => 1_000,
        "n" => 1,
        _ => return None,
    };
    let plain = digits.len() <= 8 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number: u32 = digits.parse().ok().filter(|_| plain)?;
    Some(Nanos::from(number).saturating_mul(unit))
}

/// What a client accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Accepts {
    /// The lowest tier (F-168).
    pub(super) max_tier: Option<u8>,
    /// How likely an answer must be right, as its client is told (F-168).
    pub(super) min_confidence: Option<Permille>,
    /// Which earlier answers (F-143).
    pub(super) cache: cache::Client,
}

/// Reads `evenkeel-accept: max-tier=1, min-confidence=0.85, max-age=60` (F-168, F-143), and what `cache-control` says of earlier answers.
pub(super) fn accepts(headers: &HeaderMap) -> Result<Accepts, Fault> {
    let mut accepts = Accepts { cache: cache_control(headers), ..Accepts::default() };
    let Some(accept) = headers.get("evenkeel-accept") else { return Ok(accepts) };
    let wrong = |message: String| {
        Err(Fault { param: Some("evenkeel-accept".into()), ..Fault::new(Problem::Invalid, "bad_accept", message) })
    };
    for term in accept.to_str().unwrap_or("?").split(',').map(str::trim) {
        match term.split_once('=') {
            Some(("max-tier", number)) => match number.trim().parse() {
                Ok(number) => accepts.max_tier = Some(number),
                Err(_) => return wrong("`max-tier` in `evenkeel-accept` must be a number from 0 to 255".into()),
            },
            Some(("min-confidence", number)) => match number.trim().parse::<f64>() {
                Ok(number) if (0.0..=1.0).contains(&number) => {
                    // Up: whoever asks for more than a thousandth can tell gets no less.
                    accepts.min_confidence = Some(Permille::new((number * 1e3 - 1e-9).ceil() as u16));
                    // An earlier answer may have been given for less.
                    accepts.cache.no_older(0);
                }
                _ => return wrong("`min-confidence` in `evenkeel-accept` must be a number from 0 to 1".into()),
            },
            Some(("max-age", number)) => match number.trim().parse::<u32>() {
                Ok(seconds) => accepts.cache.no_older(u64::from(seconds) * SECOND),
                Err(_) => return wrong("`max-age` in `evenkeel-accept` must be a number of seconds".into()),
            },
            _ => {
                let takes = "`evenkeel-accept` takes `max-tier=N`, `min-confidence=P` and `max-age=SECONDS`";
                return wrong(takes.into());
            }
        }
    }
    Ok(accepts)
}

/// Reads the words of `cache-control` that speak of a request (RFC 9111, section 5.2.1); others, and what is malformed, are
/// ignored.
fn cache_control(headers: &HeaderMap) -> cache::Client {
    let mut client = cache::Client::default();
    let said = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|it| it.to_str().ok());
    for word in said.flat_map(|it| it.split(',')).map(|it| it.trim().to_ascii_lowercase()) {
        match word.split_once('=').map_or((word.as_str(), ""), |(name, value)| (name.trim(), value.trim())) {
            ("no-store", _) => client.no_store = true,
            ("no-cache", _) => client.no_older(0),
            ("max-age", seconds) => {
                if let Ok(seconds) = seconds.trim_matches('"').parse::<u32>() {
                    client.no_older(u64::from(seconds) * SECOND);
                }
            }
            _ => {}
        }
    }
    client
}

/// Reads `evenkeel-private: true`: nobody but who answers it is asked (F-151).
pub(super) fn private(headers: &HeaderMap) -> Result<bool, Fault> {
    match headers.get("evenkeel-private").map(|it| it.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"false") => Ok(false),
        Some(b"true") => Ok(true),
        Some(_) => {
            let message = "`evenkeel-private` is `true` or `false`";
            Err(Fault { param: Some("evenkeel-private".into()), ..Fault::new(Problem::Invalid, "bad_header", message) })
        }
    }
}

/// Reads `evenkeel-explain: full`: its record is kept whole (G-112).
pub(super) fn explain(headers: &HeaderMap) -> Result<bool, Fault> {
    match headers.get("evenkeel-explain").map(|it| it.as_bytes().to_ascii_lowercase()).as_deref() {
        None => Ok(false),
        Some(b"full") => Ok(true),
        Some(_) => {
            let message = "`evenkeel-explain` is `full`, or absent";
            Err(Fault { param: Some("evenkeel-explain".into()), ..Fault::new(Problem::Invalid, "bad_header", message) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn oai_11_only_what_is_listed_goes_upstream() {
        let kept = forwarded(&headers(&[
            ("authorization", "Bearer client"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "1.2.3.4"),
            ("host", "here"),
            ("x-stainless-lang", "python"),
            ("openai-organization", "org"),
            ("traceparent", "00-1-2-3"),
            ("user-agent", "OpenAI/Python"),
            ("evenkeel-tier", "0"),
        ]));
        let kept = kept.expect("fine");
        let mut names: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["openai-organization", "traceparent", "user-agent"]);
        assert!(kept["user-agent"].to_str().expect("text").starts_with("OpenAI/Python evenkeel/"));
        assert!(forwarded(&headers(&[("connection", "close, Authorization")])).is_err(), "HP-08");
        let hop =
            forwarded(&headers(&[("connection", "OpenAI-Project"), ("openai-project", "p"), ("user-agent", "u")]));
        assert_eq!(hop.expect("fine").len(), 1, "HP-08: what is named is for one hop");
    }

    #[test]
    fn f_021_a_client_may_shorten_the_deadline_in_its_own_words() {
        assert_eq!(deadline(&headers(&[("x-envoy-expected-rq-timeout-ms", "250")]), true), Some(250 * MILLISECOND));
        assert_eq!(deadline(&headers(&[("x-stainless-timeout", "7")]), false), Some(7 * SECOND));
        assert_eq!(deadline(&headers(&[("x-stainless-timeout", "7")]), true), None);
        assert_eq!(deadline(&headers(&[("x-envoy-expected-rq-timeout-ms", "soon")]), false), None);
        assert_eq!(deadline(&headers(&[("x-envoy-expected-rq-timeout-ms", "-5")]), false), Some(0), "CL-09");
        assert_eq!(deadline(&headers(&[("x-envoy-expected-rq-timeout-ms", "1e300")]), false), Some(Nanos::MAX));
        let python = headers(&[("x-stainless-read-timeout", "20.0")]);
        assert_eq!(deadline(&python, false), Some(20 * SECOND), "as the Python SDK writes it");
    }

    #[test]
    fn oip_29_f_021_a_grpc_timeout_is_a_deadline() {
        for (timeout, expected) in [
            ("250m", Some(250 * MILLISECOND)),
            ("5S", Some(5 * SECOND)),
            ("99999999H", Some(Nanos::MAX)),
            ("7u", Some(7_000)),
            ("0n", Some(0)),
            ("100000000n", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("+5S", None),
            ("5", None),
            ("5s", None),
        ] {
            assert_eq!(deadline(&headers(&[("grpc-timeout", timeout)]), false), expected, "{timeout}");
        }
    }

    #[test]
    fn f_151_a_client_may_keep_its_request_to_whoever_answers_it() {
        for (text, expected) in
            [(None, Some(false)), (Some("true"), Some(true)), (Some("False"), Some(false)), (Some("1"), None)]
        {
            let headers = headers(&text.map(|it| ("evenkeel-private", it)).into_iter().collect::<Vec<_>>());
            assert_eq!(private(&headers).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn g_112_a_client_may_want_its_record_whole() {
        for (text, expected) in
            [(None, Some(false)), (Some("full"), Some(true)), (Some("Full"), Some(true)), (Some("1"), None)]
        {
            let headers = headers(&text.map(|it| ("evenkeel-explain", it)).into_iter().collect::<Vec<_>>());
            assert_eq!(explain(&headers).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn f_168_a_client_may_refuse_tiers() {
        let max_tier = |accept: &'static str| accepts(&headers(&[("evenkeel-accept", accept)])).map(|it| it.max_tier);
        assert_eq!(max_tier("max-tier=1").expect("fine"), Some(1));
        assert_eq!(accepts(&headers(&[])).expect("fine"), Accepts::default());
        for wrong in
            ["max-tier=x", "max-tier=999", "max-age=-1", "max-age=soon", "min-confidence=1.1", "min-confidence=NaN", ""]
        {
            assert!(max_tier(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn f_168_a_client_may_refuse_what_is_too_unsure() {
        let said = |accept: &'static str| accepts(&headers(&[("evenkeel-accept", accept)])).expect("fine");
        for (text, permille) in [
            ("min-confidence=0.85", 850),
            ("min-confidence=0.8501", 851),
            ("min-confidence=1", 1_000),
            ("min-confidence=0", 0),
        ] {
            assert_eq!(said(text).min_confidence, Some(Permille::new(permille)), "{text}");
        }
        assert_eq!(said("max-tier=1, min-confidence=0.5").max_tier, Some(1));
        assert_eq!(said("max-tier=1").min_confidence, None);
        assert_eq!(said("min-confidence=0.5").cache.max_age, Some(0), "an earlier answer is not asked for");
    }

    #[test]
    fn f_143_a_client_says_how_old_an_answer_may_be() {
        let said = |pairs: &[(&'static str, &'static str)]| accepts(&headers(pairs)).expect("fine").cache;
        let takes = |max_age, no_store| cache::Client { max_age, no_store };
        for (control, expected) in [
            ("no-cache", takes(Some(0), false)),
            ("No-Store", takes(None, true)),
            ("max-age=60", takes(Some(60 * SECOND), false)),
            ("max-age=60, no-cache", takes(Some(0), false)),
            ("max-age=\"7\"", takes(Some(7 * SECOND), false)),
            ("max-age=soon, only-if-cached, private", takes(None, false)),
            ("", takes(None, false)),
        ] {
            assert_eq!(said(&[("cache-control", control)]), expected, "{control}");
        }
        let both = said(&[("evenkeel-accept", "max-tier=1, max-age=60"), ("cache-control", "max-age=90")]);
        assert_eq!(both, takes(Some(60 * SECOND), false), "the stricter word counts");
    }
}
