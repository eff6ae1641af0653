//! A raw client: it sends bytes, keeps every byte that comes, and tells FIN from RST.

use std::{net::SocketAddr, time::Duration};

use evenkeel_mock::{Attempt, Mock, Options};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
    time::timeout,
};

/// How long nothing must come until a connection counts as silent, where silence is expected.
const QUIET: Duration = Duration::from_millis(40);
/// How long nothing may come where more is expected: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a connection stood when the client stopped reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Rst,
    /// Open and silent.
    Silent,
    /// Open, and more would have come.
    Talking,
}

/// Everything a client saw of one answer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) raw: Vec<u8>,
    pub(crate) end: End,
}

pub(crate) async fn start() -> Mock {
    Mock::start(Options::default()).await.expect("loopback has a free port")
}

/// Makes a mock with faults that are given as `PUT /mock/faults` takes them.
pub(crate) async fn faulty(faults: Value) -> Mock {
    let mock = start().await;
    let put = send(mock.control_address(), "PUT", "/mock/faults", &faults.to_string()).await;
    assert_eq!(put.status(), 200, "{}", put.text());
    mock
}

pub(crate) fn chat(stream: bool) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": stream})
}

/// Writes a request that asks for the connection to be closed.
pub(crate) fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: mock\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> Seen {
    exchange(address, &request(method, path, body), usize::MAX).await
}

pub(crate) async fn post(address: SocketAddr, path: &str, body: &Value) -> Seen {
    send(address, "POST", path, &body.to_string()).await
}

/// Opens a connection and sends a request.
pub(crate) async fn open(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the mock accepts");
    stream.write_all(request.as_bytes()).await.expect("the mock reads");
    stream
}

/// Sends a request on a new connection and reads until it ends or has said `limit` bytes.
pub(crate) async fn exchange(address: SocketAddr, request: &str, limit: usize) -> Seen {
    read(&mut open(address, request).await, limit).await
}

/// Sends a request on a new connection and reads until nothing more comes.
pub(crate) async fn hush(mock: &Mock, request: &str) -> Seen {
    let before = mock.log().len();
    let mut stream = open(mock.address(), request).await;
    // A machine that is busy with other things must not look like silence.
    logged(mock, |attempt| attempt.attempt as usize == before).await;
    quiet(&mut stream).await
}

/// Reads until the connection ends or has said `limit` bytes.
pub(crate) async fn read(stream: &mut TcpStream, limit: usize) -> Seen {
    read_until(stream, PATIENCE, |raw| raw.len() >= limit).await
}

/// Reads one answer of a connection that stays open.
pub(crate) async fn read_one(stream: &mut TcpStream) -> Seen {
    let whole = |raw: &[u8]| {
        let seen = Seen { raw: raw.to_vec(), end: End::Talking };
        raw.windows(4).any(|window| window == b"\r\n\r\n") && seen.framed().is_ok()
    };
    read_until(stream, PATIENCE, whole).await
}

/// Reads until nothing more comes.
pub(crate) async fn quiet(stream: &mut TcpStream) -> Seen {
    read_until(stream, QUIET, |_| false).await
}

async fn read_until(stream: &mut TcpStream, idle: Duration, enough: impl Fn(&[u8]) -> bool) -> Seen {
    let mut raw = Vec::new();
    let end = loop {
        if enough(&raw) {
            break End::Talking;
        }
        match timeout(idle, stream.read_buf(&mut raw)).await {
            Err(_) => break End::Silent,
            Ok(Ok(0)) => break End::Fin,
            Ok(Ok(_)) => {}
            Ok(Err(_)) => break End::Rst,
        }
    };
    Seen { raw, end }
}

impl Seen {
    fn split(&self) -> (&str, &[u8]) {
        let at = self.raw.windows(4).position(|window| window == b"\r\n\r\n").expect("there is a head");
        (std::str::from_utf8(&self.raw[..at]).expect("a head is text"), &self.raw[at + 4..])
    }

    pub(crate) fn status(&self) -> u16 {
        self.split().0[9..12].parse().expect("a status line")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.split().0.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Undoes the framing; a framing that is broken or cut is an error with what came until then.
    pub(crate) fn framed(&self) -> Result<Vec<u8>, Vec<u8>> {
        let (_, body) = self.split();
        if self.header("transfer-encoding") == Some("chunked") {
            return dechunk(body);
        }
        let length: usize = self.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        if body.len() == length { Ok(body.to_vec()) } else { Err(body.to_vec()) }
    }

    pub(crate) fn text(&self) -> String {
        let body = self.framed().unwrap_or_else(|partial| partial);
        String::from_utf8_lossy(&body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.framed().expect("a whole body")).expect("a JSON body")
    }

    /// Returns the data of all complete events, by the rules of server-sent events.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n").replace('\r', "\n");
        let whole = text.rfind("\n\n").map_or("", |at| &text[..at]);
        whole
            .split("\n\n")
            .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")))
            .map(str::to_owned)
            .collect()
    }

    /// Returns the content of all deltas of choice 0, joined.
    pub(crate) fn content(&self) -> String {
        let chunks = self.events().into_iter().filter_map(|event| serde_json::from_str::<Value>(&event).ok());
        chunks.filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned)).collect()
    }

    /// Counts the deltas that carry content.
    pub(crate) fn tokens(&self) -> usize {
        let said = |event: &String| event.contains("\"content\":\"") && !event.contains("\"content\":\"\"");
        self.events().iter().filter(|event| said(event)).count()
    }

    pub(crate) fn done(&self) -> usize {
        self.events().iter().filter(|event| *event == "[DONE]").count()
    }

    pub(crate) fn finished(&self) -> bool {
        self.events().iter().any(|event| event.contains("\"finish_reason\":\""))
    }
}

fn dechunk(mut body: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let Some(line) = body.windows(2).position(|window| window == b"\r\n") else { return Err(whole) };
        let size = std::str::from_utf8(&body[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size.filter(|_| body[0] != b'+') else { return Err(whole) };
        body = &body[line + 2..];
        if size == 0 {
            return if body == b"\r\n" { Ok(whole) } else { Err(whole) };
        }
        if body.len() < size + 2 {
            whole.extend_from_slice(&body[..size.min(body.len())]);
            return Err(whole);
        }
        whole.extend_from_slice(&body[..size]);
        body = &body[size + 2..];
    }
}

/// Waits until the log holds what is looked for, and returns it.
pub(crate) async fn logged(mock: &Mock, wanted: impl Fn(&Attempt) -> bool) -> Attempt {
    let found = async {
        loop {
            if let Some(found) = mock.log().into_iter().find(|attempt| wanted(attempt)) {
                return found;
            }
            yield_now().await;
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("not in the log: {:#?}", mock.log()))
}
