//! gRPC: one call of a method of an upstream, of one message each way, and how it ended.
//!
//! # Source
//! *gRPC over HTTP/2*; ADR 5.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use evenkeel_core::{Nanos, ResultCode};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::Timestamp;

use super::{Call, Upstream, in_body, push_back};
use crate::{
    protocol::oip_grpc::status::percent_decode,
    rope::{self, Rope},
};

/// The service of the Open Inference Protocol.
const SERVICE: &str = "/inference.GRPCInferenceService/";
/// Bytes before a message.
const PREFIX: usize = 5;
/// The largest number of a `grpc-timeout`.
const MOST_TIMEOUT: u64 = 99_999_999;

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Called {
    /// With a message.
    Message(Bytes),
    /// With a code, a text, and perhaps a time to come back.
    Refused { code: u32, message: String, push_back: bool, after: Option<Nanos> },
    /// With a status of HTTP, as of a proxy that speaks no gRPC.
    Status { status: StatusCode, push_back: bool, after: Option<Nanos> },
}

impl Upstream {
    /// Calls a method with a message, and reads at most so many bytes of the answer.
    ///
    /// # Errors
    /// The result that says how far the call came, or what is wrong with the answer.
    pub(crate) async fn call(
        &self,
        method: &str,
        mut headers: HeaderMap,
        (message, most): (Rope, usize),
        call: Call,
    ) -> Result<Called, ResultCode> {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        let millis = (call.budget / 1_000_000).min(MOST_TIMEOUT);
        headers.insert("grpc-timeout", format!("{millis}m").parse().expect("digits and a letter"));
        let mut framed = BytesMut::with_capacity(PREFIX);
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).map_err(|_| ResultCode::MessageTooLarge)?);
        let mut body = Rope::from(framed.freeze());
        body.append(message);
        let response = self.post(&format!("{SERVICE}{method}"), headers, body, call).await?;
        let (head, body) = response.into_parts();
        let said = |headers: &HeaderMap| (push_back::is_said(headers), push_back::read(headers, Timestamp::now()));
        if head.status != StatusCode::OK {
            let (push_back, after) = said(&head.headers);
            return Ok(Called::Status { status: head.status, push_back, after });
        }
        let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if !kind.starts_with(b"application/grpc") {
            return Err(ResultCode::WrongContentType);
        }
        let (body, trailers) = read(body, most).await?;
        // What ends without a message says how in its headers.
        let end = trailers.unwrap_or(head.headers);
        let code = end.get("grpc-status").and_then(|code| code.to_str().ok()?.parse().ok());
        match code.ok_or(ResultCode::ProtocolError)? {
            0 => message_of(body).map(Called::Message),
            code => {
                let message = end.get("grpc-message").map_or_else(String::new, |it| percent_decode(it.as_bytes()));
                let (push_back, after) = said(&end);
                Ok(Called::Refused { code, message, push_back, after })
            }
        }
    }
}

/// Reads a body up to a bound, and what stands behind it.
async fn read(mut body: Incoming, most: usize) -> Result<(Bytes, Option<HeaderMap>), ResultCode> {
    let (mut whole, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| in_body(&error))?.into_data() {
            Ok(data) if whole.len() + data.len() > most.saturating_add(PREFIX) => {
                return Err(ResultCode::AnswerTooLarge);
            }
            Ok(data) => {
                whole.extend_from_slice(&data);
                reserve(&mut whole, most);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((whole.freeze(), trailers))
}

/// Makes room for a message whose length is known, as far as that is believed.
fn reserve(whole: &mut BytesMut, most: usize) {
    if let Some(mut prefix) = whole.get(1..PREFIX)
        && whole.capacity() == whole.len()
    {
        let declared = (prefix.get_u32() as usize).min(most) + PREFIX;
        whole.reserve(rope::trusted(declared, whole.len()));
    }
}

/// Takes the length off the one message of an answer.
fn message_of(mut body: Bytes) -> Result<Bytes, ResultCode> {
    if body.len() < PREFIX {
        return Err(ResultCode::EmptyAnswer);
    }
    let (packed, length) = (body.get_u8(), body.get_u32() as usize);
    match (packed, length == body.len()) {
        (0, true) => Ok(body),
        (0, false) if length > body.len() => Err(ResultCode::Truncated),
        // Nobody has asked for a compressed one, or for several.
        _ => Err(ResultCode::ProtocolError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oip_40_an_answer_is_one_message_and_whole() {
        let of = |body: &'static [u8]| message_of(Bytes::from_static(body));
        assert_eq!(of(b"\0\0\0\0\x02ab"), Ok(Bytes::from_static(b"ab")));
        assert_eq!(of(b"\0\0\0\0\0"), Ok(Bytes::new()));
        assert_eq!(of(b""), Err(ResultCode::EmptyAnswer));
        assert_eq!(of(b"\0\0\0\0\x03ab"), Err(ResultCode::Truncated));
        assert_eq!(of(b"\x01\0\0\0\x02ab"), Err(ResultCode::ProtocolError));
        assert_eq!(of(b"\0\0\0\0\x01a\0\0\0\0\x01b"), Err(ResultCode::ProtocolError));
    }
}
