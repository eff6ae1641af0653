//! Tests of the rule, and of what tells kinds of requests apart.

use evenkeel_core::ResultCode as R;

use super::*;
use crate::tensor::{Count, Datatype, Form, Input, Port, Tensor};

fn kind(of: u32) -> Signature {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&of.to_le_bytes());
    Signature(bytes)
}

const GOOD: u32 = 1;
const BAD: u32 = 2;

#[test]
fn oip_39_f_002_a_5xx_is_blamed_on_a_kind_that_never_succeeded_while_others_do() {
    // Steps: when, in seconds; of which kind; the status; the result that follows.
    let check = |what: &str, steps: &[(u64, u32, u16, R)]| {
        let mut memory = Memory::default();
        for (at, of, status, expected) in steps {
            let result = if *status == 200 { R::Ok } else { R::Status5xx };
            let judged = memory.judge(at * SECOND, kind(*of), (result, Some(*status)));
            assert_eq!(judged, *expected, "{what}: {at} s, kind {of}, {status}");
        }
    };
    check("nothing is known", &[(0, BAD, 500, R::Status5xx), (0, GOOD, 500, R::Status5xx)]);
    check(
        "as long as another succeeds",
        &[
            (0, GOOD, 200, R::Ok),
            (1, BAD, 500, R::CallerSuspected),
            (10, BAD, 500, R::CallerSuspected),
            (11, BAD, 500, R::Status5xx),
            (12, GOOD, 200, R::Ok),
            (22, BAD, 500, R::CallerSuspected),
        ],
    );
    check(
        "until one that succeeds fails",
        &[
            (0, GOOD, 200, R::Ok),
            (1, GOOD, 500, R::Status5xx),
            (1, BAD, 500, R::Status5xx),
            (2, GOOD, 200, R::Ok),
            (2, BAD, 500, R::CallerSuspected),
        ],
    );
    check(
        "SIGN-1: what has succeeded is known",
        &[(0, GOOD, 200, R::Ok), (0, BAD, 200, R::Ok), (1, BAD, 500, R::Status5xx), (1, 3, 500, R::Status5xx)],
    );
    check(
        "SIGN-3: what a proxy says is about no request",
        &[
            (0, GOOD, 200, R::Ok),
            (1, BAD, 502, R::Status5xx),
            (1, BAD, 503, R::Status5xx),
            (1, BAD, 501, R::CallerSuspected),
            (2, GOOD, 503, R::Status5xx),
            (2, BAD, 500, R::Status5xx),
        ],
    );
}

#[test]
fn oip_39_256_kinds_are_remembered_and_the_one_not_seen_for_longest_is_forgotten() {
    let mut memory = Memory::default();
    let mut judge = |of: u32, result: R| memory.judge(SECOND, kind(of), (result, Some(500)));
    (0..256).for_each(|of| assert_eq!(judge(of, R::Ok), R::Ok));
    // It fails, and has been seen: the next to be forgotten is 1.
    assert_eq!(judge(0, R::Status5xx), R::Status5xx);
    assert_eq!(judge(1_000, R::Ok), R::Ok);
    assert_eq!(judge(1, R::Status5xx), R::CallerSuspected, "forgotten");
    assert_eq!(judge(0, R::Status5xx), R::Status5xx, "known");
    assert_eq!(memory.known.len(), MOST);
}

fn request(tensors: Vec<Tensor>) -> Infer {
    let input = |tensor| Input { tensor, parameters: vec![], extra: vec![] };
    let inputs: Vec<Input> = tensors.into_iter().map(input).collect();
    let count = Count::of(inputs.iter().map(|it| it.tensor.shape()));
    Infer { id: None, parameters: vec![], inputs, outputs: vec![], form: Form::Text, extra: vec![], count }
}

fn tensor(name: &str, datatype: Datatype, shape: &[u64]) -> Tensor {
    let size = shape.iter().product::<u64>() as usize * datatype.size().expect("numbers");
    Tensor::new(name.into(), datatype, shape.into(), vec![0; size].into()).expect("it fits")
}

#[test]
fn oip_39_a_kind_is_names_datatypes_and_shapes_without_the_batch_and_what_the_contract_leaves_open() {
    let none = Contract::default();
    let inputs = vec![Port::new("x", Datatype::Fp32, &[-1, -1, 4]), Port::new("w", Datatype::Fp32, &[3])];
    let declared = Contract { inputs, ..Contract::default() };
    let x = |shape: &[u64]| vec![tensor("x", Datatype::Fp32, shape)];
    let same = |one: Vec<Tensor>, other: Vec<Tensor>, contract: &Contract| {
        Signature::of(&request(one), contract) == Signature::of(&request(other), contract)
    };
    assert!(same(x(&[1, 5, 4]), x(&[7, 5, 4]), &none), "the batch");
    assert!(!same(x(&[1, 5, 4]), x(&[1, 6, 4]), &none));
    assert!(!same(x(&[1, 5, 4]), x(&[1, 5, 4, 1]), &none));
    assert!(same(x(&[1, 5, 4]), x(&[2, 6, 4]), &declared), "it is open");
    assert!(!same(x(&[1, 5, 4]), x(&[1, 5, 3]), &declared));
    assert!(!same(x(&[2, 2]), vec![tensor("y", Datatype::Fp32, &[2, 2])], &none));
    assert!(!same(x(&[2, 2]), vec![tensor("x", Datatype::Int32, &[2, 2])], &none));
    let (y, w) = (tensor("y", Datatype::Fp32, &[2]), tensor("w", Datatype::Fp32, &[3]));
    assert!(same(vec![y.clone(), w.clone()], vec![w.clone(), y.clone()], &declared), "in whatever order");
    assert!(!same(vec![y, w.clone()], vec![w], &declared));
}
