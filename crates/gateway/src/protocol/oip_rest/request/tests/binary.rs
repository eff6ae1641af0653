//! Tests of tensors that come and go as bytes.

use super::*;
use crate::tensor::any_tensor;

fn tailed(json: &str, tail: &[u8]) -> Divided {
    Divided::Tailed { json: Bytes::copy_from_slice(json.as_bytes()), tail: Bytes::copy_from_slice(tail) }
}

fn part(name: &str, shape: &str, datatype: &str, size: usize) -> String {
    let parameters = format!(r#"{{"binary_data_size":{size}}}"#);
    format!(r#"{{"name":"{name}","shape":{shape},"datatype":"{datatype}","parameters":{parameters}}}"#)
}

fn inputs(parts: &[String]) -> String {
    format!(r#"{{"inputs":[{}]}}"#, parts.join(","))
}

fn free(json: &str, tail: &[u8]) -> Result<Infer, BadInfer> {
    decode(tailed(json, tail), &Contract::default())
}

#[test]
fn oip_05_bytes_belong_to_the_inputs_that_say_so_in_their_order() {
    let json = r#"{"name":"j","shape":[2],"datatype":"INT8","data":[7,8]}"#.to_owned();
    let parts = [part("a", "[2]", "UINT16", 4), json, part("b", "[1]", "BYTES", 5)];
    let infer = free(&inputs(&parts), b"\x01\x00\x02\x00\x01\x00\x00\x00\xff").expect("well-formed");
    let data = |name: &str| infer.input(name).expect("there").data().clone();
    assert_eq!(
        (data("a"), data("j"), data("b")),
        (
            Bytes::from_static(b"\x01\x00\x02\x00"),
            Bytes::from_static(b"\x07\x08"),
            Bytes::from_static(b"\x01\x00\x00\x00\xff"),
        )
    );
}

#[test]
fn oip_03_oip_04_what_does_not_add_up_is_refused_in_words() {
    let check = |parts: &[String], tail: &[u8], words: &str| {
        let refused = free(&inputs(parts), tail).expect_err(words);
        assert!(refused.message.contains(words), "{words}: {}", refused.message);
    };
    let two = || part("x", "[2]", "INT8", 2);
    check(&[two()], b"a", "input 'x': binary_data_size is 2, fewer bytes are left");
    check(&[two()], b"abc", "1 bytes stand behind the last tensor");
    check(&[part("x", "[3]", "INT8", 2)], b"ab", "input 'x': the shape [3] wants 3 elements");
    check(&[part("x", "[1]", "BYTES", 6)], b"\x02\0\0\0ab\0", "1 bytes stand behind");
    check(&[part("x", "[2]", "BYTES", 6)], b"\x02\0\0\0ab", "input 'x': the shape [2] wants 2 elements");
    check(&[part("x", "[1]", "BYTES", 6)], b"\xff\xff\xff\xffab", "input 'x': the shape [1] wants 1 elements");
    check(&[part("x", "[1]", "BOOL", 1)], b"\x02", "input 'x': an element of BOOL is neither 0 nor 1");
    let both = r#"{"name":"x","shape":[1],"datatype":"INT8","data":[1],"parameters":{"binary_data_size":1}}"#;
    check(&[both.into()], b"a", "input 'x': has both data and binary_data_size");
    for wrong in ["-1", "1.0", "\"1\"", "true"] {
        let part = two().replace(":2}", &format!(":{wrong}}}"));
        check(&[part], b"ab", "input 'x': binary_data_size must be a number of bytes");
    }
    let huge = part("x", "[9223372036854775807]", "FP64", 8);
    check(&[huge], b"abcdefgh", "wants 9223372036854775807 elements");
    let refused = super::free(&inputs(&[two()])).expect_err("no length");
    assert!(refused.message.contains("no Inference-Header-Content-Length"), "{}", refused.message);
    let wish = with(r#","parameters":{"binary_data_output":1}"#);
    assert!(super::free(&wish).expect_err("no wish").message.contains("'binary_data_output' must be true or false"));
}

#[test]
fn oip_06_a_body_without_json_is_the_one_input_of_its_contract() {
    let of =
        |datatype, shape: &[i64]| Contract { inputs: vec![Port::new("x", datatype, shape)], ..Contract::default() };
    let raw = |bytes: &'static [u8], contract: &Contract| decode(Divided::Raw(Bytes::from_static(bytes)), contract);
    let infer = raw(b"\0\0\x80\x3f\0\0\0\x40", &of(Datatype::Fp32, &[-1, 2])).expect("a row");
    let x = infer.input("x").expect("there");
    assert_eq!((x.shape(), x.to_f64(), infer.form_of("y")), (&[1, 2][..], Some(vec![1.0, 2.0]), Form::Bytes));
    let text = raw(b"hello", &of(Datatype::Bytes, &[-1])).expect("one element");
    assert_eq!(text.input("x").expect("there").strings().collect::<Vec<_>>(), [b"hello"]);
    for (contract, words) in [
        (Contract::default(), "exactly one declared input"),
        (of(Datatype::Int8, &[-1, -1]), "has an open shape"),
        (of(Datatype::Int8, &[-1, 4]), "wants 4 elements"),
    ] {
        let refused = raw(b"hello", &contract).expect_err(words);
        assert!(refused.message.contains(words), "{}", refused.message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(34), ..ProptestConfig::default() })]

    #[test]
    fn oip_07_oip_09_every_tensor_comes_back_as_it_went(tensors in prop::collection::vec(any_tensor(), 1..4)) {
        let named = |(at, tensor): (usize, Tensor)| {
            let (datatype, shape, data) = (tensor.datatype(), tensor.shape().to_vec(), tensor.data().clone());
            let tensor = Tensor::new(format!("x{at}"), datatype, shape, data).expect("another name");
            Input { tensor, parameters: vec![], extra: vec![] }
        };
        let infer = Infer {
            id: None,
            parameters: vec![],
            inputs: tensors.into_iter().enumerate().map(named).collect(),
            outputs: vec![],
            form: Form::Text,
            extra: vec![],
            count: crate::tensor::Count::default(),
        };
        let upstream = |dialect| Upstream { id: "01KB", dialect, budget_us: 1 };
        for dialect in [Dialect::Triton, Dialect::Kserve] {
            let written = encode(&infer, upstream(dialect)).expect("bytes carry everything");
            prop_assert_eq!(written.body.len() - written.json.expect("there are inputs"), bytes_of(&infer));
            let again = decode(divided(written), &Contract::default()).expect("what we write is what we read");
            prop_assert_eq!(&again.inputs, &infer.inputs);
        }
        let words = infer.inputs.iter().all(|it| it.tensor.is_text() && !it.tensor.has_non_finite());
        let written = encode(&infer, upstream(Dialect::Plain));
        prop_assert_eq!(written.is_ok(), words);
        if let Ok(written) = written {
            let again = decode(divided(written), &Contract::default()).expect("what we write is what we read");
            prop_assert_eq!(&again.inputs, &infer.inputs);
        }
    }

    #[test]
    fn a_tail_of_any_bytes_is_refused_or_cut_as_said(
        sizes in prop::collection::vec(0..20_usize, 1..4), tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let part = |(at, size): (usize, &usize)| part(&format!("x{at}"), &format!("[{size}]"), "UINT8", *size);
        let json = inputs(&sizes.iter().enumerate().map(part).collect::<Vec<_>>());
        let read = super::binary::free(&json, &tail);
        prop_assert_eq!(read.is_ok(), sizes.iter().sum::<usize>() == tail.len());
        if let Ok(infer) = read {
            let whole: Vec<u8> = infer.inputs.iter().flat_map(|it| it.tensor.data().to_vec()).collect();
            prop_assert_eq!(whole, tail);
        }
    }
}

fn bytes_of(infer: &Infer) -> usize {
    infer.inputs.iter().map(|it| it.tensor.data().len()).sum()
}
