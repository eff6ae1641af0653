//! References: built, merged, broken, and asked.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    cells,
    row::{Value, mix},
};

/// Numbers, names, texts and vectors, public and private, an output and a label.
fn plan() -> Plan {
    let column = |name: &str, kind| Column::new(name, kind, Role::Input);
    let private = |name: &str, kind| Column { private: true, ..column(name, kind) };
    let schema = vec![
        Column { required: true, ..column("amount", ColumnKind::Number) },
        column("country", ColumnKind::Category),
        column("question", ColumnKind::Text),
        column("vector", ColumnKind::Vector(3)),
        private("income", ColumnKind::Number),
        private("town", ColumnKind::Category),
        Column::new("confidence", ColumnKind::Number, Role::Output),
        Column { range: Some(["0".into(), "1".into()]), ..Column::new("right", ColumnKind::Number, Role::Label) },
    ];
    let keyed = Some(Keyed::new(&[7; 32]));
    Plan { seed: 5, false_alarms_per_million: 10_000, keyed, ..Plan::new("fraud", schema) }
}

const COUNTRIES: [&str; 4] = ["de", "fr", "it", "secret land"];
const QUESTIONS: [&str; 3] = ["How do I open a port?", "Where is my parcel?", ""];
const VECTORS: [[f32; 3]; 3] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.1], [0.0, 0.0, 0.0]];

/// Rows of a source by seed, `number` by `number`.
fn rows(source: u64, numbers: std::ops::Range<u64>) -> Vec<SourceRow<'static>> {
    let row = |number: u64| {
        let bits = |at: u64| mix(mix(source * 1_000_003 + number) ^ at);
        let number_at = |at: u64| (bits(at) >> 40) as f64 / 1e4;
        let pick = |at: u64, of: u64| usize::try_from(bits(at) % of).expect("small");
        let amount = if bits(9).is_multiple_of(20) { Value::Missing } else { Value::Number(number_at(0)) };
        let values = vec![
            amount,
            Value::Category(COUNTRIES[pick(1, 4)]),
            Value::Text(QUESTIONS[pick(2, 3)]),
            Value::Vector(&VECTORS[pick(3, 3)]),
            Value::Number((bits(4) % 3) as f64),
            Value::Category(["Xanadu", "Ys"][pick(5, 2)]),
            if bits(6).is_multiple_of(50) { Value::Invalid } else { Value::Number(number_at(6)) },
            Value::Number((bits(7) % 2) as f64),
        ];
        SourceRow { number, at: Some(number * 60_000_000_000), values }
    };
    numbers.map(row).collect()
}

fn build(source: u8, count: u64) -> Reference {
    Reference::build(&plan(), [source; 32], &rows(source.into(), 0..count)).expect("sound")
}

fn merged(one: &Reference, other: &Reference) -> Reference {
    one.merge(other).expect("alike").reference
}

#[test]
fn ref_1_the_same_rows_give_the_same_bytes_in_any_order_and_come_back() {
    let one = build(1, 400);
    let mut turned = rows(1, 0..400);
    turned.reverse();
    turned.swap(3, 99);
    let other = Reference::build(&plan(), [1; 32], &turned).expect("sound");
    assert_eq!(one.encode(), other.encode());
    let read = Reference::decode(&one.encode()).expect("sound");
    assert_eq!((&read, read.encode()), (&one, one.encode()));
    assert_eq!(one.encode()[one.encode().len() - 32..], one.digest(), "the reference digest is the seal of the whole");
    assert_eq!(
        crate::reference::scalar::hex(&one.digest()[..8]),
        GOLDEN,
        "golden: the digest that every machine finds"
    );
}

const GOLDEN: &str = "b84b473d7fbd4d7d";

#[test]
fn ref_2_a_merge_is_associative_and_commutative_to_the_byte() {
    let [a, b, c] = [(1, 300), (2, 200), (3, 100)].map(|(source, count)| build(source, count));
    let left = merged(&merged(&a, &b), &c).encode();
    assert_eq!(left, merged(&a, &merged(&b, &c)).encode());
    assert_eq!(left, merged(&merged(&c, &a), &b).encode());
    assert_eq!(left, merged(&merged(&a, &b), &merged(&b, &c)).encode(), "rows of a source count once");
    assert_eq!(merged(&a, &a).encode(), a.encode());
    let all = Reference::decode(&left).expect("sound");
    assert_eq!((all.header.rows.all, all.header.rows.sample, all.header.sources.len()), (600, 600, 3));
}

#[test]
fn ref_2_the_smallest_rows_of_both_are_those_of_all() {
    let narrow = Plan { schema: vec![Column::new("x", ColumnKind::Number, Role::Input)], ..plan() };
    let of = |source: u64, count: u64| -> Vec<SourceRow<'static>> {
        let value = |it: u64| vec![Value::Number((mix(it ^ source) >> 40) as f64)];
        (0..count).map(|number| SourceRow { number, at: None, values: value(number) }).collect()
    };
    let build = |source: u8, count| Reference::build(&narrow, [source; 32], &of(source.into(), count)).expect("sound");
    let [a, b, c] = [(1, 15_000), (2, 12_000), (3, 9_000)].map(|(source, count)| build(source, count));
    let all = merged(&merged(&a, &b), &c);
    assert_eq!(all.encode(), merged(&a, &merged(&c, &b)).encode());
    assert_eq!((all.header.rows.all, all.header.rows.sample), (36_000, 20_000));
    assert_eq!((all.header.rows.kept, all.header.rows.calibrating), (256, 2_000));
}

#[test]
fn ref_2_what_does_not_fit_is_refused() {
    let one = build(1, 60);
    for (plan, what) in [
        (Plan { route: "other".into(), ..plan() }, "routes"),
        (Plan { schema: plan().schema[..7].to_vec(), ..plan() }, "columns"),
        (Plan { seed: 6, ..plan() }, "seeds"),
        (Plan { false_alarms_per_million: 1, ..plan() }, "false-alarm rates"),
        (Plan { repeats: Repeats::Daily, ..plan() }, "seasons"),
    ] {
        let mut rows = rows(2, 0..60);
        rows.iter_mut().for_each(|it| it.values.truncate(plan.schema.len()));
        let other = Reference::build(&plan, [2; 32], &rows).expect("sound");
        assert_eq!(one.merge(&other).err(), Some(Unmergeable::Plan(what)));
    }
    let changed = Reference::build(&plan(), [1; 32], &rows(9, 0..60)).expect("sound");
    assert!(matches!(one.merge(&changed), Err(Unmergeable::Source(_))), "one digest, other rows");
    let bare = one.clone().without_sample();
    assert_eq!(one.merge(&bare), Err(Unmergeable::NoSample));
    assert_eq!(Reference::decode(&bare.encode()), Ok(bare));
}

#[test]
fn ref_2_without_samples_the_same_cells_add_in_any_order_and_others_are_refused() {
    let narrow = Plan { schema: vec![Column::new("x", ColumnKind::Number, Role::Input)], ..plan() };
    let build = |source: u8, count: u64, of: u64| {
        let row = |number: u64| {
            let values = vec![Value::Number((mix(number + u64::from(source)) % of) as f64)];
            SourceRow { number, at: None, values }
        };
        let rows: Vec<_> = (0..count).map(row).collect();
        Reference::build(&narrow, [source; 32], &rows).expect("sound").without_sample()
    };
    let [a, b, c] = [(1, 60), (2, 80), (3, 80)].map(|(source, count)| build(source, count, 3));
    let all = merged(&merged(&a, &b), &c);
    for other in [merged(&a, &merged(&b, &c)), merged(&merged(&c, &a), &b)] {
        assert_eq!(all.encode(), other.encode());
    }
    assert_eq!((all.cells(0, 0).map(Cells::rows), all.header.rows.all), (Some(220), 220));
    assert!(all.score == b.score || all.score == c.score, "of the larger");
    assert_eq!(Reference::decode(&all.encode()), Ok(all.clone()));
    assert_eq!(merged(&a, &a), a);
    assert!(matches!(all.merge(&a), Err(Unmergeable::Source(_))), "its rows would count twice");
    assert_eq!(a.merge(&build(4, 60, 5)), Err(Unmergeable::Cells("x".into())));
}

#[test]
fn ref_3_every_flipped_bit_is_found() {
    let narrow = Plan { schema: plan().schema[..2].to_vec(), ..plan() };
    let mut few = rows(1, 0..12);
    few.iter_mut().for_each(|it| it.values.truncate(2));
    let bytes = Reference::build(&narrow, [1; 32], &few).expect("sound").encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Reference::decode(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(Reference::decode(&bytes[..length]).is_err(), "cut off at {length}");
    }
    let cut = Reference::decode(&bytes[..bytes.len() / 2]).expect_err("cut off").to_string();
    assert!(cut.contains("it was truncated"), "{cut}");
    let broken = |at: usize| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        Reference::decode(&flipped).expect_err("broken").to_string()
    };
    assert!(broken(bytes.len() - 40).contains("checksum of section SAMP"), "{}", broken(bytes.len() - 40));
    assert!(broken(bytes.len() - 1).contains("checksum of the whole"));
    assert!(broken(5).contains("version"));
    assert!(broken(0).contains("EKREF"));
}

/// Where sections begin: tag, place of the tag, length of the content.
fn sections_of(bytes: &[u8]) -> Vec<([u8; 4], usize, usize)> {
    let header = u32::from_le_bytes(bytes[7..11].try_into().expect("four")) as usize;
    let (mut at, mut all) = (11 + header, Vec::new());
    while at + 32 < bytes.len() {
        let length = u64::from_le_bytes(bytes[at + 4..at + 12].try_into().expect("eight")) as usize;
        all.push((bytes[at..at + 4].try_into().expect("four"), at, length));
        at += 44 + length;
    }
    all
}

/// Makes all seals anew.
fn sealed_again(mut bytes: Vec<u8>) -> Vec<u8> {
    for (_, at, length) in sections_of(&bytes) {
        let digest = Sha256::digest(&bytes[at + 44..at + 44 + length]);
        bytes[at + 12..at + 44].copy_from_slice(&digest);
    }
    let end = bytes.len() - 32;
    let digest = Sha256::digest(&bytes[..end]);
    bytes[end..].copy_from_slice(&digest);
    bytes
}

#[test]
fn ref_4_nothing_of_a_private_column_can_be_read() {
    let one = build(1, 300);
    let bytes = one.encode();
    let has = |text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(has("secret land") && !has("Xanadu") && !has("Ys"), "names of public columns alone");
    assert!(has(&Keyed::new(&[7; 32]).name("town", "Xanadu")), "names of private ones by a keyed hash");
    assert_ne!(Keyed::new(&[8; 32]).name("town", "Xanadu"), Keyed::new(&[7; 32]).name("town", "Xanadu"));
    let scalars = one.scalars();
    let private = scalars.iter().filter(|it| it.private).count();
    let sample = one.sample.as_ref().expect("a sample");
    assert!(private == 2 && sample.iter().all(|it| it.values.len() == scalars.len() - private));
    assert!(one.row_score().expect("rows").encoder().features().iter().all(|it| it.name != "income"));
    let income = scalars.iter().position(|it| it.name == "income").expect("there");
    assert_eq!(one.cells(income, 0).map(Cells::rows), Some(300), "its cells are of all rows");
}

#[test]
fn ref_4_private_cells_add_where_they_are_the_same_and_are_dropped_and_named_where_not() {
    // Names are in the order of a hash: the same names have the same cells, however many rows have each.
    assert_eq!(build(1, 300).merge(&build(2, 300)).expect("alike").dropped, Vec::<String>::new());
    let like = Plan { like: Some(build(1, 300)), ..plan() };
    let second = Reference::build(&like, [2; 32], &rows(2, 0..300)).expect("sound");
    let same = build(1, 300).merge(&second).expect("alike");
    assert_eq!(same.dropped, Vec::<String>::new());
    let place = |name: &str| same.reference.scalars().iter().position(|it| it.name == name).expect("there");
    let (income, town) = (place("income"), place("town"));
    assert_eq!([income, town].map(|it| same.reference.cells(it, 0).map(Cells::rows)), [Some(600); 2]);
    let mut strange = rows(3, 0..300);
    strange.iter_mut().for_each(|it| it.values[4] = Value::Number(it.number as f64));
    let strange = Reference::build(&plan(), [3; 32], &strange).expect("sound");
    let (left, right) = (same.reference.merge(&strange).expect("alike"), strange.merge(&build(1, 300)).expect("alike"));
    for it in [&left, &right] {
        assert!(it.dropped.contains(&"income".to_owned()), "{:?}", it.dropped);
    }
    assert_eq!(left.reference.cells(income, 0), None);
    assert_eq!(left.reference.encode(), merged(&right.reference, &second).encode(), "and it stays so");
    assert_eq!(Reference::decode(&left.reference.encode()), Ok(left.reference));
}

#[test]
fn references_of_other_keys_do_not_merge_and_an_earlier_one_says_of_none() {
    let key = Keyed::new(&[7; 32]).check();
    assert_eq!(build(1, 60).header.key.as_ref(), Some(&key));
    let other = Plan { keyed: Some(Keyed::new(&[8; 32])), ..plan() };
    let other = Reference::build(&other, [2; 32], &rows(2, 0..60)).expect("sound");
    assert_eq!(build(1, 60).merge(&other), Err(Unmergeable::Key));
    let mut earlier = build(3, 60);
    earlier.header.key = None;
    let earlier = Reference::decode(&earlier.encode()).expect("a file of before");
    assert_eq!(earlier.header.key, None);
    for it in [earlier.merge(&build(1, 60)), build(1, 60).merge(&earlier)] {
        assert_eq!(it.expect("nobody can tell").reference.header.key.as_ref(), Some(&key));
    }
    let public = Plan { schema: plan().schema[..2].to_vec(), ..plan() };
    let mut rows = rows(1, 0..9);
    rows.iter_mut().for_each(|it| it.values.truncate(2));
    assert_eq!(Reference::build(&public, [1; 32], &rows).expect("sound").header.key, None, "no name is hashed");
}

#[test]
fn ref_5_an_unknown_section_is_passed_over_and_an_unknown_version_refused() {
    let bytes = build(1, 50).encode();
    let mut more = bytes[..bytes.len() - 32].to_vec();
    more.extend(b"NEWS");
    more.extend(3_u64.to_le_bytes());
    more.extend([0; 32]);
    more.extend(b"yes");
    more.extend([0; 32]);
    let read = Reference::decode(&sealed_again(more)).expect("passed over");
    assert_eq!(read.header(), build(1, 50).header());
    let mut newer = bytes;
    newer[5] = 2;
    assert_eq!(Reference::decode(&sealed_again(newer)), Err(Unreadable::Version(2)));
}

#[test]
fn seasons_have_cells_of_their_own() {
    let hours = Plan { repeats: Repeats::Daily, schema: plan().schema[..2].to_vec(), ..plan() };
    let mut rows = rows(1, 0..6_000);
    rows.iter_mut().for_each(|it| it.values.truncate(2));
    let daily = Reference::build(&hours, [1; 32], &rows).expect("sound");
    let hour = crate::cells::HOUR_NS;
    let amount = |at: u64| daily.cells(0, at).expect("there").rows();
    // 6,000 minutes: 100 hours, so that four hours of the day have 300 rows and the others 240.
    assert!((1_000..=1_500).contains(&amount(0)) && amount(0) == amount(24 * hour), "{}", amount(0));
    assert_ne!(daily.cells(0, 0), daily.cells(0, 12 * hour));
    assert_eq!(Reference::decode(&daily.encode()), Ok(daily));
}

#[test]
fn ref_4_more_private_rows_than_a_sample_has_are_all_counted_and_none_is_kept_in_memory() {
    let income = Column { private: true, ..Column::new("income", ColumnKind::Number, Role::Input) };
    let narrow = Plan { schema: vec![income, Column::new("x", ColumnKind::Number, Role::Input)], ..plan() };
    let rows = 30_000_u64;
    let mut passes = 0;
    let reference = Reference::build_in_passes(&narrow, [1; 32], |each| {
        passes += 1;
        (0..rows).try_for_each(|number| {
            let value = Value::Number((mix(number) % 1_000) as f64);
            each(&SourceRow { number, at: None, values: vec![value, value] })
        })
    });
    let reference = reference.map_err(|it: Unbuildable| it).expect("sound");
    let cells = |scalar| reference.cells(scalar, 0).map(Cells::rows);
    assert_eq!((passes, cells(0), cells(1)), (3, Some(rows), Some(20_000)));
    let order = Reference::build_in_passes(&narrow, [1; 32], |each| {
        [1, 0].into_iter().try_for_each(|number| each(&SourceRow { number, at: None, values: vec![Value::Missing; 2] }))
    });
    assert_eq!(order.err(), Some(Unbuildable::Order(0)));
}

#[test]
fn live_1_a_row_of_all_columns_is_as_the_sample_holds_it() {
    let one = build(1, 1_200);
    let (of_all, keyed) = (one.of_all(), Keyed::new(&[7; 32]));
    let all = rows(1, 0..1_200);
    let scalars = one.scalars();
    assert_eq!(of_all.scalars(), (0..scalars.len()).collect::<Vec<_>>());
    for (id, at, held) in one.sample().expect("a sample").take(50) {
        let row = &all[usize::try_from(id.number).expect("small")];
        let Value::Category(town) = row.values[5] else { panic!("a town") };
        let (town, mut values, mut written) = (keyed.name("town", town), row.values.clone(), Vec::new());
        values[5] = Value::Category(&town);
        of_all.row(&values, &mut written);
        assert_eq!((at, written.len()), (row.at, scalars.len()));
        let public = written.iter().zip(&scalars).filter(|it| !it.1.private);
        // A text of the sample was judged by the model of the others, a new one is by that of all.
        let told = |it: &&Scalar| it.names || !(it.name.ends_with("_bits") || it.name.ends_with("trigrams_ratio"));
        let alike = public.zip(&held).filter(|it| told(&it.0.1)).all(|it| cells::Value::from(*it.0.0) == *it.1);
        assert!(alike, "row {}", id.number);
    }
    let score = one.row_score().expect("rows");
    let scored = |values: &[Value<'_>]| {
        let mut written = Vec::new();
        of_all.row(values, &mut written);
        score.score(&of_all.scored().iter().map(|at| written[*at]).collect::<Vec<_>>())
    };
    let strange = scored(&[Value::Number(1e9)]).expect("nothing invalid");
    assert_eq!(strange.p.rank, 1, "all that is missing, and a number from elsewhere");
    assert!(scored(&[Value::Invalid]).is_err());
    assert_eq!(one.buckets(0).len(), 1);
    assert_eq!(one.seasons(), None);
    assert!(one.without_sample().sample().is_none());
}

#[test]
fn what_a_reference_says_of_rows_is_what_is_asked_of_new_ones() {
    let one = build(1, 1_200);
    let guards = one.guards(0.2);
    let given: Vec<_> = rows(1, 5..6)[0].values[..6].iter().map(|it| crate::guards::Given::of(*it)).collect();
    assert_eq!(guards.rules.len(), 6, "inputs alone");
    assert!(guards.check(&given).breaches.is_empty());
    let mut strange = given.clone();
    strange[0] = crate::guards::Given::of(Value::Number(1e9));
    strange[1] = crate::guards::Given::of(Value::Category("xx"));
    assert_eq!(guards.check(&strange).codes(), ["range", "unseen_category"]);
    let score = one.row_score().expect("rows");
    assert_eq!(score.encoder().features().len(), 1 + 1 + 12 + 64);
    assert!(one.score_cells().is_some_and(|it| it.rows() == one.header.rows.calibrating));
    let model = one.text_model("question").expect("a text");
    assert!(crate::text::numbers("Where is my port?", &model)[9] < 12.0);
    assert_eq!(one.text_model("amount"), None);
    assert!(one.header.labels);
}

#[test]
fn bad_plans_and_rows_are_refused_by_name() {
    let check = |plan: &Plan, rows: &[SourceRow<'_>]| {
        Reference::build(plan, [1; 32], rows).map(|_| ()).map_err(|it| it.to_string()).expect_err("refused")
    };
    let good = rows(1, 0..3);
    let twice = Plan { schema: vec![plan().schema[0].clone(); 2], ..plan() };
    let mut range = plan();
    range.schema[0].range = Some(["9".into(), "1".into()]);
    let mut two = good.clone();
    two[1].number = 0;
    let mut untimed = good.clone();
    untimed[2].at = None;
    for (said, expected) in [
        (check(&Plan { schema: Vec::new(), ..plan() }, &good), "it has no columns"),
        (check(&plan(), &[]), "it has no rows"),
        (check(&twice, &good), "two columns have the name `amount`"),
        (check(&range, &good), "the range of column `amount` is not two numbers, the lesser one first"),
        (check(&Plan { keyed: None, ..plan() }, &good), "column `town` is a private category, which needs a key"),
        (
            check(&Plan { false_alarms_per_million: 0, ..plan() }, &good),
            "a false-alarm rate of 0 in a million is none: 1 to 999999",
        ),
        (check(&plan(), &[SourceRow { number: 7, at: None, values: vec![] }]), "row 7 has 0 values for 8 columns"),
        (check(&plan(), &two), "two rows have the number 0"),
        (check(&Plan { repeats: Repeats::Weekly, ..plan() }, &untimed), "row 2 has no time, and `repeats` needs one"),
    ] {
        assert_eq!(said, expected);
    }
}

#[test]
fn a_reference_of_one_row_or_of_nothing_but_rubbish_is_made_and_says_so() {
    let one = build(1, 1);
    assert_eq!((one.header.rows.kept, one.header.rows.calibrating), (1, 0));
    assert_eq!(one.row_score().expect("a row").standing(0.01), crate::anomaly::Standing::GuardsOnly { rows: 1 });
    let mut rubbish = rows(1, 0..20);
    rubbish.iter_mut().for_each(|it| it.values = vec![Value::Number(f64::NAN); 8]);
    let rubbish = Reference::build(&plan(), [1; 32], &rubbish).expect("it is counted");
    assert_eq!(rubbish.row_score(), Err(Unfit::NoRows));
    assert_eq!(rubbish.cells(0, 0).map(|it| *it.counts().last().expect("invalid")), Some(20));
    assert_eq!(Reference::decode(&rubbish.encode()), Ok(rubbish));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ref_3_no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let headed = [b"EKREF\x01\x00", &bytes[..]].concat();
        prop_assert!(Reference::decode(&bytes).is_err() && Reference::decode(&headed).is_err());
    }

    #[test]
    fn ref_3_sealed_rubbish_does_not_either(changes in prop::collection::vec((any::<u32>(), any::<u8>()), 1..4)) {
        let mut bytes = FEW.clone();
        let sections = sections_of(&bytes);
        for (at, by) in changes {
            // Inside a section; each as likely as another.
            let (_, begin, length) = sections[at as usize % sections.len()];
            if length > 0 {
                bytes[begin + 44 + (at as usize / 7) % length] = by;
            }
        }
        if let Ok(read) = Reference::decode(&sealed_again(bytes)) {
            // What is taken can be used, and written as it was read.
            let _ = (read.row_score(), read.guards(0.2), read.text_model("question"), read.merge(&read));
            prop_assert_eq!(Reference::decode(&read.encode()).map(|it| it.encode()), Ok(read.encode()));
        }
    }
}

static FEW: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| build(1, 30).encode());

#[test]
fn live_1_live_2_a_live_row_has_the_scalars_that_a_row_of_the_reference_has() {
    let (one, source) = (build(1, 300), rows(1, 0..300));
    let (live, scalars) = (one.live(), one.scalars());
    let inputs = |row: &SourceRow<'static>| row.values[..6].to_vec();
    let hidden = scalars.iter().position(|it| it.name == "town").expect("a private name");
    assert!(!live.scalars().contains(&hidden) && live.scalars().len() == 1 + 1 + 12 + 64 + 1, "LIVE-2");
    assert_eq!(live.scored().len(), one.row_score().expect("rows").encoder().features().len());
    let public: Vec<usize> = (0..scalars.len()).filter(|it| !scalars[*it].private).collect();
    for sampled in one.sample.as_ref().expect("whole") {
        let row = source.iter().find(|it| it.number == sampled.id.number).expect("of the source");
        let mut found = Vec::new();
        live.row(&inputs(row), &mut found);
        for (value, place) in found.iter().zip(live.scalars()) {
            let Some(at) = public.iter().position(|it| it == place) else { continue };
            if !scalars[*place].name.ends_with("trigram_bits") {
                assert_eq!(*value, sampled.values[at].value(), "LIVE-1: {}", scalars[*place].name);
            }
        }
    }
    let mut found = Vec::new();
    live.row(&[Value::Number(f64::NAN), Value::Number(1.0), Value::Text("x")], &mut found);
    assert_eq!((found[0], found[1], found[14]), (Value::Invalid, Value::Invalid, Value::Missing));
}

mod meaning;
