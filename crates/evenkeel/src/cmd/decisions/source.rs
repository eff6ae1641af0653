//! Source: where the records are that `evenkeel decisions` shows: with a gateway that runs, in a store, or in a file.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use evenkeel_api::{Decisions, Told};
use evenkeel_control::store::{Before, Fault, Place, Store, Wanted};
use jiff::Timestamp;

use crate::{client::look, cmd::runtime, output, wire};

/// The longest line of a file of records: G-111 allows 60 KiB.
const LINE: u64 = 1 << 20;

/// Where the records are.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The admin address of a running gateway, which holds its last 10,000 records, and asks its store for older ones.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090", conflicts_with_all = ["log", "config", "store"])]
    url: String,
    /// The configuration that it runs, whose `server.admin` is asked, in place of an address; where nobody answers there, its store
    /// is read.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["log", "store"])]
    config: Option<PathBuf>,
    /// A store, in place of a gateway: the file `evenkeel.db` of a `data_dir`, `postgres://…`, or `${env:NAME}` to keep a password out
    /// of the list of processes.
    #[arg(long, value_name = "PLACE", conflicts_with = "log")]
    store: Option<String>,
    /// A file with a record on each line, as `decisions list --json` prints them, in place of a gateway. Lines of another
    /// kind are passed over.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// What was found where it was looked for.
enum Asked {
    /// A gateway answered, with a status.
    Gateway(u16, Vec<u8>),
    /// Nobody did, and this is the store of its configuration.
    Store(Place),
}

impl Source {
    /// Finds those that are wanted, the newest first.
    pub(super) fn list(&self, wanted: &Wanted, query: &[(&str, String)]) -> anyhow::Result<Decisions> {
        if let Some(file) = &self.log {
            return Ok(cut(of_file(file)?, wanted));
        }
        if let Some(store) = &self.store {
            return listed(&place(store)?, wanted);
        }
        let query: Vec<_> = query.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        match self.ask(&format!("/api/v1/decisions?{}", query.join("&")))? {
            Asked::Store(place) => listed(&place, wanted),
            Asked::Gateway(200, body) => serde_json::from_slice(&body).context("cannot read what the gateway tells"),
            Asked::Gateway(status, body) => bail!("cannot list decisions: {}", self.refused(status, &body)),
        }
    }

    /// Finds one.
    pub(super) fn find(&self, id: &str) -> anyhow::Result<Option<Told>> {
        if let Some(file) = &self.log {
            return Ok(of_file(file)?.into_iter().rfind(|it| it.id() == id));
        }
        if let Some(store) = &self.store {
            return found(&place(store)?, id);
        }
        match self.ask(&format!("/api/v1/decisions/{}", encoded(id)))? {
            Asked::Store(place) => found(&place, id),
            Asked::Gateway(200, body) => {
                Ok(Some(serde_json::from_slice(&body).context("cannot read what the gateway tells")?))
            }
            Asked::Gateway(404, _) => Ok(None),
            Asked::Gateway(status, body) => bail!("cannot show a decision: {}", self.refused(status, &body)),
        }
    }

    fn refused(&self, status: u16, body: &[u8]) -> String {
        let why = String::from_utf8_lossy(body);
        format!("{} answered {status}: {}", self.named(), why.lines().next().unwrap_or_default())
    }

    fn ask(&self, path: &str) -> anyhow::Result<Asked> {
        let Some(config) = &self.config else {
            let at = self.url.trim_end_matches('/');
            let asked = runtime()?.block_on(look(&format!("{at}{path}")));
            let (status, body) = asked
                .with_context(|| format!("cannot ask {at}; `--url` names another gateway, `--store` its store"))?;
            return Ok(Asked::Gateway(status, body));
        };
        let loaded = wire::read(config);
        let deployment = loaded
            .deployment
            .with_context(|| format!("cannot read {}; `--url` names the admin plane", config.display()))?;
        let at = format!("http://{}", deployment.server.admin);
        let asked = runtime()?.block_on(look(&format!("{at}{path}")));
        let why = match asked {
            Ok((status, body)) => return Ok(Asked::Gateway(status, body)),
            Err(why) => why.context(format!("cannot ask {at}; `--url` names another gateway")),
        };
        let Some(place) = wire::place(&deployment).map_err(anyhow::Error::msg)? else { return Err(why) };
        output::note(format_args!("nobody answers at {at}: this is what {place} has"));
        Ok(Asked::Store(place.to_read()))
    }

    /// Names the gateway that is asked.
    fn named(&self) -> String {
        self.config.as_ref().map_or_else(|| self.url.clone(), |it| format!("the gateway of {}", it.display()))
    }

    /// Says where was looked.
    pub(super) fn words(&self) -> String {
        match (&self.log, &self.store) {
            (Some(file), _) => format!("in {}", file.display()),
            (None, Some(store)) => place(store).map_or_else(|_| "in the store".into(), |it| format!("in {it}")),
            (None, None) => format!("among the last ones of {}, nor in its store", self.named()),
        }
    }
}

/// Reads what names a store.
fn place(text: &str) -> anyhow::Result<Place> {
    let named = text.strip_prefix("${env:").and_then(|it| it.strip_suffix('}'));
    let text = match named {
        Some(name) => std::env::var(name).map_err(|_| anyhow!("environment variable `{name}` is not set"))?,
        None => text.to_owned(),
    };
    match Place::is_server(text.trim()) {
        true => Place::server(text.trim()).map_err(|why| anyhow!("cannot use the address of the store: {why}")),
        false => Ok(Place::file_to_read(text.into())),
    }
}

fn listed(place: &Place, wanted: &Wanted) -> anyhow::Result<Decisions> {
    let store = Store::new(place, Timestamp::now());
    let decisions = runtime()?.block_on(store.list(wanted)).map_err(|fault| unread(place, fault))?;
    Ok(cut(decisions, wanted))
}

fn found(place: &Place, id: &str) -> anyhow::Result<Option<Told>> {
    let store = Store::new(place, Timestamp::now());
    runtime()?.block_on(store.find(id)).map_err(|fault| unread(place, fault))
}

fn unread(place: &Place, fault: Fault) -> anyhow::Error {
    anyhow!("cannot read {place}: {fault}")
}

/// Leaves those that are wanted, the newest first, and says where they go on.
fn cut(mut decisions: Vec<Told>, wanted: &Wanted) -> Decisions {
    decisions.retain(|it| wanted.takes(it));
    decisions.sort_by(|a, b| (b.time().as_millisecond(), b.id()).cmp(&(a.time().as_millisecond(), a.id())));
    decisions.truncate(wanted.most());
    let next = decisions.last().filter(|_| decisions.len() == wanted.most()).map(|it| Before::of(it).to_string());
    Decisions { decisions, next, incomplete: None }
}

/// Reads the records of a file.
fn of_file(file: &Path) -> anyhow::Result<Vec<Told>> {
    let name = || format!("cannot read {}", file.display());
    let mut lines = BufReader::new(File::open(file).with_context(name)?);
    let mut records = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = (&mut lines).take(LINE).read_until(b'\n', &mut line).with_context(name)?;
        if read == 0 {
            return Ok(records);
        }
        records.extend(serde_json::from_slice::<Told>(&line).ok());
    }
}

/// Writes a name as a part of an address.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes().map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") }).collect()
}
