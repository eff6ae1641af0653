//! Link: the connection of a build, which waits for the server on the thread that builds.

use sqlx::{
    AssertSqlSafe, ConnectOptions, PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    fault::Fault,
    target::{Table, Target},
};

/// A statement that is not run yet.
pub(super) type Statement = Query<'static, Postgres, PgArguments>;

/// A connection, and the names of the tables.
pub(super) struct Link {
    runtime: Runtime,
    connection: PgConnection,
    pub(super) table: Table,
    /// Statements stay prepared.
    keeps: bool,
}

impl Link {
    pub(super) fn connect(target: &Target) -> Result<Self, Fault> {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let options = target.options.clone().disable_statement_logging();
        let connection = runtime.block_on(options.connect()).map_err(Fault::connecting)?;
        Ok(Self { runtime, connection, table: target.table.clone(), keeps: target.keeps })
    }

    /// Runs statements with nothing to say.
    pub(super) fn run(&mut self, statements: &str) -> Result<(), Fault> {
        let statements = sqlx::raw_sql(AssertSqlSafe(self.table.write(statements)));
        Ok(self.runtime.block_on(statements.execute(&mut self.connection)).map(drop)?)
    }

    /// Writes a statement about the tables, to which values are bound then.
    pub(super) fn statement(&self, text: &str) -> Statement {
        sqlx::query(AssertSqlSafe(self.table.write(text))).persistent(self.keeps)
    }

    pub(super) fn execute(&mut self, statement: Statement) -> Result<(), Fault> {
        Ok(self.runtime.block_on(statement.execute(&mut self.connection)).map(drop)?)
    }

    pub(super) fn one(&mut self, statement: Statement) -> Result<PgRow, Fault> {
        Ok(self.runtime.block_on(statement.fetch_one(&mut self.connection))?)
    }

    pub(super) fn all(&mut self, statement: Statement) -> Result<Vec<PgRow>, Fault> {
        Ok(self.runtime.block_on(statement.fetch_all(&mut self.connection))?)
    }
}
