//! JCS: a value as JSON in the one form that can be hashed: keys sorted, no spaces, whole numbers alone.
//!
//! serde_json writes the text, with marks in place of the punctuation of objects: bytes below 0x04, which stand in no JSON.
//! A second pass puts the members of each object in order. That costs about as much as the first; a tree of values would
//! cost several times that, and there is a line for every request.
//!
//! # Invariants
//! - `JCS-1`: what comes out is the form of RFC 8785 for every value without fractions whose numbers are below 2^53. Anything
//!   else is an error: other numbers are written as decimal strings (G-110).
//!
//! # Source
//! RFC 8785, section 3.2: members by the UTF-16 code units of their names (3.2.3), the escapes of ECMAScript (3.2.2.2).

use std::{
    cmp::Ordering,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::{Error, Serializer, ser::Formatter};

/// Begins an object.
const BEGIN: u8 = 1;
/// Begins a member of it.
const MEMBER: u8 = 2;
/// Ends an object; the largest of the marks.
const END: u8 = 3;
/// The largest number that every reader of JSON knows exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// Writes values in that form; what it needs for that it keeps for the next one.
#[derive(Debug, Default)]
pub struct Jcs {
    marked: Vec<u8>,
    scratch: Vec<u8>,
    members: Vec<Range>,
}

/// Where a member is in what was written.
#[derive(Clone, Copy, Debug)]
struct Range {
    /// At the quote before its name.
    from: usize,
    /// At the quote behind its name.
    named: usize,
    to: usize,
}

/// Returns a value in that form.
///
/// # Errors
/// It holds a fraction, or a number that is not below 2^53.
pub fn canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    Jcs::default().append(value, &mut bytes)?;
    Ok(bytes)
}

impl Jcs {
    /// Writes a value behind what is there.
    ///
    /// # Errors
    /// It holds a fraction, or a number that is not below 2^53; then nothing was written.
    pub fn append<T: Serialize + ?Sized>(&mut self, value: &T, to: &mut Vec<u8>) -> Result<(), Error> {
        let mut marked = std::mem::take(&mut self.marked);
        marked.clear();
        let written = value.serialize(&mut Serializer::with_formatter(&mut marked, Marks));
        if written.is_ok() {
            let mut rest = marked.as_slice();
            self.values(&mut rest, to);
        }
        self.marked = marked;
        written
    }

    /// Writes what stands before the next mark of the object around it.
    fn values(&mut self, rest: &mut &[u8], to: &mut Vec<u8>) {
        loop {
            let plain = rest.iter().position(|byte| *byte <= END).unwrap_or(rest.len());
            to.extend_from_slice(&rest[..plain]);
            *rest = &rest[plain..];
            match rest.first() {
                Some(&BEGIN) => {
                    *rest = &rest[1..];
                    self.object(rest, to);
                }
                _ => return,
            }
        }
    }

    /// Writes an object whose begin was read.
    fn object(&mut self, rest: &mut &[u8], to: &mut Vec<u8>) {
        let (start, base) = (to.len(), self.members.len());
        while let Some((&mark, behind)) = rest.split_first() {
            *rest = behind;
            if mark == END {
                break;
            }
            let from = to.len();
            self.values(rest, to);
            let named = from + 1 + end_of_name(&to[from + 1..]);
            self.members.push(Range { from, named, to: to.len() });
        }
        let members = &mut self.members[base..];
        members.sort_by(|one, other| by_name(&to[one.from..=one.named], &to[other.from..=other.named]));
        self.scratch.clear();
        self.scratch.extend_from_slice(&to[start..]);
        to.truncate(start);
        to.push(b'{');
        for (place, member) in members.iter().enumerate() {
            if place > 0 {
                to.push(b',');
            }
            to.extend_from_slice(&self.scratch[member.from - start..member.to - start]);
        }
        to.push(b'}');
        self.members.truncate(base);
    }
}

/// Returns where the quote is that ends a name.
fn end_of_name(text: &[u8]) -> usize {
    let mut at = 0;
    while text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// Compares names, in their quotes, by their UTF-16 code units.
fn by_name(one: &[u8], other: &[u8]) -> Ordering {
    let plain = |name: &[u8]| name.is_ascii() && !name.contains(&b'\\');
    if plain(one) && plain(other) {
        return one[1..one.len() - 1].cmp(&other[1..other.len() - 1]);
    }
    let text = |name: &[u8]| serde_json::from_slice::<String>(name).expect("serde_json has written it");
    text(one).encode_utf16().cmp(text(other).encode_utf16())
}

/// Writes marks in place of the punctuation of objects.
struct Marks;

impl Marks {
    fn number<W: ?Sized + Write>(to: &mut W, size: u64, number: impl ToString) -> io::Result<()> {
        match size <= LARGEST {
            true => to.write_all(number.to_string().as_bytes()),
            false => Err(io::Error::other("a number of 2^53 or more is written as a decimal string")),
        }
    }
}

fn fraction() -> io::Result<()> {
    Err(io::Error::other("a fraction is written as a decimal string"))
}

impl Formatter for Marks {
    fn begin_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(&[BEGIN])
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, _: bool) -> io::Result<()> {
        to.write_all(&[MEMBER])
    }

    fn end_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(&[END])
    }

    fn write_u64<W: ?Sized + Write>(&mut self, to: &mut W, value: u64) -> io::Result<()> {
        Self::number(to, value, value)
    }

    fn write_i64<W: ?Sized + Write>(&mut self, to: &mut W, value: i64) -> io::Result<()> {
        Self::number(to, value.unsigned_abs(), value)
    }

    fn write_u128<W: ?Sized + Write>(&mut self, to: &mut W, value: u128) -> io::Result<()> {
        Self::number(to, u64::try_from(value).unwrap_or(u64::MAX), value)
    }

    fn write_i128<W: ?Sized + Write>(&mut self, to: &mut W, value: i128) -> io::Result<()> {
        Self::number(to, u64::try_from(value.unsigned_abs()).unwrap_or(u64::MAX), value)
    }

    fn write_f32<W: ?Sized + Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        fraction()
    }

    fn write_f64<W: ?Sized + Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        fraction()
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(io::Error::other("what was written before may not be in this form"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(canonical(value).expect("it has a form")).expect("text")
    }

    #[test]
    fn names_are_sorted_at_every_depth_and_nothing_else_moves() {
        #[derive(Serialize)]
        struct Inner {
            z: u8,
            a: Option<u8>,
        }
        #[derive(Serialize)]
        struct Outer {
            late: Vec<Inner>,
            b: (),
            aa: &'static str,
            a: Inner,
        }
        let inner = |z| Inner { z, a: None };
        let value = Outer { late: vec![inner(2), inner(1)], b: (), aa: "{\"z\":1,\"a\":2}", a: inner(0) };
        let expected =
            r#"{"a":{"a":null,"z":0},"aa":"{\"z\":1,\"a\":2}","b":null,"late":[{"a":null,"z":2},{"a":null,"z":1}]}"#;
        assert_eq!(canonical(&value).expect("it has a form"), expected.as_bytes());
        for plain in ["{}", "[]", "[{},{}]", "null", "\"\\u0001\"", "-7", "[[1],[]]"] {
            assert_eq!(text(&serde_json::from_str(plain).expect("JSON")), plain);
        }
    }

    #[test]
    fn names_are_compared_by_utf_16_as_rfc_8785_section_3_2_3_has_it() {
        let given = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        let text = text(&given);
        let places: Vec<_> = order.iter().map(|word| text.find(word).expect(word)).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn escapes_are_those_of_rfc_8785_section_3_2_2_2() {
        let given = json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{8}\u{c}\t\r\u{7f}");
        assert_eq!(text(&given), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\f\\t\\r\u{7f}\"");
    }

    #[test]
    fn jcs_1_what_has_no_form_is_an_error_and_leaves_nothing() {
        let mut jcs = Jcs::default();
        let mut bytes = b"before".to_vec();
        for value in [json!({"a": 0.5}), json!([1u64 << 53]), json!(-(1i64 << 53)), json!({"a": {"b": 1e300}})] {
            assert!(jcs.append(&value, &mut bytes).is_err(), "{value}");
        }
        assert!(canonical(&u128::MAX).is_err() && canonical(&0.5f32).is_err());
        assert_eq!(bytes, b"before");
        jcs.append(&json!([(1u64 << 53) - 1, 1 - (1i64 << 53)]), &mut bytes).expect("it has a form");
        assert_eq!(bytes, b"before[9007199254740991,-9007199254740991]");
    }

    #[test]
    fn it_is_what_serde_json_writes_of_a_tree_whose_names_are_sorted() {
        let mut value = json!([]);
        for depth in 0..40u64 {
            let names = [depth * 7 % 13, depth * 5 % 11 + 20, depth * 3 % 7 + 40].map(|it| format!("k{it:02}"));
            value = json!({names[0].clone(): value, names[2].clone(): [depth, {"b": "\u{1}\u{2}\u{3}", "a": true}], names[1].clone(): depth});
        }
        assert_eq!(text(&value), value.to_string());
    }
}
