//! What the numbers of this crate are worth on data from elsewhere: small parts of what `bench/signals/*` runs, and its results.
//!
//! What a bench found is kept in `bench/signals/*.csv`; here the tables of `docs/quality.md` are held to it, it is held to what was
//! promised, and a part of it is run again and compared.

#[allow(dead_code, reason = "what only the bench runs")]
mod accuracy;
#[allow(dead_code, reason = "what only the bench runs")]
mod canaries;
#[allow(dead_code, reason = "what only the bench runs")]
mod certificates;
#[allow(dead_code, reason = "what only the bench runs")]
mod curve;
#[allow(dead_code, reason = "what only the bench runs")]
mod draw;
#[allow(dead_code, reason = "what only the bench runs")]
mod forecasts;
#[allow(dead_code, reason = "what only the bench runs")]
mod page;

use page::Line;

#[test]
fn s_casc_certificates_keep_their_promise_on_every_set() {
    let lines = page::kept(certificates::NAME, certificates::COLUMNS);
    assert_eq!(lines.len(), certificates::SETS.len() * certificates::SPLITS);
    assert_eq!(certificates::misses(&lines), Vec::<String>::new());
    page::compare(certificates::NAME, &certificates::table(&lines));
    let Some(folder) = page::data("cascade") else {
        println!("skipped: there is no ../shared/data/cascade; what was found before is held to its bounds alone");
        return;
    };
    for set in ["RAFDB", "DIGIT"] {
        let line = certificates::split(set, &certificates::read(&folder, set), 1);
        let before = lines.iter().find(|it| it.names == line.names).expect("the first split of the set");
        assert!(line.is_like(before), "{line:?}, before {before:?}: run bench/signals/certificates");
    }
}

#[test]
fn s_canary_null_streams_are_not_rolled_back_and_real_harm_is() {
    let nulls = page::kept("canaries-null", canaries::NULL_COLUMNS);
    let real = page::kept("canaries-real", canaries::REAL_COLUMNS);
    assert_eq!((nulls.len(), real.len()), (4, 8));
    assert_eq!(canaries::misses(&nulls, &real), Vec::<String>::new());
    page::compare(canaries::NAME, &canaries::tables(&nulls, &real));
    // A part of the null streams: 400 at the margin, of which 1 % may be rolled back (three sigma).
    let [rolled, ..] = canaries::nulls(0, 0..400, 3_000);
    assert!(rolled <= 10, "{rolled} of 400");
    let Some(folder) = page::data("canary") else {
        println!("skipped: there is no ../shared/data/canary; what was found before is held to its bounds alone");
        return;
    };
    let line = canaries::real(&folder, 0, 500);
    assert!(line.is_like(&real[0]), "{line:?}, before {:?}: run bench/signals/canaries", real[0]);
}

/// What `bench/signals/accuracy` found.
fn accuracy_found() -> accuracy::Found {
    let peer = std::fs::read_to_string(page::file("accuracy-peer")).expect("what nannyml said");
    let (peer, _) = accuracy::peer(&peer);
    accuracy::Found {
        chunks: page::kept("accuracy-chunks", accuracy::CHUNK_COLUMNS),
        peer,
        times: page::kept("accuracy-times", accuracy::TIME_COLUMNS),
        replays: page::kept("accuracy-replays", accuracy::REPLAY_COLUMNS),
        sequences: page::kept("accuracy-sequences", accuracy::SEQUENCE_COLUMNS),
    }
}

#[test]
fn s_acc_accuracy_is_told_without_labels_and_with_few() {
    let found = accuracy_found();
    assert_eq!((found.chunks.len(), found.peer.len(), found.replays.len()), (41, 41, 6));
    assert_eq!(found.misses(), Vec::<String>::new());
    page::compare(accuracy::NAME, &found.tables());
    // The same code on a classifier that is made by seed, whose inputs move.
    for (seed, moved) in [(1, 0.0), (2, 0.1), (3, -0.2)] {
        let lines = accuracy::chunks(&accuracy::made(20_000, 0.0, 77), &accuracy::made(20_000, moved, seed));
        let off = page::mean(lines.iter().map(|it| (it.numbers[2] - it.numbers[1]).abs()));
        assert!(off < 0.012, "moved by {moved}: off by {off}");
    }
    // An interval at 95 % of what is true: of 300 chunks it misses 15, within three standard deviations.
    let reference = accuracy::made(20_000, 0.0, 77);
    let chunks: Vec<Line> =
        (100..115).flat_map(|seed| accuracy::chunks(&reference, &accuracy::made(100_000, 0.05, seed))).collect();
    let missed = chunks.iter().filter(|it| !(it.numbers[6]..=it.numbers[7]).contains(&it.numbers[1])).count();
    assert!(chunks.len() == 300 && (4..=26).contains(&missed), "PPI++ missed {missed} of {}", chunks.len());
    assert!(accuracy::sequence(0.9, 40).numbers[2] >= 0.9);
    let Some(folder) = page::data("cascade") else {
        println!("skipped: there is no ../shared/data/cascade; what was found before is held to its bounds alone");
        return;
    };
    let line = accuracy::replay(&folder, "DIGIT");
    let before = found.replays.iter().find(|it| it.names == line.names).expect("DIGIT");
    assert!(line.is_like(before), "{line:?}, before {before:?}: run bench/signals/accuracy");
}

#[test]
fn s_fore_ramps_are_warned_of_in_time() {
    let lines = page::kept(forecasts::NAME, forecasts::COLUMNS);
    assert_eq!(lines.len(), 104);
    assert_eq!(forecasts::misses(&lines), Vec::<String>::new());
    page::compare(forecasts::NAME, &forecasts::table(&lines));
    let again = |line: Line| {
        let before = lines.iter().find(|it| it.names == line.names).expect("the first series of its kind");
        assert!(line.is_like(before), "{line:?}, before {before:?}: run bench/signals/forecasts");
    };
    again(forecasts::series(0, 1));
    let Some(folder) = page::data("load") else {
        println!("skipped: there is no ../shared/data/load");
        return;
    };
    forecasts::replays(&folder).into_iter().for_each(again);
}

#[test]
fn draws_depend_on_their_seed_alone() {
    let mut draw = draw::Draw(1);
    assert_eq!([draw.next(), draw.next()], [0x910a_2dec_8902_5cc1, 0xbeeb_8da1_658e_ec67]);
    assert!(draw.part() < 1.0 && draw.normal().abs() < 6.0);
}
