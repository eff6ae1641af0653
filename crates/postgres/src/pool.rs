//! Pool: a few connections, each lent to one search at a time.
//!
//! # Why not sqlx's own
//! It asks a server that refuses connections again until its deadline, so that a dead server looks like a slow one; and a connection
//! whose query was dropped is asked how it is before its place is free, which a server that hangs never answers.
//!
//! # Invariants
//! - `PG-4`: a connection that comes back without its answer is closed.
//! - `POOL-1`: there are never more connections than places, those that are being made included.
//! - `POOL-2`: a connection that is being made is made, within five seconds, whether or not somebody still waits for it: else a server
//!   that is slow to take one would never have one.
//! - `POOL-3`: nothing is set for a session: behind a pooler that hands out connections by transaction, it is somebody else's next.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout},
};

use crate::fault::{Fault, Kind};

/// How long a connection may take to be made, in the background.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one may be idle and is still trusted: firewalls forget those that are silent for some minutes.
const IDLE: Duration = Duration::from_secs(60);

/// Connections to one database.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
}

/// A connection on loan; it is closed unless it is given back.
pub(crate) struct Lent {
    pub(crate) connection: PgConnection,
    /// It was used before, so that it may have broken since.
    pub(crate) used: bool,
    pool: Pool,
    place: OwnedSemaphorePermit,
}

impl Pool {
    /// So many connections at most.
    pub(crate) fn new(options: &PgConnectOptions, most: u32) -> Self {
        Self(Arc::new(Shared {
            options: options.clone().disable_statement_logging(),
            places: Arc::new(Semaphore::new(most.max(1) as usize)),
            idle: Mutex::default(),
        }))
    }

    /// Lends a connection that is idle, or a new one.
    pub(crate) async fn lend(&self) -> Result<Lent, Fault> {
        let place = self.0.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let now = Instant::now();
        let idle = {
            let mut idle = self.0.idle.lock();
            idle.retain(|(_, since)| now.duration_since(*since) < IDLE);
            idle.pop()
        };
        match idle {
            Some((connection, _)) => Ok(Lent { connection, used: true, pool: self.clone(), place }),
            None => self.connect(place).await,
        }
    }

    /// Makes a connection.
    async fn connect(&self, place: OwnedSemaphorePermit) -> Result<Lent, Fault> {
        let (reply, made) = oneshot::channel();
        let pool = self.clone();
        #[expect(clippy::disallowed_methods, reason = "it ends within five seconds, and nobody has to wait for it")]
        tokio::spawn(async move {
            let late = Err(Fault::new(Kind::Late, format!("no connection within {} s", CONNECT.as_secs())));
            let made = timeout(CONNECT, pool.greet()).await.unwrap_or(late);
            let lent = made.map(|connection| Lent { connection, used: false, pool, place });
            if let Err(Ok(unwanted)) = reply.send(lent) {
                unwanted.give_back();
            }
        });
        made.await.unwrap_or_else(|_| Err(Fault::new(Kind::Broken, "the connection was given up")))
    }

    async fn greet(&self) -> Result<PgConnection, Fault> {
        self.0.options.connect().await.map_err(Fault::connecting)
    }
}

impl Lent {
    /// Gives it back, for the next search.
    pub(crate) fn give_back(self) {
        let Self { connection, pool, place, .. } = self;
        pool.0.idle.lock().push((connection, Instant::now()));
        drop(place);
    }

    /// Closes it, and all that are as old as it: what broke one has broken the others. Lends a new one.
    pub(crate) async fn anew(self) -> Result<Self, Fault> {
        let Self { connection, pool, place, .. } = self;
        drop(connection);
        pool.0.idle.lock().clear();
        pool.connect(place).await
    }
}
