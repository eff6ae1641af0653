//! Meaning: who says what the texts of a reference mean.

use anyhow::{Context, ensure};
use clap::Args;
use evenkeel_retrieval::Embedder as _;
use evenkeel_signals::reference::SAMPLE;

use super::files::Progress;
use crate::{
    cmd::index::embed::Asking,
    profile::plan::{Meant, Wishes},
};

/// Rows of a reference that are asked about, at most: its sample.
const MOST: u64 = SAMPLE as u64;

/// Who says what texts mean.
#[derive(Debug, Args)]
pub(super) struct Meanings {
    /// The base URL of a server that speaks the embeddings API of OpenAI, such as `http://127.0.0.1:8000/v1`: it is asked what the texts of
    /// drawn rows mean, 20,000 of a file at most, so that a route holds what its texts mean against that.
    #[arg(long, value_name = "URL", requires = "model", conflicts_with = "vectors")]
    embeddings: Option<String>,
    /// A column of lists of numbers that says what the text of its row means, in place of a server.
    #[arg(long, value_name = "COLUMN", requires = "model")]
    vectors: Option<String>,
    /// The model that says what texts mean: the route has to name the same.
    #[arg(long)]
    model: Option<String>,
}

impl Meanings {
    /// Adds what is said of meanings to what is wished, and returns whom to ask, where that is a server.
    ///
    /// # Errors
    /// The server cannot be asked, or says nothing: better known before all rows are read.
    pub(super) fn wish(&self, wishes: &mut Wishes) -> anyhow::Result<Option<Asking>> {
        let Some(model) = &self.model else { return Ok(None) };
        ensure!(!model.trim().is_empty(), "--model: the model has no name");
        let model = model.clone();
        if let Some(column) = &self.vectors {
            wishes.said.push((column.clone(), "--vectors"));
            wishes.meaning = Some(Meant::Column { column: column.clone(), model });
            return Ok(None);
        }
        let url = self
            .embeddings
            .as_ref()
            .context("--model says whose vectors they are: add --embeddings URL, or --vectors COLUMN")?;
        let mut asking = Asking::new(url, &model)?;
        let first = asking.embed(&["What does this mean?".to_owned()]).map_err(anyhow::Error::msg);
        let first = first.context("cannot ask what texts mean")?;
        let numbers = first.first().and_then(|it| u32::try_from(it.len()).ok()).context("the server has no vector")?;
        wishes.meaning = Some(Meant::Asked { numbers, model });
        Ok(Some(asking))
    }
}

/// Asks a server, and says how far that is.
pub(super) fn ask<'a>(
    asking: &'a mut Asking,
    progress: &'a Progress,
    (rows, files): (u64, usize),
) -> impl FnMut(&[String]) -> anyhow::Result<Vec<Vec<f32>>> + 'a {
    // So many of each file, of which nobody knows yet how many rows it has.
    let (most, mut asked) = (rows.min(MOST.saturating_mul(files as u64)), 0);
    move |texts: &[String]| {
        let vectors = asking.embed(texts).map_err(anyhow::Error::msg).context("cannot ask what texts mean")?;
        let before = asked;
        asked += texts.len() as u64;
        progress.asked((before, asked), most);
        Ok(vectors)
    }
}
