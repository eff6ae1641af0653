//! Key: what makes two requests the same, so that an answer to the one is an answer to the other (F-141).
//!
//! In it: the route and what it takes and gives, the client's credential and whatever else tells whose the request is, and all
//! that is asked but how it is written: spaces, the order of keys, escapes, the dialect of tensors, whether the answer is a stream.
//! Two texts of one number are two keys: that costs a look-up in vain, and no more.
//!
//! # Invariants
//! - `KEY-1`: every part is written with its length before it, so that no two requests are written alike.
//!
//! # Source
//! BLAKE3, 256 bits: a collision that somebody makes on purpose would be another tenant's answer (DA-08).

mod apart;

use evenkeel_config as config;
use http::{HeaderMap, HeaderName};

use crate::{
    ask::{Inference, Question},
    protocol::json::{Flaw, Kind, Reader, push_string},
    tensor::{Infer, Parameter, Parameters},
};

/// Headers by which a client says who it is, besides those that its route names. Cookies are among them: who sends some means them.
const WHO: [&str; 5] = ["authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"];
/// Headers that say where, and to which model, a request may go.
const WHERE: [&str; 3] = ["evenkeel-language", "content-language", "evenkeel-residency"];
/// Headers that begin so go on to a server, and may change what it answers.
const WHO_PREFIXES: [&str; 2] = ["openai-", "anthropic-"];
/// Members of a body that say how, and not what, is to be answered; the route stands in the key by itself.
const HOW: [&str; 3] = ["model", "stream", "stream_options"];
/// The deepest body, as the readers of requests have it.
const DEPTH: u8 = 128;

/// What makes two requests the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key([u8; 32]);

/// Whose request it is, and of which route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) route: &'a str,
    pub(crate) cache: &'a config::Cache,
    pub(crate) headers: &'a HeaderMap,
}

impl Key {
    /// Makes the key of a request; none where it is not understood well enough.
    pub(crate) fn of(scope: Scope<'_>, question: &Question, body: &[u8]) -> Option<Self> {
        let mut parts = Parts::default();
        parts.part(b"evenkeel.cache/v1");
        parts.scope(scope);
        match question {
            Question::Chat(_) => parts.json(b"chat", body).ok()?,
            Question::Embeddings(_) => parts.json(b"embeddings", body).ok()?,
            Question::Infer(Inference { infer, version, .. }) => parts.infer(infer, version),
        }
        Some(Self(parts.0.finalize().into()))
    }

    /// Returns 64 of its bits, which are as good as drawn.
    pub(crate) fn bits(&self) -> u64 {
        u64::from_le_bytes(*self.0.first_chunk().expect("32 bytes are more than eight"))
    }

    /// Returns it as it stands in a checksum.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns it in hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}"))
    }

    #[cfg(test)]
    pub(crate) fn of_number(number: u64) -> Self {
        Self(blake3::hash(&number.to_le_bytes()).into())
    }
}

/// Returns 64 bits that tell whose a request is: by its credential, and by these headers.
pub(crate) fn whose(headers: &HeaderMap, vary: &[String]) -> u64 {
    let mut parts = Parts::default();
    parts.part(b"evenkeel.whose/v1");
    parts.headers(headers, vary.iter().map(String::as_str).chain(WHO));
    Key(parts.0.finalize().into()).bits()
}

/// Returns 128 bits that stand for what a request has in a header; none where it has nothing there.
pub(crate) fn session(headers: &HeaderMap, name: &str) -> Option<u128> {
    headers.get(name).filter(|it| !it.is_empty())?;
    let mut parts = Parts::default();
    parts.part(b"evenkeel.session/v1");
    parts.headers(headers, [name].into_iter());
    Some(u128::from_le_bytes(*parts.0.finalize().as_bytes().first_chunk().expect("32 bytes are more than 16")))
}

/// Writes parts into a hash, each with its length (KEY-1).
#[derive(Default)]
struct Parts(blake3::Hasher);

impl Parts {
    fn part(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn count(&mut self, number: usize) {
        self.0.update(&(number as u64).to_le_bytes());
    }

    fn scope(&mut self, scope: Scope<'_>) {
        self.part(&scope.cache.contract);
        self.part(scope.route.as_bytes());
        self.who(scope);
    }

    fn who(&mut self, scope: Scope<'_>) {
        let named = scope.cache.vary.iter().map(String::as_str).chain(WHO).chain(WHERE);
        let begins = |name: &&HeaderName| WHO_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        self.headers(scope.headers, named.chain(scope.headers.keys().filter(begins).map(HeaderName::as_str)));
    }

    fn headers<'n>(&mut self, headers: &HeaderMap, names: impl Iterator<Item = &'n str>) {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            // A header that is not sent is another scope than an empty one.
            let values: Vec<_> = headers.get_all(name).iter().collect();
            self.part(name.as_bytes());
            self.count(values.len());
            values.into_iter().for_each(|value| self.part(value.as_bytes()));
        }
    }

    fn json(&mut self, what: &[u8], body: &[u8]) -> Result<(), Flaw> {
        self.part(what);
        let mut reader = Reader::new(body, DEPTH)?;
        let mut out = Vec::with_capacity(body.len());
        members(&mut reader, &mut out, &HOW)?;
        self.part(&out);
        Ok(())
    }

    fn infer(&mut self, infer: &Infer, version: &str) {
        self.part(b"infer");
        self.part(version.as_bytes());
        self.parameters(&infer.parameters);
        let mut inputs: Vec<_> = infer.inputs.iter().collect();
        inputs.sort_by_key(|input| input.tensor.name());
        self.count(inputs.len());
        for input in inputs {
            let tensor = &input.tensor;
            self.part(tensor.name().as_bytes());
            self.part(tensor.datatype().name().as_bytes());
            self.count(tensor.shape().len());
            tensor.shape().iter().for_each(|dimension| self.part(&dimension.to_le_bytes()));
            self.part(tensor.data());
            self.parameters(&input.parameters);
            self.extra(&input.extra);
        }
        self.count(infer.outputs.len());
        for wanted in &infer.outputs {
            self.part(wanted.name.as_bytes());
            self.part(&wanted.classes.map_or(0, |most| u64::from(most) + 1).to_le_bytes());
            self.parameters(&wanted.parameters);
            self.extra(&wanted.extra);
        }
        self.extra(&infer.extra);
    }

    fn parameters(&mut self, all: &Parameters) {
        let mut all: Vec<_> = all.iter().collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        self.count(all.len());
        for (name, value) in all {
            self.part(name.as_bytes());
            match value {
                Parameter::Bool(it) => self.part(&[b'b', u8::from(*it)]),
                Parameter::Int(it) => self.part(&[&[b'i'][..], &it.to_le_bytes()].concat()),
                Parameter::Uint(it) => self.part(&[&[b'u'][..], &it.to_le_bytes()].concat()),
                Parameter::Float(it) => self.part(&[&[b'f'][..], &it.to_le_bytes()].concat()),
                Parameter::String(it) => self.part(&[b"s", it.as_bytes()].concat()),
            }
        }
    }

    fn extra(&mut self, all: &[(String, bytes::Bytes)]) {
        self.count(all.len());
        for (name, value) in all {
            self.part(name.as_bytes());
            self.part(value);
        }
    }
}

/// Writes an object with its keys sorted, but for some; a key that stands there twice is written twice, in its order.
fn members(reader: &mut Reader<'_>, out: &mut Vec<u8>, but: &[&str]) -> Result<(), Flaw> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        let key = key.decode();
        if but.contains(&&*key) {
            reader.pass()?;
            continue;
        }
        let mut member = Vec::new();
        value(reader, &mut member)?;
        all.push((key.into_owned(), member));
    }
    sorted(out, all);
    Ok(())
}

/// Writes members in the order of their keys.
fn sorted(out: &mut Vec<u8>, mut all: Vec<(String, Vec<u8>)>) {
    all.sort_by(|one, other| one.0.cmp(&other.0));
    out.push(b'{');
    for (key, member) in all {
        push_string(out, &key);
        out.push(b':');
        out.extend_from_slice(&member);
        out.push(b',');
    }
    out.push(b'}');
}

fn value(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    match reader.kind()? {
        Kind::Object => members(reader, out, &[])?,
        Kind::Array => {
            let mut inside = reader.array()?;
            out.push(b'[');
            while reader.item(&mut inside)? {
                value(reader, out)?;
                out.push(b',');
            }
            out.push(b']');
        }
        Kind::String => push_string(out, &reader.string()?.decode()),
        Kind::Number | Kind::Token => out.extend_from_slice(reader.number()?.as_bytes()),
        Kind::Bool => out.extend_from_slice(if reader.boolean()? { b"true" } else { b"false" }),
        Kind::Null => {
            reader.null()?;
            out.extend_from_slice(b"null");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
