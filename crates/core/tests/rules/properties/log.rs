//! The log: what histories were fed comes back from bytes as it was, and no damage goes unseen.

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    history::{Entry as Came, History},
    sample::sample,
    world::World,
};

fn put(it: &impl Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    it.put(&mut bytes);
    bytes
}

/// Reads a value of any bytes: where there is one, it is put as the very bytes that it was read from.
fn canonical<T: Wire>(bytes: &[u8]) {
    let mut from = Reader::new(bytes);
    match T::take(&mut from) {
        Ok(taken) => assert_eq!(put(&taken), bytes[..from.at()], "WIRE-2"),
        Err(wrong) => assert!(wrong.at <= bytes.len()),
    }
}

/// The same as a history that a shell has written down, so many records a block.
fn written(history: &History, revision: &Revision, per_block: u64) -> Vec<u8> {
    let header = Header { core: "0.1.0".into(), semantics: SEMANTICS, first: 1, began: 1, at: 0, wall_ms: 0 };
    let (mut bytes, mut page, mut draft, mut first) = (Vec::new(), Page::default(), Draft::default(), 1);
    header.write(&mut bytes);
    let mut push = |at, draft: &mut Draft, followed| {
        page.push(at, draft, followed);
        if page.records() == per_block {
            page.seal(first, &mut bytes);
            first += per_block;
        }
    };
    draft.begin(&Origin::new(revision.clone().into()));
    let (mut at, mut followed) = (0, Followed::default());
    for (now, came) in &history.entries {
        match came {
            Came::Input(input) => {
                push(at, &mut draft, followed);
                (at, followed) = (*now, Followed::default());
                let name = match input {
                    Input::Admit(admit) => Some(u128::from(admit.entropy) << 64 | 7),
                    _ => None,
                };
                draft.input(input, name);
            }
            Came::Output(output) => followed.by(output),
        }
    }
    push(at, &mut draft, followed);
    draft.end(Ending::Stopped);
    page.push(at, &mut draft, Followed::default());
    page.seal(first, &mut bytes);
    bytes
}

/// Feeds a core what a log says, and says which record it follows otherwise.
fn replayed(bytes: &[u8]) -> Result<u64, String> {
    let flawed = |flaw| format!("{flaw:?}");
    let (mut segment, mut core, mut records) = (Segment::open(bytes).map_err(flawed)?, None, 0);
    while let Some(mut block) = segment.block().map_err(flawed)? {
        while let Some(record) = block.record().map_err(flawed)? {
            records += 1;
            assert_eq!(record.number, records);
            match record.entry {
                Entry::Begin(origin) => core = Some(Core::begin(record.at, origin)),
                Entry::Input { input, name } => {
                    let named =
                        matches!(&input, Input::Admit(admit) if name == Some(u128::from(admit.entropy) << 64 | 7));
                    assert_eq!(name.is_some(), named, "a request has its name, and nothing else has one");
                    core.as_mut().ok_or("no core")?.handle(record.at, input);
                }
                Entry::End(ending) => assert_eq!(ending, Ending::Stopped),
            }
            let mut followed = Followed::default();
            while let Some(output) = core.as_mut().and_then(Core::poll) {
                followed.by(&output);
            }
            if followed != record.followed {
                return Err(format!("record {records} differs"));
            }
        }
    }
    Ok(records)
}

#[test]
fn rule_12_a_log_of_twenty_thousand_decisions_replays_bit_for_bit() {
    let (mut decisions, mut bytes) = (0, 0);
    for seed in 0..12 {
        let history = World::play(seed, 1_700);
        let log = written(&history, &sample(seed), 500);
        let inputs = history.inputs().count() as u64;
        assert_eq!(replayed(&log), Ok(inputs + 2), "seed {seed}");
        (decisions, bytes) = (decisions + history.decisions().count(), bytes + log.len());
    }
    assert!(decisions >= 20_000, "{decisions} decisions");
    assert!(bytes / decisions < 400, "{} bytes a decision", bytes / decisions);
}

#[test]
fn rule_12_an_output_that_was_another_is_found_at_its_record() {
    let mut history = World::play(3, 200);
    let outputs =
        history.entries.iter().enumerate().filter(|(_, (_, it))| matches!(it, Came::Output(Output::Decision(_))));
    let at = outputs.map(|(at, _)| at).nth(150).expect("that many");
    let record = history.entries[..at].iter().filter(|(_, it)| matches!(it, Came::Input(_))).count() + 1;
    let Came::Output(Output::Decision(decision)) = &mut history.entries[at].1 else { unreachable!("chosen so") };
    decision.outcome.latency += 1;
    assert_eq!(replayed(&written(&history, &sample(3), 100)), Err(format!("record {record} differs")));
}

#[test]
fn log_1_every_flipped_bit_is_found_and_its_block_located() {
    let bytes = written(&World::play(5, 12), &sample(5), 15);
    let mut blocks = vec![8];
    let mut segment = Segment::open(&bytes).expect("whole");
    while let Some(block) = segment.block().expect("whole") {
        blocks.push(block.at);
    }
    assert!(blocks.len() > 3, "{} blocks", blocks.len());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let block = blocks.iter().rfind(|it| **it <= bit / 8).copied().unwrap_or(0);
        let told = Segment::open(&flipped).and_then(|mut segment| {
            while segment.block()?.is_some() {}
            Ok(())
        });
        assert!(matches!(told, Err(Flaw::Damaged { at, .. }) if at == block), "bit {bit}, block {block}: {told:?}");
    }
}

#[test]
fn log_2_whatever_is_cut_off_is_torn_and_what_is_before_it_reads() {
    let bytes = written(&World::play(5, 12), &sample(5), 15);
    let mut torn = 0;
    for length in 0..bytes.len() {
        let told = Segment::open(&bytes[..length]).and_then(|mut segment| {
            while let Some(mut block) = segment.block()? {
                while block.record()?.is_some() {}
            }
            Ok(())
        });
        match told {
            Ok(()) => {}
            Err(Flaw::Torn { at }) => {
                assert!(at <= length);
                torn += 1;
            }
            Err(other) => panic!("{length} bytes: {other:?}"),
        }
    }
    assert!(torn > bytes.len() * 9 / 10, "{torn} of {}", bytes.len());
}

#[test]
fn log_4_another_form_is_no_damage() {
    let mut bytes = Vec::new();
    Header { core: "9".into(), semantics: 1, first: 1, began: 1, at: 5, wall_ms: 7 }.write(&mut bytes);
    assert_eq!(Segment::open(&bytes).expect("whole").header.semantics, 1);
    assert_eq!(Segment::open(b"version: 1\n").err().map(|it| matches!(it, Flaw::Damaged { at: 0, .. })), Some(true));
    assert_eq!(Segment::open(b"").err(), Some(Flaw::Torn { at: 0 }));
}

#[test]
fn wire_2_inputs_with_a_flipped_bit_or_cut_short_are_other_inputs_or_none() {
    for seed in 0..8 {
        for (_, input) in World::play(seed, 25).inputs() {
            let bytes = put(input);
            let again = Input::take(&mut Reader::new(&bytes)).expect("WIRE-1");
            assert_eq!(format!("{again:?}"), format!("{input:?}"), "WIRE-1");
            (0..bytes.len()).for_each(|length| {
                assert!(Input::take(&mut Reader::new(&bytes[..length])).is_err(), "{length} of {bytes:?}");
            });
            // Revisions have a test of their own.
            let bits = if matches!(input, Input::Revision(_)) { 0..8 } else { 0..bytes.len() * 8 };
            for bit in bits {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                canonical::<Input>(&flipped);
            }
        }
    }
}

#[test]
fn wire_2_revisions_with_a_flipped_bit_or_cut_short_are_other_revisions_or_none() {
    for seed in 0..24 {
        let mut revision = sample(seed);
        (revision.routes[0].cache, revision.routes[0].tiers[0].ensemble) = match seed % 2 {
            0 => (None, None),
            _ => {
                let similar = Some(SimilarPolicy { at_least: Permille::new(930), fresh: true });
                let cache = CachePolicy { ttl: SECOND, stale_if_error: 60 * SECOND, fresh: true, waiters: 3, similar };
                let ensemble = Ensemble { members: vec![PathId(0), PathId(1)], quorum: 2, agree: Permille::new(700) };
                (Some(cache), Some(ensemble))
            }
        };
        revision.upstreams[0].probe = Some(ProbePolicy { every: 7, timeout: 3 });
        let bytes = put(&revision);
        assert_eq!(Revision::take(&mut Reader::new(&bytes)), Ok(revision), "WIRE-1");
        (0..bytes.len()).for_each(|length| assert!(Revision::take(&mut Reader::new(&bytes[..length])).is_err()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            canonical::<Revision>(&flipped);
        }
    }
}

proptest! {
    #[test]
    fn wire_2_any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        canonical::<Input>(&bytes);
        canonical::<Revision>(&bytes);
        canonical::<Origin>(&bytes);
        prop_assert!(Segment::open(&bytes).is_err());
    }

    #[test]
    fn wire_2_any_bytes_after_a_kind_are_an_input_or_an_error(kind in 0_u8..10, bytes in proptest::collection::vec(0_u8..12, 0..120)) {
        let all: Vec<u8> = core::iter::once(kind).chain(bytes).collect();
        canonical::<Input>(&all);
    }
}
