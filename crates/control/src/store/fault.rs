//! Fault: why a store did not do what was asked of it: a class for states and metrics, and words for people.
//!
//! # Invariants
//! - `STO-5`: neither has anything of an address but what the operator must know, and never a password.
//!
//! # Source
//! PostgreSQL's documentation, appendix A (SQLSTATE); SQLite's result codes, of which the last byte is the kind.

use std::{fmt, io, time::Duration};

use sqlx::{Error, migrate::MigrateError};

/// Why a store did not do what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which kind of reason it is.
    pub class: Class,
    /// The reason for people, without secrets.
    pub words: String,
}

/// Kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// There is no such database or table: nothing was written there yet.
    Absent,
    /// The connection broke before the answer was whole.
    Broken,
    /// Somebody else writes, for too long.
    Busy,
    /// Nobody listens, or the server is starting or going.
    Connect,
    /// What stands there is no database, or a broken one; or a file beside the segments is no such thing.
    Corrupt,
    /// User or password are refused.
    Credential,
    /// No room is left, on the disk or for connections.
    Full,
    /// The disk or the network says no.
    Io,
    /// It did not answer in time.
    Late,
    /// A newer version of Evenkeel has changed its tables.
    Newer,
    /// Another reader has read on meanwhile.
    Overtaken,
    /// The user may not.
    Privilege,
    /// It cannot be written.
    ReadOnly,
    /// It answers with an error of its own.
    Server,
}

impl Class {
    /// Returns its name, as states tell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Broken => "broken",
            Self::Busy => "busy",
            Self::Connect => "connect",
            Self::Corrupt => "corrupt",
            Self::Credential => "credential",
            Self::Full => "full",
            Self::Io => "io",
            Self::Late => "late",
            Self::Newer => "newer",
            Self::Overtaken => "overtaken",
            Self::Privilege => "privilege",
            Self::ReadOnly => "read_only",
            Self::Server => "server",
        }
    }

    /// Sorts what SQLite says.
    pub(super) fn of_sqlite(code: &str, message: &str) -> Self {
        match code.parse::<u32>().map_or(1, |code| code & 0xff) {
            5 | 6 => Self::Busy,
            3 => Self::Privilege,
            8 => Self::ReadOnly,
            10 => Self::Io,
            11 | 26 => Self::Corrupt,
            13 => Self::Full,
            14 => Self::Absent,
            _ if message.contains("no such table") => Self::Absent,
            _ => Self::Server,
        }
    }

    /// Sorts what PostgreSQL says, by its SQLSTATE.
    pub(super) fn of_postgres(state: &str) -> Self {
        match state {
            "57P01" | "57P02" | "57P03" | "57P05" => Self::Connect,
            "57014" => Self::Late,
            "25006" => Self::ReadOnly,
            "42501" => Self::Privilege,
            "42P01" | "3F000" | "3D000" => Self::Absent,
            // Two writers, of which one is told to come again.
            "40001" | "40P01" | "55P03" => Self::Busy,
            _ if state.starts_with("53") => Self::Full,
            _ if state.starts_with("28") => Self::Credential,
            _ if state.starts_with("08") => Self::Broken,
            _ => Self::Server,
        }
    }
}

impl Fault {
    pub(super) fn new(class: Class, words: impl Into<String>) -> Self {
        Self { class, words: words.into() }
    }

    /// Something took longer than it may.
    pub(super) fn late(limit: Duration) -> Self {
        Self::new(Class::Late, format!("no answer within {} s", limit.as_secs()))
    }

    /// A file that cannot be read or written.
    pub(super) fn of_file(what: &str, error: &io::Error) -> Self {
        let class = match error.kind() {
            io::ErrorKind::PermissionDenied => Class::Privilege,
            io::ErrorKind::ReadOnlyFilesystem => Class::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Class::Full,
            io::ErrorKind::InvalidData => Class::Corrupt,
            _ => Class::Io,
        };
        Self::new(class, format!("{what}: {error}"))
    }

    /// Says whether another connection may do better: the server was reached before, and may have been started again since.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(self.class, Class::Broken | Class::Connect)
    }

    /// Sorts an error, by what the engine means by its codes.
    pub(super) fn sorted(error: &Error, class: impl Fn(&str, &str) -> Class) -> Self {
        match error {
            Error::Database(said) => {
                let class = class(said.code().as_deref().unwrap_or_default(), said.message());
                Self::new(class, format!("the store says: {}", said.message()))
            }
            Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused => {
                Self::new(Class::Connect, format!("no connection: {io}"))
            }
            Error::Io(io) => Self::new(Class::Broken, format!("the connection broke: {io}")),
            Error::Tls(tls) => Self::new(Class::Connect, format!("no TLS session: {tls}")),
            Error::WorkerCrashed => Self::new(Class::Broken, "its thread ended"),
            other => Self::new(Class::Server, other.to_string()),
        }
    }

    /// Sorts what keeps the tables from being made.
    pub(super) fn migrating(error: &MigrateError, class: impl Fn(&str, &str) -> Class) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::sorted(error, class),
            MigrateError::VersionMissing(version) => Self::new(
                Class::Newer,
                format!("its tables are of version {version}, which this Evenkeel does not know: take a newer one"),
            ),
            other => Self::new(Class::Server, other.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_is_sorted_by_its_code() {
        for (code, class) in [
            ("13", Class::Full),
            ("8", Class::ReadOnly),
            ("1032", Class::ReadOnly),
            ("261", Class::Busy),
            ("14", Class::Absent),
            ("26", Class::Corrupt),
            ("4874", Class::Io),
            ("1", Class::Server),
            ("x", Class::Server),
        ] {
            assert_eq!(Class::of_sqlite(code, "near \"x\""), class, "{code}");
        }
        assert_eq!(Class::of_sqlite("1", "no such table: decisions"), Class::Absent);
        for (state, class) in [
            ("25006", Class::ReadOnly),
            ("53100", Class::Full),
            ("53300", Class::Full),
            ("28P01", Class::Credential),
            ("57P03", Class::Connect),
            ("42P01", Class::Absent),
            ("42501", Class::Privilege),
            ("40001", Class::Busy),
            ("08006", Class::Broken),
            ("", Class::Server),
        ] {
            assert_eq!(Class::of_postgres(state), class, "{state}");
        }
    }
}
