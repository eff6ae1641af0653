//! Numbers and choices at their edges; whole histories are in `tests/rules/log.rs`.

use alloc::{vec, vec::Vec};

use super::*;
use crate::{Event, GuardVerdict, Permille, ResultCode, Signal};

fn put(it: &impl Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    it.put(&mut bytes);
    bytes
}

fn take<T: Wire>(bytes: &[u8]) -> Result<T, Malformed> {
    let mut from = Reader::new(bytes);
    let taken = T::take(&mut from)?;
    if from.is_over() { Ok(taken) } else { Err(from.wrong("too long")) }
}

#[test]
fn wire_1_numbers_are_as_long_as_they_must_be() {
    let sevens = (0..64).flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift, (1 << shift) + 1]);
    for number in sevens.chain([u64::MAX, u64::MAX - 1]) {
        let bytes = put(&number);
        assert_eq!(
            (take(&bytes), bytes.len()),
            (Ok(number), (64 - number.leading_zeros()).max(1).div_ceil(7) as usize)
        );
    }
}

#[test]
fn wire_2_one_value_has_one_form() {
    for wrong in [
        &[0x80, 0][..],
        &[0xFF],
        &[0xFF; 10],
        &[0x80; 11],
        &[],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2],
    ] {
        assert!(take::<u64>(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(take::<u8>(&put(&256_u64)), Err(Malformed { at: 0, what: "a number beyond its range" }));
    assert_eq!(take::<bool>(&[2]), Err(Malformed { at: 0, what: "neither yes nor no" }));
    assert_eq!(take::<Permille>(&put(&1_001_u64)), Err(Malformed { at: 0, what: "a share beyond all" }));
    assert_eq!(take::<String>(&[1, 0xFF]), Err(Malformed { at: 1, what: "no text" }));
    assert_eq!(take::<Vec<u64>>(&[3, 0, 0]), Err(Malformed { at: 0, what: "more items than bytes" }));
    assert_eq!(take::<Event>(&[200]).map_err(|it| it.what), Err("no choice of Event"));
    assert_eq!(take::<ResultCode>(&[2, b'o', b'h']).map_err(|it| it.what), Err("no name of a ResultCode"));
    let mut twice = vec![2];
    for _ in 0..2 {
        Signal::Noise.put(&mut twice);
        1_u64.put(&mut twice);
    }
    assert_eq!(take::<GuardVerdict>(&twice).map_err(|it| it.what), Err("a signal that was measured twice"));
}

#[test]
fn wire_2_a_list_that_says_it_is_long_takes_no_memory_for_it() {
    let mut bytes = put(&(1_u64 << 20));
    bytes.extend(vec![0xFF; 1 << 20]);
    let taken = take::<Vec<u64>>(&bytes).map_err(|it| it.what);
    assert_eq!(taken, Err("no number"), "{} bytes", bytes.len());
}

#[test]
fn wire_1_every_result_and_every_signal_comes_back() {
    for it in ResultCode::ALL {
        assert_eq!(take(&put(it)), Ok(*it));
    }
    for it in Signal::ALL {
        assert_eq!(take(&put(it)), Ok(*it));
    }
}
