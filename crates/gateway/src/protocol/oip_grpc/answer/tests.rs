//! Tests of answers: what is read, what is refused, and that another implementation reads what is written.

use proptest::{prelude::*, test_runner::RngSeed};
use prost::Message;

use super::{
    super::oracle::{InferTensor, ModelInferResponse, ModelStreamInferResponse, Scalar},
    super::typed::contents,
    *,
};
use crate::tensor::{Contract, Count, Input, Parameter, any_tensor};

fn request(form: Form) -> Infer {
    let tensor = Tensor::from_f32("x", vec![1], &[1.0]).expect("it fits");
    let inputs = vec![Input { tensor, parameters: vec![], extra: vec![] }];
    let count = Count::of(inputs.iter().map(|it: &Input| it.tensor.shape()));
    Infer { id: Some("mine".into()), parameters: vec![], inputs, outputs: vec![], form, extra: vec![], count }
}

fn loose() -> Mapping {
    Mapping::from(Contract { non_finite: true, ..Contract::default() })
}

fn whole(mut rope: Rope) -> Vec<u8> {
    std::iter::from_fn(|| rope.next_piece()).flatten().collect()
}

fn output(tensor: &Tensor, typed: bool) -> InferTensor {
    InferTensor {
        name: tensor.name().into(),
        datatype: tensor.datatype().name().into(),
        shape: tensor.shape().iter().map(|it| *it as i64).collect(),
        parameters: [].into(),
        contents: typed.then(|| contents(tensor)),
    }
}

#[test]
fn oip_16_an_answer_says_its_route_and_what_we_say_of_it() {
    let answer = InferAnswer::of([Tensor::from_i64("y", vec![2], &[i64::MIN, 7]).expect("it fits")]);
    let evenkeel = [("evenkeel.tier", Parameter::Int(0)), ("evenkeel.degraded", Parameter::Bool(false))];
    let told = Told { route: "r", version: "1", request: &request(Form::Typed), evenkeel: &evenkeel };
    let written = ModelInferResponse::decode(&*whole(encode(&answer, told))).expect("well-formed");
    let parameter = |name: &str| written.parameters[name].scalar.clone();
    assert_eq!((written.model_name.as_str(), written.model_version.as_str(), written.id.as_str()), ("r", "1", "mine"));
    assert_eq!(parameter("evenkeel.tier"), Some(Scalar::Int64(0)), "zero is said, too");
    assert_eq!(parameter("evenkeel.degraded"), Some(Scalar::Bool(false)));
    let contents = written.outputs[0].contents.clone().expect("typed, as it was asked");
    assert_eq!((contents.int64_contents, written.raw_output_contents.len()), (vec![i64::MIN, 7], 0), "OIP-28");
}

#[test]
fn oip_31_an_answer_in_a_stream_is_wrapped_and_an_error_says_whose_it_is() {
    let answer = InferAnswer::of([Tensor::from_f64("y", vec![1], &[0.5]).expect("it fits")]);
    let told = Told { route: "r", version: "1", request: &request(Form::Bytes), evenkeel: &[] };
    let (bare, wrapped) = (whole(encode(&answer, told)), whole(in_stream(encode(&answer, told))));
    let wrapped = ModelStreamInferResponse::decode(&*wrapped).expect("well-formed");
    assert_eq!(wrapped.infer_response, Some(ModelInferResponse::decode(&*bare).expect("well-formed")));
    let error = ModelStreamInferResponse::decode(&*whole(error_in_stream("no", "mine"))).expect("well-formed");
    assert_eq!((error.error_message.as_str(), error.infer_response.map(|it| it.id)), ("no", Some("mine".into())));
}

#[test]
fn oip_40_what_is_no_whole_answer_is_a_failure() {
    let y = Tensor::from_f32("y", vec![2], &[1.0, 2.0]).expect("it fits");
    let decode = |answer: &ModelInferResponse| decode(answer.encode_to_vec().into(), &request(Form::Bytes), &loose());
    let raw = |outputs: Vec<InferTensor>, count: usize| ModelInferResponse {
        outputs,
        raw_output_contents: vec![y.data().clone(); count],
        ..ModelInferResponse::default()
    };
    let bare = || output(&y, false);
    assert_eq!(decode(&raw(vec![bare()], 1)).map(|it| it.outputs[0].tensor.clone()), Ok(y.clone()));
    use ResultCode as R;
    for (answer, result) in [
        (raw(vec![], 0), R::EmptyAnswer),
        (raw(vec![bare()], 0), R::DecodeFailed),
        (raw(vec![bare()], 2), R::DecodeFailed),
        (raw(vec![bare(), bare()], 2), R::DecodeFailed),
        (raw(vec![output(&y, true)], 1), R::DecodeFailed),
        (raw(vec![InferTensor { shape: vec![3], ..bare() }], 1), R::DecodeFailed),
        (raw(vec![InferTensor { shape: vec![-1], ..bare() }], 1), R::DecodeFailed),
        (raw(vec![InferTensor { datatype: "FP31".into(), ..bare() }], 1), R::ContractDtype),
    ] {
        assert_eq!(decode(&answer), Err(result), "{answer:?}");
    }
    assert_eq!(super::decode(Bytes::from_static(b"<html>"), &request(Form::Bytes), &loose()), Err(R::DecodeFailed));
}

#[test]
fn contents_that_come_in_many_parts_are_all_of_them() {
    // As often as the numbers are, each in a message of its own: field 5, and in it field 6 of four bytes.
    let parts: Vec<u8> =
        (0..40_000_u32).flat_map(|at| [&b"\x2a\x05\x35"[..], &(at as f32).to_le_bytes()].concat()).collect();
    let shape =
        InferTensor { name: "y".into(), datatype: "FP32".into(), shape: vec![40_000], ..InferTensor::default() };
    let tensor = [shape.encode_to_vec(), parts].concat();
    let mut message = b"\x2a".to_vec();
    prost::encode_length_delimiter(tensor.len(), &mut message).expect("memory");
    message.extend(tensor);
    let answer = super::decode(message.into(), &request(Form::Typed), &loose()).expect("an answer");
    let expected: Vec<f64> = (0..40_000).map(f64::from).collect();
    assert_eq!(answer.outputs[0].tensor.to_f64(), Some(expected));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(28), ..ProptestConfig::default() })]

    #[test]
    fn oip_28_an_answer_mirrors_its_request_but_for_what_has_no_typed_form(tensor in any_tensor()) {
        let answer = InferAnswer::of([tensor.clone()]);
        for form in [Form::Bytes, Form::Typed] {
            let request = request(form);
            let told = Told { route: "r", version: "1", request: &request, evenkeel: &[] };
            let bytes = whole(encode(&answer, told));
            let written = ModelInferResponse::decode(&*bytes).expect("well-formed");
            let typed = form == Form::Typed && tensor.datatype().has_json_form();
            prop_assert_eq!(written.raw_output_contents.len(), usize::from(!typed));
            // As bytes, since a NaN is not itself.
            prop_assert_eq!(written.outputs[0].encode_to_vec(), output(&tensor, typed).encode_to_vec());
            prop_assert_eq!(&decode(bytes.into(), &request, &loose()), &Ok(answer.clone()));
        }
    }

    #[test]
    fn any_bytes_are_an_answer_or_a_failure(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode(bytes.into(), &request(Form::Bytes), &loose());
    }
}
