//! Tests of the reader: against serde_json as the second opinion, and at the edges by table.

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<Range<usize>, Flaw> {
    let mut reader = Reader::new(bytes, 128)?;
    let span = reader.skip()?;
    reader.end()?;
    Ok(span)
}

/// Whether serde_json takes it. It has an opinion on the size of numbers that RFC 8259 does not share.
fn serde_takes(bytes: &[u8]) -> bool {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(_) => true,
        Err(error) if error.to_string().starts_with("number out of range") => {
            serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
        }
        Err(_) => false,
    }
}

/// Texts that are JSON, or nearly.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0.5e+3".to_owned()),
        Just("1E9".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|s| serde_json::to_string(&s).expect("a string")),
        Just(r#""\ud83d\ude00\u00e9\/\b""#.to_owned()),
    ];
    let value = leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[ {} ]", items.join(" ,"))),
            prop::collection::vec(("[a-z\\\\\"]{0,3}", inner), 0..5).prop_map(|members| {
                let member = |(key, value): &(String, String)| {
                    format!("{} :{value}", serde_json::to_string(key).expect("a string"))
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(",\n"))
            }),
        ]
    });
    value.prop_map(String::into_bytes)
}

/// Bytes that break texts in interesting ways.
const BITES: &[u8] = b"{}[]\",:\\u0dD8cn-+.eE1 \n\r\t\x00\x1f\x7f\x80\xc3\xe2\xedtfNI/";

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: proptest::test_runner::RngSeed::Fixed(12), ..ProptestConfig::default() })]

    #[test]
    fn accepts_exactly_what_serde_json_accepts(
        text in nearly_json(),
        bites in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(BITES), 0..4u8), 0..4),
    ) {
        let mut text = text;
        for (at, byte, how) in bites {
            let at = at.index(text.len() + 1);
            match how {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                2 if at < text.len() => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
        }
        prop_assert_eq!(read(&text).is_ok(), serde_takes(&text), "{:?}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn decodes_strings_as_serde_json_does(text in any::<String>(), ascii in any::<bool>()) {
        let mut json = serde_json::to_string(&text).expect("a string");
        if ascii {
            json = json.chars().flat_map(|c| match c {
                c if c.is_ascii() => vec![c],
                c => c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| format!("\\u{unit:04X}").into_bytes()).map(char::from).collect(),
            }).collect();
        }
        let mut reader = Reader::new(json.as_bytes(), 1).expect("UTF-8");
        prop_assert_eq!(reader.string().expect("a string").decode(), text);
    }
}

#[test]
fn cl_12_cl_13_flaws_are_named_with_their_offset() {
    let check = |text: &[u8], what: What, at: usize| {
        assert_eq!(read(text), Err(Flaw { what, at }), "{:?}", String::from_utf8_lossy(text));
    };
    check(b"", What::End, 0);
    check(b"\xef\xbb\xbf{}", What::ByteOrderMark, 0);
    check(b"{\"a\":\"\xff\"}", What::Utf8, 6);
    check(b"{\"a\":\"\xed\xa0\x80\"}", What::Utf8, 6);
    check(b"\"a\0\"", What::Control, 2);
    check(br#""\ud800""#, What::Surrogate, 1);
    check(br#""\udc00""#, What::Surrogate, 1);
    check(br#""\ud800\u0041""#, What::Surrogate, 1);
    check(br#""\x""#, What::Escape, 1);
    check(br#""\u12g4""#, What::Escape, 1);
    check(b"{} {}", What::Expected("the end"), 3);
    check(b"[1 2]", What::Expected("',' or ']'"), 3);
    check(b"{\"a\" 1}", What::Expected("':'"), 5);
    check(b"{\"a\":1,}", What::Expected("a string"), 7);
    check(b"[1,]", What::Expected("a value"), 3);
    check(b"01", What::Expected("the end"), 1);
    check(b"1.", What::Number, 2);
    check(b"NaN", What::Expected("a value"), 0);
    check(b"-Infinity", What::Number, 1);
    check(b"nul", What::Expected("null"), 0);
    for numbers in ["1e999", "-0", "123456789012345678901234567890", "0.1E-400"] {
        assert_eq!(read(numbers.as_bytes()), Ok(0..numbers.len()), "numbers pass unchanged");
    }
}

#[test]
fn cl_13_depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(read(&nested(128)).is_ok());
    assert_eq!(read(&nested(129)), Err(Flaw { what: What::Depth(128), at: 128 }));
    assert_eq!(read(&vec![b'['; 100_000]), Err(Flaw { what: What::Depth(128), at: 128 }));
    let objects = ["{\"a\":[".repeat(64), "1".into(), "]}".repeat(64)].concat();
    assert!(read(objects.as_bytes()).is_ok(), "128 alternating containers use every bit of the stack");
    let crossed = ["{\"a\":[".repeat(64), "1".into(), "}]".repeat(64)].concat();
    assert!(read(crossed.as_bytes()).is_err());
}

#[test]
fn tokens_are_numbers_only_where_they_are_allowed() {
    for text in ["NaN", "Infinity", "-Infinity", "[1, NaN, [-Infinity]]"] {
        let mut reader = Reader::new(text.as_bytes(), 4).expect("UTF-8");
        assert!(reader.skip().is_err(), "{text}");
        let mut reader = Reader::new(text.as_bytes(), 4).expect("UTF-8");
        reader.tokens = true;
        assert_eq!(reader.skip(), Ok(0..text.len()), "{text}");
    }
    for text in ["Nan", "-Inf", "Infinit", "+Infinity", "-NaN"] {
        let mut reader = Reader::new(text.as_bytes(), 4).expect("UTF-8");
        reader.tokens = true;
        assert!(reader.skip().is_err(), "{text}");
    }
}
