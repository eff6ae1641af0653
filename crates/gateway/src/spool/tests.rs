//! What is kept, on a disk that is stopped, full, broken, slow, and read by nobody.

mod faulty;
mod gone;
mod kit;

use std::{fs, io::Read, sync::mpsc::channel};

use evenkeel_api::evidence::{Cursor, Event, Gap, Jcs, Members, Stream, Why, segments};
use evenkeel_config::{Duration as Span, Size};
use evenkeel_core::{MILLISECOND, SECOND};
use flate2::read::MultiGzDecoder;

use self::{
    faulty::{Faults, Faulty},
    kit::{Kit, Stuck, Text},
};
use super::{queue::MOST, *};

#[test]
fn a_file_is_closed_once_a_second_is_gzip_for_everybody_and_is_not_made_for_nothing() {
    let mut kit = Kit::new();
    assert!(kit.writer.due().is_none() && fs::read_dir(kit.folder.path()).expect("read").next().is_none());
    for _ in 0..25 {
        kit.decide(2);
        kit.pass(100 * MILLISECOND);
    }
    kit.pass(1_000 * MILLISECOND);
    kit.pass(10_000 * MILLISECOND);
    let found = segments(&kit.instance("i1"), Stream::Decisions).expect("read");
    let first: Vec<_> = found.iter().map(|it| (it.first, it.closed)).collect();
    assert_eq!(first, [(1, true), (23, true), (45, true)], "a second each, which is eleven steps");
    let mut text = String::new();
    for segment in &found {
        let file = fs::File::open(&segment.path).expect("there");
        MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    }
    let expected: String = (0..50).map(|n| format!("{{\"id\":{n}}}\n")).collect();
    assert_eq!(text, expected);
    assert!(fs::read_dir(kit.instance("i1").join("events")).expect("there").next().is_none(), "nothing happened");
    assert_eq!(kit.durable(), [50, 0]);
}

#[test]
fn da_01_g_096_what_was_acknowledged_is_there_after_a_stop_and_the_rest_is_a_declared_gap() {
    for torn in [&[][..], &[0x1f], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff, 0xca]] {
        let mut kit = Kit::new();
        for _ in 0..15 {
            kit.decide(3);
            kit.pass(100 * MILLISECOND);
        }
        assert_eq!(kit.durable(), [45, 0]);
        // These wait when the process is stopped, in the middle of a write.
        kit.decide(5);
        kit.tear(torn);
        kit.stop();
        kit.decide(1);
        kit.pass(100 * MILLISECOND);
        let lines = kit.lines("i1", Stream::Decisions);
        let expected: Vec<_> = (1..=45).map(|n| (n, format!("{{\"id\":{}}}", n - 1))).collect();
        assert_eq!(lines[..45], expected);
        assert_eq!(lines[45..], [(46, "{\"id\":50}".into())], "its number has not been anybody's that was told of");
        let gaps = kit.gaps("i1");
        let gap = |stream: Stream, from| Gap {
            instance: "i1".into(),
            stream: stream.name().into(),
            from,
            count: None,
            why: Why::UncleanStop,
        };
        assert_eq!(gaps, [gap(Stream::Decisions, 46), gap(Stream::Events, 1)], "{torn:?}");
        assert_eq!(kit.missed(Stream::Decisions, Why::UncleanStop), 1);
    }
}

#[test]
fn a_clean_stop_leaves_nothing_open_and_no_gap() {
    let mut kit = Kit::new();
    kit.decide(3);
    kit.finish();
    assert!(segments(&kit.instance("i1"), Stream::Decisions).expect("read").iter().all(|it| it.closed));
    kit.stop();
    kit.decide(1);
    kit.pass(SECOND);
    assert_eq!(kit.lines("i1", Stream::Decisions).len(), 4);
    assert_eq!(kit.gaps("i1"), []);
}

#[test]
fn da_01_a_file_that_is_damaged_is_kept_as_it_is_and_no_number_comes_again() {
    let mut kit = Kit::new();
    for _ in 0..4 {
        kit.decide(3);
        kit.pass(100 * MILLISECOND);
    }
    let [open] = &segments(&kit.instance("i1"), Stream::Decisions).expect("read")[..] else { panic!("one file") };
    let mut bytes = open.read().expect("read");
    let middle = bytes.len() / 2 - 3;
    bytes[middle] ^= 0x10;
    fs::write(&open.path, &bytes).expect("written");
    kit.stop();
    kit.decide(1);
    kit.pass(SECOND);
    let lines = kit.lines("i1", Stream::Decisions);
    let (kept, new) = lines.split_at(lines.len() - 1);
    assert!(!kept.is_empty() && kept.len() < 12, "{lines:?}");
    assert!(kept.iter().zip(1..).all(|((n, _), expected)| *n == expected));
    assert!(new[0].0 > 12, "twelve were acknowledged: {new:?}");
    let aside = open.path.with_file_name("00000000000000000001.jsonl.damaged");
    assert_eq!(fs::read(aside).expect("it is kept"), bytes);
}

#[test]
fn f_160_whatever_a_disk_does_what_was_taken_is_written_once_and_the_rest_is_declared() {
    let table = [
        ("full", Faults { room: Some(40), ..Faults::default() }),
        ("full at once", Faults { room: Some(0), ..Faults::default() }),
        ("read-only", Faults { read_only: true, ..Faults::default() }),
        ("sync fails", Faults { sync: true, ..Faults::default() }),
        ("folder cannot be synced", Faults { sync_folder: true, ..Faults::default() }),
        ("files cannot be renamed", Faults { rename: true, ..Faults::default() }),
        ("all of it", Faults { room: Some(9), sync: true, sync_folder: true, rename: true, ..Faults::default() }),
    ];
    for (name, faults) in table {
        // From the start, in the middle of a file, and between two.
        for before in [0, 3, 11] {
            let mut kit = Kit::new();
            for _ in 0..before {
                kit.decide(2);
                kit.pass(100 * MILLISECOND);
            }
            let known = kit.durable()[0];
            assert_eq!(known, before * 2, "{name}");
            *kit.faults.lock() = faults;
            for _ in 0..30 {
                kit.decide(2);
                kit.pass(100 * MILLISECOND);
            }
            let more = if before == 3 { MOST as u64 + 500 } else { 10 };
            let taken = 60 + (0..more).filter(|_| kit.decide(1) == 1).count() as u64;
            let missed = 60 + more - taken;
            assert_eq!(kit.missed(Stream::Decisions, Why::IoError), missed, "{name}: by the disk");
            assert!(kit.trouble().is_some() && (missed >= 500 || before != 3), "{name}: {missed}");
            // All that is known is there, though the disk fails.
            let during = kit.lines("i1", Stream::Decisions);
            assert!(during.len() as u64 >= kit.durable()[0], "{name}");
            *kit.faults.lock() = Faults::default();
            (0..40).for_each(|_| kit.pass(SECOND));
            assert!(kit.trouble().is_none(), "{name}");
            let lines = kit.lines("i1", Stream::Decisions);
            assert!(lines.iter().zip(1..).all(|((n, _), expected)| *n == expected), "{name}: a hole in the numbers");
            let unique: std::collections::BTreeSet<_> = lines.iter().map(|(_, text)| text).collect();
            assert_eq!((unique.len() as u64, lines.len() as u64), (known + taken, known + taken), "{name} {before}");
            assert_eq!(kit.durable()[0], known + taken);
            let declared: u64 = kit.gaps("i1").iter().map(|it| it.count.expect("they were counted")).sum();
            assert_eq!(declared, missed, "{name}: {:?}", kit.gaps("i1"));
            assert!(
                segments(&kit.instance("i1"), Stream::Decisions).expect("read").iter().all(|it| it.closed),
                "{name}"
            );
        }
    }
}

#[test]
fn a_short_write_goes_on_where_it_ended() {
    let mut kit = Kit::new();
    kit.faults.lock().short = true;
    kit.decide(20);
    kit.pass(100 * MILLISECOND);
    assert_eq!(kit.durable()[0], 20);
    assert_eq!(kit.lines("i1", Stream::Decisions).len(), 20);
}

#[test]
fn a_file_whose_sync_has_failed_is_never_written_again() {
    let mut kit = Kit::new();
    kit.decide(2);
    kit.pass(100 * MILLISECOND);
    kit.faults.lock().sync = true;
    kit.decide(2);
    kit.pass(100 * MILLISECOND);
    assert_eq!(kit.durable()[0], 2, "SPOOL-2");
    *kit.faults.lock() = Faults::default();
    kit.pass(SECOND);
    let found = segments(&kit.instance("i1"), Stream::Decisions).expect("read");
    assert_eq!(found.iter().map(|it| (it.first, it.closed)).collect::<Vec<_>>(), [(1, true), (3, false)]);
    assert_eq!(kit.lines("i1", Stream::Decisions).len(), 4);
    assert_eq!(kit.durable()[0], 4);
}

#[test]
fn f_160_with_a_dead_reader_the_spool_is_bounded_and_goes_on_once_it_reads() {
    let mut kit = Kit::new();
    let bound = 4 << 10;
    kit.read_by(&["audit", "store"]);
    kit.keep(Kept { spool: Size(bound), ..Kept::default() });
    kit.decide(1);
    kit.pass(100 * MILLISECOND);
    let instance = kit.instance("i1");
    Cursor::default().save(&instance, "store").expect("written");
    Cursor { decisions: u64::MAX, events: u64::MAX }.save(&instance, "audit").expect("written");
    let mut all = 1;
    for step in 0.. {
        kit.write(&format!("{{\"id\":\"{}\"}}", kit::noise(step, 400)));
        all += 1;
        kit.pass(SECOND);
        if all * 400 > 10 * bound {
            break;
        }
    }
    let size: u64 = segments(&instance, Stream::Decisions)
        .expect("read")
        .iter()
        .map(|it| fs::metadata(&it.path).expect("there").len())
        .sum();
    assert!((bound..bound + 1_024).contains(&size), "{size}");
    let missed = kit.missed(Stream::Decisions, Why::SpoolFull);
    assert_eq!(kit.durable()[0] + missed, all);
    assert!(kit.standing().waiting >= bound && kit.shared.queue.is_empty(), "nothing is held in memory for it");
    Cursor { decisions: kit.durable()[0], events: 0 }.save(&instance, "store").expect("written");
    kit.pass(SECOND);
    kit.decide(1);
    kit.pass(SECOND);
    kit.pass(SECOND);
    assert_eq!(kit.durable()[0], all - missed + 1, "it goes on");
    let declared: u64 = kit.gaps("i1").iter().map(|it| it.count.expect("counted")).sum();
    assert_eq!(declared, missed, "{:?}", kit.gaps("i1"));
    assert!(kit.gaps("i1").iter().all(|it| it.why == Why::SpoolFull));
    // The same after another start: what waits is found again.
    kit.finish();
    kit.stop();
    kit.keep(Kept { spool: Size(bound), ..Kept::default() });
    let read = Cursor::least(&instance, &["audit", "store"]).expect("two");
    let size = |stream, read: u64| {
        let all = segments(&instance, stream).expect("read");
        let ends = all.iter().skip(1).map(|it| it.first - 1).chain([u64::MAX]);
        let unread = all.iter().zip(ends).filter(|(_, end)| *end > read);
        unread.map(|(it, _)| fs::metadata(&it.path).expect("there").len()).sum::<u64>()
    };
    let waiting: u64 = Stream::ALL.into_iter().map(|it| size(it, read.of(it))).sum();
    kit.decide(1);
    kit.pass(MILLISECOND);
    assert!(waiting > 0);
    assert_eq!(kit.standing().waiting, waiting);
}

#[test]
fn f_160_a_reader_that_has_never_come_is_waited_for_and_one_that_is_not_configured_is_not() {
    let bound = 4 << 10;
    let mut kit = Kit::new();
    kit.read_by(&["audit", "store"]);
    let kept = Kept { spool: Size(bound), keep: Span::seconds(3_600), ..Kept::default() };
    kit.keep(kept);
    kit.decide(1);
    kit.pass(SECOND);
    let instance = kit.instance("i1");
    // The engine of the store is away: it has never been here.
    Cursor { decisions: u64::MAX, events: u64::MAX }.save(&instance, "audit").expect("written");
    let fill = |kit: &mut Kit| {
        for n in 0..100 {
            kit.write(&format!("{{\"id\":\"{}\"}}", kit::noise(n, 400)));
            kit.pass(SECOND);
        }
        kit.missed(Stream::Decisions, Why::SpoolFull)
    };
    assert!(fill(&mut kit) > 0 && kit.standing().waiting >= bound, "{:?}", kit.standing());
    // Half of them were not kept, and of what was kept nothing goes.
    let files = segments(&instance, Stream::Decisions).expect("read").len();
    kit.pass(2 * 3_600 * SECOND);
    kit.pass(2 * 3_600 * SECOND);
    assert_eq!(segments(&instance, Stream::Decisions).expect("read").len(), files);
    // Nor is it forgotten by who starts before it has come.
    kit.stop();
    kit.keep(kept);
    kit.decide(1);
    kit.pass(SECOND);
    assert!(kit.standing().waiting >= bound, "{:?}", kit.standing());
    // Who is not configured any more is not waited for, though its cursor stands there.
    kit.read_by(&["audit"]);
    kit.keep(kept);
    Cursor::default().save(&instance, "store").expect("written");
    assert_eq!(fill(&mut kit), 0);
    assert_eq!(kit.standing().waiting, 0);
}

#[test]
fn a_reader_that_is_new_where_others_have_read_does_not_fill_the_spool_with_what_was_before_it() {
    let mut kit = Kit::new();
    kit.read_by(&["store"]);
    let kept = Kept { spool: Size(1), ..Kept::default() };
    for _ in 0..5 {
        kit.decide(1);
        kit.pass(SECOND);
        Cursor { decisions: u64::MAX, events: u64::MAX }.save(&kit.instance("i1"), "store").expect("written");
    }
    kit.finish();
    kit.read_by(&["audit", "store"]);
    kit.keep(kept);
    kit.decide(1);
    kit.pass(SECOND);
    assert_eq!((kit.standing().waiting, kit.missed(Stream::Decisions, Why::SpoolFull)), (0, 0));
    kit.pass(SECOND);
    kit.pass(SECOND);
    assert!(kit.standing().waiting > 0, "what comes from now on waits for it");
}

#[test]
fn what_is_older_than_keep_goes_from_folders_that_nobody_sits_in() {
    let (mut one, mut two) = (Kit::new(), Kit::new());
    two.move_to(&one);
    let kept = Kept { keep: Span::seconds(3_600), ..Kept::default() };
    for kit in [&mut one, &mut two] {
        kit.keep(kept);
        for _ in 0..3 {
            kit.decide(2);
            kit.pass(SECOND);
            kit.pass(SECOND);
        }
    }
    let firsts = |kit: &Kit| {
        let found = segments(&kit.instance("i2"), Stream::Decisions).expect("read");
        found.iter().map(|it| it.first).collect::<Vec<_>>()
    };
    // Somebody has read there once who is none of our readers.
    Cursor { decisions: 2, events: 0 }.save(&one.instance("i2"), "archive").expect("written");
    one.pass(2 * 3_600 * SECOND);
    assert_eq!(firsts(&one), [1, 3, 5], "somebody sits there");
    two.finish();
    drop(two);
    one.pass(2 * 3_600 * SECOND);
    assert_eq!(firsts(&one), [3, 5], "SWE-1");
    Cursor::forget(one.folder.path(), "archive").expect("removed");
    one.pass(2 * 3_600 * SECOND);
    assert_eq!(firsts(&one), [5], "SWE-2");
}

#[test]
fn where_nobody_reads_everything_counts_as_read() {
    let mut kit = Kit::new();
    kit.keep(Kept { spool: Size(1), ..Kept::default() });
    for _ in 0..5 {
        kit.decide(9);
        kit.pass(SECOND);
    }
    assert_eq!(kit.missed(Stream::Decisions, Why::SpoolFull), 0);
    assert_eq!(kit.standing().waiting, 0);
}

#[test]
fn what_is_older_than_keep_goes_once_all_have_read_it_and_the_last_one_stays() {
    let mut kit = Kit::new();
    kit.read_by(&["store"]);
    kit.keep(Kept { keep: Span::seconds(3_600), ..Kept::default() });
    for _ in 0..3 {
        kit.decide(2);
        kit.pass(SECOND);
        kit.pass(SECOND);
    }
    let instance = kit.instance("i1");
    let firsts = |kit: &Kit| {
        let found = segments(&kit.instance("i1"), Stream::Decisions).expect("read");
        found.iter().map(|it| it.first).collect::<Vec<_>>()
    };
    Cursor { decisions: 2, events: 0 }.save(&instance, "store").expect("written");
    assert_eq!(firsts(&kit), [1, 3, 5]);
    kit.decide(1);
    kit.pass(2 * 3_600 * SECOND);
    assert_eq!(firsts(&kit), [3, 5, 7], "what was not read stays");
    Cursor { decisions: 99, events: 0 }.save(&instance, "store").expect("written");
    kit.pass(2 * 3_600 * SECOND);
    kit.pass(2 * 3_600 * SECOND);
    assert_eq!(firsts(&kit), [7], "the last one says where the numbers are");
    kit.finish();
    kit.stop();
    kit.decide(1);
    kit.pass(SECOND);
    assert_eq!(
        kit.lines("i1", Stream::Decisions).last().map(|it| it.0),
        Some(100),
        "no number that was read comes again"
    );
}

#[test]
fn two_processes_never_share_a_folder_and_what_one_left_is_closed_by_the_next() {
    let (mut one, mut two) = (Kit::new(), Kit::new());
    two.move_to(&one);
    for kit in [&mut one, &mut two] {
        kit.decide(2);
        kit.pass(100 * MILLISECOND);
    }
    assert_eq!([&one, &two].map(|it| it.standing().instance.expect("it has one")), ["i1", "i2"]);
    // Both are stopped; one comes back, and another folder is nobody's.
    two.stop();
    drop(two);
    one.stop();
    one.decide(1);
    one.pass(SECOND);
    assert_eq!(one.standing().instance.as_deref(), Some("i1"));
    let left = segments(&one.instance("i2"), Stream::Decisions).expect("read");
    assert_eq!(left.iter().map(|it| (it.first, it.closed)).collect::<Vec<_>>(), [(1, true)]);
    assert_eq!(one.gaps("i2").len(), 2, "{:?}", one.gaps("i2"));
    one.finish();
    one.stop();
    one.decide(1);
    one.pass(SECOND);
    assert_eq!(one.gaps("i2").len(), 2, "once");
}

#[test]
fn f_160_a_disk_that_does_not_answer_makes_nobody_wait_and_what_finds_no_room_is_declared() {
    let folder = tempfile::tempdir().expect("a folder");
    let (began, beginning) = channel();
    let (go_on, going) = channel();
    let home = Home { data_dir: folder.path().into(), readers: Arc::default() };
    let spool = Spool::start(home, Stuck::new((began, going)), Clock::start());
    spool.apply(Some(Kept::default()));
    let decide = |n: u64| spool.decision(Arc::new(Text::plain(n)), true);
    decide(0);
    beginning.recv().expect("it writes");
    // The writer stands still in a sync, and nobody lets it go on before all have been handed on.
    let all = MOST as u64 + 1_000;
    (1..all).for_each(decide);
    let missed = spool.standing().missed.iter().find(|((_, why), _)| *why == Why::QueueFull).map_or(0, |it| it.1);
    assert!(missed >= 999, "SPOOL-4: {missed}");
    go_on.send(()).expect("it waits");
    spool.finish(0);
    let lines = kit::lines(&folder.path().join("instances/i1"), Stream::Decisions);
    assert_eq!(lines.len() as u64 + missed, all);
    let gaps = kit::gaps(&folder.path().join("instances/i1"));
    assert_eq!(gaps.iter().map(|it| it.count.expect("counted")).sum::<u64>(), missed);
    assert!(gaps.iter().all(|it| it.why == Why::QueueFull && it.from <= all - missed + 1), "{gaps:?}");
}
