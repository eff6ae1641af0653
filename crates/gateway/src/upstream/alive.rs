//! Alive: how a connection whose peer is gone without a word is found out (F-032, UP-31).
//!
//! # Invariants
//! - `ALIVE-1`: bytes that nobody acknowledges end their connection 15 s after they were sent.
//! - `ALIVE-2`: a connection on which nothing is said is asked after 15 s, and ended 5 s later if the system of the peer does
//!   not answer; one of HTTP/2 is asked after 20 s, and ended 10 s later if the peer itself does not.
//!
//! # When it misleads
//! A process that hangs under a system that lives is alive for TCP: over HTTP/1.1 only the clocks of the request show it.
//! Where the system is no Linux, bytes that nobody acknowledges are left to the system.

use std::time::Duration;

use hyper::rt::Timer;
use hyper_util::client::legacy::{Builder, connect::HttpConnector};

/// Silence after which the system of the peer is asked; how long sent bytes may stay without an acknowledgement.
const SILENCE: Duration = Duration::from_secs(15);
/// Time between two questions to the system of the peer.
const AGAIN: Duration = Duration::from_secs(5);
/// Questions without an answer, where the age of sent bytes does not decide before.
const QUESTIONS: u32 = 3;
/// Silence after which the peer is asked, over HTTP/2.
const PING: Duration = Duration::from_secs(20);
/// How long its answer may take.
const PONG: Duration = Duration::from_secs(10);

/// Has the system look after what a connector makes.
pub(super) fn tcp<R>(connector: &mut HttpConnector<R>) {
    connector.set_keepalive(Some(SILENCE));
    connector.set_keepalive_interval(Some(AGAIN));
    connector.set_keepalive_retries(Some(QUESTIONS));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(SILENCE));
}

/// Has a client ask the servers of HTTP/2, also on connections that nobody uses.
pub(super) fn http2(builder: &mut Builder, timer: impl Timer + Send + Sync + 'static) {
    builder.timer(timer);
    builder.http2_keep_alive_interval(PING).http2_keep_alive_timeout(PONG).http2_keep_alive_while_idle(true);
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::Pin,
        sync::Mutex,
        task::{Context, Poll},
        time::Instant,
    };

    use bytes::Bytes;
    use evenkeel_core::ResultCode;
    use http_body_util::Full;
    use hyper::rt::Sleep;
    use hyper_util::{
        client::legacy::Client,
        rt::{TokioExecutor, TokioTimer},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::watch,
    };

    use super::*;
    use crate::upstream::fault::classify;

    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const PING_FRAME: u8 = 6;
    const ACK: u8 = 1;

    /// A clock that stands until it is moved.
    #[derive(Clone)]
    struct Clock(Instant, watch::Receiver<Duration>);

    /// Until a moment of such a clock.
    struct Until(Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>);

    impl Future for Until {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.get_mut().0.get_mut().expect("nobody panics in it").as_mut().poll(context)
        }
    }

    impl Sleep for Until {}

    impl Timer for Clock {
        fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
            self.sleep_until(self.now() + duration)
        }

        fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
            let Self(start, mut passed) = self.clone();
            Box::pin(Until(Mutex::new(Box::pin(async move {
                let _ = passed.wait_for(|passed| start + *passed >= deadline).await;
            }))))
        }

        fn now(&self) -> Instant {
            self.0 + *self.1.borrow()
        }
    }

    /// Reads frames until one of a kind, with its flags; returns what it holds, or nothing where the connection ends.
    async fn frame(stream: &mut TcpStream, (kind, flags): (u8, u8)) -> Option<Vec<u8>> {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.ok()?;
            let mut held = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            stream.read_exact(&mut held).await.ok()?;
            if head[3] == kind && head[4] & flags == flags {
                return Some(held);
            }
        }
    }

    #[tokio::test]
    async fn alive_2_f_032_up_31_an_http_2_server_that_does_not_answer_a_ping_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}/", listener.local_addr().expect("its own"));
        let (clock, passed) = watch::channel(Duration::ZERO);
        let mut builder = Client::builder(TokioExecutor::new());
        http2(builder.http2_only(true), Clock(TokioTimer::new().now(), passed));
        let client: Client<HttpConnector, Full<Bytes>> = builder.build_http();
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("it comes");
            let settings = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
            stream.write_all(&settings).await.expect("written");
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.expect("the preface");
            frame(&mut stream, (SETTINGS, ACK)).await.expect("heard");
            clock.send_modify(|passed| *passed += PING);
            let ping = frame(&mut stream, (PING_FRAME, 0)).await.expect("it asks whether anybody is there");
            let pong = [&[0, 0, 8, PING_FRAME, ACK, 0, 0, 0, 0], ping.as_slice(), &settings].concat();
            stream.write_all(&pong).await.expect("written");
            frame(&mut stream, (SETTINGS, ACK)).await.expect("what came before it was heard, too");
            clock.send_modify(|passed| *passed += PING);
            frame(&mut stream, (PING_FRAME, 0)).await.expect("who answers is asked again");
            clock.send_modify(|passed| *passed += PONG);
            assert_eq!(frame(&mut stream, (HEADERS, u8::MAX)).await, None, "and who does not is left");
        };
        let request = http::Request::post(uri).body(Full::from("x")).expect("a request");
        let both = async { tokio::join!(client.request(request), serving) };
        let (answer, ()) =
            tokio::time::timeout(Duration::from_secs(30), both).await.expect("the clock is moved by hand");
        let error = answer.expect_err("nobody answered");
        assert_eq!(classify(&error), ResultCode::Reset, "it was sent: {error:?}");
    }
}
