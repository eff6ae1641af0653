//! What is read of requests, in each way in which a route says what it takes.

use evenkeel_config::{Conversion, Guarding, WatchedFrom};

use super::*;
use crate::tensor::{Form as Told, Infer, Input};

fn infer(tensors: Vec<Tensor>) -> Infer {
    let count = crate::tensor::Count::of(tensors.iter().map(Tensor::shape).take(1));
    let input = |tensor| Input { tensor, parameters: Vec::new(), extra: Vec::new() };
    Infer {
        id: None,
        parameters: Vec::new(),
        inputs: tensors.into_iter().map(input).collect(),
        outputs: Vec::new(),
        form: Told::Text,
        extra: Vec::new(),
        count,
    }
}

fn watched(name: &str, kind: Kind) -> Watched {
    let from = WatchedFrom::Tensor;
    Watched { name: name.into(), kind, from, missing: None, conversion: None, unicode: Unicode::AsItIs }
}

fn spec(columns: Vec<Watched>) -> Guarding {
    Guarding { reference: None, columns, encoder: None, guards: Vec::new(), declared: None }
}

/// The rows of a request, written out.
fn read(tensors: Vec<Tensor>, columns: Vec<Watched>, tensor: Option<&str>) -> Vec<String> {
    let (infer, spec) = (infer(tensors), spec(columns));
    let rows = Rows::of(&infer, &spec, tensor);
    let row = |at| {
        let mut values = Vec::new();
        rows.row(at, &mut values);
        format!("{values:?}")
    };
    (0..rows.read).map(row).collect()
}

#[test]
fn each_column_is_read_where_it_stands_and_as_what_it_is() {
    let tensors = vec![
        Tensor::from_f32("a", vec![2], &[0.1, f32::NAN]).expect("fits"),
        Tensor::from_i64("b", vec![2, 1], &[7, -1]).expect("fits"),
        Tensor::from_bytes("c", vec![2], &[&b"de"[..], b"\xff"]).expect("fits"),
        Tensor::from_bools("d", vec![2], &[true, false]).expect("fits"),
        Tensor::from_f32("e", vec![2, 2], &[1.0, 2.0, 3.0, 4.0]).expect("fits"),
    ];
    let (number, name) = (Kind::Number, Kind::Category);
    let columns = vec![
        watched("a", number),
        watched("b", name),
        watched("c", name),
        watched("d", number),
        watched("d", name),
        watched("e", Kind::Vector(2)),
        watched("c", Kind::Text),
        watched("c", number),
        watched("a", Kind::Text),
        watched("e", number),
        watched("gone", number),
    ];
    assert_eq!(
        read(tensors, columns, None),
        [
            "[Number(0.1), Category(\"7\"), Category(\"de\"), Number(1.0), Category(\"true\"), Vector([1.0, 2.0]), Text(\"de\"), \
             Invalid, Invalid, Invalid, Missing]",
            "[Number(NaN), Category(\"-1\"), Invalid, Number(0.0), Category(\"false\"), Vector([3.0, 4.0]), Invalid, Invalid, Invalid, \
             Invalid, Missing]",
        ]
    );
}

#[test]
fn columns_of_one_tensor_are_read_by_their_place() {
    let x = || vec![Tensor::from_f32("x", vec![2, 2], &[1.5, 2.0, 8.3252, 4.0]).expect("fits")];
    let at = |at| Watched { from: WatchedFrom::Column(at), ..watched("it", Kind::Number) };
    assert_eq!(
        read(x(), vec![at(1), at(0), at(2)], Some("x")),
        ["[Number(2.0), Number(1.5), Missing]", "[Number(4.0), Number(8.3252), Missing]"]
    );
    assert_eq!(read(x(), vec![at(0)], Some("y")), ["[Missing]", "[Missing]"], "a tensor that is not there");
    let flat = vec![Tensor::from_f32("x", vec![2], &[1.0, 2.0]).expect("fits")];
    assert_eq!(read(flat, vec![at(0)], Some("x")), ["[Invalid]", "[Invalid]"], "a tensor of another shape");
}

#[test]
fn what_stands_for_nothing_is_missing_and_units_and_forms_are_brought_to_those_of_the_reference() {
    let tensors = || {
        vec![
            Tensor::from_f32("km", vec![2], &[1.5, -1.0]).expect("fits"),
            Tensor::from_bytes("town", vec![2], &["Zu\u{308}rich", "unknown"]).expect("fits"),
        ]
    };
    let km = Watched {
        missing: Some(Absent::Number([-1.0, -1.0])),
        conversion: Some(Conversion { factor: 1_000.0, offset: 0.0 }),
        ..watched("km", Kind::Number)
    };
    let missing = Some(Absent::Text("unknown".into()));
    let town = Watched { missing, unicode: Unicode::Nfc, ..watched("town", Kind::Category) };
    assert_eq!(read(tensors(), vec![km, town], None), ["[Number(1500.0), Category(\"Zürich\")]", "[Missing, Missing]"]);
    let nan = Watched { missing: Some(Absent::Nan), ..watched("x", Kind::Number) };
    let x = vec![Tensor::from_f32("x", vec![2], &[f32::NAN, f32::INFINITY]).expect("fits")];
    assert_eq!(read(x, vec![nan], None), ["[Missing]", "[Number(inf)]"], "an infinity is never nothing");
}

#[test]
fn read_1_of_a_huge_request_rows_are_read_that_are_spread_over_it() {
    let values: Vec<f32> = (0..100_000_u32).map(|it| it as f32).collect();
    let x = || infer(vec![Tensor::from_f32("x", vec![100_000], &values).expect("fits")]);
    let (infer, one) = (x(), spec(vec![watched("x", Kind::Number)]));
    let rows = Rows::of(&infer, &one, None);
    assert_eq!((rows.read, rows.of), (MOST_ROWS, 100_000));
    let number = |at: usize| match rows.cells[at] {
        Cell::Number(it) => it,
        ref other => panic!("{other:?}"),
    };
    assert!(number(0) < 1.0 && number(1_023) > 99_000.0 && (number(512) - 50_000.0).abs() < 100.0);
    let wide = spec(vec![watched("x", Kind::Number); 10_000]);
    let rows = Rows::of(&infer, &wide, None);
    assert_eq!((rows.read, rows.cells.len()), (6, 60_000), "values are bounded, too");
    let none = Tensor::new("x".into(), Datatype::Fp32, vec![u64::MAX >> 1, 0], bytes::Bytes::new()).expect("nothing");
    let rows_of_nothing = infer_of(none);
    assert_eq!(Rows::of(&rows_of_nothing, &one, None).read, 0);
}

fn infer_of(tensor: Tensor) -> Infer {
    infer(vec![tensor])
}

#[test]
fn who_is_not_known_is_a_stranger_only_where_nothing_is_declared() {
    let tensors = || {
        vec![
            Tensor::from_f32("x", vec![1], &[1.0]).expect("fits"),
            Tensor::from_f32("y", vec![1], &[1.0]).expect("fits"),
        ]
    };
    let infer = infer(tensors());
    let open = spec(vec![watched("x", Kind::Number)]);
    assert_eq!(Rows::of(&infer, &open, None).strangers, ["y"]);
    let declared = Guarding { declared: Some(vec!["x".into()]), ..open };
    assert!(Rows::of(&infer, &declared, None).strangers.is_empty());
}

#[test]
fn a_chat_has_one_row_of_what_its_user_said_last() {
    let text = spec(vec![Watched { unicode: Unicode::Nfkc, from: WatchedFrom::Question, ..watched("q", Kind::Text) }]);
    for (said, expected) in [(Some("１２"), "[Text(\"12\")]"), (Some(""), "[Text(\"\")]"), (None, "[Missing]")] {
        let rows = Rows::of_text(said.map(Into::into), &text);
        let mut values = Vec::new();
        rows.row(0, &mut values);
        assert_eq!((format!("{values:?}"), rows.of), (expected.to_owned(), 1));
    }
}

#[test]
fn read_1_of_wide_rows_fewer_are_read() {
    for (kinds, rows) in [
        (&[Kind::Number, Kind::Category][..], MOST_ROWS),
        (&[Kind::Vector(2)], MOST_ROWS),
        (&[Kind::Vector(4_096)], 16),
        (&[Kind::Vector(4_096), Kind::Text], 15),
        (&[Kind::Vector(1_000_000)], 1),
    ] {
        let read = looked_at(5_000, kinds.iter().map(|it| width(*it)).sum());
        assert_eq!(read.len(), rows, "{kinds:?}");
        assert!(read[0] == 0 && read.windows(2).all(|it| it[0] < it[1]) && read[rows - 1] < 5_000);
    }
    assert_eq!(looked_at(3, 1), [0, 1, 2]);
}
