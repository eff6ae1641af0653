//! `retrieval.postgres`: a table of documents in a PostgreSQL database, as `evenkeel index build` fills it.

use evenkeel_core::MILLISECOND;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{check::Checks, outside::Outside, schema::scalar::Duration, secret::Secret, tree::Key};

/// The longest that a search may take.
const LONGEST: Duration = Duration::seconds(30);

/// A table of documents in a PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RetrievalPostgres")]
pub(crate) struct Block {
    /// Where the database is, `postgres://user:password@host:port/database`, a secret: `${env:NAME}` or `${file:PATH}`.
    /// `?sslmode=verify-full` encrypts and checks the server's name; without it the connection is encrypted where the server can.
    url: String,
    /// The table that `evenkeel index build` fills, `name` or `schema.name`.
    #[serde(default = "table")]
    table: String,
    /// How long a search may take, the connection included; a later one is a failure of the path.
    #[serde(default = "timeout")]
    timeout: Duration,
    /// How many connections there are at most, and so how many questions are searched for at once.
    #[serde(default = "connections")]
    #[schemars(range(min = 1, max = 256))]
    connections: u16,
}

/// A table of documents in a PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postgres {
    /// Where the database is.
    pub url: Secret,
    /// The table, `name` or `schema.name`.
    pub table: String,
    /// How long a search may take, in nanoseconds.
    pub timeout: u64,
    /// How many connections there are at most.
    pub connections: u16,
}

impl Block {
    pub(super) fn check(&self, key: &Key, deadline: u64, checks: &mut Checks<'_>) {
        checks.secret(&key.field("url"), &self.url);
        checks.not_empty(&key.field("table"), &self.table, "the table has no name", "write the name of a table");
        let (clock, timeout) = (key.field("timeout"), self.timeout.nanos());
        if timeout < MILLISECOND || self.timeout > LONGEST {
            checks.error("out-of-range", &clock, "no search takes so long", "write a time between 1ms and 30s");
        } else if timeout > deadline / 2 {
            let message =
                "a search may take more than half of the route's deadline, which the tiers before it need, too";
            checks.warning("order", &clock, message, "make it shorter");
        }
    }

    pub(super) fn ready(&self, outside: &Outside) -> Postgres {
        Postgres {
            url: outside.secret(&self.url),
            table: self.table.clone(),
            timeout: self.timeout.nanos(),
            connections: self.connections,
        }
    }

    /// How long a search may take, in nanoseconds.
    pub(super) fn timeout(&self) -> u64 {
        self.timeout.nanos()
    }
}

fn table() -> String {
    "documents".into()
}

fn timeout() -> Duration {
    Duration(500 * MILLISECOND)
}

fn connections() -> u16 {
    4
}

#[cfg(test)]
mod tests {
    use crate::{Documents, Kind, Loaded, load_text};

    fn loaded(retrieval: &str) -> Loaded {
        of_tier(&format!("retrieval: {retrieval}"), "")
    }

    /// Loads a route that says this, with a tier of these keys.
    fn of_tier(tier: &str, route: &str) -> Loaded {
        let text = format!(
            "version: 1\nroutes: {{r: {{protocol: openai-chat, deadline: 4s{route}, tiers: [{{name: documents, {tier}}}, {{name: d, \
             fixed: {{content: x}}}}]}}}}\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("url"), "postgres://me:hush@db/help").expect("written");
        load_text("e.yaml", &text, folder.path())
    }

    fn codes(retrieval: &str) -> Vec<&'static str> {
        loaded(retrieval).diagnostics.iter().map(|it| it.code).collect()
    }

    #[test]
    fn a_table_is_checked_like_an_index() {
        let url = "url: \"${file:url}\"";
        assert!(codes(&format!("{{postgres: {{{url}}}, min_score: 0.4}}")).is_empty());
        assert!(codes(&format!("{{postgres: {{{url}, table: help.docs, timeout: 2s, connections: 8}}}}")).is_empty());
        for (more, code) in [
            (", timeout: 100us", "out-of-range"),
            (", timeout: 31s", "out-of-range"),
            (", timeout: 3s", "order"),
            (", connections: 0", "out-of-range"),
            (", table: \"\"", "empty"),
            (", language: english", "unknown-key"),
        ] {
            assert_eq!(codes(&format!("{{postgres: {{{url}{more}}}}}")), [code], "{more}");
        }
        assert_eq!(codes("{postgres: {}}"), ["missing-key"]);
        assert_eq!(codes("{postgres: {url: \"postgres://me:hush@db/help\"}}"), ["plain-secret"]);
        assert_eq!(codes("{postgres: {url: \"${env:EVENKEEL_NO_SUCH_VARIABLE}\"}}"), ["missing-secret"]);
        assert_eq!(codes(&format!("{{index: help, postgres: {{{url}}}}}")), ["index-or-postgres"]);
    }

    #[test]
    fn each_field_changes_what_the_gateway_gets_and_the_url_is_never_shown() {
        let read = |more: &str| {
            let deployment =
                loaded(&format!("{{postgres: {{url: \"${{file:url}}\"{more}}}}}")).deployment.expect("compiles");
            let Kind::Retrieval(it) = &deployment.paths[0].kind else { panic!("{:?}", deployment.paths[0].kind) };
            let Documents::Postgres(postgres) = &it.documents else { panic!("{it:?}") };
            assert_eq!(postgres.url.reveal(), "postgres://me:hush@db/help");
            assert!(!format!("{:?}", deployment.paths[0].kind).contains("hush"));
            (postgres.clone(), deployment.revision.paths[0].need, deployment.name())
        };
        let (plain, need, name) = read("");
        assert_eq!(
            (plain.table.as_str(), plain.timeout, plain.connections, need),
            ("documents", 500_000_000, 4, 500_000_000)
        );
        let (other, ..) = read(", table: docs");
        assert_eq!(other.table, "docs");
        let (other, need, _) = read(", timeout: 800ms");
        assert_eq!((other.timeout, need), (800_000_000, 800_000_000), "F-027: what a search may take is kept for it");
        let (other, _, changed) = read(", connections: 9");
        assert_eq!(other.connections, 9);
        assert_ne!(changed, name);
    }

    #[test]
    fn f_027_what_a_question_means_is_asked_before_the_table_and_its_time_is_kept_too() {
        let url = "postgres: {url: \"${file:url}\", timeout: 800ms}";
        let need = |more: &str| {
            let text = format!(
                "version: 1\nupstreams: {{e: {{protocol: openai, url: \"http://127.0.0.1:1/v1\"}}}}\nroutes: {{r: {{protocol: openai-chat, \
                 tiers: [{{name: documents, retrieval: {{{url}{more}}}}}, {{name: d, fixed: {{content: x}}}}]}}}}\n"
            );
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("url"), "postgres://db/help").expect("written");
            let loaded = load_text("e.yaml", &text, folder.path());
            let codes: Vec<_> = loaded.diagnostics.iter().map(|it| it.code).collect();
            (codes, loaded.deployment.map(|it| it.revision.paths[0].need / 1_000_000))
        };
        assert_eq!(need(""), (vec!["unused"], Some(800)));
        assert_eq!(need(", embeddings: {upstream: e, model: m}"), (vec![], Some(1_100)));
        assert_eq!(need(", embeddings: {upstream: e, model: m, timeout: 1s}"), (vec![], Some(1_800)));
        let (codes, none) = need(", embeddings: {upstream: nowhere, model: m}");
        assert!(codes == ["unknown-upstream"] && none.is_none(), "{codes:?}");
    }

    #[test]
    fn f_036_what_is_asked_goes_to_the_database_and_so_only_where_the_route_lets_it() {
        let url = "retrieval: {postgres: {url: \"${file:url}\"}}";
        let regions = |tier: &str| {
            let loaded = of_tier(&format!("{url}{tier}"), ", residency: [eu]");
            let codes: Vec<_> = loaded.diagnostics.iter().map(|it| it.code).collect();
            (codes, loaded.deployment.expect("compiles").revision.paths[0].can.regions)
        };
        let (codes, unsaid) = regions("");
        assert!(codes == ["cannot-serve"] && unsaid != 0, "nobody knows where it is: {codes:?}");
        let (codes, said) = regions(", residency: [eu]");
        assert!(codes.is_empty() && said != unsaid, "{codes:?}");
    }
}
