//! Files: references as they lie on a disk, secrets, and how far a command is.

use std::{
    fs,
    io::{IsTerminal, Write},
    path::Path,
};

use anyhow::{Context, anyhow};
use evenkeel_signals::reference::{Keyed, Reference};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// Rows after which a line is printed where no bar can be.
const LINE: u64 = 1_000_000;
/// Texts likewise.
const TEXTS: u64 = 3_200;

/// Reads a reference.
///
/// # Errors
/// It cannot be read, or is none.
pub(super) fn reference(file: &Path) -> anyhow::Result<Reference> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Reference::decode(&bytes).map_err(|why| anyhow!("cannot read {}: {why}", file.display()))
}

/// Writes a file whole or not at all: whoever watches it never sees half of it.
pub(super) fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(bytes)?;
        readable(beside.as_file())?;
        beside.as_file().sync_all()?;
        beside.persist(file)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

/// A file that was made beside is its maker's alone: others may read this one as any that is written.
fn readable(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

/// Reads the delimiter of CSV.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [it] if *it != b'"' && *it != b'\n' => Ok(*it),
        b"\\t" => Ok(b'\t'),
        _ => Err("a delimiter is one ASCII character, or \\t".into()),
    }
}

/// Reads the key of private names, which never stands on the command line itself: others see that.
pub(super) fn key(text: &str) -> Result<Keyed, String> {
    let inside = |before: &str| text.strip_prefix(before).and_then(|it| it.strip_suffix('}'));
    let secret = match (inside("${env:"), inside("${file:")) {
        (Some(name), _) => std::env::var(name).map_err(|_| format!("environment variable `{name}` is not set"))?,
        (_, Some(path)) => fs::read_to_string(path).map_err(|why| format!("cannot read {path}: {why}"))?,
        _ => return Err("a key is a secret: write ${env:NAME} or ${file:PATH}".into()),
    };
    let secret = secret.trim();
    let byte = |at: usize| secret.get(2 * at..2 * at + 2).and_then(|it| u8::from_str_radix(it, 16).ok());
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    let key: Option<[u8; 32]> = bytes.filter(|_| secret.len() == 64).and_then(|it| it.try_into().ok());
    key.map(|it| Keyed::new(&it))
        .ok_or_else(|| "it is not 64 hexadecimal digits: `openssl rand -hex 32` makes some".into())
}

/// Says how far a command is: on a bar where somebody sees it, now and then on a line elsewhere.
pub(super) struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), lines: !quiet };
        }
        let bar = ProgressBar::new(1_000);
        let style = ProgressStyle::with_template("{msg} {bar:40} {percent} %, {eta} left");
        bar.set_style(style.expect("the template is right"));
        Self { bar, lines: false }
    }

    /// Returns what is told how far a part is.
    pub(super) fn tell(&self, what: &'static str) -> impl FnMut(f64, u64) {
        let mut said = 0;
        // Each part has a bar of its own, also after one that has ended.
        self.bar.reset();
        self.bar.set_message(what);
        move |done, rows| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
            self.bar.set_position((done * 1_000.0) as u64);
            if self.lines && rows / LINE > said {
                said = rows / LINE;
                output::note(format_args!("{what}: {rows} rows, {:.0} % done", done * 100.0));
            }
        }
    }

    /// Says how many of so many texts a server was asked about, before now and with these.
    pub(super) fn asked(&self, (before, texts): (u64, u64), of: u64) {
        self.bar.set_message("asking what texts mean");
        self.bar.set_position(texts.min(of) * 1_000 / of.max(1));
        if self.lines && (texts / TEXTS > before / TEXTS || texts == of) {
            output::note(format_args!("asking what texts mean: {texts} of {of} at most"));
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
