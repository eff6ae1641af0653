//! A rolling restart: two gateways behind a balancer of TCP connections are replaced one after the other, under load.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;
use http::{StatusCode, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{End, ask, gateway, judge, models};
use crate::process::{Mocking, Serving, get, until};

/// Clients that ask at once.
const CLIENTS: usize = 24;
const DRAIN_MS: u64 = 10_000;
/// After how long a drain closes a connection on which nothing came (F-175).
const LAST_CALL: Duration = Duration::from_secs(1);
/// Requests that may be asked again because they came as their connection was closed for that: HTTP/1.1 has no word against a
/// server that closes an idle connection. A client asks without a pause, so it is idle for so long only when nobody ran it.
const ASKED_AGAIN: usize = 4;

/// Passes connections on to whichever backend takes them, by turns.
#[derive(Default)]
struct Balancer {
    backends: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    /// Connections that a backend refused, and that went to another.
    moved: AtomicUsize,
}

impl Balancer {
    async fn run(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().carry(stream));
        }
    }

    async fn carry(self: Arc<Self>, mut client: TcpStream) {
        let backends = self.backends.lock().clone();
        let first = self.turn.fetch_add(1, SeqCst);
        for at in 0..backends.len() {
            match TcpStream::connect(backends[(first + at) % backends.len()]).await {
                Ok(mut backend) => {
                    let _ = client.set_nodelay(true).and_then(|()| backend.set_nodelay(true));
                    // However it ends, the client sees the same end.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
                    return;
                }
                Err(_) => drop(self.moved.fetch_add(1, SeqCst)),
            }
        }
    }
}

/// What the users saw.
#[derive(Default)]
struct Seen {
    answered: AtomicUsize,
    asked_again: AtomicUsize,
    lost: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Seen {
    fn answered(&self) -> usize {
        self.answered.load(SeqCst)
    }

    /// Waits for so many more answers.
    async fn more(&self, many: usize) {
        let wanted = self.answered() + many;
        while self.answered() < wanted {
            assert!(self.lost.lock().is_empty(), "{:#?}", self.lost.lock());
            tokio::task::yield_now().await;
        }
    }
}

/// A user's one connection, and since when nothing has come on it. A pool may hold a spare one.
struct Kept(SendRequest<Full<Bytes>>, Instant);

impl Kept {
    async fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender, Instant::now()))
    }

    /// Asks for a whole answer, on a new connection where the old one was closed; counts in `again` where that was noticed too
    /// late.
    async fn ask(&mut self, address: SocketAddr, what: (&str, bool), again: &AtomicUsize) -> anyhow::Result<()> {
        let (route, stream) = what;
        let response = loop {
            if self.0.ready().await.is_err() {
                *self = Self::new(address).await?;
            }
            let mut request = ask(address, route, stream);
            request.headers_mut().insert(HOST, address.to_string().parse()?);
            *request.uri_mut() = request.uri().path().parse()?;
            match self.0.send_request(request).await {
                Ok(response) => break response,
                // It may have come as the connection was closed for being idle (F-175).
                Err(_) if self.1.elapsed() > LAST_CALL => drop(again.fetch_add(1, SeqCst)),
                Err(error) => return Err(error.into()),
            }
        };
        let status = response.status();
        let text = String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()).into_owned();
        self.1 = Instant::now();
        let whole = if stream { judge(&text) == End::Whole } else { text.contains("\"finish_reason\":\"stop\"") };
        ensure!(whole && status == StatusCode::OK, "{status}: {text}");
        Ok(())
    }
}

/// Asks without a pause until told to stop.
async fn user(at: usize, address: SocketAddr, seen: Arc<Seen>) {
    let mut kept = Kept::new(address).await.expect("taken");
    for turn in at.. {
        if seen.stop.load(SeqCst) {
            return;
        }
        let what = [("quick", false), ("quick", true), ("ends", true)][turn % 3];
        match kept.ask(address, what, &seen.asked_again).await {
            Ok(()) => drop(seen.answered.fetch_add(1, SeqCst)),
            Err(error) => seen.lost.lock().push(format!("{error:?}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_175_a_rolling_restart_behind_a_balancer_loses_nothing() {
    let mock = models(20);
    let balancer = Arc::new(Balancer::default());
    let (mut one, mut two) = (ready(&mock), ready(&mock));
    balancer.backends.lock().extend([one.data, two.data]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(balancer.clone().run(listener));

    let (seen, mut users) = (Arc::new(Seen::default()), JoinSet::new());
    for at in 0..CLIENTS {
        users.spawn(user(at, address, seen.clone()));
    }
    let mut while_draining = Vec::new();
    for old in [&mut one, &mut two] {
        seen.more(100).await;
        let (before, moved) = (seen.answered(), balancer.moved.load(SeqCst));
        old.signal("TERM");
        let ended = tokio::task::block_in_place(|| std::mem::replace(old, ready(&mock)).ended_and_where());
        assert_eq!(ended.0, Some(0));
        while_draining.push((seen.answered() - before, balancer.moved.load(SeqCst) - moved));
        let mut backends = balancer.backends.lock();
        backends.retain(|it| *it != ended.1);
        backends.push(old.data);
    }
    seen.more(100).await;
    seen.stop.store(true, SeqCst);
    while let Some(user) = users.join_next().await {
        user.expect("no panic");
    }
    let (lost, again) = (seen.lost.lock(), seen.asked_again.load(SeqCst));
    println!(
        "{}",
        json!({"answered": seen.answered(), "lost": lost.len(), "asked_again": again,
               "answered_and_moved_per_drain": while_draining})
    );
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(again <= ASKED_AGAIN, "{again} requests were asked again");
    assert!(while_draining.iter().all(|(answered, _)| *answered > 0), "{while_draining:?}");
    // Who connects as a port closes is refused a second later (ACC-3), maybe after the process has ended.
    assert!(balancer.moved.load(SeqCst) > 0, "nobody ever met a closed port");
}

fn ready(mock: &Mocking) -> Serving {
    let serving = gateway(mock, DRAIN_MS);
    until("readiness", || (get(serving.admin, "/readyz")["ready"] == true).then_some(()));
    serving
}
