//! Proper: refuses what the HTTP library lets through and two readers could read differently (HP-02, HP-08), and over HTTP/2 headers
//! that are too large (HP-07).
//!
//! # Source
//! RFC 9112, sections 3.2 (one Host) and 6.1 (`chunked` once, and last); RFC 9113, sections 6.5.2 (what headers count) and 8.3.1
//! (`:authority` and Host).

use http::{HeaderMap, HeaderValue, Request, Version, header, uri::Authority};

use super::Fault;
use crate::protocol::problem::Problem;

/// The largest headers, in bytes.
pub(super) const MOST_HEADERS: u32 = 64 << 10;
/// What a field counts besides its name and its value.
const FIELD: usize = 32;

/// Checks the head of a request; after a refusal its connection is closed, since nobody knows where the next one begins.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Fault> {
    let (version, headers) = (request.version(), request.headers());
    match version < Version::HTTP_2 {
        true => once_chunked(headers)?,
        false => not_too_large(request)?,
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(bad_host("there is more than one Host header")),
        (None, _) if version == Version::HTTP_11 => return Err(bad_host("there is no Host header")),
        (host, _) => host,
    };
    let Some(host) = host else { return Ok(()) };
    match authority(host) {
        None => Err(bad_host("the Host header names no host")),
        Some(host) if version == Version::HTTP_2 && differs(&host, request.uri().authority()) => {
            Err(bad_host("the Host header and :authority differ"))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses with words what the library, which lets twice as much in, would refuse without.
fn not_too_large<B>(request: &Request<B>) -> Result<(), Fault> {
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
    let path = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if fields.sum::<usize>() + path <= MOST_HEADERS as usize {
        return Ok(());
    }
    Err(Fault::new(Problem::HeadTooLarge, "head_too_large", "the headers are larger than 64 KiB"))
}

fn once_chunked(headers: &HeaderMap) -> Result<(), Fault> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let plain = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if plain(coding) => Ok(()),
        _ => Err(Fault::closing(
            Problem::Invalid,
            "bad_framing",
            "Transfer-Encoding may be `chunked`, once, and nothing else",
        )),
    }
}

/// Reads what a Host header names: nothing, which RFC 9112 allows, or a host, perhaps with a port.
fn authority(host: &HeaderValue) -> Option<Option<Authority>> {
    if host.is_empty() {
        return Some(None);
    }
    let authority = Authority::try_from(host.as_bytes()).ok()?;
    (!authority.as_str().contains('@')).then_some(Some(authority))
}

fn differs(host: &Option<Authority>, authority: Option<&Authority>) -> bool {
    // Authorities are equal whatever their case.
    host.as_ref().zip(authority).is_some_and(|(host, authority)| host != authority)
}

fn bad_host(message: &str) -> Fault {
    Fault::closing(Problem::Invalid, "bad_host", message)
}
