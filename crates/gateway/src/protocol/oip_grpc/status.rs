//! Status: how gRPC says that something went wrong, of a request to us and of one to an upstream.
//!
//! # Source
//! `docs/design/protocols.md`, section 1; `docs/design/failures.md`, section 1; gRPC over HTTP/2 (percent-encoding of
//! `grpc-message`), gRPC's list of status codes.

use evenkeel_core::ResultCode;

use crate::protocol::problem::Problem;

/// A status code of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u16);

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const INVALID_ARGUMENT: Self = Self(3);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const NOT_FOUND: Self = Self(5);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const FAILED_PRECONDITION: Self = Self(9);
    pub(crate) const ABORTED: Self = Self(10);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);

    /// Returns what an error of ours is.
    pub(crate) const fn of(problem: Problem) -> Self {
        match problem {
            Problem::Invalid | Problem::UnknownMedia => Self::INVALID_ARGUMENT,
            Problem::UnknownModel => Self::NOT_FOUND,
            Problem::UnknownUrl | Problem::MethodNotAllowed | Problem::NotOffered | Problem::UnknownEncoding => {
                Self::UNIMPLEMENTED
            }
            Problem::TooLarge | Problem::AddressTooLong | Problem::HeadTooLarge => Self::RESOURCE_EXHAUSTED,
            Problem::SequenceLost => Self::FAILED_PRECONDITION,
            Problem::TooSlow | Problem::DeadlineExceeded => Self::DEADLINE_EXCEEDED,
            Problem::Overloaded | Problem::Exhausted | Problem::DegradationRefused => Self::UNAVAILABLE,
        }
    }

    /// Returns what an upstream's error is that is for the client to see, of which the HTTP status is known.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::NOT_FOUND,
            409 => Self::ABORTED,
            413 | 429 => Self::RESOURCE_EXHAUSTED,
            _ => Self::INVALID_ARGUMENT,
        }
    }
}

/// What an upstream said instead of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) code: u32,
    pub(crate) message: &'a str,
    /// It said when to come back, or never to.
    pub(crate) push_back: bool,
}

/// Classifies it: the result, and the status that it would have had over REST.
pub(crate) fn classify(refused: Refused<'_>) -> (ResultCode, u16) {
    let Refused { code, message, push_back } = refused;
    let says = |words: &[&str]| {
        let message = message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    };
    let status = |status| (ResultCode::of_status(status, false), status);
    match code {
        3 | 9 | 11 => status(400),
        4 => status(504),
        5 => status(404),
        7 => status(403),
        // A message that is too large for this server is not too much work for it (OIP-26).
        8 if says(&["larger than max", "message size", "message larger", "message too large"]) => status(413),
        8 => status(429),
        12 => (ResultCode::UnsupportedFeature, 501),
        // So Triton says that it is not for us (OIP-37).
        14 if says(&["restricted"]) => status(403),
        14 if push_back => (ResultCode::PushBack, 503),
        14 => status(503),
        16 => status(401),
        _ => status(500),
    }
}

/// Writes a text as `grpc-message` has it.
pub(crate) fn percent_encode(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Reads a `grpc-message`; what is no such code stays as it is.
pub(crate) fn percent_decode(message: &[u8]) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(message.len()), message);
    while let [byte, tail @ ..] = rest {
        let code = (*byte == b'%').then(|| tail.first_chunk::<2>()).flatten();
        let code = code.filter(|code| code.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        out.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_003_a_code_means_what_the_same_failure_means_over_rest() {
        use ResultCode as R;
        let of = |code, message| classify(Refused { code, message, push_back: false });
        for (code, result, status) in [
            (1, R::Status5xx, 500),
            (2, R::Status5xx, 500),
            (3, R::CallerInvalid, 400),
            (4, R::TotalTimeout, 504),
            (5, R::ModelMissing, 404),
            (6, R::Status5xx, 500),
            (7, R::CredentialForbidden, 403),
            (8, R::RateLimited, 429),
            (9, R::CallerInvalid, 400),
            (10, R::Status5xx, 500),
            (11, R::CallerInvalid, 400),
            (12, R::UnsupportedFeature, 501),
            (13, R::Status5xx, 500),
            (14, R::Status5xx, 503),
            (15, R::Status5xx, 500),
            (16, R::CredentialRejected, 401),
            (17, R::Status5xx, 500),
            (u32::MAX, R::Status5xx, 500),
        ] {
            assert_eq!(of(code, ""), (result, status), "{code}");
        }
        assert_eq!(classify(Refused { code: 14, message: "", push_back: true }).0, R::PushBack);
    }

    #[test]
    fn oip_26_a_size_limit_upstream_is_capability_and_no_overload() {
        let of = |message| classify(Refused { code: 8, message, push_back: false });
        for size in [
            "Received message larger than max (5242907 vs. 4194304)",
            "CLIENT: Sent message larger than max (9 vs. 4)",
            "grpc: received message too large",
        ] {
            assert_eq!(of(size), (ResultCode::MessageTooLarge, 413), "{size}");
        }
        assert_eq!(of("Too many requests in the queue"), (ResultCode::RateLimited, 429));
    }

    #[test]
    fn oip_37_restricted_is_a_credential() {
        let message = "This protocol is restricted, expecting header 'triton-grpc-protocol-x'";
        assert_eq!(classify(Refused { code: 14, message, push_back: false }).0, ResultCode::CredentialForbidden);
    }

    #[test]
    fn a_message_is_percent_encoded_and_back() {
        let message = "100 % of 'é' is\nrefused";
        assert_eq!(percent_encode(message), "100 %25 of '%C3%A9' is%0Arefused");
        assert_eq!(percent_decode(percent_encode(message).as_bytes()), message);
        assert_eq!(percent_decode(b"50% %2 %zz%41"), "50% %2 %zzA");
    }
}
