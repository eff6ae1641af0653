//! Tests of the scanner: against a slow reference parser, with the bytes split in every way.

use proptest::{prelude::*, test_runner::RngSeed};

use super::*;

type Parsed = (Vec<Vec<u8>>, End);

/// The scanner, fed with `pieces`.
fn scan<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Parsed {
    let mut scanner = Scanner::default();
    let mut events = vec![];
    for piece in pieces {
        scanner.push(piece);
        while let Some(event) = scanner.event().expect("short events") {
            let again = scan_whole(&event.forward());
            assert_eq!(again.len(), 1, "what is forwarded is one event");
            events.push(event.data.to_vec());
        }
    }
    (events, scanner.finish())
}

fn scan_whole(bytes: &[u8]) -> Vec<Bytes> {
    let mut scanner = Scanner::default();
    scanner.push(bytes);
    std::iter::from_fn(|| scanner.event().expect("short events")).map(|event| event.data).collect()
}

/// The rules of the standard, slowly: all bytes at once, line ends unified, line by line.
fn reference(bytes: &[u8]) -> Parsed {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut unified = vec![];
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && bytes[at - 1] == b'\r' => {}
            b'\r' => unified.push(b'\n'),
            byte => unified.push(*byte),
        }
    }
    let mut lines: Vec<&[u8]> = unified.split(|byte| *byte == b'\n').collect();
    let unfinished = lines.pop().expect("a split has a last part");
    let (mut events, mut data): (Vec<Vec<u8>>, Vec<&[u8]>) = (vec![], vec![]);
    fn value(line: &[u8]) -> Option<&[u8]> {
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        (field == b"data").then(|| value.strip_prefix(b" ").unwrap_or(value))
    }
    for line in lines {
        if line.is_empty() {
            events.push(std::mem::take(&mut data).join(&b'\n'));
        } else {
            data.extend(value(line));
        }
    }
    events.retain(|event| event.iter().any(|byte| *byte != b'\n'));
    let open = !unfinished.is_empty() && unfinished[0] != b':';
    data.extend(value(unfinished).filter(|_| open));
    let pending = data.join(&b'\n');
    let end = match pending {
        pending if pending.starts_with(b"[DONE]") => End::Done,
        pending if open || pending.iter().any(|byte| *byte != b'\n') => End::Cut,
        _ => End::Clean,
    };
    (events, end)
}

/// Streams made of the pieces that matter.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"data: {\"a\":1}",
        b"data:{\"b\":\"\xc3\xa9\"}",
        b"data",
        b"data:",
        b"data: ",
        b"data:  two",
        b"data: [DONE]",
        b": comment",
        b":",
        b"event: x",
        b"id: 1",
        b"dat",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\r\r",
        b"\xef\xbb\xbf",
        b" ",
        b"\xf0\x9f\x98\x80",
    ];
    prop::collection::vec(prop::sample::select(words), 0..16).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, rng_seed: RngSeed::Fixed(3), ..ProptestConfig::default() })]

    #[test]
    fn oai_03_f_129_any_split_yields_the_events_of_the_reference(stream in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let expected = reference(&stream);
        prop_assert_eq!(&scan([&stream[..]]), &expected, "whole");
        prop_assert_eq!(&scan(stream.chunks(1)), &expected, "one byte at a time");
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        prop_assert_eq!(&scan(cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]])), &expected, "cut at {:?}", cuts);
    }
}

#[test]
fn oai_03_every_rule_one_byte_at_a_time() {
    let check = |stream: &[u8], events: &[&[u8]], end: End| {
        let expected = (events.iter().map(|event| event.to_vec()).collect(), end);
        assert_eq!(scan(stream.chunks(1)), expected, "{:?}", String::from_utf8_lossy(stream));
        assert_eq!(scan([stream]), expected, "{:?} whole", String::from_utf8_lossy(stream));
    };
    check(b"", &[], End::Clean);
    check(b"\xef\xbb\xbfdata: a\n\n", &[b"a"], End::Clean);
    check(b"data: a\ndata: b\r\n\ndata:c\r\rdata:  d\n\n", &[b"a\nb", b"c", b" d"], End::Clean);
    check(b": hi\n\n:\n\ndata: a\n: mid\n\n", &[b"a"], End::Clean);
    check(b"event: x\nid: 1\nretry: 5\ndata: a\n\n", &[b"a"], End::Clean);
    check(b"data\n\ndata:\n\ndata: \n\nid: 1\n\n", &[], End::Clean);
    check(b"data: \xf0\x9f\x98\x80\n\n", &["😀".as_bytes()], End::Clean);
    check(b"data: a\n\ndata: [DONE]", &[b"a"], End::Done);
    check(b"data: a\n\ndata: [DONE]\n", &[b"a"], End::Done);
    check(b"data: a\n\ndata: [DO", &[b"a"], End::Cut);
    check(b"data: a\n", &[], End::Cut);
    check(b"data: a\n\n: bye", &[b"a"], End::Clean);
    check(b"data: a\n\ndat", &[b"a"], End::Cut);
    check(b"data: a\r\n\r\n", &[b"a"], End::Clean);
}

#[test]
fn events_in_our_form_pass_as_they_came_and_others_are_normalised() {
    let check = |stream: &[u8], forwarded: &[u8], same: bool| {
        let mut scanner = Scanner::default();
        scanner.push(stream);
        let event = scanner.event().expect("short").expect("one event");
        assert_eq!((event.forward(), event.raw.is_some()), (Bytes::copy_from_slice(forwarded), same));
    };
    check(b"data: a\n\n", b"data: a\n\n", true);
    check(b": c\n\n\ndata: a\n\n", b"data: a\n\n", true);
    check(b"data:a\n\n", b"data: a\n\n", false);
    check(b"data: a\r\n\r\n", b"data: a\n\n", false);
    check(b"data: a\r\n\n", b"data: a\n\n", false);
    check(b"data: a\n\r\n", b"data: a\n\n", false);
    check(b"data: a\n: c\n\n", b"data: a\n\n", false);
    check(b"event: x\ndata: a\n\n", b"data: a\n\n", true);
    check(b"data: a\nevent: x\n\n", b"data: a\n\n", false);
    check(b"data: {\"a\":\ndata: 1}\n\n", b"data: {\"a\": 1}\n\n", false);
}

#[test]
fn st_13_an_event_over_the_limit_is_refused_and_memory_stays_bounded() {
    let mut scanner = Scanner::default();
    let piece = [b'x'; 1 << 16];
    scanner.push(b"data: ");
    let refused = (0..160).position(|_| {
        scanner.push(&piece);
        scanner.event().is_err()
    });
    assert_eq!(refused, Some(15), "at the sixteenth 64 KiB of ten megabytes");

    let mut scanner = Scanner::default();
    for _ in 0..100_000 {
        scanner.push(b": comments are let go of\n");
        assert_eq!(scanner.event(), Ok(None));
    }
    assert!(scanner.held.is_empty());

    for (size, fits) in [(EVENT_MAX, true), (EVENT_MAX + 1, false)] {
        let mut scanner = Scanner::default();
        scanner.push(&[&b"data: "[..], &vec![b'x'; size - 8], b"\n\n"].concat());
        assert_eq!(scanner.event().is_ok_and(|event| event.is_some()), fits, "{size}");
    }
}
