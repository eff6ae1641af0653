//! Matrix: any form of a tensor meets any other: JSON, JSON with bytes behind it, typed lists, raw bytes (OIP-09).
//!
//! Each case goes through all four forms of a request, from each to all three that upstreams get, and through all four forms of
//! an answer. `EVENKEEL_CASES` says how many cases there are; `./test --long` has 100,000 of each kind.

use bytes::Bytes;
use evenkeel_core::ResultCode;
use proptest::{prelude::*, test_runner::RngSeed};

use super::{
    oip_grpc,
    oip_rest::{
        Dialect, Written,
        answer::{self, Told},
        binary::Divided,
        request::{self, Upstream},
    },
};
use crate::{
    rope::Rope,
    tensor::{Contract, Count, Form, Infer, InferAnswer, Input, Mapping, Tensor, Wanted, any_tensor},
};

const UPSTREAM: Upstream<'static> = Upstream { id: "01KB", dialect: Dialect::Plain, budget_us: 1_000 };

fn cases() -> ProptestConfig {
    let cases = std::env::var("EVENKEEL_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(1_000);
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(16), failure_persistence: None, ..ProptestConfig::default() }
}

/// What goes in and out is held against itself alone.
fn loose() -> Mapping {
    Mapping::from(Contract { non_finite: true, ..Contract::default() })
}

fn whole(mut rope: Rope) -> Bytes {
    std::iter::from_fn(|| rope.next_piece()).flatten().collect::<Vec<_>>().into()
}

/// Divides what was written as its reader does.
fn divided(Written { body, json }: Written) -> Divided {
    let mut whole = whole(body);
    match json {
        None => Divided::Json(whole),
        Some(length) => {
            let tail = whole.split_off(length);
            Divided::Tailed { json: whole, tail }
        }
    }
}

fn asking(tensor: &Tensor, form: Form) -> Infer {
    let inputs = vec![Input { tensor: tensor.clone(), parameters: vec![], extra: vec![] }];
    let count = Count::of(inputs.iter().map(|it: &Input| it.tensor.shape()));
    Infer { id: None, parameters: vec![], inputs, outputs: vec![], form, extra: vec![], count }
}

/// Whether JSON can carry a tensor in a request: the tokens of what is no number are not sent to anybody.
fn has_words(tensor: &Tensor) -> bool {
    tensor.is_text() && !tensor.has_non_finite()
}

/// A request of one input in each form that an upstream gets, read again; none where the form cannot carry it.
fn requests(infer: &Infer) -> [Option<Infer>; 3] {
    let rest = |dialect| {
        let written = request::encode(infer, Upstream { dialect, ..UPSTREAM }).ok()?;
        Some(request::decode(divided(written), &Contract::default()).expect("what we write is what we read"))
    };
    let raw = whole(oip_grpc::request::encode(infer, ("m", ""), UPSTREAM));
    let raw = oip_grpc::request::Asked::read(raw).expect("what we write is what we read");
    [
        rest(Dialect::Plain),
        rest(Dialect::Triton),
        Some(raw.check(&Contract::default()).expect("nothing is wrong with it")),
    ]
}

/// An answer in each form that a client gets, read again; none where the form cannot carry it.
fn answers(tensor: &Tensor) -> [Option<Result<InferAnswer, ResultCode>>; 4] {
    let given = InferAnswer::of([tensor.clone()]);
    let rest = |form| {
        let request = asking(tensor, form);
        let told = Told { route: "r", version: "1", request: &request, evenkeel: &[] };
        answer::decode(divided(answer::encode(&given, told)), &request, &loose())
    };
    let grpc = |form| {
        let request = asking(tensor, form);
        let told = Told { route: "r", version: "1", request: &request, evenkeel: &[] };
        oip_grpc::answer::decode(whole(oip_grpc::answer::encode(&given, told)), &request, &loose())
    };
    // In an answer what is no number goes as a token, and a token has no payload.
    [
        has_words(tensor).then(|| rest(Form::Text)),
        Some(rest(Form::Bytes)),
        Some(grpc(Form::Typed)),
        Some(grpc(Form::Bytes)),
    ]
}

/// Bytes that were changed: some replaced, left out, said twice, or cut off.
fn mutated(mut bytes: Vec<u8>, changes: &[(u8, prop::sample::Index, u8)]) -> Vec<u8> {
    for (kind, at, byte) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match kind % 5 {
            0 => bytes[at] = *byte,
            1 => bytes[at] ^= 1 << (byte % 8),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, *byte),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn oip_09_every_tensor_comes_back_from_every_form_to_every_form(tensor in any_tensor()) {
        let first = requests(&asking(&tensor, Form::Text));
        prop_assert_eq!(first[0].is_some(), has_words(&tensor), "JSON carries what has words, and nothing else");
        for infer in first.iter().flatten() {
            prop_assert_eq!(&infer.inputs[0].tensor, &tensor);
            for again in requests(infer).iter().flatten() {
                prop_assert_eq!(&again.inputs[0].tensor, &tensor);
            }
        }
        for answer in answers(&tensor).into_iter().flatten() {
            prop_assert_eq!(answer.as_ref().map(|it| &it.outputs[0].tensor), Ok(&tensor));
        }
    }

    #[test]
    fn oip_40_any_bytes_are_a_request_or_a_clear_refusal_and_an_answer_or_a_failure(
        tensor in any_tensor(),
        wants in any::<bool>(),
        changes in prop::collection::vec((any::<u8>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut infer = asking(&tensor, Form::Bytes);
        if wants {
            infer.outputs = vec![Wanted { name: "y".into(), binary: Some(true), classes: None, parameters: vec![], extra: vec![] }];
        }
        for dialect in [Dialect::Plain, Dialect::Triton] {
            let Ok(Written { body, json }) = request::encode(&infer, Upstream { dialect, ..UPSTREAM }) else { continue };
            let bytes = mutated(whole(body).to_vec(), &changes);
            let divided = match json {
                None => Divided::Json(bytes.into()),
                Some(length) => {
                    let mut json = Bytes::from(bytes);
                    let tail = json.split_off(length.min(json.len()));
                    Divided::Tailed { json, tail }
                }
            };
            match request::decode(divided.clone(), &Contract::default()) {
                Ok(read) => prop_assert!(requests(&read)[1].is_some(), "what is read can be sent: {:?}", read),
                Err(wrong) => prop_assert!(!wrong.message.is_empty()),
            }
            let _ = answer::decode(divided, &infer, &loose());
        }
        let raw = mutated(whole(oip_grpc::request::encode(&infer, ("m", ""), UPSTREAM)).to_vec(), &changes);
        if let Ok(read) = oip_grpc::request::Asked::read(raw.clone().into()).map(|asked| asked.check(&Contract::default())) {
            match read {
                Ok(read) => prop_assert!(requests(&read)[2].is_some()),
                Err(wrong) => prop_assert!(!wrong.message.is_empty()),
            }
        }
        let _ = oip_grpc::answer::decode(raw.into(), &infer, &loose());
        let given = InferAnswer::of([tensor.clone()]);
        for form in [Form::Text, Form::Bytes, Form::Typed] {
            let request = asking(&tensor, form);
            let told = Told { route: "r", version: "1", request: &request, evenkeel: &[] };
            let grpc = mutated(whole(oip_grpc::answer::encode(&given, told)).to_vec(), &changes);
            let _ = oip_grpc::answer::decode(grpc.into(), &request, &loose());
            if form != Form::Typed && (form == Form::Bytes || has_words(&tensor)) {
                let rest = mutated(whole(answer::encode(&given, told).body).to_vec(), &changes);
                let _ = answer::decode(Divided::Json(rest.into()), &request, &loose());
            }
        }
    }
}
