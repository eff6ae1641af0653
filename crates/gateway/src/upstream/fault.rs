//! What a failed call proves: the result by how far the request came (`failures.md`, section 1, class `target`).

use std::{error::Error, io};

use evenkeel_core::ResultCode;
use hyper_util::client::legacy;

use super::{connect::Handshake, line::Past};

/// Classifies a call that brought no answer. That no byte of one came on a connection that was kept is the proof that
/// the server had gone before it was asked (F-043). All that is asked is pure, so that asking again is safe (F-034).
pub(super) fn classify(error: &legacy::Error) -> ResultCode {
    if error.is_connect() {
        return connecting(error);
    }
    if let Some(hyper) = find::<hyper::Error>(error) {
        if hyper.is_canceled() {
            return ResultCode::Unsent;
        }
        if hyper.is_parse() {
            return ResultCode::ProtocolError;
        }
    }
    if error.connect_info().is_some_and(Past::is_stale) { ResultCode::Unsent } else { ResultCode::Reset }
}

/// What the system says when this process, or the machine, has nothing left for another connection: ENFILE and EMFILE, which
/// are the same everywhere, ENOMEM, and ENOBUFS and EADDRNOTAVAIL (no port is left) as Linux and as BSD number them.
const OURS: [i32; 7] = [23, 24, 12, 105, 55, 99, 49];

/// Says whether a clock of the connection fired: nobody refused anything.
pub(super) fn is_timeout(error: &legacy::Error) -> bool {
    let by_clock = |cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut;
    let slow = |shake: &Handshake| matches!(shake, Handshake::Slow(_));
    chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(by_clock)
        || find::<Handshake>(error).is_some_and(slow)
}

/// Classifies a body that broke off, or whose framing is none: what HTTP does not allow is the server's error, and no cut.
pub(crate) fn in_body(error: &hyper::Error) -> ResultCode {
    let unreadable =
        |cause: &io::Error| matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    let framed = !chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(unreadable);
    if framed && !error.is_parse() { ResultCode::Truncated } else { ResultCode::ProtocolError }
}

fn connecting(error: &legacy::Error) -> ResultCode {
    if find::<Handshake>(error).is_some() {
        return ResultCode::TlsFailed;
    }
    let number = chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).find_map(io::Error::raw_os_error);
    let unresolved = chain(error).any(|cause| cause.to_string().contains("dns error"));
    match () {
        () if number.is_some_and(|number| OURS.contains(&number)) => ResultCode::OwnLimit,
        // The system's resolver does not say that it could not open its own files.
        () if unresolved && no_descriptor_is_left() => ResultCode::OwnLimit,
        () if unresolved => ResultCode::DnsFailed,
        () => ResultCode::ConnectFailed,
    }
}

/// Says whether this process cannot open anything (PR-03).
fn no_descriptor_is_left() -> bool {
    let opened = std::fs::File::open("/dev/null");
    opened.is_err_and(|error| error.raw_os_error().is_some_and(|number| OURS.contains(&number)))
}

/// Walks an error and its causes, also those that an io::Error carries inside.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), |error| below(*error))
}

/// Finds the cause of a kind in an error.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|cause| cause.downcast_ref::<E>())
}
