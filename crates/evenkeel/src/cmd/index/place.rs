//! Place: where an index is: a folder, or a table of a PostgreSQL database.

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use evenkeel_postgres::{self as postgres, Documents, Target};
use evenkeel_retrieval::{self as files, Built, Folder, Hit, Index, Left, Progress, With};
use tokio::runtime::Runtime;

/// How long a question that somebody types may wait for a database.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where an index is.
pub(super) enum Place {
    Folder(PathBuf),
    Table(Box<Target>),
}

/// Why nothing was built.
pub(super) enum NoBuild {
    /// There is nothing to build of; why each file is no document.
    Nothing(Vec<Left>),
    Failed(anyhow::Error),
}

impl Place {
    /// Reads a folder, or a URL, which may stand in the environment.
    pub(super) fn read(text: &str, table: Option<&str>) -> anyhow::Result<Self> {
        let named = text.strip_prefix("${env:").and_then(|it| it.strip_suffix('}'));
        let url = match named {
            Some(name) => std::env::var(name).map_err(|_| anyhow!("environment variable `{name}` is not set"))?,
            None if Target::is_meant(text) => text.to_owned(),
            None if table.is_some() => anyhow::bail!("cannot use --table: `{text}` is a folder, and no database"),
            None => return Ok(Self::Folder(text.into())),
        };
        let target = Target::new(url.trim(), table.unwrap_or("documents")).map_err(|why| anyhow!(why));
        Ok(Self::Table(Box::new(target.context("cannot use the database")?)))
    }

    pub(super) fn build(&self, from: &Folder, with: With<'_>, tell: impl FnMut(Progress)) -> Result<Built, NoBuild> {
        match self {
            Self::Folder(folder) => files::build(from, folder, with, tell).map_err(|why| match why {
                files::BuildError::Nothing(_, left) => NoBuild::Nothing(left),
                why => NoBuild::Failed(why.into()),
            }),
            Self::Table(target) => postgres::build(from, target, with, tell).map_err(|why| match why {
                postgres::BuildError::Nothing(_, left) => NoBuild::Nothing(left),
                why => NoBuild::Failed(why.into()),
            }),
        }
    }

    /// Opens it, to be asked.
    pub(super) fn open(&self) -> anyhow::Result<Opened> {
        Ok(match self {
            Self::Folder(folder) => Opened::Folder(Index::open(folder)?),
            Self::Table(target) => {
                let documents = Box::new(Documents::new(Target::clone(target), 1, PATIENCE));
                Opened::Table { documents, target: target.clone(), runtime: super::super::runtime()? }
            }
        })
    }
}

/// An index that can be asked.
pub(super) enum Opened {
    Folder(Index),
    Table { documents: Box<Documents>, target: Box<Target>, runtime: Runtime },
}

impl Opened {
    /// Says why it cannot be searched with the vectors of a model, where that is known before it is.
    pub(super) fn is_not_of(&self, model: &str) -> Option<String> {
        match self {
            Self::Folder(index) => index.is_not_of(model),
            Self::Table { .. } => None,
        }
    }

    /// Returns the model of its vectors, where it has some and says so before it is searched.
    pub(super) fn model(&self) -> Option<&str> {
        match self {
            Self::Folder(index) => index.model(),
            Self::Table { .. } => None,
        }
    }

    /// Searches by the words of a question, and by its vector, too, where one is given.
    pub(super) fn search(
        &self,
        (question, vector): (&str, Option<&[f32]>),
        now: i64,
        most: usize,
    ) -> anyhow::Result<Vec<Hit>> {
        match self {
            Self::Folder(index) => Ok(index.search_with((question, vector), now, most)?),
            Self::Table { documents, target, runtime } => {
                let found = runtime.block_on(documents.search((question, vector), now));
                let found = found.with_context(|| target.to_string())?;
                if let Some(why) = found.words_alone().filter(|_| vector.is_some()) {
                    anyhow::bail!("{target}: {why}");
                }
                Ok(found.judge(most))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Table(target) => target.fmt(f),
        }
    }
}
