//! HTTP/2, frame by frame: floods, and headers that would be more than headers in HTTP/1.1 (HP-10, HP-11).

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::raw::{chat, kit, refused};
use crate::client::Kit;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// `END_STREAM` and `END_HEADERS`.
const WHOLE: u8 = 5;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Writes fields as HPACK literals that nobody indexes (RFC 7541, section 6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/v1/models"), (":authority", "t")];

/// A frame that came: kind, stream and payload.
type Frame = (u8, u32, Vec<u8>);

/// Reads the frames that are whole.
fn frames(mut heard: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, _, s, t, u, v, more @ ..] = heard {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, after)) = more.split_at_checked(length) else { break };
        frames.push((*kind, u32::from_be_bytes([*s, *t, *u, *v]), payload.to_vec()));
        heard = after;
    }
    frames
}

/// Greets, sends what comes from `make` until it is over or nobody takes it, and returns what came until `enough`, or the
/// end.
async fn talk(kit: &Kit, make: impl Iterator<Item = Vec<u8>>, enough: impl Fn(&[u8]) -> bool) -> Vec<Frame> {
    let stream = TcpStream::connect(kit.gateway.address()).await.expect("taken");
    let (mut reader, mut writer) = stream.into_split();
    let mut heard = Vec::new();
    let greeting = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let sending = async {
        let _ = writer.write_all(&greeting).await;
        for bytes in make {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
        let _ = writer.write_all(&frame(PING, 0, 0, LAST)).await;
    };
    let hearing = async { while !enough(&heard) && matches!(reader.read_buf(&mut heard).await, Ok(1..)) {} };
    let talked = timeout(Duration::from_secs(60), async { tokio::join!(sending, hearing) }).await;
    assert!(talked.is_ok(), "it ends");
    frames(&heard)
}

/// The last ping, whose answer says that all before it was read.
const LAST: &[u8] = b"the last";

async fn flood(kit: &Kit, make: impl Iterator<Item = Vec<u8>>) -> Vec<Frame> {
    // Frames of the other side's own may follow.
    talk(kit, make, |heard| heard[heard.len().saturating_sub(1 << 14)..].windows(8).any(|it| it == LAST)).await
}

/// Asks once, and waits for what becomes of it.
async fn once(kit: &Kit, request: &[(&str, &str)]) -> Option<Frame> {
    let fate = |heard: &[u8]| frames(heard).into_iter().find(|(kind, stream, _)| *kind == GOAWAY || *stream == 1);
    let asked = std::iter::once(frame(HEADERS, WHOLE, 1, &fields(request)));
    let came = talk(kit, asked, |heard| fate(heard).is_some()).await;
    came.into_iter().find(|(kind, stream, _)| *kind == GOAWAY || *stream == 1)
}

fn calmed(frames: &[Frame]) -> bool {
    frames.iter().any(|(kind, _, payload)| *kind == GOAWAY && payload[4..8] == ENHANCE_YOUR_CALM.to_be_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_10_floods_end_the_connection_or_cost_no_more_than_they_cost_who_sends_them() {
    let kit = kit("write: 2s").await;
    kit.break_primary("{fault: silence}");
    let open =
        |at: u32| [frame(HEADERS, WHOLE, at, &fields(&GET)), frame(RST_STREAM, 0, at, &8_u32.to_be_bytes())].concat();
    let resets = flood(&kit, (0..20_000).map(|at| open(2 * at + 1))).await;
    let answered = resets.iter().filter(|it| it.0 == HEADERS).count();
    assert!(calmed(&resets) || answered < 20_000, "rapid reset: {} frames, {answered} answers", resets.len());

    // Chats that are taken back while a model is asked: the work that a flood is really after.
    let body = chat("chat", false);
    let ask = |at: u32| {
        let fields = fields(&[(":method", "POST"), GET[1], (":path", "/v1/chat/completions"), GET[3]]);
        [frame(HEADERS, 4, at, &fields), frame(0, 1, at, body.as_bytes())].concat()
    };
    let taken_back = (0..100_u32).flat_map(|round| {
        let streams: Vec<u32> = (0..50).map(|at| 2 * (round * 50 + at) + 1).collect();
        let asked: Vec<u8> = streams.iter().flat_map(|at| ask(*at)).collect();
        // A ping between them gives the other side its turn.
        let back: Vec<u8> = streams.iter().flat_map(|at| frame(RST_STREAM, 0, *at, &8_u32.to_be_bytes())).collect();
        [asked, frame(PING, 0, 0, &[0; 8]), back]
    });
    let frames = flood(&kit, taken_back).await;
    assert!(calmed(&frames), "{} frames", frames.len());
    assert!(kit.big.log().len() < 1_000, "{} of 5,000 reached the model", kit.big.log().len());

    let head = frame(HEADERS, 1, 1, &fields(&GET));
    let more = frame(CONTINUATION, 0, 1, &fields(&[("a", "b")]));
    let continued = flood(&kit, std::iter::once(head).chain(std::iter::repeat_n(more, 100_000))).await;
    assert!(calmed(&continued), "CONTINUATION: {} frames", continued.len());

    for (kind, payload) in [(SETTINGS, &[0, 4, 0, 0, 255, 255][..]), (PING, &[0; 8])] {
        let many = frame(kind, 0, 0, payload).repeat(100);
        let frames = flood(&kit, std::iter::repeat_n(many, 500)).await;
        assert!(frames.len() <= 50_010, "no more comes back than went out: {}", frames.len());
    }
    assert!(refused(&kit, "bad_http2") >= 2, "{}", kit.gateway.metrics());
    kit.break_primary("{fault: latency, ms: 0}");
    assert_eq!(kit.chat("chat", false).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_07_headers_that_are_too_large_are_refused_with_words_over_http_2_too() {
    let kit = kit("write: 2s").await;
    let value = "x".repeat(100);
    // Asks with so many headers of some 140 bytes each; returns what came on its stream, of the kind that is waited for.
    let asked = async |path: &'static str, headers: usize, wanted: u8| {
        let mut all = GET.to_vec();
        all[2] = (":path", path);
        all.extend(std::iter::repeat_n(("a", value.as_str()), headers));
        let block = fields(&all);
        let last = block.len().div_ceil(16_000) - 1;
        let piece = |(at, bytes): (usize, &[u8])| {
            let kind = if at == 0 { HEADERS } else { CONTINUATION };
            frame(kind, u8::from(at == 0) | if at == last { 4 } else { 0 }, 1, bytes)
        };
        let sent: Vec<_> = block.chunks(16_000).enumerate().map(piece).collect();
        let is_it = |(kind, stream, _): &Frame| *stream == 1 && *kind == wanted;
        let came = talk(&kit, sent.into_iter(), |heard| frames(heard).iter().any(is_it)).await;
        let came = came.into_iter().filter(is_it).flat_map(|it| it.2);
        String::from_utf8_lossy(&came.collect::<Vec<_>>()).into_owned()
    };
    assert!(asked("/v1/models", 400, DATA).await.contains("\"chat\""), "headers of 54 KB are none too many");
    for path in ["/v1/models", "/v2"] {
        let body = asked(path, 600, DATA).await;
        let error = serde_json::from_str::<serde_json::Value>(&body).expect("JSON")["error"].clone();
        let message = if path == "/v2" { &error } else { &error["message"] };
        assert_eq!(message, "the headers are larger than 64 KiB", "{path}: {body}");
    }
    assert_eq!(refused(&kit, "head_too_large"), 2, "{}", kit.gateway.metrics());
    let bare = asked("/v1/models", 1_200, HEADERS).await;
    assert!(!bare.contains("application/json"), "what is far larger is refused without words: {bare}");
    assert_eq!(kit.chat("chat", false).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_11_what_would_be_a_line_of_http_1_is_no_header_of_http_2() {
    let kit = kit("write: 2s").await;
    let but = |at: usize, field: (&'static str, &'static str)| {
        let mut get = GET.to_vec();
        get[at] = field;
        get
    };
    let and = |field: (&'static str, &'static str)| [GET.as_slice(), &[field]].concat();
    let table = [
        ("CRLF in a path", but(2, (":path", "/v1/models HTTP/1.1\r\nhost: u"))),
        ("a space in a path", but(2, (":path", "/v1/models HTTP/1.1"))),
        ("an empty path", but(2, (":path", ""))),
        ("a space in a verb", but(0, (":method", "GET / HTTP/1.1"))),
        ("CRLF in a verb", but(0, (":method", "GET\r\na: b"))),
        ("NUL in an authority", but(3, (":authority", "t\0"))),
        ("a credential in an authority", but(3, (":authority", "me@t\r\n"))),
        ("another host", and(("host", "u"))),
        ("CRLF in a value", and(("a", "b\r\nc: d"))),
        ("NUL in a value", and(("a", "b\0"))),
        ("a colon in a name", and(("a: b", "c"))),
        ("CRLF in a name", and(("a\r\nb", "c"))),
        ("an upper-case name", and(("Aa", "b"))),
        ("an empty name", and(("", "b"))),
        ("transfer-encoding", and(("transfer-encoding", "chunked"))),
        ("connection", and(("connection", "close"))),
        ("te", and(("te", "gzip"))),
        ("a pseudo header twice", and((":path", "/v1/status"))),
        ("a pseudo header that is none", and((":x", "y"))),
        ("no verb", GET[1..].to_vec()),
    ];
    for (what, request) in table {
        let fate = once(&kit, &request).await;
        // 400 is the fifth of the statuses that HPACK knows by number.
        let refused = |(kind, _, payload): &Frame| match *kind {
            HEADERS => payload.contains(&0x8c),
            kind => kind == RST_STREAM || kind == GOAWAY,
        };
        assert!(fate.as_ref().is_some_and(refused), "{what}: {fate:?}");
    }
    let fine = once(&kit, &GET).await;
    assert!(matches!(&fine, Some((HEADERS, 1, payload)) if payload[0] == 0x88), "{fine:?}");
    assert!(kit.big.log().is_empty(), "never serialised");
}
