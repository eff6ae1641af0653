//! Document: a YAML file of another kind, held against the schema of its own types, which may hold a configuration.
//!
//! What a scenario of the simulator says is read here, in the words and with the care of a configuration; what it means
//! is its owner's. A configuration inside of it is checked and compiled as one that stands alone.
//!
//! # Invariants
//! - `DOC-1`: what is returned has no mistake; everything that is wrong is reported at once.

use std::{path::Path, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    check::Checks,
    compile::{Deployment, compile},
    diagnostic::{Diagnostic, Severity},
    report::Report,
    schema::file::File,
    shape::{Shape, Shaped},
    tree::{self, Key},
};

/// A configuration that stands in another file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Configuration(File);

/// What is wrong with a document, as it is found.
#[derive(Debug)]
pub struct Findings<'a>(Report<'a>);

impl Findings<'_> {
    /// Reports a mistake at a key, unless something was said of it already.
    pub fn error(&mut self, code: &'static str, key: &Key, message: impl Into<String>, hint: impl Into<String>) {
        self.0.error(code, key, message, hint);
    }

    /// Says whether a key is written.
    pub fn is_written(&self, key: &Key) -> bool {
        self.0.is_written(key)
    }

    /// Compiles the configuration that stands at a key; none where something is wrong with it. Relative paths start from
    /// `base`.
    pub fn deployment(&mut self, key: &Key, it: &Configuration, base: &Path) -> Option<Arc<Deployment>> {
        let (found, outside) = Checks::run(&it.0, self.0.part(key), base);
        let broken = found.iter().any(|it| it.severity == Severity::Error) || self.0.doubts_within(key);
        self.0.include(found);
        (!broken).then(|| Arc::new(compile(it.0.clone(), &outside)))
    }
}

/// Reads a document under the name that its diagnostics shall show: `check` takes what it says, adds what else is wrong
/// with it, and returns what it means. `hint` is for a text that is no document at all.
///
/// # Errors
/// Everything that is wrong with it, in its order.
pub fn read_document<T: DeserializeOwned + JsonSchema, R>(
    name: &str,
    text: &str,
    hint: &str,
    check: impl FnOnce(T, &mut Findings<'_>) -> Option<R>,
) -> Result<R, Vec<Diagnostic>> {
    let tree = tree::parse(text).map_err(|unreadable| vec![unreadable.diagnostic(name, hint)])?;
    let schema = schemars::schema_for!(T).to_value();
    let Shaped { value, found, doubts } = Shape::check(name, &schema, &tree);
    let content = serde_json::from_value(value).expect("SHAPE-1");
    let mut findings = Findings(Report::new(name, &tree, doubts, found));
    let meant = check(content, &mut findings);
    let found = findings.0.finish();
    let broken = found.iter().any(|it| it.severity == Severity::Error);
    meant.filter(|_| !broken).ok_or(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{load_text, schema::scalar::Duration};

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Script {
        /// How long.
        length: Duration,
        /// What runs.
        config: Configuration,
    }

    const CONFIG: &str = "
  version: 1
  upstreams:
    big: {protocol: openai, url: \"http://127.0.0.1:1/v1\"}
  routes:
    chat: {protocol: openai-chat, tiers: [{name: primary, openai: {upstream: big, model: m}}]}
";

    fn read(text: &str) -> Result<Arc<Deployment>, Vec<Diagnostic>> {
        read_document("s.yaml", text, "write a script", |script: Script, findings| {
            let key = Key::default();
            if script.length > Duration::seconds(60) {
                findings.error("too-long", &key.field("length"), "longer than a minute", "make it shorter");
            }
            findings.deployment(&key.field("config"), &script.config, Path::new("."))
        })
    }

    #[test]
    fn a_configuration_inside_compiles_as_one_that_stands_alone() {
        let inside = read(&format!("length: 30s\nconfig:{CONFIG}")).expect("nothing is wrong");
        let alone = load_text("e.yaml", CONFIG, Path::new(".")).deployment.expect("nothing is wrong");
        assert_eq!(inside.revision, alone.revision);
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_own_line_and_the_whole_key() {
        let broken = CONFIG.replace("upstream: big", "upstream: bigg").replace("url:", "urll:");
        let found = read(&format!("length: 2m\nlenght: 3s\nconfig:{broken}")).expect_err("four mistakes");
        let found: Vec<_> = found.iter().map(|it| (it.code, it.line, it.key.as_str())).collect();
        let expected = [
            ("too-long", 1, "length"),
            ("unknown-key", 2, "lenght"),
            ("url-or-urls", 6, "config.upstreams.big"),
            ("unknown-key", 6, "config.upstreams.big.urll"),
            ("last-tier-can-fail", 8, "config.routes.chat.tiers[0]"),
            ("unknown-upstream", 8, "config.routes.chat.tiers[0].openai.upstream"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_missing_is_said_once() {
        let found = read("length: soon\n").expect_err("two mistakes");
        assert_eq!(found.iter().map(|it| it.code).collect::<Vec<_>>(), ["missing-key", "bad-value"]);
        assert!(read("[").expect_err("no YAML")[0].hint.contains("write a script"));
    }
}
