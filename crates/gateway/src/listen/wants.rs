//! What a client says of its request that not every path can serve: its language, where it may go, its tensors (F-036).
//!
//! A language is told, never guessed: by `evenkeel-language`, else by `content-language` (RFC 9110, section 8.5), else by the
//! route. Regions are those of the route, which `evenkeel-residency` may narrow and not widen.

use evenkeel_config::{is_language, is_region};
use evenkeel_core::{Names, Wants, datatype};
use http::HeaderMap;

use super::Fault;
use crate::{ask::Question, protocol::problem::Problem};

/// Names in one header, at most.
const MOST: usize = 16;

/// Reads what a client wants, beside what the route says of requests that say nothing.
pub(super) fn wants(headers: &HeaderMap, names: &Names, route: Wants) -> Result<Wants, Fault> {
    let ours = list(headers, "evenkeel-language", is_language)?;
    // Written by clients that know nothing of us: what is no language there is no mistake.
    let spoken = match ours {
        Some(tags) => Some(tags),
        None => list(headers, "content-language", is_language).unwrap_or_default(),
    };
    let languages = spoken.map_or(route.languages, |tags| tags.iter().fold(0, |bits, it| bits | names.language(it)));
    let told = list(headers, "evenkeel-residency", is_region)?;
    let told = told.map(|regions| regions.iter().fold(0, |bits, it| bits | names.region(it)));
    let regions = match (route.regions, told) {
        (Some(route), Some(told)) => Some(route & told),
        (route, told) => told.or(route),
    };
    Ok(Wants { languages, regions, ..route })
}

/// Returns the datatypes of what is asked.
pub(super) fn datatypes(question: &Question) -> u64 {
    let Question::Infer(inference) = question else { return 0 };
    inference.infer.inputs.iter().fold(0, |bits, it| bits | datatype(it.tensor.datatype().name()))
}

/// Reads names, separated by commas; none where the header is not there.
fn list(headers: &HeaderMap, name: &'static str, is_right: fn(&str) -> bool) -> Result<Option<Vec<String>>, Fault> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let texts = headers.get_all(name).iter().map(|it| it.to_str().unwrap_or("?"));
    let names: Vec<_> = texts.flat_map(|it| it.split(',')).map(|it| it.trim().to_ascii_lowercase()).collect();
    if names.len() <= MOST && names.iter().all(|it| is_right(it)) {
        return Ok(Some(names));
    }
    let message = format!("`{name}` takes one to {MOST} names, separated by commas");
    Err(Fault { param: Some(name.into()), ..Fault::new(Problem::Invalid, "bad_header", message) })
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn read(route: Wants, pairs: &[(&'static str, &'static str)]) -> Option<(u64, Option<u64>)> {
        let names = Names { languages: vec!["de".into(), "en".into()], regions: vec!["ch".into(), "eu".into()] };
        let named = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.parse().expect("a value"))
        };
        let headers: HeaderMap = pairs.iter().map(named).collect();
        wants(&headers, &names, route).ok().map(|it| (it.languages, it.regions))
    }

    #[test]
    fn f_036_a_language_is_told_by_the_client_and_else_by_the_route() {
        let route = Wants { languages: 0b10, ..Wants::default() };
        let unnamed = 1 << 63;
        for (pairs, expected) in [
            (&[][..], Some(0b10)),
            (&[("evenkeel-language", "de")], Some(0b01)),
            (&[("evenkeel-language", "DE-AT, en")], Some(0b11)),
            (&[("evenkeel-language", "fr")], Some(unnamed)),
            (&[("content-language", "de")], Some(0b01)),
            (&[("content-language", "de"), ("evenkeel-language", "en")], Some(0b10)),
            (&[("content-language", "?!")], Some(0b10)),
            (&[("evenkeel-language", "?!")], None),
            (&[("evenkeel-language", "")], None),
        ] {
            assert_eq!(read(route, pairs).map(|it| it.0), expected, "{pairs:?}");
        }
    }

    #[test]
    fn f_036_a_client_may_narrow_where_its_request_goes_and_not_widen_it() {
        let anywhere = Wants::default();
        let within = |regions| Wants { regions: Some(regions), ..anywhere };
        for (route, said, expected) in [
            (anywhere, None, Some(None)),
            (anywhere, Some("eu"), Some(Some(0b10))),
            (anywhere, Some("EU, ch"), Some(Some(0b11))),
            (anywhere, Some("mars"), Some(Some(0))),
            (within(0b11), None, Some(Some(0b11))),
            (within(0b11), Some("ch"), Some(Some(0b01))),
            (within(0b01), Some("eu"), Some(Some(0))),
            (within(0b01), Some("eu west"), None),
        ] {
            let pairs: Vec<_> = said.map(|it| ("evenkeel-residency", it)).into_iter().collect();
            assert_eq!(read(route, &pairs).map(|it| it.1), expected, "{said:?}");
        }
    }
}
