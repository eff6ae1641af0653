//! Server: the mock as a running thing: two listeners, their connections, and a handle that stops them.
//!
//! It is not the answering. It also owns the two ways of being down: killed by the handle, or closed by the faults `refuse` and `syn_swallowed`.
//!
//! # Invariants
//! - `SERVER-1`: while it is down the port is closed (connections are refused, open ones get an RST) but still ours: the
//!   address is held by a bound socket that does not listen, so that no other program takes it meanwhile.
//! - `SERVER-2`: the control listener is never closed by a fault or by `kill`.
//! - `SERVER-3`: dropping the handle ends every task and socket of the mock.

mod connection;
mod listener;
mod read;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub(crate) use read::Head;

use crate::{
    Attempt, Options, Rule,
    fault::{Closing, Table},
    log::{Clock, Log},
};

/// Why a mock cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Whether the model port is to be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Closed by the handle.
    killed: bool,
    /// Closed by a fault. The number tells one closing from the next.
    fault: Option<(Closing, u64)>,
}

impl Gate {
    pub(crate) fn closed(self) -> bool {
        self.killed || self.fault.is_some()
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) faults: Mutex<Table>,
    pub(crate) log: Log,
    /// Requests so far: the number from which a request's draws follow.
    pub(crate) requests: AtomicU64,
    pub(crate) connections: AtomicU64,
    /// What is wanted of the model port.
    pub(crate) gate: watch::Sender<Gate>,
    /// What the model port has become.
    pub(crate) stands: watch::Sender<Gate>,
}

impl Shared {
    fn new(options: Options) -> Arc<Shared> {
        let clock = Clock::start();
        let faults = options.faults.clone();
        let shared = Shared {
            options,
            clock,
            faults: Mutex::default(),
            log: Log::new(clock),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            gate: watch::Sender::new(Gate::default()),
            stands: watch::Sender::new(Gate::default()),
        };
        shared.set_faults(faults);
        Arc::new(shared)
    }

    /// Puts a list of faults in force, in place of the old one.
    pub(crate) fn set_faults(&self, rules: Vec<Rule>) {
        let table = Table::new(rules, self.clock.now());
        let closing = table.closing();
        *self.faults.lock() = table;
        self.gate.send_if_modified(|gate| {
            let before = *gate;
            let number = before.fault.map_or(0, |(_, number)| number + 1);
            gate.fault = closing.map(|closing| (closing, number));
            *gate != before
        });
    }

    /// Puts the faults of one model in force, in place of its old ones. None of them closes the port.
    pub(crate) fn set_faults_of(&self, model: &str, rules: Vec<Rule>) {
        self.faults.lock().replace(model, rules, self.clock.now());
    }

    /// Forgets faults, log and counters.
    pub(crate) fn reset(&self) {
        self.set_faults(Vec::new());
        self.log.clear();
        self.requests.store(0, Relaxed);
    }

    /// Resolves when the model port is what is wanted of it.
    pub(crate) async fn settled(&self) {
        // What was wanted at first may have been overtaken, and then never comes. The sender lives in `self`, so the wait
        // ends by the value alone.
        let _ = self.stands.subscribe().wait_for(|stands| *stands == *self.gate.borrow()).await;
    }
}

/// A running mock. Dropping it stops it.
#[derive(Debug)]
pub struct Mock {
    shared: Arc<Shared>,
    address: SocketAddr,
    control: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Mock {
    /// Starts a mock on the addresses of its options. Needs a tokio runtime with IO and time.
    ///
    /// # Errors
    /// An address cannot be bound.
    pub async fn start(options: Options) -> Result<Mock, ServeError> {
        let listener = listener::bind(options.listen)?;
        Mock::start_on(options, listener)
    }

    fn start_on(options: Options, listener: TcpListener) -> Result<Mock, ServeError> {
        let control_listener = listener::bind(options.control)?;
        let address = local(&listener, options.listen)?;
        let control = local(&control_listener, options.control)?;
        let shared = Shared::new(options);
        #[expect(clippy::disallowed_methods, reason = "the mock holds both, and aborts them when it is dropped")]
        let tasks = [
            tokio::spawn(listener::models(listener, address, shared.clone())),
            tokio::spawn(listener::control(control_listener, shared.clone())),
        ];
        Ok(Mock { shared, address, control, tasks })
    }

    /// Returns where models are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where `/mock/…` is always served.
    pub fn control_address(&self) -> SocketAddr {
        self.control
    }

    /// Returns the base address of the models, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a list of faults in force, in place of the old one.
    pub fn set_faults(&self, rules: Vec<Rule>) {
        self.shared.set_faults(rules);
    }

    /// Resolves when the model port is as open or closed as faults and handle want it; needed only after faults that close it.
    pub async fn settled(&self) {
        self.shared.settled().await;
    }

    /// Returns the attempts so far, oldest first.
    pub fn log(&self) -> Vec<Attempt> {
        self.shared.log.attempts(0, None)
    }

    /// Forgets faults, log and counters.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Closes the model port as a dead process would: connections are reset, new ones refused. Returns when it is so.
    pub async fn kill(&self) {
        self.switch(true).await;
    }

    /// Opens the model port again, on the same address. Returns when it is so; faults may keep it closed.
    pub async fn revive(&self) {
        self.switch(false).await;
    }

    async fn switch(&self, killed: bool) {
        self.shared.gate.send_if_modified(|gate| std::mem::replace(&mut gate.killed, killed) != killed);
        self.shared.settled().await;
    }

    /// Stops the mock and returns when its sockets are closed.
    pub async fn stop(mut self) {
        for task in &mut self.tasks {
            task.abort();
            // The only error is the abort itself.
            let _ = task.await;
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Serves models on a listener until `shutdown` resolves. The control listener is bound from the options.
///
/// # Errors
/// The control address cannot be bound, or a listener has no address.
pub async fn serve(
    options: Options,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let mock = Mock::start_on(options, listener)?;
    shutdown.await;
    mock.stop().await;
    Ok(())
}

fn local(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|source| ServeError::Listen { address, source })
}
