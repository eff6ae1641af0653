//! A rolling restart: two gateways behind a balancer of TCP connections are replaced one after the other, under load.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{End, ask, client, gateway, judge, models};
use crate::process::{Mocking, Serving, get, until};

/// Clients that ask at once, and how often each at least.
const CLIENTS: usize = 24;
const DRAIN_MS: u64 = 10_000;

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

/// Asks on kept connections until told to stop; returns how many answers were whole, and what the others were.
async fn user(at: usize, address: SocketAddr, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) -> Vec<String> {
    let (http, mut lost) = (client(), Vec::new());
    for turn in at.. {
        if stop.load(SeqCst) {
            break;
        }
        let (route, stream) = [("quick", false), ("quick", true), ("ends", true)][turn % 3];
        let answered = async {
            let response = http.request(ask(address, route, stream)).await.map_err(|error| format!("{error:?}"))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            let whole = if stream { judge(&text) == End::Whole } else { text.contains("\"finish_reason\":\"stop\"") };
            if status == 200 && whole { Ok(()) } else { Err(format!("{status}: {text}")) }
        };
        match answered.await {
            Ok(()) => drop(done.fetch_add(1, SeqCst)),
            Err(error) => lost.push(error),
        }
    }
    lost
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

    let (stop, done, mut users) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for at in 0..CLIENTS {
        users.spawn(user(at, address, stop.clone(), done.clone()));
    }
    let mut while_draining = Vec::new();
    for old in [&mut one, &mut two] {
        more(&done, 100).await;
        let (before, moved) = (done.load(SeqCst), balancer.moved.load(SeqCst));
        old.signal("TERM");
        let ended = tokio::task::block_in_place(|| std::mem::replace(old, ready(&mock)).ended_and_where());
        assert_eq!(ended.0, Some(0));
        while_draining.push((done.load(SeqCst) - before, balancer.moved.load(SeqCst) - moved));
        let mut backends = balancer.backends.lock();
        backends.retain(|it| *it != ended.1);
        backends.push(old.data);
    }
    more(&done, 100).await;
    stop.store(true, SeqCst);
    let mut lost = Vec::new();
    while let Some(user) = users.join_next().await {
        lost.extend(user.expect("no panic"));
    }
    println!(
        "{}",
        json!({"answered": done.load(SeqCst), "lost": lost.len(), "answered_and_moved_per_drain": while_draining})
    );
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(while_draining.iter().all(|(answered, _)| *answered > 0), "{while_draining:?}");
    // Who connects as a port closes is refused a second later (ACC-3), maybe after the process has ended.
    assert!(balancer.moved.load(SeqCst) > 0, "nobody ever met a closed port");
}

fn ready(mock: &Mocking) -> Serving {
    let serving = gateway(mock, DRAIN_MS);
    until("readiness", || (get(serving.admin, "/readyz")["ready"] == true).then_some(()));
    serving
}

/// Waits for so many more answers.
async fn more(done: &AtomicUsize, many: usize) {
    let wanted = done.load(SeqCst) + many;
    while done.load(SeqCst) < wanted {
        tokio::task::yield_now().await;
    }
}
