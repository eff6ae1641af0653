//! Engine: what the store asks of a database, and the two that do it.
//!
//! Here sqlx ends: a statement is one text for both, a value is a number, a text or a flag.
//!
//! # Why connections are held here
//! sqlx's own pool asks a server that refuses connections again until its deadline, so that a dead server looks like a slow one.
//! Here whoever asks a dead server hears so at once.
//!
//! # Invariants
//! - `ENG-1`: a connection whose work did not end well is closed, not used again.
//! - `ENG-2`: nothing waits longer than its limit, whatever the engine does.
//! - `ENG-3`: what is written at once is there whole or not at all.

use std::{borrow::Cow, pin::Pin, time::Duration};

use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Database, Postgres, Row as _, Sqlite, migrate::MigrateError};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{
    fault::{Class, Fault},
    schema,
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a question may take: somebody waits for it at a terminal.
const ASK: Duration = Duration::from_secs(10);
/// How long a transaction may take: a batch is a thousand rows, which a sound engine writes in far less than a second.
const WRITE: Duration = Duration::from_secs(30);
/// Connections at once: one writes, the others answer.
const MOST: usize = 5;

/// A value in a row, or in the place of a `$1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Flag(bool),
}

/// The kind of a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    Int,
    Text,
    Flag,
}

/// A change, and how many rows it has to change, where that is known.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
    pub(super) changes: Option<u64>,
}

/// What comes of work that takes its time.
pub(super) type Soon<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// A database.
pub(super) trait Engine: Send + Sync {
    /// Returns `sqlite` or `postgres`.
    fn name(&self) -> &'static str;

    /// Makes the tables what this version knows them as.
    fn migrate(&self) -> Soon<'_, ()>;

    /// Answers a question with rows of these columns.
    fn ask(&self, sql: Cow<'static, str>, values: Vec<Value>, columns: &'static [Of]) -> Soon<'_, Vec<Vec<Value>>>;

    /// Does everything in one transaction, or nothing; returns how many rows the last one changed.
    fn write(&self, statements: Vec<Statement>) -> Soon<'_, u64>;
}

/// What the two engines differ in.
pub(super) trait Driver: Database {
    /// Its name.
    const ENGINE: &'static str;
    /// How a transaction begins that will write.
    const BEGIN: &'static str;

    /// Sorts what it says.
    fn class(code: &str, message: &str) -> Class;

    /// Runs a statement; returns how many rows it changed.
    fn run<'a>(to: &'a mut Self::Connection, sql: Cow<'static, str>, values: Vec<Value>) -> Said<'a, u64>;

    /// Asks for rows of these columns.
    fn rows<'a>(
        to: &'a mut Self::Connection,
        sql: Cow<'static, str>,
        values: Vec<Value>,
        columns: &'static [Of],
    ) -> Said<'a, Vec<Vec<Value>>>;

    /// Makes the tables.
    fn migrate(to: &mut Self::Connection) -> Pin<Box<dyn Future<Output = Result<(), MigrateError>> + Send + '_>>;
}

/// What sqlx says.
type Said<'a, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'a>>;

/// The same for both, word by word: in sqlx the two have no trait in common that could say it once.
macro_rules! driver {
    ($driver:ty, $name:literal, $begin:literal, $class:expr) => {
        impl Driver for $driver {
            const ENGINE: &'static str = $name;
            const BEGIN: &'static str = $begin;

            fn class(code: &str, message: &str) -> Class {
                $class(code, message)
            }

            fn run<'a>(to: &'a mut Self::Connection, sql: Cow<'static, str>, values: Vec<Value>) -> Said<'a, u64> {
                let mut query = sqlx::query::<Self>(AssertSqlSafe(sql));
                for value in values {
                    query = match value {
                        Value::Int(it) => query.bind(it),
                        Value::Text(it) => query.bind(it),
                        Value::Flag(it) => query.bind(it),
                    };
                }
                Box::pin(async move { Ok(query.execute(to).await?.rows_affected()) })
            }

            fn rows<'a>(
                to: &'a mut Self::Connection,
                sql: Cow<'static, str>,
                values: Vec<Value>,
                columns: &'static [Of],
            ) -> Said<'a, Vec<Vec<Value>>> {
                let mut query = sqlx::query::<Self>(AssertSqlSafe(sql));
                for value in values {
                    query = match value {
                        Value::Int(it) => query.bind(it),
                        Value::Text(it) => query.bind(it),
                        Value::Flag(it) => query.bind(it),
                    };
                }
                let read = |row: <Self as Database>::Row| {
                    let columns = columns.iter().enumerate().map(|(at, of)| {
                        Ok(match of {
                            Of::Int => Value::Int(row.try_get(at)?),
                            Of::Text => Value::Text(row.try_get(at)?),
                            Of::Flag => Value::Flag(row.try_get(at)?),
                        })
                    });
                    columns.collect()
                };
                Box::pin(async move { query.fetch_all(to).await?.into_iter().map(read).collect() })
            }

            fn migrate(
                to: &mut Self::Connection,
            ) -> Pin<Box<dyn Future<Output = Result<(), MigrateError>> + Send + '_>> {
                Box::pin(async move { schema::migrator().run_direct(None, to, false).await })
            }
        }
    };
}

driver!(Sqlite, "sqlite", "BEGIN IMMEDIATE", Class::of_sqlite);
driver!(Postgres, "postgres", "BEGIN", |code, _| Class::of_postgres(code));

type Options<D> = <<D as Database>::Connection as Connection>::Options;

/// A database with the connections that are open to it.
pub(super) struct Held<D: Driver> {
    options: Options<D>,
    idle: Mutex<Vec<D::Connection>>,
    places: Semaphore,
}

impl<D: Driver> Held<D> {
    pub(super) fn new(options: Options<D>) -> Self {
        Self { options, idle: Mutex::default(), places: Semaphore::new(MOST) }
    }

    /// Takes a connection that is idle, or makes one; says whether it was used before.
    async fn lend(&self) -> Result<(D::Connection, bool), Fault> {
        let idle = self.idle.lock().pop();
        match idle {
            Some(connection) => Ok((connection, true)),
            None => Ok((self.connect().await?, false)),
        }
    }

    async fn connect(&self) -> Result<D::Connection, Fault> {
        match timeout(CONNECT, self.options.connect()).await {
            Err(_) => Err(Fault::late(CONNECT)),
            Ok(made) => made.map_err(|error| Fault::sorted(&error, D::class)),
        }
    }
}

impl<D: Driver> Engine for Held<D> {
    fn name(&self) -> &'static str {
        D::ENGINE
    }

    fn migrate(&self) -> Soon<'_, ()> {
        Box::pin(within(WRITE, async move {
            let _place = self.place().await;
            let (mut connection, used) = self.lend().await?;
            let made = D::migrate(&mut connection).await.map_err(|error| Fault::migrating(&error, D::class));
            self.settle(connection, used, made)
        }))
    }

    fn ask(&self, sql: Cow<'static, str>, values: Vec<Value>, columns: &'static [Of]) -> Soon<'_, Vec<Vec<Value>>> {
        Box::pin(within(ASK, async move {
            let _place = self.place().await;
            loop {
                let (mut connection, used) = self.lend().await?;
                let asked = D::rows(&mut connection, sql.clone(), values.clone(), columns).await;
                let asked = asked.map_err(|error| Fault::sorted(&error, D::class));
                match self.settle(connection, used, asked) {
                    // It may have been started again since it was last asked; those that were open before are closed now.
                    Err(fault) if used && fault.is_of_connection() => {}
                    asked => return asked,
                }
            }
        }))
    }

    fn write(&self, statements: Vec<Statement>) -> Soon<'_, u64> {
        Box::pin(within(WRITE, async move {
            let _place = self.place().await;
            let (mut connection, used) = self.lend().await?;
            let written = transaction::<D>(&mut connection, statements).await;
            self.settle(connection, used, written)
        }))
    }
}

/// Does something, the wait for its turn included, or gives up (ENG-2): its connection is closed then (ENG-1).
async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(Fault::late(limit)))
}

impl<D: Driver> Held<D> {
    /// Waits for a turn.
    async fn place(&self) -> SemaphorePermit<'_> {
        self.places.acquire().await.expect("it is never closed")
    }

    /// Keeps a connection whose work went well (ENG-1). What broke one has broken those that are as old: they are closed with it.
    fn settle<T>(&self, connection: D::Connection, used: bool, done: Result<T, Fault>) -> Result<T, Fault> {
        match &done {
            Ok(_) => self.idle.lock().push(connection),
            Err(fault) if used && fault.is_of_connection() => self.idle.lock().clear(),
            Err(_) => {}
        }
        done
    }
}

/// Does everything or nothing (ENG-3): whoever fails on the way has not committed, and its connection is closed.
async fn transaction<D: Driver>(to: &mut D::Connection, statements: Vec<Statement>) -> Result<u64, Fault> {
    let sort = |error: sqlx::Error| Fault::sorted(&error, D::class);
    D::run(to, D::BEGIN.into(), Vec::new()).await.map_err(sort)?;
    let mut changed = 0;
    for Statement { sql, values, changes } in statements {
        changed = D::run(to, sql, values).await.map_err(sort)?;
        if changes.is_some_and(|changes| changes != changed) {
            return Err(Fault::new(Class::Overtaken, "another reader has read on meanwhile"));
        }
    }
    D::run(to, "COMMIT".into(), Vec::new()).await.map_err(sort)?;
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn eng_2_a_turn_that_never_comes_is_waited_for_no_longer_than_an_answer() {
        let held = Held::<Sqlite>::new(SqliteConnectOptions::new());
        let _all = held.places.acquire_many(MOST as u32).await.expect("it is never closed");
        let late = |limit: Duration| Some(Fault::late(limit));
        assert_eq!(held.ask("SELECT 1".into(), Vec::new(), &[]).await.err(), late(ASK));
        assert_eq!(held.write(Vec::new()).await.err(), late(WRITE));
        assert_eq!(held.migrate().await.err(), late(WRITE));
    }
}
