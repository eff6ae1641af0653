//! The port itself: killed, revived, refused, and connections that end under a request.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::client::{End, chat, faulty, logged, open, post, read, read_one, request, send, start};

const CHAT: &str = "/v1/chat/completions";

async fn refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn a_killed_mock_refuses_and_a_revived_one_answers_on_the_same_port() {
    let mock = start().await;
    let mut idle = TcpStream::connect(mock.address()).await.expect("the mock accepts");
    assert_eq!(post(mock.address(), CHAT, &chat(false)).await.status(), 200);
    for _ in 0..3 {
        mock.kill().await;
        assert!(refused(mock.address()).await);
        assert_eq!(send(mock.control_address(), "GET", "/mock/faults", "").await.status(), 200);
        mock.revive().await;
        assert_eq!(post(mock.address(), CHAT, &chat(false)).await.status(), 200);
    }
    assert_eq!(read(&mut idle, usize::MAX).await.end, End::Rst);
}

#[tokio::test]
async fn a_kill_resets_what_is_under_way_and_the_log_says_so() {
    let mock = faulty(json!([{"fault": "stall", "after_tokens": 2}])).await;
    let mut stream = open(mock.address(), &request("POST", CHAT, &chat(true).to_string())).await;
    logged(&mock, |attempt| attempt.tokens == 2).await;
    mock.kill().await;
    assert_eq!(read(&mut stream, usize::MAX).await.end, End::Rst);
    let attempt = logged(&mock, |attempt| attempt.ended_ms.is_some()).await;
    assert_eq!((format!("{:?}", attempt.ending), attempt.client_gone), ("Stopped".to_owned(), false));
}

#[tokio::test]
async fn up_13_refuse_closes_the_port_until_the_faults_change() {
    let mock = faulty(json!([{"fault": "refuse"}])).await;
    assert!(refused(mock.address()).await);
    assert_eq!(send(mock.control_address(), "DELETE", "/mock/faults", "").await.status(), 200);
    assert_eq!(post(mock.address(), CHAT, &chat(false)).await.status(), 200);
    // Asked for on the model port itself: the answer comes first.
    let put = send(mock.address(), "PUT", "/mock/faults", &json!([{"fault": "refuse"}]).to_string()).await;
    assert_eq!(put.status(), 200);
    mock.settled().await;
    assert!(refused(mock.address()).await);
    mock.reset();
    mock.settled().await;
    assert_eq!(post(mock.address(), CHAT, &chat(false)).await.status(), 200);
}

#[tokio::test]
async fn up_13_refuse_for_a_time_ends_by_itself_but_not_before_a_kill_does() {
    let mock = faulty(json!([{"fault": "refuse", "for_ms": 30}])).await;
    assert!(refused(mock.address()).await);
    let opened = async {
        while refused(mock.address()).await {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), opened).await.expect("it opens again");
    assert_eq!(post(mock.address(), CHAT, &chat(false)).await.status(), 200);
    mock.kill().await;
    mock.reset();
    assert!(refused(mock.address()).await, "faults do not revive what the handle killed");
}

#[tokio::test]
async fn up_14_a_swallowed_connect_hangs_until_the_faults_change() {
    let mock = faulty(json!([{"fault": "refuse"}])).await;
    let swallow = json!([{"fault": "syn_swallowed"}]).to_string();
    assert_eq!(send(mock.control_address(), "PUT", "/mock/faults", &swallow).await.status(), 200);
    let connect = timeout(Duration::from_millis(50), TcpStream::connect(mock.address())).await;
    assert!(connect.is_err(), "neither accepted nor refused: {connect:?}");
    mock.reset();
    mock.settled().await;
    assert_eq!(post(mock.address(), CHAT, &chat(false)).await.status(), 200);
}

#[tokio::test]
async fn up_14_whoever_changes_the_faults_at_the_same_time_as_others_is_answered_as_well() {
    let mock = start().await;
    let swallow = json!([{"fault": "syn_swallowed"}]).to_string();
    let put = || send(mock.control_address(), "PUT", "/mock/faults", &swallow);
    let all = async { tokio::join!(put(), put(), put(), put()) };
    let (a, b, c, d) = timeout(Duration::from_secs(10), all).await.expect("nobody waits for what was overtaken");
    assert_eq!([a, b, c, d].map(|it| it.status()), [200; 4]);
}

#[tokio::test]
async fn up_11_only_a_reused_connection_is_reset() {
    let mock = faulty(json!([{"fault": "reset_reused", "times": 1}])).await;
    let body = chat(false).to_string();
    let one = format!("POST {CHAT} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = open(mock.address(), &one).await;
    assert_eq!(read_one(&mut stream).await.status(), 200);
    stream.write_all(one.as_bytes()).await.expect("the mock reads");
    let seen = read(&mut stream, usize::MAX).await;
    assert_eq!((seen.raw.len(), seen.end), (0, End::Rst));
    assert_eq!(post(mock.address(), CHAT, &chat(false)).await.status(), 200);
}

#[tokio::test]
async fn a_client_that_leaves_is_noted_in_silence_latency_and_stream() {
    for fault in [
        json!({"fault": "silence"}),
        json!({"fault": "latency", "ms": 600_000}),
        json!({"fault": "stall", "after_tokens": 3}),
        json!({"fault": "slow_tokens", "every_ms": 600_000}),
        json!({"fault": "endless", "every_ms": 1}),
    ] {
        let mock = faulty(json!([fault])).await;
        let stream = open(mock.address(), &request("POST", CHAT, &chat(true).to_string())).await;
        logged(&mock, |attempt| !attempt.client_gone).await;
        drop(stream);
        let attempt = logged(&mock, |attempt| attempt.client_gone && attempt.ended_ms.is_some()).await;
        assert!(attempt.client_gone_ms >= Some(attempt.at_ms), "{fault}");
        assert_eq!(attempt.tokens_after_gone, 0, "{fault}");
    }
}

#[tokio::test]
async fn up_32_a_heedless_model_goes_on_after_the_client_left() {
    for stream_mode in [true, false] {
        let mock = faulty(json!([{"fault": "ignore_cancel", "every_ms": 2}])).await;
        let stream = open(mock.address(), &request("POST", CHAT, &chat(stream_mode).to_string())).await;
        logged(&mock, |attempt| attempt.tokens > 2).await;
        drop(stream);
        let attempt = logged(&mock, |attempt| attempt.ended_ms.is_some()).await;
        assert!(attempt.client_gone && attempt.tokens_after_gone > 0);
        assert_eq!(attempt.tokens + attempt.tokens_after_gone, 24);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_an_endless_stream_back() {
    let mock = faulty(json!([{"fault": "endless"}])).await;
    let stream = open(mock.address(), &request("POST", CHAT, &chat(true).to_string())).await;
    // One thread runs both: a mock that could write would write in one of a thousand turns.
    let full = async {
        let (mut sent, mut turns) = (0, 0);
        while turns < 1_000 {
            let now = mock.log().first().map_or(0, |attempt| attempt.bytes_sent);
            turns = if now > 0 && now == sent { turns + 1 } else { 0 };
            sent = now;
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), full).await.expect("the socket fills up");
    drop(stream);
    assert!(logged(&mock, |attempt| attempt.ended_ms.is_some()).await.client_gone);
}

#[tokio::test]
async fn a_stopped_or_dropped_mock_gives_its_port_back() {
    let mock = start().await;
    let (address, control) = (mock.address(), mock.control_address());
    mock.stop().await;
    assert!(refused(address).await && refused(control).await);
    let mock = start().await;
    let address = mock.address();
    drop(mock);
    let gone = async {
        while !refused(address).await {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.expect("the port closes");
}
