//! What is taken away under it, what is damaged, and bugs: none of it is silent.

use super::*;

/// Lines of decisions that are on disk, and those that are declared as missing.
fn accounted(kit: &Kit) -> [u64; 2] {
    let declared = kit.gaps("i1").into_iter().filter(|it| it.stream == "decisions");
    [kit.lines("i1", Stream::Decisions).len() as u64, declared.map(|it| it.count.expect("they were counted")).sum()]
}

#[test]
fn da_03_a_folder_that_is_taken_away_is_made_anew_and_what_was_told_as_durable_is_declared() {
    for (name, what) in [("the stream", "i1/decisions"), ("the instance", "i1"), ("all of them", "")] {
        for before in [1, 25] {
            let mut kit = Kit::new();
            for _ in 0..before {
                kit.decide(2);
                kit.pass(100 * MILLISECOND);
            }
            let acknowledged = kit.durable()[0];
            let open = kit.lines("i1", Stream::Decisions).len() as u64;
            let closed: u64 = 2 * (before / 11) * 11;
            assert_eq!((acknowledged, open), (2 * before, 2 * before));
            fs::remove_dir_all(kit.folder.path().join("instances").join(what)).expect("removed");
            for _ in 0..60 {
                kit.decide(2);
                kit.pass(100 * MILLISECOND);
            }
            kit.pass(10 * SECOND);
            kit.pass(10 * SECOND);
            assert_eq!(kit.trouble(), None, "{name} {before}");
            assert_eq!(kit.standing().instance.as_deref(), Some("i1"));
            let [there, declared] = accounted(&kit);
            // What was read by all who read there, which is nobody, is nobody's loss.
            assert_eq!(there + declared + closed, 2 * before + 120, "{name} {before}: {:?}", kit.gaps("i1"));
            assert!(there >= 90 && declared >= acknowledged - closed, "{name} {before}: {there} {declared}");
            assert_eq!(kit.missed(Stream::Decisions, Why::IoError), declared);
            assert!(kit.gaps("i1").iter().all(|it| it.why == Why::IoError), "nobody was stopped");
            let lines = kit.lines("i1", Stream::Decisions);
            assert!(lines[0].0 > acknowledged, "{name} {before}: no number comes again: {:?}", lines[0]);
            assert_eq!(kit.durable()[0], lines.last().expect("some").0);
        }
    }
}

#[test]
fn da_03_a_folder_that_is_taken_away_at_the_very_end_is_declared_too() {
    let mut kit = Kit::new();
    kit.decide(2);
    kit.pass(100 * MILLISECOND);
    fs::remove_dir_all(kit.instance("i1")).expect("removed");
    kit.decide(3);
    kit.finish();
    let [there, declared] = accounted(&kit);
    assert_eq!((there + declared, kit.trouble()), (5, None));
    kit.stop();
    kit.decide(1);
    kit.pass(SECOND);
    assert_eq!(kit.missed(Stream::Decisions, Why::UncleanStop), 0, "nobody was stopped");
}

#[test]
fn events_that_wait_when_a_folder_is_taken_away_have_the_numbers_of_where_they_are_written() {
    let mut kit = Kit::new();
    kit.note();
    kit.pass(SECOND);
    kit.pass(SECOND);
    kit.faults.lock().read_only = true;
    kit.note();
    kit.pass(SECOND);
    *kit.faults.lock() = Faults::default();
    fs::remove_dir_all(kit.instance("i1")).expect("removed");
    (0..10).for_each(|_| kit.pass(SECOND));
    // Each is read as an event whose number is that of its place.
    let numbers: Vec<_> = kit.events("i1").into_iter().map(|it| it.n).collect();
    assert_eq!(numbers, [2]);
}

#[test]
fn da_01_no_number_comes_again_behind_a_damaged_file_however_often_it_is_started() {
    let mut kit = Kit::new();
    for _ in 0..4 {
        kit.decide(3);
        kit.pass(100 * MILLISECOND);
    }
    assert_eq!(kit.durable()[0], 12);
    let [open] = &segments(&kit.instance("i1"), Stream::Decisions).expect("read")[..] else { panic!("one file") };
    let mut bytes = open.read().expect("read");
    let middle = bytes.len() / 2 - 3;
    bytes[middle] ^= 0x10;
    fs::write(&open.path, &bytes).expect("written");
    kit.stop();
    // Nobody decides anything before the next stops.
    for _ in 0..3 {
        kit.note();
        kit.pass(SECOND);
        kit.pass(SECOND);
        assert!(kit.durable()[0] > 12, "{:?}", kit.durable());
        kit.finish();
        kit.stop();
    }
    kit.decide(1);
    kit.pass(SECOND);
    let lines = kit.lines("i1", Stream::Decisions);
    assert!(lines.last().expect("one").0 > 12, "twelve were acknowledged: {lines:?}");
}

#[test]
fn a_file_that_is_healed_is_not_cut_again_where_only_its_folder_could_not_be_synced() {
    let mut kit = Kit::new();
    kit.read_by(&["store"]);
    kit.decide(2);
    kit.pass(100 * MILLISECOND);
    kit.faults.lock().sync = true;
    kit.decide(2);
    kit.pass(100 * MILLISECOND);
    *kit.faults.lock() = Faults { sync_folder: true, ..Faults::default() };
    kit.pass(SECOND);
    kit.pass(SECOND);
    *kit.faults.lock() = Faults::default();
    (0..10).for_each(|_| kit.pass(10 * SECOND));
    assert_eq!((kit.trouble(), kit.durable()[0]), (None, 4));
    let found = segments(&kit.instance("i1"), Stream::Decisions).expect("read");
    assert_eq!(found.iter().map(|it| (it.first, it.closed)).collect::<Vec<_>>(), [(1, true), (3, true)]);
    let size: u64 = found.iter().map(|it| fs::metadata(&it.path).expect("there").len()).sum();
    assert_eq!(kit.standing().waiting, size, "whatever failed, each file waits for its reader, once");
}

#[test]
fn what_is_written_at_once_is_bounded_in_bytes_however_much_waits() {
    let mut kit = Kit::new();
    let all = 900;
    for n in 0..all {
        kit.write(&format!("{{\"id\":\"{}\"}}", kit::noise(n, 20_000)));
    }
    kit.pass(SECOND);
    assert_eq!(kit.durable()[0], all);
    let [file] = &segments(&kit.instance("i1"), Stream::Decisions).expect("read")[..] else { panic!("one file") };
    let bytes = file.read().expect("read");
    let members: Vec<_> = Members::new(&bytes, 1).collect();
    let sizes: Vec<_> = members.iter().map(|it| it.lines().map(|(_, line)| line.len() + 1).sum::<usize>()).collect();
    assert!(sizes.len() == 3 && sizes.iter().all(|it| *it < (8 << 20) + (60 << 10)), "SPOOL-4: {sizes:?}");
}

/// Something that cannot be rendered.
struct Bad;

impl Line for Bad {
    fn weight(&self) -> usize {
        1
    }

    fn write(&self, _: bool, _: &mut Jcs, _: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        panic!("on purpose")
    }
}

#[test]
fn a_bug_of_the_writer_ends_what_is_kept_and_everything_that_is_lost_by_it_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home { data_dir: folder.path().into(), readers: Arc::default() };
    let (began, beginning) = channel();
    let (go_on, going) = channel();
    let spool = Spool::start(home, Stuck::new((began, going)), Clock::start());
    spool.apply(Some(Kept::default()));
    spool.decision(Arc::new(Text::plain(0)), true);
    beginning.recv().expect("it writes");
    // These wait together: one before the bug, and some behind it.
    spool.decision(Arc::new(Text::plain(1)), true);
    spool.decision(Arc::new(Bad), true);
    (2..100).for_each(|n| spool.decision(Arc::new(Text::plain(n)), true));
    go_on.send(()).expect("it waits");
    spool.ended.lock().recv().expect_err("it has ended");
    (0..1_000).for_each(|n| spool.decision(Arc::new(Text::plain(n)), true));
    let standing = spool.standing();
    assert_eq!(standing.durable[0].1, 1);
    assert_eq!(standing.missed, [((Stream::Decisions, Why::IoError), 1_100)]);
    assert!(standing.trouble.is_some_and(|it| it.contains("bug")), "it is told");
}

#[test]
fn f_175_requests_that_are_open_at_the_end_are_declared_and_the_stop_is_a_clean_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home { data_dir: folder.path().into(), readers: Arc::default() };
    let instance = folder.path().join("instances/i1");
    let spool = Spool::start(home, Files, Clock::start());
    spool.apply(Some(Kept::default()));
    spool.decision(Arc::new(Text::plain(0)), true);
    spool.finish(3);
    // Two of them are over all the same, too late.
    (1..3).for_each(|n| spool.decision(Arc::new(Text::plain(n)), true));
    assert_eq!(spool.standing().missed, [((Stream::Decisions, Why::UncleanStop), 3)]);
    drop(spool);
    assert_eq!(kit::lines(&instance, Stream::Decisions).len(), 1);
    let gaps: Vec<_> = kit::gaps(&instance).into_iter().map(|it| (it.from, it.count, it.why)).collect();
    assert_eq!(gaps, [(2, Some(3), Why::UncleanStop)]);
    assert!(!instance.join("running").exists());
}

#[test]
fn the_first_folder_that_can_be_used_is_taken_and_one_of_another_user_stops_nobody() {
    let mut kit = Kit::new();
    kit.faults.lock().locked = Some("i1");
    kit.decide(1);
    kit.pass(SECOND);
    assert_eq!((kit.standing().instance.as_deref(), kit.trouble()), (Some("i2"), None));
    assert_eq!(kit.lines("i2", Stream::Decisions).len(), 1);
}

#[test]
fn who_could_not_take_a_folder_was_not_stopped_in_it() {
    let mut kit = Kit::new();
    kit.faults.lock().sync_folder = true;
    kit.decide(1);
    kit.pass(SECOND);
    *kit.faults.lock() = Faults::default();
    kit.pass(SECOND);
    assert_eq!((kit.trouble(), kit.durable(), kit.gaps("i1")), (None, [1, 0], Vec::new()));
}

#[test]
fn all_folders_above_what_is_told_as_durable_are_made_durable_before_it() {
    let mut kit = Kit::new();
    let here = kit.folder.path().to_owned();
    kit.decide(1);
    kit.pass(SECOND);
    let synced = kit.synced.lock().clone();
    let above = here.parent().expect("it is somewhere");
    for folder in
        [above, &here, &here.join("instances"), &here.join("instances/i1"), &here.join("instances/i1/decisions")]
    {
        assert!(synced.contains(folder), "{}: {synced:?}", folder.display());
    }
}

#[test]
fn da_01_the_gap_of_a_stop_is_on_disk_before_what_comes_behind_it_is_acknowledged() {
    let mut both = 0;
    for room in 0..700 {
        let mut kit = Kit::new();
        kit.decide(3);
        kit.pass(SECOND);
        kit.stop();
        // Stopped again, at any byte of what it writes first.
        kit.faults.lock().room = Some(room);
        kit.decide(5);
        kit.pass(100 * MILLISECOND);
        let acknowledged = kit.durable()[0] > 3;
        kit.stop();
        *kit.faults.lock() = Faults::default();
        kit.decide(1);
        kit.pass(SECOND);
        let first = kit.gaps("i1").into_iter().find(|it| (it.stream.as_str(), it.from) == ("decisions", 4));
        assert!(first.is_some() || !acknowledged, "{room}: {:?}", kit.gaps("i1"));
        both += u32::from(acknowledged);
    }
    assert!((1..700).contains(&both), "some rooms are too small, and some are not: {both}");
}
