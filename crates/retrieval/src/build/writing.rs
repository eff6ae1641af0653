//! Writing: a generation of an index, document by document, which nobody searches until it is named.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tantivy::{Index, IndexWriter, Term, merge_policy::NoMergePolicy};

use super::{BuildError, Built, With};
use crate::{
    document::{Document, Moment},
    read::{Left, Why},
    schema::Fields,
    store::{DOCUMENTS, Header, SYNONYMS},
    vectors,
};

/// Memory for the words of documents until they are written out.
const MEMORY: usize = 256 << 20;
/// Files that each generation writes for itself.
const OWN: [&str; 4] = [DOCUMENTS, SYNONYMS, vectors::ROWS, vectors::NAMES];

/// A line of [`DOCUMENTS`].
#[derive(Serialize, Deserialize)]
struct Known {
    id: String,
    digest: String,
}

/// A generation that is being written.
pub(super) struct Writing<'a> {
    pub(super) folder: PathBuf,
    generation: u64,
    fields: Fields,
    writer: IndexWriter,
    /// The documents of the generation before, with their digests, until they are seen again.
    before: BTreeMap<String, String>,
    /// The documents of this one, each with its digest and its place.
    pub(super) seen: BTreeMap<String, (String, String)>,
    languages: BTreeMap<String, u64>,
    vectors: Option<vectors::Writing<'a>>,
    now: Moment,
    pub(super) left: Vec<Left>,
    counts: [u64; 3],
    /// Those that have expired, and those that are verified only later.
    invalid: [u64; 2],
    pub(super) failed: Option<BuildError>,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(
        index: &Path,
        old: Option<Header>,
        with: With<'a>,
    ) -> io::Result<Result<Self, tantivy::TantivyError>> {
        // A generation that was never named may stand at any number.
        let taken =
            fs::read_dir(index)?.flatten().filter_map(|it| it.file_name().to_string_lossy().parse::<u64>().ok());
        let generation = taken.max().unwrap_or(0) + 1;
        let folder = index.join(generation.to_string());
        fs::create_dir_all(&folder)?;
        let mut before = BTreeMap::new();
        if let Some(old) = &old {
            for name in old.files().filter(|name| !OWN.contains(name)) {
                adopt(&old.folder(index).join(name), &folder.join(name))?;
            }
            for line in BufReader::new(File::open(old.folder(index).join(DOCUMENTS))?).lines() {
                let known: Known = serde_json::from_str(&line?)?;
                before.insert(known.id, known.digest);
            }
        }
        if !with.synonyms.is_empty() {
            fs::write(folder.join(SYNONYMS), with.synonyms.text())?;
        }
        let before_it = old.as_ref().map(|old| old.folder(index));
        let vectors = match with.embedder {
            Some(it) => Some(vectors::Writing::begin(&folder, before_it.as_deref(), it)?),
            None => None,
        };
        let open = || {
            let (schema, fields) = Fields::new();
            let words = match old {
                Some(_) => Index::open_in_dir(&folder)?,
                None => Index::create_in_dir(&folder, schema)?,
            };
            fields.register(&words);
            // One thread: the same folder makes the same index.
            let writer: IndexWriter = words.writer_with_num_threads(1, MEMORY)?;
            writer.set_merge_policy(Box::new(NoMergePolicy));
            Ok((fields, writer))
        };
        Ok(open().map(|(fields, writer)| Self {
            folder: folder.clone(),
            generation,
            fields,
            writer,
            before,
            seen: BTreeMap::new(),
            languages: BTreeMap::new(),
            vectors,
            now: with.now,
            left: Vec::new(),
            counts: [0; 3],
            invalid: [0; 2],
            failed: None,
        }))
    }

    /// Takes a document, or the reason why there is none.
    pub(super) fn take(&mut self, place: &str, read: Result<Document, Why>) {
        let twice = |document: Document| match self.seen.get(&document.id) {
            Some((_, other)) => Err(Why::Twice { id: document.id, other: other.clone() }),
            None => Ok(document),
        };
        match read.and_then(twice) {
            Ok(document) => {
                if let Err(error) = self.index(place, &document) {
                    self.failed.get_or_insert(error);
                }
            }
            Err(why) => self.left.push(Left { place: place.into(), why }),
        }
    }

    fn index(&mut self, place: &str, document: &Document) -> Result<(), BuildError> {
        let digest = document.digest();
        let [added, changed, kept] = &mut self.counts;
        let before = self.before.remove(&document.id);
        let is_kept = before.as_ref() == Some(&digest);
        match before {
            Some(_) if is_kept => *kept += 1,
            known => {
                if known.is_some() {
                    self.writer.delete_term(Term::from_field_text(self.fields.id, &document.id));
                    *changed += 1;
                } else {
                    *added += 1;
                }
                self.writer.add_document(self.fields.document(document))?;
            }
        }
        if let Some(vectors) = &mut self.vectors {
            vectors.take(document, is_kept).map_err(BuildError::Embedding)?;
        }
        let [expired, future] = &mut self.invalid;
        *expired += u64::from(document.expires_at.is_some_and(|it| it <= self.now));
        *future += u64::from(document.verified_at > self.now);
        *self.languages.entry(document.language.code().to_owned()).or_default() += 1;
        self.seen.insert(document.id.clone(), (digest, place.into()));
        Ok(())
    }

    /// Ends the generation, names it, and removes the others.
    pub(super) fn end(mut self, index: &Path) -> io::Result<Result<Built, BuildError>> {
        let removed = self.before.len() as u64;
        if let Err(error) = self.commit() {
            return Ok(Err(error.into()));
        }
        let mut known = BufWriter::new(File::create(self.folder.join(DOCUMENTS))?);
        for (id, (digest, _)) in self.seen {
            serde_json::to_writer(&mut known, &Known { id, digest })?;
            known.write_all(b"\n")?;
        }
        known.into_inner()?.sync_all()?;
        if let Some(Err(why)) = self.vectors.map(|it| it.end(&self.folder)) {
            return Ok(Err(BuildError::Embedding(why)));
        }
        let ([added, changed, kept], [expired, future]) = (self.counts, self.invalid);
        let documents = added + changed + kept;
        let header = Header::of(&self.folder, self.generation, documents, self.languages)?;
        let unchanged = added + changed + removed == 0;
        let same = |old: &Header| unchanged && OWN.iter().all(|name| old.has_same(&header, name));
        let header = match Header::read(index).ok().filter(|(old, _)| same(old)) {
            // Nothing has changed, so that nothing is named anew: who searches need not load anything.
            Some((old, _)) => old,
            None => {
                header.write(index)?;
                header
            }
        };
        for entry in fs::read_dir(index)?.flatten() {
            let number = entry.file_name().to_string_lossy().parse::<u64>();
            if number.is_ok_and(|it| it != header.generation) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let (bytes, languages) = (header.bytes(), header.languages);
        let left = self.left;
        Ok(Ok(Built { documents, added, changed, removed, kept, expired, future, left, bytes, languages, anew: None }))
    }

    /// Writes the words as one segment with nothing deleted in it.
    fn commit(&mut self) -> tantivy::Result<()> {
        for id in self.before.keys() {
            self.writer.delete_term(Term::from_field_text(self.fields.id, id));
        }
        self.writer.commit()?;
        let segments = self.writer.index().searchable_segment_metas()?;
        if segments.len() > 1 || segments.iter().any(|segment| segment.num_deleted_docs() > 0) {
            let ids: Vec<_> = segments.iter().map(tantivy::SegmentMeta::id).collect();
            self.writer.merge(&ids).wait()?;
        }
        self.writer.garbage_collect_files().wait()?;
        Ok(())
    }
}

/// Lets a file belong to another generation, too: its content never changes. tantivy's own two lists do, and are copied.
fn adopt(from: &Path, to: &Path) -> io::Result<()> {
    if from.extension().is_some_and(|it| it == "json") || fs::hard_link(from, to).is_err() {
        fs::copy(from, to)?;
    }
    Ok(())
}
