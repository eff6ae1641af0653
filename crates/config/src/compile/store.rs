//! Where decisions are stored, as the control plane uses it.

use crate::{outside::Outside, schema::file, secret::Secret};

/// Where decisions are stored, to be found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionStore {
    /// Nowhere.
    Off,
    /// In a file of SQLite in `server.data_dir`.
    Sqlite,
    /// In a PostgreSQL: `postgres://[user[:password]@]host[:port]/database[?…]`.
    Postgres(Secret),
}

/// Compiles where decisions are stored.
pub(super) fn store(written: &str, outside: &Outside) -> DecisionStore {
    match written {
        file::STORE_OFF => DecisionStore::Off,
        file::STORE_SQLITE => DecisionStore::Sqlite,
        reference => DecisionStore::Postgres(outside.secret(reference)),
    }
}
