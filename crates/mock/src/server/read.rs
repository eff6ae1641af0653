//! Read: HTTP/1.1 requests from a socket.
//!
//! It is not lenient where requests could be smuggled: what two readers could read in two ways is refused. What a gateway
//! sends wrongly should be seen here, not healed.
//!
//! # Source
//! RFC 9112, sections 3, 5, 6 and 7.

use bytes::{Bytes, BytesMut};

use crate::wire::Conn;

/// The longest head.
const MAX_HEAD: usize = 256 * 1024;
/// The longest body.
const MAX_BODY: u64 = 128 * 1024 * 1024;
/// The longest line of a chunk's size with its extensions.
const MAX_CHUNK_LINE: usize = 4 * 1024;

/// The head of a request, as it was sent.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    /// HTTP/1.0.
    pub(crate) old: bool,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Returns the first value of a header, by lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Says whether a comma-separated header holds a word.
    fn has(&self, name: &str, word: &str) -> bool {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.any(|(_, value)| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word)))
    }

    /// Says whether the connection may carry another request.
    pub(crate) fn keep_alive(&self) -> bool {
        if self.old { self.has("connection", "keep-alive") } else { !self.has("connection", "close") }
    }

    /// Returns the path without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Returns the value of a query parameter, as it stands.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum Unread {
    /// The client is gone.
    Closed,
    /// The client sent what cannot be answered but with an error, after which the connection ends.
    Refused { status: u16, why: &'static str, head: Option<Head> },
}

fn refused<T>(status: u16, why: &'static str, head: Option<Head>) -> Result<T, Unread> {
    Err(Unread::Refused { status, why, head })
}

/// How the body of a request ends.
enum Framing {
    Length(u64),
    Chunked,
}

/// Reads the next request of a connection.
pub(super) async fn request(conn: &mut Conn) -> Result<(Head, Bytes), Unread> {
    let end = head_end(conn).await?;
    let text = conn.unread.split_to(end);
    let head = parse(&text)?;
    let framing = match framing(&head) {
        Ok(framing) => framing,
        Err((status, why)) => return refused(status, why, Some(head)),
    };
    let waits = head.has("expect", "100-continue") && conn.unread.is_empty();
    if waits && !matches!(framing, Framing::Length(0)) {
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Unread::Closed)?;
    }
    let body = match framing {
        Framing::Length(length) => sized(conn, length as usize).await?,
        Framing::Chunked => match chunked(conn).await? {
            Ok(body) => body,
            Err(why) => return refused(400, why, Some(head)),
        },
    };
    Ok((head, body))
}

/// Reads until the blank line that ends a head, and returns where it ends.
async fn head_end(conn: &mut Conn) -> Result<usize, Unread> {
    let mut seen = 0_usize;
    loop {
        // Blank lines before a request are skipped (RFC 9112, section 2.2).
        while conn.unread.starts_with(b"\r\n") {
            let _ = conn.unread.split_to(2);
            seen = 0;
        }
        let from = seen.saturating_sub(3);
        if let Some(at) = conn.unread[from..].windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(from + at + 4);
        }
        seen = conn.unread.len();
        if seen > MAX_HEAD {
            return refused(431, "the head is longer than 256 KiB", None);
        }
        more(conn).await?;
    }
}

async fn more(conn: &mut Conn) -> Result<(), Unread> {
    match conn.fill().await {
        Ok(0) | Err(_) => Err(Unread::Closed),
        Ok(_) => Ok(()),
    }
}

fn parse(text: &[u8]) -> Result<Head, Unread> {
    let text = String::from_utf8_lossy(&text[..text.len() - 4]);
    let mut lines = text.split("\r\n");
    let mut start = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (start.next(), start.next(), start.next(), start.next())
    else {
        return refused(400, "the request line is not `METHOD target HTTP/1.1`", None);
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || method.is_empty() || target.is_empty() {
        return refused(400, "the request line is not `METHOD target HTTP/1.1`", None);
    }
    let (method, target, old) = (method.to_owned(), target.to_owned(), version == "HTTP/1.0");
    let mut head = Head { method, target, old, headers: Vec::with_capacity(16) };
    for line in lines {
        let field = line
            .split_once(':')
            .filter(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some((name, value)) = field.filter(|_| !line.contains(['\r', '\n', '\0'])) else {
            return refused(400, "a header is not `name: value`", Some(head));
        };
        head.headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    Ok(head)
}

fn framing(head: &Head) -> Result<Framing, (u16, &'static str)> {
    let mut lengths = head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (length, another) = (lengths.next(), lengths.next().is_some());
    let coding = head.header("transfer-encoding");
    match (length, coding) {
        (Some(_), Some(_)) => Err((400, "both content-length and transfer-encoding")),
        _ if another => Err((400, "more than one content-length")),
        (None, None) => Ok(Framing::Length(0)),
        (None, Some(coding)) if coding.eq_ignore_ascii_case("chunked") && !head.old => Ok(Framing::Chunked),
        (None, Some(_)) => Err((400, "a transfer-encoding other than chunked")),
        (Some((_, length)), None) => {
            let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            match length.parse::<u64>() {
                Ok(length) if digits && length <= MAX_BODY => Ok(Framing::Length(length)),
                Ok(_) if digits => Err((413, "the body is longer than 128 MiB")),
                _ => Err((400, "the content-length is no number")),
            }
        }
    }
}

async fn sized(conn: &mut Conn, length: usize) -> Result<Bytes, Unread> {
    while conn.unread.len() < length {
        more(conn).await?;
    }
    Ok(conn.unread.split_to(length).freeze())
}

/// Reads a chunked body; the inner error is bad framing.
async fn chunked(conn: &mut Conn) -> Result<Result<Bytes, &'static str>, Unread> {
    let mut body = BytesMut::new();
    loop {
        let Some(line) = line(conn).await? else { return Ok(Err("a chunk's size line is too long")) };
        let size = line[..].split(|byte| *byte == b';').next().unwrap_or_default();
        let size =
            std::str::from_utf8(size).ok().map(str::trim).filter(|size| size.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(size) = size.and_then(|size| u64::from_str_radix(size, 16).ok()) else {
            return Ok(Err("a chunk's size is no number"));
        };
        if size == 0 {
            break;
        }
        if size > MAX_BODY || body.len() as u64 + size > MAX_BODY {
            return Ok(Err("the body is longer than 128 MiB"));
        }
        body.extend_from_slice(&sized(conn, size as usize).await?);
        if &sized(conn, 2).await?[..] != b"\r\n" {
            return Ok(Err("a chunk is longer than its size"));
        }
    }
    // Trailers are read and dropped.
    loop {
        match line(conn).await? {
            Some(line) if line.is_empty() => return Ok(Ok(body.freeze())),
            Some(_) => {}
            None => return Ok(Err("a trailer is too long")),
        }
    }
}

/// Reads one line without its end; `None` is one that is too long.
async fn line(conn: &mut Conn) -> Result<Option<BytesMut>, Unread> {
    loop {
        if let Some(at) = conn.unread.windows(2).position(|window| window == b"\r\n") {
            if at > MAX_CHUNK_LINE {
                return Ok(None);
            }
            let line = conn.unread.split_to(at);
            let _ = conn.unread.split_to(2);
            return Ok(Some(line));
        }
        if conn.unread.len() > MAX_CHUNK_LINE {
            return Ok(None);
        }
        more(conn).await?;
    }
}
