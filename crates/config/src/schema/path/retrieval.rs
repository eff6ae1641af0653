//! `retrieval`: the passages of verified documents that fit a question, searched in this process or in a database.

mod postgres;

use std::{borrow::Cow, path::PathBuf};

use evenkeel_core::{Added, Features, MILLISECOND, Nanos, SECOND};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::postgres::Postgres;
use super::{Kind, PathKind, Site, Target, openai::Openai};
use crate::{
    check::Checks,
    outside::Outside,
    schema::{
        route::RouteProtocol,
        scalar::{Duration, Ratio},
        tier::Method,
        upstream::UpstreamProtocol,
    },
    tree::Key,
};

/// What stands before the messages where a model answers by passages: at most three of 1,600 bytes, each with up to 200 of an id, a
/// title and a source, below an instruction of some 230; at four bytes a token. At least the instruction and the shortest passage; at
/// eight bytes a token, as what a request needs of a window is estimated.
const PASSAGES: Added = Added { least: 30, most: 1_420 };
/// The file of an index that names all the others with their checksums: who knows it knows the index.
const NAMES_ALL: &str = "index.json";

/// The passages of verified documents that fit a question, searched in this process or in a database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Retrieval")]
pub(crate) struct Block {
    /// The folder of the index, as `evenkeel index build` makes it; a relative path starts from the configuration's folder. Exactly
    /// one of `index` and `postgres` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// The documents in a PostgreSQL database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    postgres: Option<postgres::Block>,
    /// The least confidence with which a document answers; below it the next tier is asked. `evenkeel index measure`
    /// says, of questions with known answers, how many are answered and how many are declined; `evenkeel index search` shows the
    /// confidence of one.
    #[serde(default = "half")]
    min_score: Ratio,
    /// What is answered, where no model is named under `augment`.
    #[serde(default)]
    answer: Answer,
    /// A model that gets the passages before the messages and answers in its own words; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    augment: Option<Openai>,
    /// Who says what a question means, where the documents were built with `--embeddings`; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    embeddings: Option<Asked>,
    /// How many questions are searched for at once, each on a thread.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 256))]
    threads: u16,
}

/// Who says what a question means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RetrievalEmbeddings")]
pub(crate) struct Asked {
    /// The upstream that runs the model.
    upstream: String,
    /// Its name there, for questions; it may be another than that for documents, where the model tells them apart.
    model: String,
    /// How long the answer may take, never more than half of what is left to the attempt; after that documents are found by
    /// their words alone.
    #[serde(default = "short")]
    timeout: Duration,
}

/// What a retrieval path answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The passages as they stand in the documents, each with its source.
    #[default]
    Extract,
}

/// Documents, and what is made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// Where they are.
    pub documents: Documents,
    /// The least confidence with which a document answers, in thousandths.
    pub min_score_permille: u16,
    /// How many questions are searched for at once, each on a thread.
    pub threads: u16,
    /// The model that answers with the passages before it; without one they are quoted.
    pub augment: Option<Openai>,
    /// Who says what a question means.
    pub embeddings: Option<Embeddings>,
}

/// Who says what a question means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embeddings {
    /// The upstream that runs the model.
    pub upstream: String,
    /// Its name there.
    pub model: String,
    /// How long the answer may take, in nanoseconds.
    pub timeout: Nanos,
}

/// Where documents are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Documents {
    /// An index, as it was when the configuration was read.
    Index {
        /// Its folder.
        folder: PathBuf,
        /// SHA-256 of its `index.json`; another index is another revision.
        sha256: [u8; 32],
    },
    /// A table.
    Postgres(Postgres),
}

impl Block {
    fn names_all(&self) -> Option<String> {
        self.index.as_ref().map(|index| format!("{}/{NAMES_ALL}", index.trim_end_matches('/')))
    }

    /// Checks that the documents are in one place.
    fn place(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        let hint = "`evenkeel index build` makes either";
        match (self.names_all(), &self.postgres) {
            (Some(index), None) => {
                let hint = "`evenkeel index build` makes it; a relative path starts from the configuration's folder";
                checks.made(&key.field("index"), &index, hint);
            }
            (None, Some(postgres)) => {
                postgres.check(&key.field("postgres"), site.route.deadline().nanos(), checks);
            }
            (None, None) => checks.error("missing-key", key, "`index` or `postgres` is missing", hint),
            (Some(_), Some(_)) => {
                checks.error("index-or-postgres", key, "exactly one of `index` and `postgres` belongs here", hint);
            }
        }
    }
}

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::OpenaiChat]);
        self.place(key, site, checks);
        let augment = self.augment.iter().map(|it| ("augment", &it.upstream, &it.model));
        let embeddings = self.embeddings.iter().map(|it| ("embeddings", &it.upstream, &it.model));
        for (name, upstream, model) in augment.chain(embeddings) {
            let key = key.field(name);
            checks.upstream(&key.field("upstream"), upstream, &[UpstreamProtocol::Openai]);
            let hint = "write the name the upstream knows";
            checks.not_empty(&key.field("model"), model, "the model has no name", hint);
        }
    }

    fn ready(&self, _: Site<'_>, outside: &Outside) -> Kind {
        let index = |names_all: String| {
            let file = outside.file(&names_all);
            let folder = file.path.parent().map(PathBuf::from).unwrap_or_default();
            Documents::Index { folder, sha256: file.sha256 }
        };
        let documents = match &self.postgres {
            Some(postgres) => Documents::Postgres(postgres.ready(outside)),
            None => index(self.names_all().expect("checked: one of both is there")),
        };
        Kind::Retrieval(Retrieval {
            documents,
            min_score_permille: self.min_score.0,
            threads: self.threads,
            augment: self.augment.clone(),
            embeddings: self.embeddings.as_ref().map(|it| Embeddings {
                upstream: it.upstream.clone(),
                model: it.model.clone(),
                timeout: it.timeout.nanos(),
            }),
        })
    }

    fn target(&self) -> Target<'_> {
        self.augment.as_ref().map_or(Target::Model, |it| Target::Upstream(&it.upstream))
    }

    fn also(&self) -> Option<&str> {
        self.embeddings.as_ref().map(|it| it.upstream.as_str())
    }

    fn model(&self) -> Option<&str> {
        self.augment.as_ref().map(|it| it.model.as_str())
    }

    /// The words of a question go to a database, to whoever says what they mean, or to a model.
    fn leaves(&self) -> bool {
        self.postgres.is_some() || self.embeddings.is_some() || matches!(self.target(), Target::Upstream(_))
    }

    fn file(&self) -> Option<(&'static str, Cow<'_, str>)> {
        Some(("index", self.names_all()?.into()))
    }

    fn need(&self) -> Nanos {
        // A database is asked once it is known what the question means.
        let meaning = self.embeddings.as_ref().map_or(0, |it| it.timeout.nanos());
        let search = self.postgres.as_ref().map_or(500 * MILLISECOND, |it| it.timeout() + meaning);
        if self.augment.is_some() { 5 * SECOND } else { search }
    }

    /// It reads the words of the last question and quotes: it calls no tool that must be called, and writes no JSON. A model can
    /// what models can.
    fn features(&self) -> Features {
        if self.augment.is_some() { Features::ALL } else { Features::TOOLS.with(Features::N) }
    }

    fn added(&self) -> Added {
        if self.augment.is_some() { PASSAGES } else { Added::default() }
    }

    fn methods(&self) -> &'static [Method] {
        &[Method::Retrieval]
    }
}

fn half() -> Ratio {
    Ratio(500)
}

fn short() -> Duration {
    Duration(300_000_000)
}

fn one() -> u16 {
    1
}

#[cfg(test)]
mod tests {
    use super::Retrieval;
    use crate::{Kind, Loaded, load_text};

    /// Loads a route with a tier of this kind, in a folder with an index of this text.
    fn loaded(protocol: &str, retrieval: &str, index: &str) -> (Loaded, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("help")).expect("made");
        std::fs::write(folder.path().join("help/index.json"), index).expect("written");
        let text = format!(
            "version: 1\nroutes: {{r: {{protocol: {protocol}, tiers: [{{name: documents, retrieval: {retrieval}}}, {{name: d, fixed: \
             {{content: x}}}}]}}}}\n"
        );
        (load_text("e.yaml", &text, folder.path()), folder)
    }

    fn codes(protocol: &str, retrieval: &str) -> Vec<&'static str> {
        loaded(protocol, retrieval, "{}").0.diagnostics.iter().map(|it| it.code).collect()
    }

    #[test]
    fn an_index_is_checked_like_any_other_kind() {
        assert!(codes("openai-chat", "{index: ./help, min_score: 0.55, answer: extract, threads: 2}").is_empty());
        assert!(codes("openai-chat", "{index: help/}").is_empty());
        assert_eq!(codes("openai-chat", "{}"), ["missing-key"]);
        assert_eq!(codes("openai-chat", "{index: nowhere}"), ["missing-file"]);
        assert_eq!(codes("openai-chat", "{index: help, min_score: 1.5}"), ["out-of-range"]);
        assert_eq!(codes("openai-chat", "{index: help, answer: augment}"), ["unknown-word"]);
        assert_eq!(codes("openai-chat", "{index: help, threads: 0}"), ["out-of-range"]);
        assert_eq!(codes("openai-chat", "{index: help, augment: small}"), ["wrong-type"]);
        assert!(codes("openai-embeddings", "{index: help}").contains(&"not-a-vector"));
    }

    #[test]
    fn each_field_changes_what_the_gateway_gets_and_the_revision() {
        let read = |retrieval: &str, index: &str| {
            let (loaded, _folder) = loaded("openai-chat", retrieval, index);
            let deployment = loaded.deployment.expect("compiles");
            let Kind::Retrieval(Retrieval { min_score_permille, threads, .. }) = deployment.paths[0].kind else {
                panic!("{:?}", deployment.paths[0].kind)
            };
            (min_score_permille, threads, deployment.name())
        };
        let plain = read("{index: help}", "{}");
        assert_eq!((plain.0, plain.1), (500, 1));
        assert_eq!(
            plain,
            read("{index: ./help/, min_score: 0.5, answer: extract, threads: 1}", "{}"),
            "what is meant alike"
        );
        let others = [
            read("{index: help, min_score: 0.55}", "{}"),
            read("{index: help, threads: 2}", "{}"),
            read("{index: help}", "{ }"),
        ];
        assert_eq!((others[0].0, others[1].1), (550, 2));
        assert!(others.iter().all(|other| other.2 != plain.2), "another index is another revision");
    }
}
