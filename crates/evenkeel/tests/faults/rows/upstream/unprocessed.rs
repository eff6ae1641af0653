//! UP-12: a server of HTTP/2 that says of requests that it has not begun them, frame by frame.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    exchange::outcome,
    frames::{DATA, GOAWAY, HEADERS, RST_STREAM, SETTINGS, fields, frame, of_client},
    row::{Forms::Both, PLAIN, Row, Setting, Variant, act},
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[Row::new(
    "UP-12",
    Both,
    &[Variant::named("REFUSED_STREAM", "", OVER_HTTP2), Variant::named("GOAWAY", "", OVER_HTTP2)],
    act!(up_12),
)
.within(Setting {
    each: "  MODEL: {protocol: openai, url: \"https://RAW/v1\", ca: CERTIFICATES/ca.pem}\n",
    raw: Some(|stream| Box::pin(serve(stream))),
    ..PLAIN
})];

/// A primary that speaks HTTP/2, with connections of its own for each run.
const OVER_HTTP2: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: MODEL, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// The code of what was not begun (RFC 9113, section 7).
const REFUSED_STREAM: u32 = 7;
/// `END_STREAM`, `END_HEADERS`, `ACK`.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// Models that have refused a stream.
static REFUSED: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Serves a connection: a model of the first variant refuses its first request, one of the second goes away when two are open
/// at once, and answers the first of them.
async fn serve(stream: TcpStream) {
    let mut config = {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(include_bytes!("../../certificates/key.der").as_slice());
        let certificate = CertificateDer::from(include_bytes!("../../certificates/good.der").as_slice());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        config.with_single_cert(vec![certificate], key.into()).expect("it fits")
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
    let (mut heard, mut read) = (Vec::new(), 0);
    let (mut bodies, mut answered, mut held) = (BTreeMap::<u32, Vec<u8>>::new(), 0, Vec::new());
    let mut said = frame(SETTINGS, 0, 0, &[]);
    loop {
        for it in of_client(&heard).into_iter().skip(read) {
            read += 1;
            match it.kind {
                SETTINGS if it.flags & ACK == 0 => said.extend(frame(SETTINGS, ACK, 0, &[])),
                HEADERS | DATA => {
                    let body = bodies.entry(it.stream).or_default();
                    if it.kind == DATA {
                        body.extend(&it.payload);
                    }
                    if it.flags & END_STREAM == 0 {
                        continue;
                    }
                    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
                    let model = asked["model"].as_str().unwrap_or_default().to_owned();
                    let refuses = model.starts_with("up-12-0");
                    match () {
                        () if refuses && REFUSED.lock().expect("nobody panics with it").insert(model) => {
                            said.extend(frame(RST_STREAM, 0, it.stream, &REFUSED_STREAM.to_be_bytes()));
                        }
                        () if refuses || answered == 0 => {
                            said.extend(answer(it.stream, &asked));
                            answered += 1;
                        }
                        () => held.push((it.stream, asked)),
                    }
                }
                _ => {}
            }
        }
        // Bodies end in any order.
        let last = held.iter().min_by_key(|(stream, _)| *stream).filter(|_| held.len() == 2);
        if let Some((last, asked)) = last {
            // The second stream is above the last that is processed (RFC 9113, section 6.8).
            said.extend(frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat()));
            said.extend(answer(*last, asked));
        }
        let going = last.is_some();
        if stream.write_all(&std::mem::take(&mut said)).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if going {
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut heard).await;
            return;
        }
        if !matches!(stream.read_buf(&mut heard).await, Ok(1..)) {
            return;
        }
    }
}

/// Writes a whole answer to a request, streamed or plain.
fn answer(stream: u32, asked: &Value) -> Vec<u8> {
    let choice = |key: &str, finish: Value| {
        let message = json!({"role": "assistant", "content": "of HTTP/2"});
        let choice = json!({"index": 0, key: message, "finish_reason": finish});
        json!({"id": "x", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]})
    };
    let (kind, body) = match asked["stream"] == true {
        true => {
            let [said, end] = [Value::Null, "stop".into()].map(|finish| choice("delta", finish));
            ("text/event-stream", format!("data: {said}\n\ndata: {end}\n\ndata: [DONE]\n\n"))
        }
        false => ("application/json", choice("message", "stop".into()).to_string()),
    };
    let head = fields(&[(":status", "200"), ("content-type", kind)]);
    [frame(HEADERS, END_HEADERS, stream, &head), frame(DATA, END_STREAM, stream, body.as_bytes())].concat()
}

async fn up_12(run: &mut Run) {
    let mut answers = vec![run.ask().await];
    if run.is("GOAWAY") {
        answers.extend(run.many(2).await);
    }
    let mut again = 0;
    for it in &answers {
        answered(run, it, 0);
        let results = it.all_results("primary");
        run.must(matches!(results[..], ["ok"] | ["target.unsent", "ok"]), "the record", &it.record["attempts"]);
        run.must(!it.record["inputs"].to_string().contains("retry_cost"), "free", &it.record["inputs"]);
        again += results.len() - 1;
    }
    run.must_be(again, 1, "what was not begun is asked again, and nothing else");
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.saw(Side::Client, outcome(&answers[0].got));
    run.saw(Side::Path, "the unprocessed stream again, free; breaker closed");
    run.saw(Side::Record, "`target.unsent`, `ok`");
}
