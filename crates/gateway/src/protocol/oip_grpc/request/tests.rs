//! Tests of requests: what is read, what is refused, and that another implementation reads what is written.

use proptest::{prelude::*, test_runner::RngSeed};
use prost::Message;

use super::{
    super::oracle::{self, InferTensor, InferTensorContents, ModelInferRequest, Scalar},
    super::typed::contents,
    *,
};
use crate::tensor::{Parameter, Tensor, any_tensor};

fn parameter(scalar: Scalar) -> oracle::InferParameter {
    oracle::InferParameter { scalar: Some(scalar) }
}

fn input(tensor: &Tensor, typed: bool) -> InferTensor {
    InferTensor {
        name: tensor.name().into(),
        datatype: tensor.datatype().name().into(),
        shape: tensor.shape().iter().map(|it| *it as i64).collect(),
        parameters: [].into(),
        contents: typed.then(|| contents(tensor)),
    }
}

fn read(request: &ModelInferRequest) -> Result<Infer, String> {
    let asked = Asked::read(request.encode_to_vec().into()).map_err(|_| "malformed".to_owned())?;
    asked.check(&Contract::default()).map_err(|wrong| wrong.message)
}

fn whole(mut rope: Rope) -> Vec<u8> {
    std::iter::from_fn(|| rope.next_piece()).flatten().collect()
}

fn fp32(shape: &[i64], values: &[f32]) -> InferTensor {
    let contents = InferTensorContents { fp32_contents: values.into(), ..InferTensorContents::default() };
    InferTensor {
        name: "x".into(),
        datatype: "FP32".into(),
        shape: shape.into(),
        parameters: [].into(),
        contents: Some(contents),
    }
}

#[test]
fn everything_of_a_request_is_read_and_what_is_for_an_upstream_is_written() {
    let request = ModelInferRequest {
        model_name: "route".into(),
        model_version: "1".into(),
        id: "mine".into(),
        parameters: [
            ("a".to_owned(), parameter(Scalar::Int64(-7))),
            ("b".to_owned(), parameter(Scalar::Bool(false))),
            ("c".to_owned(), parameter(Scalar::Double(0.5))),
            ("d".to_owned(), parameter(Scalar::Uint64(u64::MAX))),
            ("e".to_owned(), parameter(Scalar::String("é".into()))),
            ("evenkeel.tier".to_owned(), parameter(Scalar::Int64(1))),
            ("timeout".to_owned(), parameter(Scalar::Int64(9_000))),
        ]
        .into(),
        inputs: vec![fp32(&[1, 2], &[1.0, 2.0])],
        outputs: vec![oracle::RequestedOutput { name: "y".into(), parameters: [].into() }],
        raw_input_contents: vec![],
    };
    let asked = Asked::read(request.encode_to_vec().into()).expect("well-formed");
    assert_eq!((asked.model.as_str(), asked.version.as_str()), ("route", "1"));
    let infer = asked.check(&Contract::default()).expect("nothing is wrong with it");
    let scalars = [
        ("a", Parameter::Int(-7)),
        ("b", Parameter::Bool(false)),
        ("c", Parameter::Float(0.5)),
        ("d", Parameter::Uint(u64::MAX)),
        ("e", Parameter::String("é".into())),
        ("timeout", Parameter::Int(9_000)),
    ];
    assert_eq!(infer.parameters, scalars.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!((infer.form, infer.id.as_deref()), (Form::Typed, Some("mine")));
    let upstream = Upstream { id: "01KB", dialect: Dialect::Triton, budget_us: 1_000 };
    let sent = ModelInferRequest::decode(&*whole(encode(&infer, ("m", "3"), upstream))).expect("well-formed");
    // A server may have neither doubles nor uint64.
    let (c, d) = (Scalar::String("0.5".into()), Scalar::String(u64::MAX.to_string()));
    let parameters = [("a", Scalar::Int64(-7)), ("b", Scalar::Bool(false)), ("c", c), ("d", d)]
        .into_iter()
        .chain([("e", Scalar::String("é".into())), ("timeout", Scalar::Int64(1_000))])
        .map(|(name, scalar)| (name.to_owned(), parameter(scalar)));
    let expected = ModelInferRequest {
        model_name: "m".into(),
        model_version: "3".into(),
        parameters: parameters.collect(),
        inputs: vec![InferTensor { contents: None, ..fp32(&[1, 2], &[]) }],
        raw_input_contents: vec![[1.0_f32, 2.0].iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>().into()],
        ..request
    };
    assert_eq!(sent, expected);
}

#[test]
fn oip_27_raw_and_typed_are_never_mixed_and_each_is_whole() {
    let raw = |count: usize| vec![Bytes::from_static(b"\0\0\x80\x3f\0\0\0\x40"); count];
    let request = |inputs: Vec<InferTensor>, raw: Vec<Bytes>| {
        read(&ModelInferRequest { inputs, raw_input_contents: raw, ..ModelInferRequest::default() })
    };
    let bare = || InferTensor { contents: None, ..fp32(&[1, 2], &[]) };
    assert_eq!(request(vec![bare()], raw(1)).expect("raw").form, Form::Bytes);
    // A client of one kind writes an empty message of contents beside raw ones.
    let empty = || InferTensor { contents: Some(InferTensorContents::default()), ..bare() };
    assert!(request(vec![empty()], raw(1)).is_ok());
    let check = |inputs, raw, words: &str| {
        let refused = request(inputs, raw).expect_err(words);
        assert!(refused.contains(words), "{words}: {refused}");
    };
    check(vec![fp32(&[1, 2], &[1.0, 2.0])], raw(1), "has contents, though raw_input_contents are there");
    check(vec![bare()], raw(2), "2 raw_input_contents for 1 inputs");
    check(vec![bare()], vec![], "input 'x': the shape [1, 2] wants 2 elements");
    check(vec![fp32(&[1, 2], &[1.0])], vec![], "wants 2 elements");
    check(vec![fp32(&[1], &[1.0, 2.0])], vec![], "contents hold more than the 1 elements of the shape");
    check(vec![fp32(&[-1, 2], &[1.0, 2.0])], vec![], "input 'x' has a negative dimension");
    check(vec![InferTensor { datatype: "INT8".into(), ..fp32(&[1], &[1.0]) }], vec![], "INT8 stands in int_contents");
    check(vec![InferTensor { datatype: "FP16".into(), ..fp32(&[1], &[1.0]) }], vec![], "FP16 has no typed form");
    check(vec![InferTensor { datatype: "F".into(), ..fp32(&[1], &[1.0]) }], vec![], "unknown datatype");
    check(vec![], vec![], "'inputs' is empty");
    check(vec![InferTensor { name: "".into(), ..bare() }], raw(1), "inputs[0].name must be given");
    check(vec![bare(), bare()], raw(2), "stands there twice");
    let region = ("shared_memory_region".to_owned(), parameter(Scalar::String("r".into())));
    check(vec![InferTensor { parameters: [region].into(), ..bare() }], raw(1), "the region is on another host");
    let nothing = ("a".to_owned(), oracle::InferParameter { scalar: None });
    check(vec![InferTensor { parameters: [nothing].into(), ..bare() }], raw(1), "parameter 'a' must be");
}

#[test]
fn oip_10_a_number_out_of_range_is_refused_and_not_wrapped() {
    for (datatype, fits, is_out) in [
        ("INT8", vec![-128, 127], vec![128, -129]),
        ("INT16", vec![-32_768, 32_767], vec![32_768, -32_769]),
        ("INT32", vec![i32::MIN, i32::MAX], vec![]),
    ] {
        let request = |number| {
            let contents = InferTensorContents { int_contents: vec![number], ..InferTensorContents::default() };
            let tensor = InferTensor { contents: Some(contents), datatype: datatype.into(), ..fp32(&[1], &[]) };
            read(&ModelInferRequest { inputs: vec![tensor], ..ModelInferRequest::default() })
        };
        assert!(fits.into_iter().all(|number| request(number).is_ok()), "{datatype}");
        for number in is_out {
            assert!(request(number).expect_err("too large").contains("out of range for"), "{datatype} {number}");
        }
    }
    for (datatype, most) in [("UINT8", 255), ("UINT16", 65_535)] {
        let request = |number| {
            let contents = InferTensorContents { uint_contents: vec![number], ..InferTensorContents::default() };
            let tensor = InferTensor { contents: Some(contents), datatype: datatype.into(), ..fp32(&[1], &[]) };
            read(&ModelInferRequest { inputs: vec![tensor], ..ModelInferRequest::default() })
        };
        assert!(request(most).is_ok() && request(most + 1).is_err(), "{datatype}");
    }
}

#[test]
fn oipgrpc_2_a_short_message_does_not_become_many_things() {
    let tensors = b"\x2a\x00".repeat(MAX_TENSORS + 1);
    assert_eq!(Asked::read(tensors.into()), Err(Malformed));
    let dimensions = [b"\x2a\x11".to_vec(), b"\x18\x01".repeat(8), b"\x00".to_vec()].concat();
    assert_eq!(Asked::read(dimensions.into()), Err(Malformed), "cut in the middle of a field");
    let rank = [b"\x2a\x13\x1a\x11".as_slice(), &[1; MAX_RANK + 1]].concat();
    assert_eq!(Asked::read(rank.into()), Err(Malformed));
    let mut parameters = Vec::new();
    for name in 0..300 {
        let entry = oracle::RequestedOutput { name: format!("p{name:03}"), parameters: [].into() }.encode_to_vec();
        parameters.extend([b"\x22".as_slice(), &[entry.len() as u8], &entry].concat());
    }
    assert_eq!(Asked::read(parameters.into()), Err(Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(26), ..ProptestConfig::default() })]

    #[test]
    fn oip_07_oip_09_every_tensor_comes_back_as_it_went_raw_and_typed(tensor in any_tensor()) {
        let raw = ModelInferRequest {
            inputs: vec![input(&tensor, false)],
            raw_input_contents: vec![tensor.data().clone()],
            ..ModelInferRequest::default()
        };
        let infer = read(&raw).expect("raw carries everything");
        prop_assert_eq!(&infer.inputs[0].tensor, &tensor);
        let typed = ModelInferRequest { inputs: vec![input(&tensor, true)], ..ModelInferRequest::default() };
        if tensor.datatype().has_json_form() {
            prop_assert_eq!(&read(&typed).expect("typed carries it").inputs[0].tensor, &tensor);
        } else {
            prop_assert!(read(&typed).is_err());
        }
        let upstream = Upstream { id: "01KB", dialect: Dialect::Plain, budget_us: 1 };
        let sent = whole(encode(&infer, ("m", ""), upstream));
        let again = Asked::read(sent.into()).expect("what we write is what we read");
        let again = again.check(&Contract::default()).expect("nothing is wrong with it");
        prop_assert_eq!(&again.inputs, &infer.inputs);
    }

    #[test]
    fn any_bytes_are_a_request_or_refused(
        start in prop::collection::vec(any::<u8>(), 0..60), tensor in any_tensor(), at in any::<prop::sample::Index>(),
    ) {
        let _ = Asked::read(start.clone().into()).map(|asked| asked.check(&Contract::default()));
        let typed = ModelInferRequest { inputs: vec![input(&tensor, true)], ..ModelInferRequest::default() };
        let mut message = typed.encode_to_vec();
        let (at, length) = (at.index(message.len().max(1)), message.len());
        message.splice(at..length.min(at + start.len()), start);
        let ours = Asked::read(message.clone().into());
        // What another reader takes for a request is read here, too, but for what we count.
        if let Ok(theirs) = ModelInferRequest::decode(&*message) && ours.is_err() {
            let many = theirs.inputs.iter().any(|it| it.shape.len() > MAX_RANK);
            prop_assert!(many, "{:?}", theirs);
        }
    }
}
