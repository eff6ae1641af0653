//! Schema: the tables, as migrations that are part of the program.
//!
//! Not by `sqlx::migrate!`: the macro would build sqlx and SQLite a second time, for the compiler.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Every version, by number: one text for both engines.
const VERSIONS: [(i64, &str, &str); 1] = [(1, "decisions", include_str!("../../migrations/0001_decisions.sql"))];

/// Returns what brings the tables of any earlier version to this one.
pub(super) fn migrator() -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(VERSIONS.map(migration).into())
}
