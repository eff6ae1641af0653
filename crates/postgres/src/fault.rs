//! Fault: why a database did not do what was asked of it, in words, and as one of a few kinds.
//!
//! # Source
//! PostgreSQL's documentation, appendix A (SQLSTATE).

use std::fmt;

use sqlx::Error;

/// Why a database did not do what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which kind of reason it is.
    pub kind: Kind,
    /// The reason for people, without secrets.
    pub words: String,
}

/// Kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody listens, or the server is starting or going.
    Connect,
    /// The name of the server does not resolve.
    Name,
    /// No TLS session.
    Tls,
    /// User or password are refused.
    Credential,
    /// The user may not read, or not write.
    Privilege,
    /// There is no such database, table or column, or it was made by another version.
    Absent,
    /// It did not answer in time.
    Late,
    /// The connection broke before the answer was whole.
    Broken,
    /// What came is not PostgreSQL's protocol.
    Protocol,
    /// The server has no connection left.
    Full,
    /// It answers with an error of its own.
    Server,
}

impl Fault {
    pub(crate) fn new(kind: Kind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into() }
    }

    /// Says whether the server was reached before, and may not have begun: worth another connection.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self.kind, Kind::Broken | Kind::Connect)
    }

    /// The same of a connection that was just being made.
    pub(crate) fn connecting(error: Error) -> Self {
        match error {
            Error::Io(io) => {
                let text = io.to_string();
                // What rustls has against the server's certificate comes as data that is wrong.
                if io.kind() == std::io::ErrorKind::InvalidData {
                    return Self::new(Kind::Tls, format!("no TLS session: {text}"));
                }
                let name = text.contains("lookup address") || text.contains("resolve") || text.contains("not known");
                let kind = if name { Kind::Name } else { Kind::Connect };
                Self::new(kind, format!("no connection: {text}"))
            }
            other => other.into(),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::Database(said) => {
                let kind = of_state(said.code().as_deref().unwrap_or_default());
                Self::new(kind, format!("the server says: {}", said.message()))
            }
            Error::Io(io) => Self::new(Kind::Broken, format!("the connection broke: {io}")),
            Error::Tls(tls) => Self::new(Kind::Tls, format!("no TLS session: {tls}")),
            Error::Protocol(what) => {
                Self::new(Kind::Protocol, format!("what came is not PostgreSQL's protocol: {what}"))
            }
            Error::ColumnNotFound(_) | Error::ColumnDecode { .. } | Error::ColumnIndexOutOfBounds { .. } => {
                Self::new(Kind::Absent, format!("the table has other columns: {error}"))
            }
            Error::RowNotFound => Self::new(Kind::Absent, "no build has ended there yet"),
            other => Self::new(Kind::Server, other.to_string()),
        }
    }
}

/// Sorts what a server says by its SQLSTATE.
fn of_state(state: &str) -> Kind {
    match state {
        // It is starting, stopping, or was told to end us.
        "57P01" | "57P02" | "57P03" | "57P05" => Kind::Connect,
        "57014" => Kind::Late,
        "53300" => Kind::Full,
        "42501" => Kind::Privilege,
        "42P01" | "42703" | "3F000" | "3D000" | "42883" => Kind::Absent,
        _ if state.starts_with("28") => Kind::Credential,
        _ if state.starts_with("08") => Kind::Broken,
        _ => Kind::Server,
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
    fn what_a_server_says_is_sorted_by_its_state() {
        for (state, kind) in [
            ("28P01", Kind::Credential),
            ("28000", Kind::Credential),
            ("42501", Kind::Privilege),
            ("42P01", Kind::Absent),
            ("3D000", Kind::Absent),
            ("57014", Kind::Late),
            ("57P03", Kind::Connect),
            ("53300", Kind::Full),
            ("08006", Kind::Broken),
            ("XX000", Kind::Server),
            ("", Kind::Server),
        ] {
            assert_eq!(of_state(state), kind, "{state}");
        }
    }

    #[test]
    fn a_refused_connection_is_told_from_a_name_and_from_a_connection_that_broke() {
        let io = |text: &str| Error::Io(std::io::Error::other(text.to_owned()));
        assert_eq!(Fault::connecting(io("Connection refused (os error 111)")).kind, Kind::Connect);
        assert_eq!(
            Fault::connecting(io("failed to lookup address information: Name or service not known")).kind,
            Kind::Name
        );
        let untrusted = std::io::Error::new(std::io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer");
        assert_eq!(Fault::connecting(Error::Io(untrusted)).kind, Kind::Tls);
        assert_eq!(Fault::from(io("Connection reset by peer")).kind, Kind::Broken);
    }
}
