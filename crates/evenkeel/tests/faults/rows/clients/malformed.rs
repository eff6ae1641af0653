//! CL: what is no request: too slow, too large, of no route, or not JSON.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    raw::{Heard, listen, shout},
    row::{Forms::Plain, PLAIN, Row, SHORT, Setting, Variant, act},
    run::{Run, Side, counts},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("CL-06", Plain, &[Variant::named("headers", "", SHORT), Variant::named("a body", "", SHORT)], act!(cl_06))
        .within(Setting { server: ", read_timeout: 2s", ..PLAIN }),
    Row::new("CL-11", Plain, &[Variant::named("", "", SHORT)], act!(cl_11)),
    Row::new("CL-12", Plain, &[Variant::named("", "", SHORT)], act!(cl_12)),
    Row::new("CL-13", Plain, &[Variant::named("", "", SHORT)], act!(cl_13)),
    Row::new("CL-14", Plain, &[Variant::named("", "", SHORT)], act!(cl_14))
        .within(Setting { server: ", max_body: 1MiB, read_timeout: 2s", ..PLAIN }),
    Row::new("CL-15", Plain, &[Variant::named("", "", SHORT)], act!(cl_15)),
];

async fn cl_06(run: &mut Run) {
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    if run.is("headers") {
        stream.write_all(head.as_bytes()).await.expect("written");
        let heard = listen(&mut stream, Duration::from_secs(10)).await;
        run.must(heard.closed && heard.statuses() == [408], "408 after `read_timeout`", &heard.text());
        run.saw(Side::Client, counts(heard.statuses()));
    } else {
        stream.write_all(format!("{head}content-length: 50000\r\n\r\n").as_bytes()).await.expect("written");
        let (mut reader, mut writer) = stream.into_split();
        let dripping = async {
            // 100 bytes a second: a tenth of what is asked for.
            while writer.write_all(&[b' '; 10]).await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let hearing = async {
            // What came before the connection was reset is there all the same.
            let (mut heard, mut part) = (Vec::new(), [0; 4096]);
            while let Ok(Ok(count @ 1..)) = timeout(Duration::from_secs(30), reader.read(&mut part)).await {
                heard.extend_from_slice(&part[..count]);
            }
            Heard { bytes: heard, closed: true }
        };
        // It is the end of what comes that counts: whoever stops to drip when writing fails has not read the answer yet.
        let mut hearing = std::pin::pin!(hearing);
        let heard = tokio::select! {
            heard = &mut hearing => heard,
            () = dripping => hearing.await,
        };
        run.must(heard.statuses() == [408], "408 for a body that drips", &heard.text());
        run.saw(Side::Client, counts(heard.statuses()));
    }
    refused(run, 1).await;
}

/// Claims that so many requests were refused and counted, that nothing of them reached a provider, and that the path has no
/// evidence against it.
async fn refused(run: &mut Run, requests: usize) {
    let saw = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.must_be(saw, (0, 0), "no attempt");
    let breaker = run.breaker().await;
    run.must_be(breaker.as_str(), "closed", "no evidence");
    run.saw(Side::Path, format!("P = {}, L = {}, breaker {breaker}", saw.0, saw.1));
    run.counted(requests).await;
}

/// Says what a client heard that was refused in one way or another.
fn answer(heard: &Heard) -> String {
    if heard.statuses().is_empty() { "closed".to_owned() } else { counts(heard.statuses()) }
}

async fn cl_11(run: &mut Run) {
    let mut statuses = Vec::new();
    for name in ["nope", "../../etc/passwd", "http://169.254.169.254/", "a\r\nset-cookie: x=1", "<script>alert(1)"] {
        let body = json!({"model": name, "messages": [{"role": "user", "content": "x"}]}).to_string();
        let got = run.post(body.into(), &[]).await;
        run.must_be((got.status, got.error_code().as_deref()), (404, Some("model_not_found")), "404 in the dialect");
        let raw = name != "nope" && got.text().contains(name);
        run.must(!raw && !got.headers.contains_key("set-cookie"), "the name is not echoed raw", &got.text());
        statuses.push(got.status);
    }
    for path in ["/v1/../../etc/passwd", "/v1/models/..%2f..%2fetc%2fpasswd", "/v2/models/%0d%0a/infer", "/..;/metrics"]
    {
        let got = run.house.client.send(run.house.data, "GET", path, String::new()).await;
        run.must(matches!(got.status, 404 | 405), "404", &(path, got.status));
        statuses.push(got.status);
    }
    let metrics = run.house.client.send(run.house.admin, "GET", "/metrics", String::new()).await.text();
    run.must(!metrics.contains("nope") && !metrics.contains("passwd"), "not recorded per name", &metrics.len());
    run.saw(Side::Client, format!("{}; no name echoed raw", counts(statuses.iter())));
    run.saw(Side::Record, "no name in the metrics");
    refused(run, statuses.len()).await;
}

async fn cl_12(run: &mut Run) {
    let route = run.route.clone();
    let with = |content: &[u8]| {
        let begin = format!(r#"{{"model":"{route}","messages":[{{"role":"user","content":""#);
        [begin.as_bytes(), content, br#""}]}"#].concat()
    };
    let bom = [b"\xef\xbb\xbf".as_slice(), &with(b"x")].concat();
    // All but the mark at the beginning are the first byte of the content.
    let at = with(b"").len() - br#""}]}"#.len();
    let bodies = [
        ("invalid UTF-8", with(b"\xff\xfe"), at),
        ("a lone surrogate", with(br"\ud800"), at),
        ("a BOM", bom, 0),
        ("NUL", with(b"\0"), at),
    ];
    for (what, body, at) in bodies {
        let got = run.post(body.into(), &[]).await;
        run.must_be(got.status, 400, what);
        let message = got.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        run.must(message.ends_with(&format!("at byte {at}")), "with the offset", &(what, at, message));
    }
    run.saw(Side::Client, "4 × 400 with the offset of the flaw");
    refused(run, 4).await;
}

async fn cl_13(run: &mut Run) {
    let message = r#"[{"role":"user","content":"hello"}]"#;
    let route = run.route.clone();
    let before = run.house.rest_kib().await;
    let deep =
        format!(r#"{{"model":"{route}","messages":{message},"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let twice = format!(r#"{{"model":"{route}","model":"other","messages":{message}}}"#);
    for (body, what) in [(deep, "beyond depth 128"), (twice, "a doubled control key")] {
        let got = run.post(body.into(), &[]).await;
        run.must_be(got.status, 400, what);
    }
    refused(run, 2).await;
    let numbers = r#""a":1e999,"b":-0,"c":12345678901234567890,"d":0.10"#;
    let body = format!(r#"{{"model":"{route}","messages":{message},{numbers}}}"#);
    let got = run.post(body.into(), &[]).await;
    run.must_be(got.status, 200, "numbers pass");
    let last = run.primary_saw().await.pop();
    run.must(last.is_some_and(|it| it.body.contains(numbers)), "numbers pass unchanged", &numbers);
    let keys: String = (0..1_000_000).map(|it| format!(",\"k{it}\":0")).collect();
    let many = format!(r#"{{"model":"{route}","messages":{message}{keys}}}"#);
    let got = run.post(many.into(), &[]).await;
    run.must(matches!(got.status, 200 | 400 | 413), "10⁶ keys are passed on or refused", &got);
    run.saw(Side::Client, "400 beyond depth 128 and on a doubled `model`; `1e999`, `-0` and 20 digits: 200");
    run.saw(Side::Client, format!("10⁶ keys: {}", got.status));
    run.saw(Side::Path, "numbers in their own bytes");
    run.grew_by_less_than(before, 400);
}

async fn cl_14(run: &mut Run) {
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    let quiet = Duration::from_secs(8);
    let large = format!("{head}content-length: 3000000\r\n\r\n");
    let heard = shout(run.house.data, &[large.as_bytes(), &vec![b'x'; 3_000_000]].concat(), quiet).await;
    run.must(heard.statuses() == [413] || (heard.closed && heard.bytes.is_empty()), "413", &heard.statuses());
    let (mut statuses, mut said) = (heard.statuses(), vec![format!("over the limit: {}", answer(&heard))]);
    let got = run.post(vec![b' '; 2 << 20].into(), &[]).await;
    run.must_be(got.status, 413, "a body over the limit");
    statuses.push(got.status);
    said.push(format!("over the limit: {}", got.status));
    // Longer than declared: what is left over is no request.
    let heard =
        shout(run.house.data, format!("{head}content-length: 5\r\n\r\n{{\"model\":\"x\"}}").as_bytes(), quiet).await;
    let fine = heard.statuses().iter().all(|it| *it >= 400);
    run.must(fine && !heard.statuses().is_empty(), "longer than declared", &heard.text());
    statuses.extend(heard.statuses());
    said.push(format!("longer than declared: {}", answer(&heard)));
    // Shorter, and no more comes.
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(format!("{head}content-length: 500\r\n\r\n{{\"model\":").as_bytes()).await.expect("written");
    stream.shutdown().await.expect("shut");
    let heard = listen(&mut stream, quiet).await;
    run.must(heard.closed && !heard.statuses().contains(&200), "shorter than declared", &heard.text());
    statuses.extend(heard.statuses());
    said.push(format!("shorter: {}", answer(&heard)));
    let truncated = format!("{head}transfer-encoding: chunked\r\n\r\n10\r\n{{\"model\"");
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(truncated.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("shut");
    let heard = listen(&mut stream, quiet).await;
    run.must(heard.closed && !heard.statuses().contains(&200), "a truncated chunk", &heard.text());
    statuses.extend(heard.statuses());
    said.push(format!("a chunk cut off: {}", answer(&heard)));
    said.into_iter().for_each(|it| run.saw(Side::Client, it));
    refused(run, statuses.len()).await;
}

async fn cl_15(run: &mut Run) {
    let body = run.chat(&run.route).to_string();
    // What curl says of JSON passes (`protocols.md`, section 1).
    for kind in ["image/png", "application/xml", "multipart/form-data; boundary=x"] {
        let headers = [("content-type", kind)];
        let posted = run.house.client.post(run.house.data, "/v1/chat/completions", body.clone().into(), &headers).await;
        let status = posted.as_ref().map(|it| it.status).unwrap_or(0);
        run.must(status == 415, "415 for another media type", &(kind, status));
    }
    let rubbish = Bytes::from_static(b"--x\r\ncontent-disposition: form-data\r\n\r\n\xff\xff--");
    let got = run.post(rubbish, &[]).await;
    run.must_be(got.status, 400, "multipart rubbish");
    run.saw(
        Side::Client,
        "another media type: 415; multipart as JSON: 400; not played: broken base64, which is not decoded here",
    );
    refused(run, 4).await;
}
