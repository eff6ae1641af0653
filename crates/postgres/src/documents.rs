//! Documents: the table that is searched, within a time that is kept whatever the server does.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    fault::{Fault, Kind},
    pool::Pool,
    search::{Candidates, Statements},
    target::Target,
};

/// How long the first connection may take to be of use.
const WARM: Duration = Duration::from_secs(10);

/// Documents in a table.
pub struct Documents {
    target: Target,
    pool: Pool,
    timeout: Duration,
    statements: Statements,
}

/// What there is to search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Documents, expired ones included.
    pub documents: u64,
    /// How many builds have changed something.
    pub generation: u64,
    /// Why it cannot be searched by what a question means; none where it can.
    pub words_alone: Option<String>,
}

impl Documents {
    /// Those of a table, over so many connections at most, each search within `timeout`. Nothing is asked of the server yet.
    pub fn new(target: Target, connections: u32, timeout: Duration) -> Self {
        let (pool, statements) = (Pool::new(&target.options, connections), Statements::new(&target, timeout));
        Self { target, pool, timeout, statements }
    }

    /// The same, where a model says what questions mean: vectors of another one are none that fit.
    #[must_use]
    pub fn asking(self, model: &str) -> Self {
        Self { statements: self.statements.asking(model), ..self }
    }

    /// Returns where they are, for people.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Finds the documents that may answer a question, by its words and, where its vector is there and fits those of the table, by what
    /// it means; those alone that are valid `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Whatever the server, or the way to it, may do. It is never later than the time of a search.
    pub async fn search(&self, question: (&str, Option<&[f32]>), now: i64) -> Result<Candidates, Fault> {
        let late = || Err(Fault::new(Kind::Late, format!("no answer within {} ms", self.timeout.as_millis())));
        timeout(self.timeout, self.ask(question, now)).await.unwrap_or_else(|_| late())
    }

    async fn ask(&self, question: (&str, Option<&[f32]>), now: i64) -> Result<Candidates, Fault> {
        let mut lent = self.pool.lend().await?;
        let mut found = self.statements.search(&mut lent.connection, question, now).await;
        // A search changes nothing: on a connection that was lost while it was idle it may be made a second time.
        if lent.used && found.as_ref().is_err_and(Fault::is_of_connection) {
            lent = lent.anew().await?;
            found = self.statements.search(&mut lent.connection, question, now).await;
        }
        if found.is_ok() {
            lent.give_back();
        }
        found
    }

    /// Makes a connection, prepares the statements on it, and says what there is to search.
    ///
    /// # Errors
    /// As [`Documents::search`], and that nothing was built there yet.
    pub async fn warm(&self) -> Result<Standing, Fault> {
        let warming = async {
            let mut lent = self.pool.lend().await?;
            let header = self.statements.standing(&mut lent.connection).await?;
            // Any question will do; what is prepared is the statement.
            let suited = self.statements.suited(&header.meant);
            let vector = suited.as_ref().ok().map(|it| vec![1.0; it.numbers]);
            self.statements.search(&mut lent.connection, ("evenkeel", vector.as_deref()), 0).await?;
            lent.give_back();
            let number = |it| u64::try_from(it).unwrap_or(0);
            Ok(Standing {
                documents: number(header.documents),
                generation: number(header.generation),
                words_alone: suited.err(),
            })
        };
        let late = || Err(Fault::new(Kind::Late, format!("no answer within {} s", WARM.as_secs())));
        timeout(WARM, warming).await.unwrap_or_else(|_| late())
    }
}
