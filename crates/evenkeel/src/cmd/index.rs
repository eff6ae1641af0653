//! `evenkeel index`: the document index of a `retrieval` path: built of a folder, and asked.

pub(in crate::cmd) mod embed;
mod measure;
mod place;

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use evenkeel_retrieval::{Built, Embedder, Folder, Hit, Language, Left, Progress, Synonyms, With};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;

use self::{
    embed::Embeddings,
    measure::Measure,
    place::{NoBuild, Place},
};
use super::counted;
use crate::output;

/// Files after which a line is printed where no bar can be: words of so many are indexed, or meanings told, in some ten seconds.
const LINE: usize = 10_000;
const EMBEDDED_LINE: usize = 50;

/// Builds the document index of a `retrieval` path, and asks it.
#[derive(Debug, Args)]
pub(super) struct Index {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes an index of a folder of documents, or brings it up to date: what has not changed is not indexed again.
    ///
    /// Markdown (.md), HTML (.html), plain text (.txt) and lines of JSON (.jsonl) are read. A document says when it was verified
    /// (`verified_at`), at its head or in a `defaults.json` of its folder; what nobody has verified, or has expired, never answers.
    /// Exit code 0: every document is in; 1: some are not, each named with its reason, and the others are; 2: there is no index.
    Build(Build),
    /// Prints what an index finds for a question, with the confidence that `min_score` is compared with.
    Search(Search),
    /// Puts questions to an index whose answers are known, and prints how many are found, and how many others declined.
    Measure(Measure),
}

#[derive(Debug, Args)]
struct Build {
    /// The folder of documents.
    folder: PathBuf,
    /// The folder of the index; it is made where it is not there. Or a database: `postgres://…`, or `${env:NAME}` to keep a password
    /// out of the list of processes.
    #[arg(short, long, value_name = "INDEX")]
    output: String,
    /// The table in that database, `name` or `schema.name`, `documents` where it is not said; it is made where it is not there.
    #[arg(long)]
    table: Option<String>,
    /// The language of documents that do not say theirs, by its code in ISO 639-1.
    #[arg(long, default_value = "en")]
    language: String,
    /// A file of synonyms: `folder, directory` for what says the same, `get rid of => remove` for what users say for what the
    /// documents say.
    #[arg(long, value_name = "FILE")]
    synonyms: Option<PathBuf>,
    #[command(flatten)]
    embeddings: Embeddings,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Search {
    /// The folder of the index, or a database, as `index build` has it.
    index: String,
    /// The table in that database, `documents` where it is not said.
    #[arg(long)]
    table: Option<String>,
    /// The question.
    #[arg(required = true)]
    words: Vec<String>,
    /// How many documents to print.
    #[arg(long, default_value_t = 3)]
    most: usize,
    #[command(flatten)]
    embeddings: Embeddings,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Index {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::Build(build) => build.run(),
            Verb::Search(search) => search.run(),
            Verb::Measure(measure) => measure.run(),
        }
    }
}

impl Build {
    fn run(self) -> anyhow::Result<ExitCode> {
        let language = Language::of(&self.language);
        anyhow::ensure!(language.code() != "und", "cannot index in `{}`: no such language is known", self.language);
        anyhow::ensure!(self.folder.is_dir(), "cannot read {}: it is no folder", self.folder.display());
        let place = Place::read(&self.output, self.table.as_deref())?;
        let bar = self.bar();
        let folder = Folder { path: self.folder.clone(), language };
        let mut embedder = self.embeddings.client()?;
        let with = With {
            now: Timestamp::now().as_second(),
            synonyms: self.synonyms()?,
            embedder: embedder.as_mut().map(|it| it as &mut dyn Embedder),
        };
        let line = if with.embedder.is_some() { EMBEDDED_LINE } else { LINE };
        let built = place.build(&folder, with, |at| tell(&bar, line, at));
        bar.finish_and_clear();
        let built = match built {
            Err(NoBuild::Nothing(left)) => {
                left.iter().for_each(say);
                anyhow::bail!("cannot make {place}: {} has no document to index", self.folder.display());
            }
            Err(NoBuild::Failed(why)) => return Err(why.context(format!("cannot make {place}"))),
            Ok(built) => built,
        };
        let wrong = built.left.iter().filter(|it| it.why.is_wrong()).count();
        if self.json {
            output::whoever_reads(output::line(report(&built, wrong == 0)))?;
        } else {
            built.left.iter().for_each(say);
            output::whoever_reads(output::text(summary(&built, &place, wrong)))?;
        }
        Ok(ExitCode::from(u8::from(wrong > 0)))
    }

    fn synonyms(&self) -> anyhow::Result<Synonyms> {
        let Some(path) = &self.synonyms else { return Ok(Synonyms::default()) };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Synonyms::parse(&text).with_context(|| format!("{} is no file of synonyms", path.display()))
    }

    /// A bar where somebody sees it.
    fn bar(&self) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {per_sec}, {eta} left");
        bar.set_style(style.expect("the template is right"));
        bar
    }
}

/// Says what a build did, on lines.
fn summary(built: &Built, place: &Place, wrong: usize) -> String {
    let Built { documents, added, changed, removed, kept, expired, future, left, bytes, languages, anew } = built;
    let mut lines = Vec::from_iter(anew.as_ref().map(|why| format!("built anew: {why}")));
    let languages: Vec<_> = languages.iter().map(|(code, number)| format!("{number} {code}")).collect();
    lines.push(format!(
        "{place}: {} ({}), {:.1} MiB: {added} new, {changed} changed, {removed} removed, {kept} as they were",
        counted(usize::try_from(*documents).unwrap_or(usize::MAX), "document"),
        languages.join(", "),
        *bytes as f64 / f64::from(1 << 20),
    ));
    let unsaid = [(expired, "expired and never answer"), (future, "say that they will be verified only later")];
    let unsaid = unsaid.into_iter().filter(|(number, _)| **number > 0);
    lines.extend(unsaid.map(|(number, what)| format!("of these, {number} {what}")));
    if !left.is_empty() {
        lines.push(format!("left out: {}, {wrong} of them to be mended", left.len()));
    }
    lines.join("\n") + "\n"
}

/// Says how far a build is: on the bar, or now and then on a line.
fn tell(bar: &ProgressBar, line: usize, at: Progress) {
    bar.set_length(at.of as u64);
    bar.set_position(at.read as u64);
    if bar.is_hidden() && at.read > 0 && at.read.is_multiple_of(line) {
        output::note(format_args!("{} of {} files", at.read, at.of));
    }
}

/// Names what was left out.
fn say(left: &Left) {
    output::note(format_args!("{}: left out: {}", left.place, left.why));
}

fn report(built: &Built, ok: bool) -> serde_json::Value {
    let left = built.left.iter();
    let left = left.map(|it| json!({"place": it.place, "why": it.why.to_string(), "wrong": it.why.is_wrong()}));
    let left: Vec<_> = left.collect();
    let Built { documents, added, changed, removed, kept, expired, future, bytes, languages, anew, .. } = built;
    json!({
        "ok": ok, "documents": documents, "added": added, "changed": changed, "removed": removed, "kept": kept,
        "expired": expired, "future": future,
        "bytes": bytes, "languages": languages, "anew": anew, "left": left,
    })
}

impl Search {
    fn run(self) -> anyhow::Result<ExitCode> {
        let place = Place::read(&self.index, self.table.as_deref())?;
        let question = self.words.join(" ");
        let index = place.open().context("cannot search")?;
        let vector = match self.embeddings.client_of((&place, &index))? {
            Some(mut it) => it.embed(std::slice::from_ref(&question)).map_err(anyhow::Error::msg)?.pop(),
            None => None,
        };
        let now = Timestamp::now().as_second();
        let hits = index.search((&question, vector.as_deref()), now, self.most).context("cannot search")?;
        if self.json {
            let hit = |it: &Hit| json!({"id": it.id, "title": it.title, "source": it.source, "confidence": it.confidence, "passage": it.passage});
            output::line(json!({"hits": hits.iter().map(hit).collect::<Vec<_>>()}))?;
        } else {
            if hits.is_empty() {
                output::note("no document has a word of it");
            }
            for hit in &hits {
                let Hit { confidence, id, title, source, passage, .. } = hit;
                output::line(format_args!("{confidence:.3}  {id}  {title}  ({source})\n{passage}\n"))?;
            }
        }
        Ok(ExitCode::from(u8::from(hits.is_empty())))
    }
}
