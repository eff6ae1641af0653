//! Read: a log on disk, record by record.

use std::{
    fmt, fs,
    io::{Error, ErrorKind},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use evenkeel_core::{Block, FORMAT, Flaw, Header, Record, Segment};

use super::Place;

/// The segments of a log, in their order.
#[derive(Clone, Debug)]
pub struct Log {
    segments: Vec<(PathBuf, u64)>,
}

/// Why a log cannot be read.
#[derive(Debug)]
pub struct LogError {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    Io(Error),
    /// No segment is there; these folders have some.
    None(Vec<PathBuf>),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            What::Io(error) => write!(f, "cannot read {path}: {error}"),
            What::None(others) if others.is_empty() => {
                write!(f, "there is no log of inputs in {path}: name a folder that holds *.ekin, or one such file")
            }
            What::None(others) => {
                let others: Vec<_> = others.iter().map(|it| it.display().to_string()).collect();
                write!(f, "{path} holds the logs of several processes: name one of {}", others.join(", "))
            }
        }
    }
}

impl std::error::Error for LogError {}

impl Log {
    /// Finds the segments of a log: those in a folder, or in `inputs` or `instances/NAME/inputs` below it, or one file.
    ///
    /// # Errors
    /// Nothing can be read there, there is no segment, or there are several logs.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let io = |error| LogError { path: path.into(), what: What::Io(error) };
        if fs::metadata(path).map_err(io)?.is_file() {
            let size = fs::metadata(path).map_err(io)?.len();
            return Ok(Self { segments: vec![(path.into(), size)] });
        }
        for folder in [path.to_owned(), path.join("inputs")] {
            let segments = segments(&folder).map_err(io)?;
            if !segments.is_empty() {
                return Ok(Self { segments });
            }
        }
        let mut others = Vec::new();
        for folder in folders(&path.join("instances")).map_err(io)? {
            let folder = folder.join("inputs");
            if !segments(&folder).map_err(io)?.is_empty() {
                others.push(folder);
            }
        }
        match &*others {
            [one] => Ok(Self { segments: segments(one).map_err(io)? }),
            _ => Err(LogError { path: path.into(), what: What::None(others) }),
        }
    }

    /// Returns how many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, size)| size).sum()
    }

    /// Returns how many segments it has.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        read => read?,
    };
    let mut paths = read.map(|entry| entry.map(|it| it.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(entries(folder)?.into_iter().filter(|it| it.is_dir()).collect())
}

fn segments(folder: &Path) -> Result<Vec<(PathBuf, u64)>, Error> {
    let paths = entries(folder)?.into_iter().filter(|it| it.extension().is_some_and(|it| it == "ekin"));
    paths.map(|path| fs::metadata(&path).map(|it| (path, it.len()))).collect()
}

/// What one meets in a log.
#[expect(clippy::large_enum_variant, reason = "nearly all are records; each is handed on once, and none is kept")]
pub(super) enum Met<'a> {
    /// A process begins; whoever does not want it breaks, and goes on with the next.
    Process(&'a Header),
    /// A record.
    Record {
        record: Record,
        /// The segment, and the byte of its block.
        file: &'a Path,
        byte: usize,
        /// When it came, in milliseconds since 1970.
        wall_ms: u64,
    },
    /// Nothing more of the process can be read.
    Trouble(Trouble),
    /// A segment of which not even the head can be read: whose it is is not known.
    Headless { first: u64, trouble: Trouble },
    /// Between two processes records are not there.
    Missing { place: Place, what: String },
}

/// Why nothing more of a process can be read.
pub(super) enum Trouble {
    Torn(Place, usize),
    Damaged(Place, String),
    /// The form of a segment.
    Form(u64),
}

impl Trouble {
    fn new(flaw: Flaw, length: usize, place: impl Fn(usize) -> Place) -> Self {
        match flaw {
            Flaw::Torn { at } => Self::Torn(place(at), length - at),
            Flaw::Damaged { at, what } => Self::Damaged(place(at), what.into()),
            Flaw::Format(format) => Self::Form(format),
        }
    }
}

/// Where one is in a log.
#[derive(Default)]
struct At {
    /// The record with which the process began whose records are being read.
    began: Option<u64>,
    /// The number that is to come next in it.
    next: u64,
    /// Nothing more of this process is wanted, or can be read.
    over: bool,
    /// Its last segment ends in the middle of a block.
    torn: Option<Place>,
    /// With which record the process after it is to begin, where that is known.
    follows: Option<u64>,
}

type Hear<'h> = dyn FnMut(Met<'_>) -> ControlFlow<()> + 'h;

/// Walks through a log. A break ends the process, and before any the walk.
pub(super) fn walk(log: &Log, progress: &mut dyn FnMut(u64), hear: &mut Hear<'_>) -> Result<(), LogError> {
    let (mut at, mut done) = (At::default(), 0);
    for (path, _) in &log.segments {
        let bytes = fs::read(path).map_err(|error| LogError { path: path.clone(), what: What::Io(error) })?;
        at.segment(path, &bytes, &mut |read| progress(done + read as u64), hear);
        done += bytes.len() as u64;
        progress(done);
    }
    Ok(())
}

impl At {
    fn segment(&mut self, path: &Path, bytes: &[u8], progress: &mut dyn FnMut(usize), hear: &mut Hear<'_>) {
        let mut segment = match Segment::open(bytes) {
            Ok(segment) => segment,
            Err(flaw) => return self.headless((path, bytes.len()), flaw, hear),
        };
        let header = segment.header.clone();
        self.head(path, &header, hear);
        // A process that was stopped before it wrote anything has a number all the same.
        self.follows = Some(header.first.saturating_add(1));
        loop {
            let next = segment.block().inspect(|block| {
                if let Some(block) = block {
                    self.follows = Some(block.first.saturating_add(block.records.max(1)));
                    progress(block.at);
                }
            });
            let read = match next {
                Ok(None) => return,
                Ok(Some(_)) if self.over => continue,
                Ok(Some(block)) => self.block(path, &header, block, hear),
                Err(flaw) => Err(flaw),
            };
            if let Err(flaw) = read {
                self.flawed((path, bytes.len()), flaw, hear);
                return;
            }
        }
    }

    /// Begins a process where a segment is the first one of it, and misses what should be there before it.
    fn head(&mut self, path: &Path, header: &Header, hear: &mut Hear<'_>) {
        let place = |record| Place { file: path.display().to_string(), byte: 0, record };
        if self.began != Some(header.began) {
            let before = self.follows.filter(|it| self.began.is_some() && *it != header.began);
            if let Some(next) = before {
                let _ = hear(Met::Missing { place: place(next), what: missing(next, header.began) });
            }
            *self = Self { began: Some(header.began), next: header.began, ..Self::default() };
            self.over = hear(Met::Process(header)).is_break();
        } else if let Some(torn) = self.torn.take() {
            // Only what is killed leaves a torn tail, and nothing follows it.
            let what = "it ends in the middle of a block, though its process went on".into();
            self.end(Trouble::Damaged(torn, what), hear);
        }
        if header.first != self.next && !self.over {
            self.end(Trouble::Damaged(place(self.next), missing(self.next, header.first)), hear);
        }
    }

    fn block(&mut self, path: &Path, header: &Header, mut block: Block<'_>, hear: &mut Hear<'_>) -> Result<(), Flaw> {
        if block.first != self.next {
            let place = Place { file: path.display().to_string(), byte: block.at, record: self.next };
            self.end(Trouble::Damaged(place, missing(self.next, block.first)), hear);
        }
        while !self.over {
            let Some(record) = block.record()? else { break };
            self.next = record.number.wrapping_add(1);
            let since = record.at.saturating_sub(header.at) / 1_000_000;
            let before = header.at.saturating_sub(record.at) / 1_000_000;
            let wall_ms = header.wall_ms.saturating_add(since).saturating_sub(before);
            self.over = hear(Met::Record { record, file: path, byte: block.at, wall_ms }).is_break();
        }
        Ok(())
    }

    fn end(&mut self, trouble: Trouble, hear: &mut Hear<'_>) {
        self.over = true;
        let _ = hear(Met::Trouble(trouble));
    }

    /// Takes note of a flaw in what is being read.
    fn flawed(&mut self, (path, length): (&Path, usize), flaw: Flaw, hear: &mut Hear<'_>) {
        let place = |byte| Place { file: path.display().to_string(), byte, record: self.next };
        let trouble = Trouble::new(flaw, length, place);
        match &trouble {
            Trouble::Torn(place, _) => self.torn = Some(place.clone()),
            Trouble::Damaged(..) | Trouble::Form(_) => self.follows = None,
        }
        if !self.over {
            self.end(trouble, hear);
        }
    }

    fn headless(&mut self, (path, length): (&Path, usize), flaw: Flaw, hear: &mut Hear<'_>) {
        let first = number(path).unwrap_or(self.next);
        let place = |byte, record| Place { file: path.display().to_string(), byte, record };
        if let Some(next) = self.follows.filter(|it| self.began.is_some() && *it != first) {
            let _ = hear(Met::Missing { place: place(0, next), what: missing(next, first) });
        }
        let trouble = Trouble::new(flaw, length, |byte| place(byte, first));
        self.follows = matches!(trouble, Trouble::Torn(..)).then(|| first.saturating_add(1));
        let _ = hear(Met::Headless { first, trouble });
    }
}

/// Returns the number of the first record by the name of a segment.
fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn missing(next: u64, found: u64) -> String {
    match next < found {
        true => format!("records {next} to {} are not there", found - 1),
        false => format!("record {found} comes where {next} should"),
    }
}

/// Says why a form cannot be read.
pub(super) fn form(format: u64) -> String {
    format!("the log has format {format}, and this version reads format {FORMAT}")
}
