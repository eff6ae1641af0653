//! An entry as bytes, for a server that keeps it: with a schema, and a checksum over it and its key (F-146).
//!
//! # Invariants
//! - `WIRE-1`: what is decoded was encoded by this schema, under this key, and is all of it; anything else is nothing, whatever it is.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use jiff::Timestamp;

use super::{Entry, Said};
use crate::{
    cache::Key,
    protocol::openai::envelope::Envelope,
    sure::{Kind, Sure},
    tensor::{Datatype, InferAnswer, Output, Parameter, Parameters, Tensor},
};

/// The schema: what it names is read by nobody who does not know it.
const SCHEMA: &[u8; 8] = b"evkcch03";
/// The bytes of a checksum.
const SUM: usize = 32;

impl Entry {
    /// Writes it, to be found under a key.
    pub(crate) fn encode(&self, key: &Key) -> Vec<u8> {
        let mut out = BytesMut::with_capacity(self.size() + 128);
        out.put_u8(self.tier);
        out.put_i64_le(self.made.as_millisecond());
        put_sure(&mut out, self.sure.as_ref());
        match &self.said {
            Said::Json(body) => {
                out.put_u8(0);
                out.put_slice(body);
            }
            Said::Infer(answer) => {
                out.put_u8(1);
                put_parameters(&mut out, &answer.parameters);
                put_count(&mut out, answer.outputs.len());
                answer.outputs.iter().for_each(|output| put_output(&mut out, output));
            }
        }
        [&SCHEMA[..], &sum(key, &out), &out].concat()
    }

    /// Reads what was found under a key; none where it is not what was written there (WIRE-1).
    pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&SCHEMA[..])?;
        let (told, rest) = rest.split_at_checked(SUM)?;
        if told != sum(key, rest) {
            return None;
        }
        let mut rest = Bytes::copy_from_slice(rest);
        let tier = rest.try_get_u8().ok()?;
        let made = Timestamp::from_millisecond(rest.try_get_i64_le().ok()?).ok()?;
        let sure = take_sure(&mut rest)?;
        let said = match rest.try_get_u8().ok()? {
            0 => {
                Envelope::read(&rest, |_, reader| reader.pass()).ok()?;
                Said::Json(rest)
            }
            1 => {
                let parameters = take_parameters(&mut rest)?;
                let outputs = (0..take_count(&mut rest)?).map(|_| take_output(&mut rest)).collect::<Option<_>>()?;
                if rest.has_remaining() {
                    return None;
                }
                Said::Infer(InferAnswer { parameters, outputs, ..InferAnswer::default() })
            }
            _ => return None,
        };
        Some(Self { tier, made, sure, said })
    }
}

fn sum(key: &Key, payload: &[u8]) -> [u8; SUM] {
    blake3::Hasher::new().update(SCHEMA).update(key.bytes()).update(payload).finalize().into()
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u64_le(count as u64);
}

/// Reads how many of something follow, of which each has a byte at least.
fn take_count(rest: &mut Bytes) -> Option<usize> {
    let count = usize::try_from(rest.try_get_u64_le().ok()?).ok()?;
    (count <= rest.remaining()).then_some(count)
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.put_slice(bytes);
}

fn take_bytes(rest: &mut Bytes) -> Option<Bytes> {
    let count = take_count(rest)?;
    Some(rest.split_to(count))
}

fn take_text(rest: &mut Bytes) -> Option<String> {
    String::from_utf8(take_bytes(rest)?.into()).ok()
}

/// Writes how likely each row is right; of no row where that is not known.
fn put_sure(out: &mut BytesMut, sure: Option<&Sure>) {
    put_count(out, sure.map_or(0, |it| it.rows.len()));
    if let Some(Sure { kind, rows, n, as_of }) = sure {
        out.put_u8(match kind {
            Kind::Votes => 0,
            Kind::Calibrated => 1,
        });
        rows.iter().for_each(|it| out.put_u16_le(*it));
        out.put_u64_le(*n);
        out.put_i64_le(as_of.as_second());
    }
}

fn take_sure(rest: &mut Bytes) -> Option<Option<Sure>> {
    let count = take_count(rest)?;
    if count == 0 {
        return Some(None);
    }
    let kind = match rest.try_get_u8().ok()? {
        0 => Kind::Votes,
        1 => Kind::Calibrated,
        _ => return None,
    };
    let row = |rest: &mut Bytes| rest.try_get_u16_le().ok().filter(|it| *it <= 1_000);
    let rows = (0..count).map(|_| row(rest)).collect::<Option<_>>()?;
    let (n, as_of) = (rest.try_get_u64_le().ok()?, Timestamp::from_second(rest.try_get_i64_le().ok()?).ok()?);
    Some(Some(Sure { kind, rows, n, as_of }))
}

fn put_parameters(out: &mut BytesMut, all: &Parameters) {
    put_count(out, all.len());
    for (name, value) in all {
        put_bytes(out, name.as_bytes());
        match value {
            Parameter::Bool(it) => out.put_slice(&[0, u8::from(*it)]),
            Parameter::Int(it) => {
                out.put_u8(1);
                out.put_i64_le(*it);
            }
            Parameter::Uint(it) => {
                out.put_u8(2);
                out.put_u64_le(*it);
            }
            Parameter::Float(it) => {
                out.put_u8(3);
                out.put_f64_le(*it);
            }
            Parameter::String(it) => {
                out.put_u8(4);
                put_bytes(out, it.as_bytes());
            }
        }
    }
}

fn take_parameters(rest: &mut Bytes) -> Option<Parameters> {
    let parameter = |rest: &mut Bytes| {
        let name = take_text(rest)?;
        let value = match rest.try_get_u8().ok()? {
            0 => Parameter::Bool(rest.try_get_u8().ok()? == 1),
            1 => Parameter::Int(rest.try_get_i64_le().ok()?),
            2 => Parameter::Uint(rest.try_get_u64_le().ok()?),
            3 => Parameter::Float(rest.try_get_f64_le().ok()?),
            4 => Parameter::String(take_text(rest)?),
            _ => return None,
        };
        Some((name, value))
    };
    (0..take_count(rest)?).map(|_| parameter(rest)).collect()
}

fn put_output(out: &mut BytesMut, output: &Output) {
    let tensor = &output.tensor;
    put_bytes(out, tensor.name().as_bytes());
    put_bytes(out, tensor.datatype().name().as_bytes());
    put_count(out, tensor.shape().len());
    tensor.shape().iter().for_each(|dimension| out.put_u64_le(*dimension));
    put_bytes(out, tensor.data());
    put_parameters(out, &output.parameters);
}

fn take_output(rest: &mut Bytes) -> Option<Output> {
    let (name, datatype) = (take_text(rest)?, Datatype::named(&take_text(rest)?)?);
    let shape = (0..take_count(rest)?).map(|_| rest.try_get_u64_le().ok()).collect::<Option<_>>()?;
    let tensor = Tensor::new(name, datatype, shape, take_bytes(rest)?).ok()?;
    Some(Output { tensor, parameters: take_parameters(rest)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> [Entry; 2] {
        let made = Timestamp::from_millisecond(1_764_000_000_123).expect("a time");
        let tensor = Tensor::from_f32("y", vec![2], &[0.25, -1.0]).expect("it fits");
        let words = Tensor::from_bytes("w", vec![2], &[&b"a"[..], b""]).expect("it fits");
        let parameters = vec![
            ("b".into(), Parameter::Bool(true)),
            ("i".into(), Parameter::Int(-7)),
            ("u".into(), Parameter::Uint(u64::MAX)),
            ("f".into(), Parameter::Float(0.5)),
            ("s".into(), Parameter::String("é".into())),
        ];
        let as_of = Timestamp::from_second(1_700_000_000).expect("a time");
        let sure = Sure { kind: Kind::Calibrated, rows: [846, 1_000].into(), n: 2_000, as_of };
        let output = |tensor| Output { tensor, parameters: parameters.clone() };
        let answer = InferAnswer {
            parameters: parameters.clone(),
            outputs: vec![output(tensor), output(words)],
            ..InferAnswer::default()
        };
        [
            Entry { tier: 0, made, sure: None, said: Said::Json(r#"{"choices":[]}"#.into()) },
            Entry { tier: 3, made, sure: Some(sure), said: Said::Infer(answer) },
        ]
    }

    #[test]
    fn f_146_what_is_written_is_read_under_its_key_and_no_other() {
        let (key, other) = (Key::of_number(1), Key::of_number(2));
        for entry in entries() {
            let bytes = entry.encode(&key);
            assert_eq!(Entry::decode(&key, &bytes), Some(entry));
            assert_eq!(Entry::decode(&other, &bytes), None, "DA-08: moved under another key");
        }
    }

    #[test]
    fn da_06_f_146_a_changed_byte_or_another_schema_is_nothing() {
        let key = Key::of_number(1);
        for entry in entries() {
            let bytes = entry.encode(&key);
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                assert_eq!(Entry::decode(&key, &changed), None, "byte {at}");
                assert_eq!(Entry::decode(&key, &bytes[..at]), None, "cut at {at}");
            }
            assert_eq!(Entry::decode(&key, &[&bytes[..], b"x"].concat()), None);
        }
    }

    proptest! {
        #[test]
        fn da_06_wire_1_no_bytes_break_it_whatever_their_checksum_says(payload: Vec<u8>) {
            let key = Key::of_number(1);
            let signed = [&SCHEMA[..], &sum(&key, &payload), &payload].concat();
            drop(Entry::decode(&key, &signed));
            prop_assert_eq!(Entry::decode(&key, &payload), None);
        }
    }
}
