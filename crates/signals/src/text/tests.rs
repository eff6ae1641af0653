//! The twelve numbers: oracles of the page, texts that are usual, strange, empty and huge.

use proptest::prelude::*;

use super::*;

fn model(texts: &[&str]) -> TextModel {
    let mut counts = Counts::default();
    texts.iter().for_each(|it| counts.add(it));
    counts.model()
}

/// One of the twelve numbers, by its name.
fn of(name: &str, text: &str, model: &TextModel) -> f64 {
    numbers(text, model)[NAMES.iter().position(|it| *it == name).expect("a name")]
}

#[test]
fn the_oracles_of_the_page() {
    let empty = model(&[]);
    assert_eq!(of("byte_entropy", "aaaa", &empty), 0.0);
    assert!((of("byte_entropy", "abab", &empty) - 1.0).abs() < 1e-15);
    assert_eq!(of("trigram_bits", "abc", &empty), 12.0, "4,096 buckets, all alike");
}

#[test]
fn text_2_an_empty_text_is_zeros_and_shares_are_of_characters() {
    let empty = model(&[]);
    assert_eq!(numbers("", &empty), [0.0; NUMBERS]);
    let shares = ["letters", "digits", "punctuation", "non_ascii", "white_space", "control"];
    for (text, expected) in [
        ("ab1!\u{7f} é漢\t\n", [0.2, 0.1, 0.1, 0.2, 0.3, 0.1]),
        ("\0", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        ("漢字", [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
    ] {
        assert_eq!(shares.map(|it| of(&format!("{it}_ratio"), text, &empty)), expected, "{text:?}");
    }
    let e = std::f64::consts::E;
    assert!((of("log_words", " one  two\nthree", &empty) - ln(4.0)).abs() < 1e-15);
    assert!((of("log_characters", "é", &empty) - ln(2.0)).abs() < 1e-15 && e > 2.0);
}

#[test]
fn usual_text_costs_less_than_strange_text_and_loops_repeat() {
    let usual = [
        "How do I open a port of the firewall?",
        "How do I close my account, and what happens to my data?",
        "The port of the machine does not open; what do I do?",
    ];
    let model = model(&usual);
    assert_eq!(of("unseen_trigrams_ratio", usual[0], &model), 0.0);
    let (near, far) = ("How do I open my account?", "ZXQ;;;#9 kvvw{{}} \u{1}\u{2}");
    for name in ["trigram_bits", "unseen_trigrams_ratio"] {
        assert!(of(name, near, &model) < 0.8 * of(name, far, &model), "{name}");
    }
    let random: String = (0..2_000_u64).map(|it| char::from(33 + (crate::row::mix(it) % 90) as u8)).collect();
    assert!(of("repeated_ratio", &random, &model) < 0.05, "few new ones are taken for others");
    assert!(of("repeated_ratio", &"I am sorry. ".repeat(100), &model) > 0.98);
    assert!(model.filled() < 0.001);
}

#[test]
fn a_text_of_the_reference_is_judged_as_a_new_one_without_itself() {
    let (one, other) = ("abcabc", "xyzxyz");
    let mut counts = Counts::default();
    counts.add(one);
    counts.add(other);
    let mut alone = Counts::default();
    alone.add(other);
    assert_eq!(of("trigram_bits", one, &counts.without(one)), of("trigram_bits", one, &alone.model()));
    for text in [one, other] {
        assert_eq!(of("unseen_trigrams_ratio", text, &counts.without(text)), 1.0, "no other text has them");
    }
    let mut twice = counts.clone();
    twice.add(one);
    assert_eq!(of("unseen_trigrams_ratio", one, &twice.without(one)), 0.0, "another text has them");
    let mut apart = Counts::default();
    apart.add(one);
    apart.merge(&counts);
    assert_eq!(apart, twice, "and where it was counted elsewhere, too");
    let mut merged = alone;
    let mut first = Counts::default();
    first.add(one);
    merged.merge(&first);
    assert_eq!(merged, counts, "counts add");
}

#[test]
fn text_1_ten_megabytes_are_read_in_pieces_from_the_first_byte_to_the_last() {
    let unit = "How do I open a port? ";
    let long = unit.repeat(10 * 1_024 * 1_024 / unit.len());
    assert_eq!(pieces(long.as_bytes()).map(<[u8]>::len).sum::<usize>(), READ);
    assert_eq!(
        pieces(long.as_bytes()).last().map(<[u8]>::as_ptr_range).expect("pieces").end,
        long.as_bytes().as_ptr_range().end
    );
    let (short, model) = (unit.repeat(READ / unit.len()), model(&[unit]));
    let (long_numbers, short_numbers) = (numbers(&long, &model), numbers(&short, &model));
    for (at, name) in NAMES.iter().enumerate().skip(2) {
        assert!(
            (long_numbers[at] - short_numbers[at]).abs() < 0.02,
            "{name}: {} {}",
            long_numbers[at],
            short_numbers[at]
        );
    }
    assert!((long_numbers[0] - ln(1.0 + long.len() as f64)).abs() < 1e-6, "lengths are scaled up");
    // Strange text anywhere in the last half is met by some piece.
    let strange = "\u{1}".repeat(1_000_000);
    let hidden = format!("{long}{strange}");
    assert!(of("control_ratio", &hidden, &model) > 0.05);
}

#[test]
fn text_3_the_same_bits_on_every_machine() {
    let model = model(&["How do I open a port of the firewall?", "ünïcödé 漢字 123"]);
    let long: String = (0..90_000_u32).map(|it| char::from_u32(32 + it * 7 % 900).unwrap_or('x')).collect();
    let mut digest = 0;
    for text in ["", "a", "open a port", "漢字かな交じり文", &long] {
        digest = numbers(text, &model).iter().fold(digest, |digest, it| crate::row::mix(digest ^ it.to_bits()));
    }
    assert_eq!(digest, GOLDEN, "golden: the digest that every machine finds");
}

const GOLDEN: u64 = 6_006_568_684_129_566_277;

proptest! {
    #[test]
    fn text_2_any_text_has_twelve_finite_numbers(text in any::<String>(), times in 1..200_usize) {
        let model = model(&[&text]);
        let found = numbers(&text.repeat(times), &model);
        prop_assert!(found.iter().all(|it| it.is_finite() && *it >= 0.0), "{:?}", found);
        prop_assert!(found[3..9].iter().chain(&found[10..]).all(|it| *it <= 1.0), "{:?}", found);
    }
}
