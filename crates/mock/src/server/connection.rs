//! Connection: request after request on one socket.
//!
//! It is not HTTP's details (`read`, `reply`) nor the answer's content (`respond`): it joins them.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use bytes::Bytes;
use tokio::net::TcpStream;

use super::{
    Shared,
    read::{self, Head, Unread},
};
use crate::{
    control,
    draw::Draw,
    fault::Facts,
    log::Seen,
    protocol::{self, Work},
    reply::{Asked, Reply},
    respond,
    wire::Conn,
};

/// Which listener a connection came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Models,
    Control,
}

/// Lives a connection; one of the model port is reset when the port closes.
pub(super) async fn run(stream: TcpStream, shared: Arc<Shared>, port: Port) {
    let mut conn = Conn::new(stream);
    let mut gate = shared.gate.subscribe();
    let closed = async {
        match port {
            // The sender lives in `shared`: the wait ends by the value alone.
            Port::Models => drop(gate.wait_for(|gate| gate.closed()).await),
            Port::Control => std::future::pending().await,
        }
    };
    let mut life = Life { number: shared.connections.fetch_add(1, Relaxed), reused: false, port, shared: &shared };
    tokio::select! {
        () = life.live(&mut conn) => {}
        () = closed => conn.reset(),
    }
}

/// What is known of one connection.
struct Life<'a> {
    number: u64,
    /// It carried a request before.
    reused: bool,
    port: Port,
    shared: &'a Shared,
}

impl Life<'_> {
    /// Answers until the connection ends.
    async fn live(&mut self, conn: &mut Conn) {
        loop {
            let keep = match read::request(conn).await {
                Ok((head, body)) if head.path().starts_with("/mock/") => self.manage(conn, &head, &body).await,
                Ok((head, body)) => self.answer(conn, head, body).await,
                Err(Unread::Closed) => false,
                Err(Unread::Refused { status, why, head }) => self.refuse(conn, status, why, head).await,
            };
            if !keep {
                return;
            }
            self.reused = true;
        }
    }

    /// Answers a request to a model. Returns whether the connection lives on.
    async fn answer(&self, conn: &mut Conn, head: Head, body: Bytes) -> bool {
        let shared = self.shared;
        let mut draw = Draw::new(shared.options.seed, shared.requests.fetch_add(1, Relaxed));
        let call = protocol::read(shared, &head, &body);
        let now = shared.clock.now();
        let facts = Facts { model: &call.model, work: call.work, body: &body, reused: self.reused, now };
        let picked = shared.faults.lock().pick(facts, &mut draw);
        let fault = picked.as_ref().map(|picked| picked.name.clone());
        let asked = Asked::by(&head);
        let seen = Seen {
            at: now,
            connection: self.number,
            reused: self.reused,
            head: Arc::new(head),
            model: call.model.clone(),
            work: call.work,
            fault,
        };
        let ticket = shared.log.begin(seen, body);
        let script = respond::script(shared, call, picked.as_ref().map(|picked| &*picked.fault), &mut draw, asked);
        conn.play(&script, &ticket).await
    }

    /// Answers a request to the mock itself, which no fault touches.
    async fn manage(&self, conn: &mut Conn, head: &Head, body: &[u8]) -> bool {
        let (reply, change) = control::handle(self.shared, head, body);
        let asked = Asked::by(head);
        // A change that closes this very connection waits until its answer is out.
        if self.port == Port::Models && change.closes() {
            let script = reply.script(Asked { keep_alive: false, ..asked });
            let _ = conn.play(&script, &self.shared.log.unlogged()).await;
            change.make(self.shared);
            return false;
        }
        change.make(self.shared);
        if self.port == Port::Control {
            self.shared.settled().await;
        }
        conn.play(&reply.script(asked), &self.shared.log.unlogged()).await
    }

    /// Answers what is no request, as far as it can be answered, and ends the connection.
    async fn refuse(&self, conn: &mut Conn, status: u16, why: &'static str, head: Option<Head>) -> bool {
        let nothing = || Head { method: String::new(), target: String::new(), old: false, headers: Vec::new() };
        let seen = Seen {
            at: self.shared.clock.now(),
            connection: self.number,
            reused: self.reused,
            head: Arc::new(head.unwrap_or_else(nothing)),
            model: String::new(),
            work: Work::Probe,
            fault: None,
        };
        let ticket = self.shared.log.begin(seen, Bytes::new());
        let reply = Reply::json(status, &serde_json::json!({"error": why}));
        let script = reply.script(Asked { old: false, keep_alive: false, head_only: false });
        let _ = conn.play(&script, &ticket).await;
        conn.finish_politely().await;
        false
    }
}
