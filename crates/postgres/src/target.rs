//! Target: which table of which database, read from a URL that may hold a password.
//!
//! # Invariants
//! - `PG-3`: no message has anything of the URL but host, port, database and user.

use std::{fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;

/// The longest name of a table, so that those beside it stay within PostgreSQL's 63 bytes.
const MOST_NAME: usize = 48;
/// What may stand behind the `?` of a URL. sqlx logs what it does not know, with its value.
const PARAMETERS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
];

/// A table of documents in a database.
#[derive(Clone)]
pub struct Target {
    pub(crate) options: PgConnectOptions,
    pub(crate) table: Table,
    /// Statements stay prepared on a connection; behind a pooler they would be somebody else's (`statement-cache-capacity=0`).
    pub(crate) keeps: bool,
}

/// The names of a table and of those beside it, as they stand in a statement.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    schema: Option<String>,
    name: String,
}

impl Target {
    /// Says whether a text is such a URL, right or wrong.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads a URL, `postgres://user:password@host:port/database`, and the name of a table, `name` or `schema.name`.
    ///
    /// # Errors
    /// What is wrong with either, in words without the URL.
    pub fn new(url: &str, table: &str) -> Result<Self, String> {
        if !Self::is_meant(url) {
            return Err("the URL does not begin with `postgres://`".into());
        }
        let behind = url.split_once('?').map_or("", |it| it.1);
        for parameter in behind.split('&').filter(|it| !it.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&name) {
                // A `#` or `@` that is not escaped would make it part of a password.
                let known = name.len() <= 32 && name.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it));
                let shown = if known { format!(" `{name}`") } else { String::new() };
                return Err(format!("the URL has a parameter{shown} that is not known"));
            }
        }
        let keeps = !behind.split('&').any(|it| it == "statement-cache-capacity=0");
        let options = PgConnectOptions::from_str(url);
        let options = options.map_err(|_| "the URL cannot be read: special characters of a password are %-escaped")?;
        // PgBouncer takes no connection that says how floats are written, which PostgreSQL does exactly since 12.
        let options = options.application_name("evenkeel").extra_float_digits(None);
        Ok(Self { options, table: Table::new(table)?, keeps })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = &self.options;
        let database = it.get_database().unwrap_or_else(|| it.get_username());
        match it.get_socket() {
            Some(socket) => write!(f, "table {} of {database} at {}", self.table, socket.display()),
            None => write!(f, "table {} of {database} at {}:{}", self.table, it.get_host(), it.get_port()),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

impl Table {
    fn new(table: &str) -> Result<Self, String> {
        let (schema, name) = match table.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, table),
        };
        let is_name = |it: &str| {
            let first = it.chars().next().is_some_and(|it| it.is_ascii_lowercase() || it == '_');
            first
                && it.len() <= MOST_NAME
                && it.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
        };
        if !is_name(name) || !schema.is_none_or(is_name) {
            return Err(format!(
                "`{table}` is no name of a table: lower case letters, digits and `_`, at most {MOST_NAME}, after a schema and a dot \
                 if need be"
            ));
        }
        Ok(Self { schema: schema.map(str::to_owned), name: name.into() })
    }

    fn named(&self, suffix: &str) -> String {
        match &self.schema {
            Some(schema) => format!("\"{schema}\".\"{}{suffix}\"", self.name),
            None => format!("\"{}{suffix}\"", self.name),
        }
    }

    /// The documents.
    pub(crate) fn documents(&self) -> String {
        self.named("")
    }

    /// The words of all documents.
    pub(crate) fn words(&self) -> String {
        self.named("_words")
    }

    /// What the last build left.
    pub(crate) fn header(&self) -> String {
        self.named("_index")
    }

    /// What the passages of the documents mean.
    pub(crate) fn vectors(&self) -> String {
        self.named("_vectors")
    }

    /// Puts the names of the tables into a statement.
    pub(crate) fn write(&self, statement: &str) -> String {
        let statement = statement.replace("{documents}", &self.documents()).replace("{words}", &self.words());
        let statement = statement.replace("{header}", &self.header()).replace("{vectors}", &self.vectors());
        statement.replace("{name}", &self.name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "`{schema}.{}`", self.name),
            None => write!(f, "`{}`", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pg_3_no_message_has_a_password() {
        let right = Target::new("postgres://me:hush@db:5433/help?sslmode=require", "public.documents").expect("right");
        assert_eq!(right.to_string(), "table `public.documents` of help at db:5433");
        assert_eq!(format!("{right:?}"), "Target(table `public.documents` of help at db:5433)");
        for wrong in [
            "postgres://me:hush@db:many/help",
            "postgres://me:hush@db/help?sslmode=hush",
            "postgres://me:hush@db/help?hush=hush2&x",
            "postgres://me:hush?#@db/help",
            "postgres://me:hush@db/help?port=hush",
            "mysql://me:hush@db/help",
            "hush",
        ] {
            let why = Target::new(wrong, "documents").expect_err(wrong);
            assert!(!why.replace("a parameter `hush`", "").contains("hush"), "{wrong}: {why}");
        }
    }

    #[test]
    fn a_url_says_whether_statements_stay_prepared() {
        let keeps =
            |behind: &str| Target::new(&format!("postgres://db/help{behind}"), "documents").expect("right").keeps;
        assert!(keeps("") && keeps("?sslmode=disable&statement-cache-capacity=10"));
        assert!(!keeps("?sslmode=disable&statement-cache-capacity=0"));
    }

    #[test]
    fn a_table_has_a_plain_name() {
        let url = "postgres://db/help";
        for (name, right) in [
            ("documents", true),
            ("help.documents_2", true),
            ("", false),
            ("Documents", false),
            ("2", false),
            ("a.b.c", false),
            ("a\"; drop table x; --", false),
        ] {
            assert_eq!(Target::new(url, name).is_ok(), right, "{name}");
        }
        assert!(Target::new(url, &"a".repeat(49)).is_err());
        let table = Target::new(url, "help.docs").expect("right").table;
        assert_eq!(
            table.write("{documents} {words} {header}"),
            r#""help"."docs" "help"."docs_words" "help"."docs_index""#
        );
    }
}
