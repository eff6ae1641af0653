//! Logs as they were, and logs that were touched.

use std::{fs, sync::Arc};

use evenkeel_core::{Block, Draft, Ending, Entry, Followed, Header, Origin, Page, Record, RouteId, SEMANTICS, Segment};

use super::*;
use crate::Scenario;

fn scenario() -> Scenario {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/everything-at-once.yaml");
    Scenario::load(path.as_ref(), None).unwrap_or_else(|found| panic!("{found:?}"))
}

/// Replays segments, each named by its first record.
fn replayed(segments: &[(u64, &[u8])]) -> Replayed {
    let folder = tempfile::tempdir().expect("a folder");
    for (first, bytes) in segments {
        fs::write(folder.path().join(format!("{first:020}.ekin")), bytes).expect("written");
    }
    let log = Log::open(folder.path()).expect("it is there");
    let mut last = 0;
    let replayed = replay(&log, &mut |bytes| last = bytes).expect("it can be read");
    assert_eq!(last, log.bytes(), "all of it was looked at");
    replayed
}

/// Writes a log, of one segment, as that of a process which begins with another record.
fn begun(bytes: &[u8], began: u64) -> Vec<u8> {
    let mut segment = Segment::open(bytes).expect("whole");
    let mut out = Vec::new();
    Header { first: began, began, ..segment.header.clone() }.write(&mut out);
    while let Some(block) = segment.block().expect("whole") {
        written(&mut out, began - 1, block, &mut |_| {});
    }
    out
}

/// Writes a block anew, so many numbers later, with records that were changed.
fn written(out: &mut Vec<u8>, later: u64, mut block: Block<'_>, change: &mut dyn FnMut(&mut Record)) {
    let (mut page, mut draft) = (Page::default(), Draft::default());
    while let Some(mut record) = block.record().expect("whole") {
        change(&mut record);
        match &record.entry {
            Entry::Begin(origin) => draft.begin(origin),
            Entry::Input { input, name } => draft.input(input, *name),
            Entry::End(ending) => draft.end(*ending),
        }
        page.push(record.at, &mut draft, record.followed);
    }
    page.seal(block.first + later, out);
}

fn only(bytes: &[u8]) -> Process {
    let mut replayed = replayed(&[(1, bytes)]);
    assert_eq!(replayed.processes.len(), 1);
    replayed.processes.remove(0)
}

/// The blocks of a segment: where each begins.
fn blocks(bytes: &[u8]) -> Vec<usize> {
    let mut segment = Segment::open(bytes).expect("whole");
    let mut at = Vec::new();
    while let Some(Block { at: byte, .. }) = segment.block().expect("whole") {
        at.push(byte);
    }
    at
}

/// Writes a log anew, with records that were changed.
fn changed(bytes: &[u8], mut change: impl FnMut(&mut Record)) -> Vec<u8> {
    let mut segment = Segment::open(bytes).expect("whole");
    let mut out = Vec::new();
    segment.header.write(&mut out);
    while let Some(block) = segment.block().expect("whole") {
        written(&mut out, 0, block, &mut change);
    }
    out
}

#[test]
fn rule_12_twenty_thousand_decisions_under_faults_replay_identical() {
    let bytes = record(&scenario(), 11, Some(20_000));
    let process = only(&bytes);
    assert_eq!((&process.end, process.lost), (&End::Told(Ending::Stopped), 0));
    assert!(process.decisions >= 20_000 && process.records > 40_000, "{process:?}");
    assert_eq!(changed(&bytes, |_| {}), bytes, "a log that is written again is the same");
}

#[test]
fn log_1_a_flipped_bit_is_found_and_located_wherever_it_is() {
    let bytes = record(&scenario(), 11, Some(400));
    let blocks = blocks(&bytes);
    assert!(blocks.len() > 2);
    for n in 0..60 {
        let bit = bytes.len() * 8 * n / 60 + n % 8;
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let process = only(&flipped);
        let End::Damaged { place, what } = &process.end else { panic!("bit {bit}: {:?}", process.end) };
        let block = blocks.iter().rfind(|it| **it <= bit / 8).copied();
        let head = if bit / 8 < 8 { 0 } else { 8 };
        assert_eq!(place.byte, block.unwrap_or(head), "bit {bit}: {what}");
        assert_eq!(place.record, process.records + 1, "bit {bit}: {what}");
    }
}

#[test]
fn log_2_a_torn_tail_is_told_and_is_no_difference() {
    let bytes = record(&scenario(), 11, Some(400));
    let last = *blocks(&bytes).last().expect("some");
    let process = only(&bytes[..bytes.len() - 3]);
    let End::Torn { place, bytes: left } = &process.end else { panic!("{:?}", process.end) };
    assert_eq!((place.byte, *left, process.end.is_identical()), (last, bytes.len() - 3 - last, true));
    assert_eq!(only(&bytes[..last]).end, End::Untold, "a process that was killed between two blocks");
}

#[test]
fn rpl_1_a_segment_that_is_not_there_is_missed() {
    let bytes = record(&scenario(), 11, Some(400));
    let (blocks, head) = (blocks(&bytes), Segment::open(&bytes).expect("whole").header);
    let part = |from: usize, to: usize, first: u64| {
        let mut part = Vec::new();
        Header { first, ..head.clone() }.write(&mut part);
        part.extend(&bytes[from..to]);
        part
    };
    let (one, two, three) =
        (&bytes[..blocks[1]], part(blocks[1], blocks[2], 1_001), part(blocks[2], bytes.len(), 2_001));
    assert!(replayed(&[(1, one), (1_001, &two), (2_001, &three)]).is_identical());
    let process = replayed(&[(1, one), (2_001, &three)]).processes.remove(0);
    let End::Damaged { place, what } = &process.end else { panic!("{:?}", process.end) };
    assert_eq!((&**what, place.record, process.records), ("records 1001 to 2000 are not there", 1_001, 1_000));
    let process = replayed(&[(1_001, &two), (2_001, &three)]).processes.remove(0);
    assert!(matches!(&process.end, End::Damaged { what, .. } if what == "records 1 to 1000 are not there"));
}

#[test]
fn rpl_1_records_that_are_missing_between_two_processes_are_missed() {
    let whole = record(&scenario(), 11, Some(400));
    let (all, cut) = (only(&whole).records, &whole[..blocks(&whole)[1]]);
    let second = |began| begun(&whole, began);
    let (next, later) = (second(all + 1), second(2 * all + 1));
    assert!(replayed(&[(1, &whole), (all + 1, &next), (2 * all + 1, &later)]).is_identical());
    let told = |segments: &[(u64, &[u8])]| {
        let it = replayed(segments);
        assert!(!it.is_identical() && it.processes.iter().all(|it| it.end.is_identical()), "{it:?}");
        it.missing.into_iter().map(|it| (it.place.record, it.what)).collect::<Vec<_>>()
    };
    let missing = |from: u64, to: u64| vec![(from, format!("records {from} to {to} are not there"))];
    assert_eq!(told(&[(1, cut), (all + 1, &next)]), missing(1_001, all), "its end is not there");
    assert_eq!(told(&[(1, &whole), (2 * all + 1, &later)]), missing(all + 1, 2 * all), "a whole process is not there");
    let twice = vec![(all + 1, format!("record {all} comes where {} should", all + 1))];
    assert_eq!(told(&[(1, &whole), (all, &second(all))]), twice);
}

#[test]
fn rpl_1_a_process_that_wrote_nothing_has_a_number_and_misses_nothing() {
    let whole = record(&scenario(), 11, Some(100));
    let (next, mut head) = (only(&whole).records + 1, Vec::new());
    Header { first: next, began: next, ..Segment::open(&whole).expect("whole").header }.write(&mut head);
    let last = begun(&whole, next + 1);
    for (empty, end) in [(&head[..], "Untold"), (&head[..head.len() - 3], "Torn"), (&head[..3], "Torn")] {
        let it = replayed(&[(1, &whole), (next, empty), (next + 1, &last)]);
        assert!(it.is_identical(), "{it:?}");
        assert_eq!((it.processes.len(), it.processes[1].first, it.processes[1].records), (3, next, 0));
        assert!(format!("{:?}", it.processes[1].end).starts_with(end), "{it:?}");
    }
    assert!(!replayed(&[(1, &whole), (next + 1, &last)]).is_identical(), "the empty one is missing");
    let nothing = replayed(&[(next, &head)]);
    assert_eq!((nothing.records(), nothing.is_identical()), (0, false), "nothing was compared");
}

#[test]
fn rpl_1_what_stands_behind_the_last_block_of_a_segment_is_not_forgotten_by_the_next_one() {
    let bytes = record(&scenario(), 11, Some(400));
    let (blocks, head) = (blocks(&bytes), Segment::open(&bytes).expect("whole").header);
    let mut rest = Vec::new();
    Header { first: 1_001, ..head }.write(&mut rest);
    rest.extend(&bytes[blocks[1]..]);
    for junk in [&[0xA5; 64][..], &[0xA5; 5]] {
        let one = [&bytes[..blocks[1]], junk].concat();
        let process = replayed(&[(1, &one), (1_001, &rest)]).processes.remove(0);
        let End::Damaged { place, .. } = &process.end else { panic!("{} bytes: {:?}", junk.len(), process.end) };
        assert_eq!((place.byte, place.record, process.records), (blocks[1], 1_001, 1_000));
        let End::Damaged { place, .. } = only(&[&bytes[..], junk].concat()).end else { panic!("it has ended") };
        assert_eq!(place.byte, bytes.len());
    }
    let ends = changed(&bytes, |record| {
        if record.number == 1_500 {
            (record.entry, record.followed) = (Entry::End(Ending::Stopped), Followed::default());
        }
    });
    let End::Differs(it) = only(&ends).end else { panic!("more follows than nothing") };
    assert_eq!((it.place.record, &*it.input), (1_501, "the log has said that nothing follows"));
}

#[test]
fn log_1_a_head_that_cannot_be_read_is_no_flaw_of_the_process_before() {
    let whole = record(&scenario(), 11, Some(100));
    let next = only(&whole).records + 1;
    let mut second = begun(&whole, next);
    second[30] ^= 1;
    let it = replayed(&[(1, &whole), (next, &second)]);
    assert!(!it.is_identical() && it.missing.is_empty());
    assert_eq!(it.processes[0].end, End::Told(Ending::Stopped));
    let End::Damaged { place, .. } = &it.processes[1].end else { panic!("{it:?}") };
    assert_eq!((it.processes[1].first, place.record), (next, next));
}

#[test]
fn rpl_2_under_other_rules_nothing_is_compared() {
    let bytes = record(&scenario(), 11, Some(100));
    let mut foreign = Vec::new();
    let header = Segment::open(&bytes).expect("whole").header;
    Header { semantics: SEMANTICS ^ 1, core: "0.0.9".into(), ..header }.write(&mut foreign);
    foreign.extend(&bytes[blocks(&bytes)[0]..]);
    let both = replayed(&[(1, &foreign)]);
    let End::Foreign { core, what } = &both.processes[0].end else { panic!("{both:?}") };
    assert!(what.starts_with("semantics changed"), "{what}");
    assert_eq!((&**core, both.processes[0].records, both.is_identical()), ("0.0.9", 0, false));
}

#[test]
fn rule_12_the_first_record_after_which_something_else_follows_is_located_with_its_decision() {
    let bytes = record(&scenario(), 11, Some(400));
    let (mut admits, mut touched) = (0, 0);
    let touched_log = changed(&bytes, |record| {
        admits += u64::from(matches!(record.entry, Entry::Input { input: Input::Admit(_), .. }));
        if admits == 200 && touched == 0 {
            (touched, record.followed.hash) = (record.number, record.followed.hash ^ 1);
        }
    });
    let process = only(&touched_log);
    let End::Differs(it) = &process.end else { panic!("{:?}", process.end) };
    assert_eq!((it.place.record, process.records), (touched, touched));
    assert!(it.decision.is_some() && it.input.contains(" asks for "), "{it:?}");
    assert_eq!(it.outputs.len(), it.now.outputs as usize);
}

#[test]
fn rpl_3_a_panic_of_the_core_is_lived_again() {
    let bytes = record(&scenario(), 11, Some(20));
    let mut admit = None;
    changed(&bytes, |record| {
        if let (Entry::Input { input: Input::Admit(it), .. }, None) = (&record.entry, &admit) {
            admit = Some(it.clone());
        }
    });
    let mut admit = admit.expect("one was admitted");
    // A route that does not exist is a broken invariant.
    admit.route = RouteId(99);
    let origin = Origin::new(Arc::new((*scenario().revision).clone()));
    let written = |lost: bool| {
        let (mut bytes, mut page, mut draft) = (Vec::new(), Page::default(), Draft::default());
        let head = Header { core: "0".into(), semantics: SEMANTICS, first: 1, began: 1, at: 0, wall_ms: 0 };
        head.write(&mut bytes);
        draft.begin(&origin);
        page.push(0, &mut draft, Followed::default());
        draft.input(&Input::Admit(admit.clone()), None);
        page.push(5, &mut draft, Followed::default());
        if lost {
            draft.begin(&origin);
            page.push(5, &mut draft, Followed::default());
        }
        draft.input(&Input::Timeout, None);
        page.push(6, &mut draft, Followed::default());
        page.seal(1, &mut bytes);
        bytes
    };
    let process = only(&written(true));
    assert_eq!((process.end, process.lost, process.records), (End::Untold, 1, 4));
    let End::Differs(it) = only(&written(false)).end else { panic!("the core panics now, and did not then") };
    assert_eq!(it.place.record, 3);
}

#[test]
fn a_place_without_a_log_is_told_with_what_to_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = Log::open(folder.path()).expect_err("nothing is there").to_string();
    assert!(told.contains("name a folder that holds *.ekin"), "{told}");
    for name in ["i1", "i2"] {
        let inputs = folder.path().join("instances").join(name).join("inputs");
        fs::create_dir_all(&inputs).expect("made");
        fs::write(inputs.join("00000000000000000001.ekin"), b"").expect("written");
    }
    let told = Log::open(folder.path()).expect_err("there are two").to_string();
    assert!(told.contains("i1/inputs, ") && told.contains("i2/inputs"), "{told}");
    assert_eq!(Log::open(&folder.path().join("instances/i2")).expect("one").segments(), 1);
}

#[test]
fn a_name_is_written_as_a_ulid() {
    assert_eq!(ulid(0), "0".repeat(26));
    assert_eq!(ulid(u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}
