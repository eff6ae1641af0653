//! Place: where decisions are stored: a file, or a database whose address may hold a password.
//!
//! # Invariants
//! - `STO-5`: no message has anything of an address but host, port, database and user.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    ConnectOptions, Postgres, Sqlite,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::engine::{Engine, Held};

/// What may stand behind the `?` of an address. sqlx logs what it does not know, with its value.
const PARAMETERS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
];
/// How long SQLite waits for whoever writes: the gateway, while somebody else asks, or the other way round.
const BUSY: Duration = Duration::from_secs(5);

/// Where decisions are stored.
#[derive(Clone, Debug)]
pub struct Place(At);

#[derive(Clone)]
enum At {
    File { file: PathBuf, writes: bool },
    Server(Box<PgConnectOptions>),
}

impl Place {
    /// A file of SQLite, which is made where it is not.
    pub fn file(file: PathBuf) -> Self {
        Self(At::File { file, writes: true })
    }

    /// A file of SQLite, to be read alone.
    pub fn file_to_read(file: PathBuf) -> Self {
        Self(At::File { file, writes: false })
    }

    /// Says whether a text is an address of PostgreSQL, right or wrong.
    pub fn is_server(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads an address, `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// What is wrong with it, in words without the address.
    pub fn server(url: &str) -> Result<Self, String> {
        if !Self::is_server(url) {
            return Err("it does not begin with `postgres://`".into());
        }
        let behind = url.split_once('?').map_or("", |it| it.1);
        let named = behind.split('&').filter(|it| !it.is_empty()).map(|it| it.split('=').next().unwrap_or_default());
        if named.into_iter().any(|name| !PARAMETERS.contains(&name)) {
            // Not which: a `?` that is not escaped would make it part of a password.
            return Err(
                "behind its `?` is something that is not known; in a password `?` is %3F, and `&` is %26".into()
            );
        }
        let options = PgConnectOptions::from_str(url);
        let options = options.map_err(|_| "it cannot be read: special characters of a password are %-escaped")?;
        // PgBouncer takes no connection that says how floats are written.
        Ok(Self(At::Server(Box::new(options.application_name("evenkeel").extra_float_digits(None)))))
    }

    /// Returns the engine that answers there; nothing is opened before it is asked.
    pub(super) fn engine(&self) -> Arc<dyn Engine> {
        match &self.0 {
            At::File { file, writes } => {
                let options = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY).read_only(!writes);
                let options = match writes {
                    false => options,
                    // A commit that the power takes away is read again from its segment: the cursor went with it.
                    true => options
                        .create_if_missing(true)
                        .journal_mode(SqliteJournalMode::Wal)
                        .synchronous(SqliteSynchronous::Normal),
                };
                Arc::new(Held::<Sqlite>::new(options.disable_statement_logging()))
            }
            At::Server(options) => {
                Arc::new(Held::<Postgres>::new(PgConnectOptions::clone(options).disable_statement_logging()))
            }
        }
    }

    /// The same place, to be read alone.
    #[must_use]
    pub fn to_read(&self) -> Self {
        match &self.0 {
            At::File { file, .. } => Self::file_to_read(file.clone()),
            At::Server(_) => self.clone(),
        }
    }

    /// Returns the file, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            At::File { file, .. } => Some(file),
            At::Server(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            At::File { file, .. } => write!(f, "{}", file.display()),
            At::Server(it) => {
                let database = it.get_database().unwrap_or_else(|| it.get_username());
                match it.get_socket() {
                    Some(socket) => write!(f, "database {database} at {}", socket.display()),
                    None => write!(f, "database {database} at {}:{}", it.get_host(), it.get_port()),
                }
            }
        }
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Place(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sto_5_no_message_has_a_password() {
        let right = Place::server("postgresql://me:hush@db:5433/evidence?sslmode=require").expect("right");
        assert_eq!((right.to_string(), format!("{right:?}")), {
            let told = "database evidence at db:5433";
            (told.to_owned(), format!("Place({told})"))
        });
        for wrong in [
            "postgres://me:hush@db:many/x",
            "postgres://me:hush@db/x?sslmode=hush",
            "postgres://me:hush@db/x?hush=1",
            "postgres://me:hu?hush@db/x",
            "postgres://me:hush?#@db/x",
            "mysql://me:hush@db/x",
            "hush",
        ] {
            let why = Place::server(wrong).expect_err(wrong);
            assert!(!why.contains("hush"), "{wrong}: {why}");
        }
    }
}
