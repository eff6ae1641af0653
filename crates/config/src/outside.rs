//! Outside: what a configuration names but does not contain, secrets, certificates, models and rules files, each read once.
//!
//! # Invariants
//! - `OUT-1`: what was checked is what is compiled: nothing is read a second time, so a file that changes in between
//!   changes nothing. The gateway holds a model file against the digest when it loads it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use evenkeel_signals::reference::Reference;
use sha2::{Digest, Sha256};

use crate::{
    calibration::{CalibrationError, Certified, LearntConfidence, LearntVotes, ScoreMaps},
    diagnostic::Diagnostic,
    rules::RuleSet,
    sample,
    schema::contract::InputTensor,
    secret::Secret,
    sources::{Mark, Sources},
};

/// The largest rules file that is read.
const MAX_RULES: u64 = 4 << 20;
/// The largest file of what was learnt.
const MAX_CALIBRATION: u64 = 16 << 20;
/// The largest file of certificates, or of a key, that is read: all public issuers have less.
const MAX_PEM: u64 = 1 << 20;
/// The largest JSON schema that is read.
const MAX_SCHEMA: u64 = 1 << 20;
/// The largest request that is read to see what a route takes.
const MAX_SAMPLE: u64 = 64 << 20;
/// The largest reference that is read: its sample, 20,000 rows, is most of it.
const MAX_REFERENCE: u64 = 256 << 20;
/// The largest model file that is read.
const MAX_MODEL: u64 = 2 << 30;

/// A file, as it was when the configuration was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) sha256: [u8; 32],
}

/// What a configuration names but does not contain.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// The folder that relative paths start from.
    base: PathBuf,
    secrets: BTreeMap<String, Secret>,
    /// Files of certificates and keys, as they are.
    pems: BTreeMap<String, Secret>,
    files: BTreeMap<String, Result<NamedFile, String>>,
    rules: BTreeMap<String, Option<Arc<RuleSet>>>,
    calibrations: BTreeMap<String, Arc<ScoreMaps>>,
    votes: BTreeMap<String, Arc<LearntVotes>>,
    references: BTreeMap<String, Arc<Reference>>,
    confidences: BTreeMap<String, Arc<LearntConfidence>>,
    certificates: BTreeMap<String, Arc<Certified>>,
    /// JSON schemas, as they are.
    schemas: BTreeMap<String, String>,
    /// What the requests of these files hold.
    samples: BTreeMap<String, BTreeMap<String, InputTensor>>,
    /// Those files that were looked for, there or not.
    sources: Sources,
}

impl Outside {
    /// Nothing yet, with relative paths from this folder.
    pub(crate) fn new(base: &Path) -> Self {
        Self { base: base.into(), ..Self::default() }
    }

    /// Returns where a file or a folder is that need not be there.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// Fetches the secret that a reference names.
    pub(crate) fn fetch_secret(&mut self, reference: &str) -> Result<(), String> {
        let secret = Secret::resolve(reference, &self.base)?;
        self.secrets.insert(reference.into(), secret);
        Ok(())
    }

    /// Reads a file of certificates, or of a key.
    ///
    /// # Errors
    /// Why it cannot be read, and whether that is because it is binary.
    pub(crate) fn fetch_pem(&mut self, file: &str) -> Result<(), (String, bool)> {
        let path = self.base.join(file);
        let mark = Mark::of(&path);
        let read = bytes(&path, MAX_PEM).map_err(|why| (why, false)).and_then(|bytes| match bytes.first() {
            // Nothing else begins so: DER is a sequence, and PKCS #12 is DER; PEM may begin with any text.
            Some(0x30) if std::str::from_utf8(&bytes).is_err() => {
                Err((format!("`{}` is DER, or PKCS #12, and not PEM", path.display()), true))
            }
            _ => utf8(&path, bytes).map(Secret::whole).map_err(|why| (why, false)),
        });
        self.sources.name(&path, mark, read.as_ref().ok().map(|it| Sha256::digest(it.reveal()).into()));
        self.pems.insert(file.into(), read?);
        Ok(())
    }

    /// Reads a request that shows what a route takes.
    pub(crate) fn fetch_sample(&mut self, file: &str) -> Result<(), String> {
        let path = self.base.join(file);
        let mark = Mark::of(&path);
        let read = text(&path, MAX_SAMPLE);
        self.sources.name(&path, mark, read.as_ref().ok().map(|it| Sha256::digest(it).into()));
        let tensors = sample::read(&read?).map_err(|why| format!("`{}` {why}", path.display()))?;
        self.samples.insert(file.into(), tensors);
        Ok(())
    }

    /// Reads a JSON schema; returns the name of the file as people see it, and what is in it.
    pub(crate) fn fetch_schema(&mut self, file: &str) -> Result<(String, String), String> {
        let path = self.base.join(file);
        if let Some(text) = self.schemas.get(file) {
            return Ok((path.display().to_string(), text.clone()));
        }
        let mark = Mark::of(&path);
        let read = text(&path, MAX_SCHEMA).map(|text| (Sha256::digest(&text).into(), text));
        self.sources.name(&path, mark, read.as_ref().ok().map(|it| it.0));
        let (sha256, text) = read?;
        self.files.insert(file.into(), Ok(NamedFile { path: path.clone(), sha256 }));
        self.schemas.insert(file.into(), text.clone());
        Ok((path.display().to_string(), text))
    }

    /// Takes note of a model file.
    pub(crate) fn fetch_file(&mut self, file: &str) -> Result<(), String> {
        if !self.files.contains_key(file) {
            let path = self.base.join(file);
            let mark = Mark::of(&path);
            let read = digest(&path);
            self.sources.name(&path, mark, read.as_ref().ok().copied());
            let read = read.map(|sha256| NamedFile { path, sha256 });
            self.files.insert(file.into(), read);
        }
        self.files[file].as_ref().map(drop).map_err(Clone::clone)
    }

    /// Reads a rules file; says what is wrong with it the first time that it is asked for.
    pub(crate) fn fetch_rules(&mut self, file: &str) -> Result<(Option<Arc<RuleSet>>, Vec<Diagnostic>), String> {
        if let Some(set) = self.rules.get(file) {
            return Ok((set.clone(), Vec::new()));
        }
        let path = self.base.join(file);
        let mark = Mark::of(&path);
        let read = text(&path, MAX_RULES).map(|text| (Sha256::digest(&text).into(), text));
        self.sources.name(&path, mark, read.as_ref().ok().map(|it| it.0));
        let (sha256, text) = read?;
        let (set, found) = RuleSet::read(&path.display().to_string(), &text);
        let set = set.map(Arc::new);
        self.files.insert(file.into(), Ok(NamedFile { path, sha256 }));
        self.rules.insert(file.into(), set.clone());
        Ok((set, found))
    }

    /// Reads a file of score maps.
    pub(crate) fn fetch_calibration(&mut self, file: &str) -> Result<Arc<ScoreMaps>, String> {
        if let Some(maps) = self.calibrations.get(file) {
            return Ok(maps.clone());
        }
        let maps = Arc::new(self.fetch_learnt(file, ScoreMaps::read)?);
        self.calibrations.insert(file.into(), maps.clone());
        Ok(maps)
    }

    /// Reads a file of what votes count.
    pub(crate) fn fetch_votes(&mut self, file: &str) -> Result<Arc<LearntVotes>, String> {
        if let Some(votes) = self.votes.get(file) {
            return Ok(votes.clone());
        }
        let votes = Arc::new(self.fetch_learnt(file, LearntVotes::read)?);
        self.votes.insert(file.into(), votes.clone());
        Ok(votes)
    }

    /// Reads a reference.
    pub(crate) fn fetch_reference(&mut self, file: &str) -> Result<Arc<Reference>, String> {
        if let Some(reference) = self.references.get(file) {
            return Ok(reference.clone());
        }
        let path = self.base.join(file);
        let mark = Mark::of(&path);
        let read = bytes(&path, MAX_REFERENCE).map(|bytes| (<[u8; 32]>::from(Sha256::digest(&bytes)), bytes));
        self.sources.name(&path, mark, read.as_ref().ok().map(|it| it.0));
        let (sha256, bytes) = read?;
        let decoded =
            Reference::decode(&bytes).map_err(|why| format!("`{}` is no reference: {why}", path.display()))?;
        let reference = Arc::new(decoded);
        self.files.insert(file.into(), Ok(NamedFile { path, sha256 }));
        self.references.insert(file.into(), reference.clone());
        Ok(reference)
    }

    /// Reads a file of what a confidence is worth.
    pub(crate) fn fetch_confidence(&mut self, file: &str) -> Result<Arc<LearntConfidence>, String> {
        if let Some(learnt) = self.confidences.get(file) {
            return Ok(learnt.clone());
        }
        let learnt = Arc::new(self.fetch_learnt(file, LearntConfidence::read)?);
        self.confidences.insert(file.into(), learnt.clone());
        Ok(learnt)
    }

    /// Reads a certificate.
    pub(crate) fn fetch_certificate(&mut self, file: &str) -> Result<Arc<Certified>, String> {
        if let Some(certified) = self.certificates.get(file) {
            return Ok(certified.clone());
        }
        let certified = Arc::new(self.fetch_learnt(file, Certified::read)?);
        self.certificates.insert(file.into(), certified.clone());
        Ok(certified)
    }

    /// Reads a file of something that was learnt.
    fn fetch_learnt<T>(
        &mut self,
        file: &str,
        read: impl FnOnce(&str) -> Result<T, CalibrationError>,
    ) -> Result<T, String> {
        let path = self.base.join(file);
        let mark = Mark::of(&path);
        let found = text(&path, MAX_CALIBRATION).map(|text| (Sha256::digest(&text).into(), text));
        self.sources.name(&path, mark, found.as_ref().ok().map(|it| it.0));
        let (sha256, text) = found?;
        let learnt = read(&text).map_err(|why| format!("`{}` {why}", path.display()))?;
        self.files.insert(file.into(), Ok(NamedFile { path, sha256 }));
        Ok(learnt)
    }

    /// Returns the files that were looked for.
    pub(crate) fn sources(&self) -> Sources {
        self.sources.clone()
    }

    /// Returns a secret that was fetched.
    pub(crate) fn secret(&self, reference: &str) -> Secret {
        self.secrets.get(reference).cloned().expect("checked: the secret is there")
    }

    /// Returns a secret where it could be fetched.
    pub(crate) fn known_secret(&self, reference: &str) -> Option<&Secret> {
        self.secrets.get(reference)
    }

    /// Returns a file of certificates, or of a key, that was fetched.
    pub(crate) fn pem(&self, file: &str) -> Secret {
        self.pems.get(file).cloned().expect("checked: the file is there")
    }

    /// Returns a file that was fetched.
    pub(crate) fn file(&self, file: &str) -> &NamedFile {
        let read = self.files.get(file).and_then(|it| it.as_ref().ok());
        read.expect("checked: the file is there")
    }

    /// Returns the SHA-256 of a file in hexadecimal digits, where it was fetched and is there.
    pub(crate) fn checksum(&self, file: &str) -> Option<String> {
        let read = self.files.get(file)?.as_ref().ok()?;
        Some(read.sha256.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns what a request holds that was fetched; nothing of one that is no such request.
    pub(crate) fn sample(&self, file: &str) -> BTreeMap<String, InputTensor> {
        self.samples.get(file).cloned().unwrap_or_default()
    }

    /// Returns score maps that were fetched.
    pub(crate) fn calibration(&self, file: &str) -> Arc<ScoreMaps> {
        self.calibrations.get(file).cloned().expect("checked: the maps are there and right")
    }

    /// Returns what votes count, which was fetched.
    pub(crate) fn votes(&self, file: &str) -> Arc<LearntVotes> {
        self.votes.get(file).cloned().expect("checked: what was learnt is there and right")
    }

    /// Returns a reference where it was fetched and is right.
    pub(crate) fn known_reference(&self, file: &str) -> Option<&Arc<Reference>> {
        self.references.get(file)
    }

    /// Returns a reference that was fetched.
    pub(crate) fn reference(&self, file: &str) -> Arc<Reference> {
        self.references.get(file).cloned().expect("checked: the reference is there and right")
    }

    /// Returns what a confidence is worth, which was fetched.
    pub(crate) fn confidence(&self, file: &str) -> Arc<LearntConfidence> {
        self.confidences.get(file).cloned().expect("checked: what was learnt is there and right")
    }

    /// Returns a certificate that was fetched.
    pub(crate) fn certificate(&self, file: &str) -> Arc<Certified> {
        self.certificates.get(file).cloned().expect("checked: the certificate is there and right")
    }

    /// Returns a JSON schema that was fetched.
    pub(crate) fn schema(&self, file: &str) -> &str {
        self.schemas.get(file).map(String::as_str).expect("checked: the schema is there")
    }

    /// Returns rules that were fetched.
    pub(crate) fn rules(&self, file: &str) -> Arc<RuleSet> {
        self.rules.get(file).cloned().flatten().expect("checked: the rules are there and right")
    }
}

/// Opens a regular file of bounded size.
fn open(path: &Path, most: u64) -> Result<File, String> {
    let unreadable = |error| format!("`{}` cannot be read: {error}", path.display());
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(format!("`{}` is not a file", path.display()));
    }
    if about.len() > most {
        return Err(format!("`{}` has {} bytes, more than {} MiB", path.display(), about.len(), most >> 20));
    }
    File::open(path).map_err(unreadable)
}

fn text(path: &Path, most: u64) -> Result<String, String> {
    utf8(path, bytes(path, most)?)
}

fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = open(path, most)?.take(most).read_to_end(&mut bytes);
    read.map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    Ok(bytes)
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes)
        .map_err(|error| format!("`{}` is not UTF-8 from byte {}", path.display(), error.utf8_error().valid_up_to()))
}

/// Returns the SHA-256 of a file of any size that is loaded.
pub(crate) fn digest(path: &Path) -> Result<[u8; 32], String> {
    let mut file = open(path, MAX_MODEL)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(read) => hash.update(&piece[..read]),
            Err(error) => return Err(format!("`{}` cannot be read: {error}", path.display())),
        }
    }
}
