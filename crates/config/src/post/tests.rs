//! Texts on their way through all steps, whole and in pieces.

use proptest::prelude::*;

use super::{pattern::Pattern, personal::Check, *};
use crate::schema::post::Personal;

fn part(name: &str, does: Does) -> Part {
    Part { name: name.into(), does, passes: false }
}

fn personal(kind: Personal) -> Part {
    part(kind.name(), Does::Pattern(Arc::new(pattern_of(kind).expect("it is one"))))
}

fn own(source: &str) -> Part {
    part("own", Does::Pattern(Arc::new(Pattern::new(source, Check::None, "[own]".into()).expect("it is one"))))
}

fn step(name: &'static str, parts: Vec<Part>) -> Step {
    Step { name, output: None, work: Work::Text(parts) }
}

fn post(most: usize) -> Post {
    let strip = vec![part("control", Does::Control), part("markup", Does::Markup)];
    let redact = [Personal::Card, Personal::Iban, Personal::Email, Personal::Phone].map(personal);
    let redact = redact.into_iter().chain([own(r"(?i)\bcase[- ]?\d{1,6}\b")]).collect();
    let length = vec![part("max_length", Does::Length(Length { most, mark: "…".into() }))];
    Post::new(vec![step("strip", strip), step("redact", redact), step("max_length", length)])
}

fn whole(post: &Post, text: &str) -> (String, Changes) {
    let mut changes = Changes::default();
    (post.text(text, Said::Answer, &mut changes).expect("nothing of it can fail"), changes)
}

#[test]
fn each_step_is_done_in_order_and_counted() {
    let text = "<b>Pay</b>\u{200b} 4111 1111 1111 1111, or ask a@b.example about case-17.";
    let (said, changes) = whole(&post(200), text);
    assert_eq!(said, "Pay [card], or ask [email] about [own].");
    let counted: Vec<_> = changes.iter().collect();
    assert_eq!(
        counted,
        [(0, "control", 1), (0, "markup", 2), (1, "card", 1), (1, "email", 1), (1, "own", 1)],
        "and nothing of the text"
    );
    let (cut, changes) = whole(&post(12), text);
    assert_eq!((cut.as_str(), changes.iter().last()), ("Pay [card],…", Some((2, "max_length", 1))));
}

#[test]
fn what_stands_beside_an_answer_is_redacted_and_not_cut() {
    let mut changes = Changes::default();
    let said = post(5).text("I think a@b.example is hers", Said::Aside, &mut changes);
    assert_eq!(said.as_deref(), Ok("I think [email] is hers"));
}

#[test]
fn f_010_what_a_step_cannot_do_its_work_with_goes_on_where_it_may_and_is_counted() {
    let labels = Labels::new(&["yes".into(), "no".into()], None);
    let allow = Part { passes: true, ..part("allow", Does::Allow(labels)) };
    let post = Post::new(vec![
        step("allow", vec![allow]),
        step("max_length", vec![part("max_length", Does::Length(Length { most: 4, mark: "…".into() }))]),
    ]);
    for (text, expected, counted) in
        [("YES.", "yes", vec![(0, "allow", 1)]), ("perhaps", "per…", vec![(0, PASSED, 1), (1, "max_length", 1)])]
    {
        let mut changes = Changes::default();
        assert_eq!(post.text(text, Said::Answer, &mut changes).as_deref(), Ok(expected));
        assert_eq!(changes.iter().collect::<Vec<_>>(), counted);
    }
}

#[test]
fn a_label_that_is_not_allowed_names_its_step() {
    let labels = Labels::new(&["yes".into(), "no".into()], None);
    let post = Post::new(vec![
        step("strip", vec![part("control", Does::Control)]),
        step("allow", vec![part("allow", Does::Allow(labels))]),
    ]);
    let mut changes = Changes::default();
    assert_eq!(post.text("Yes.", Said::Answer, &mut changes).as_deref(), Ok("yes"));
    assert_eq!(post.text("perhaps", Said::Answer, &mut changes), Err(Failed { step: 1, schema: false }));
    assert!(post.needs_whole() && !super::tests::post(9).needs_whole());
}

/// Pieces that come near what the patterns look for.
const PIECES: [&str; 22] = [
    "4111 1111 1111 1111",
    "4111-1111-1111-111",
    "378282246310005",
    " 12",
    "DE89 3704 0044 0532 0130 00",
    "GB29NWBK60161331926819",
    "a.b@c.example",
    "@",
    ".de",
    "+49 30 123456",
    "case-17",
    "CASE 5",
    "x",
    " ",
    "\n",
    "<b>",
    "</b",
    ">",
    "<!-- a",
    "-->",
    "\u{200b}",
    "é",
];

proptest! {
    #[test]
    fn post_1_a_text_becomes_the_same_however_it_is_cut(
        parts in prop::collection::vec(0..PIECES.len(), 0..14),
        cuts in prop::collection::vec(1_usize..9, 1..40),
        most in 2_usize..120,
    ) {
        let (text, post) = (parts.iter().map(|at| PIECES[*at]).collect::<String>(), post(most));
        let (expected, counted) = whole(&post, &text);
        let (mut stream, mut changes, mut out) = (post.stream(Said::Answer, 0), Changes::default(), String::new());
        let (letters, mut at) = (text.chars().collect::<Vec<_>>(), 0);
        for cut in cuts.iter().cycle().take_while(|_| !letters.is_empty()) {
            let end = (at + cut).min(letters.len());
            out.push_str(&stream.push(&letters[at..end].iter().collect::<String>(), &mut changes));
            at = end;
            if at == letters.len() {
                break;
            }
        }
        out.push_str(&stream.end(&mut changes));
        prop_assert_eq!(&out, &expected, "{:?}", text);
        prop_assert_eq!(changes, counted);
        prop_assert!(out.chars().count() <= most);
    }
}

#[test]
fn post_2_what_is_held_back_is_bounded() {
    let (post, mut changes) = (post(1_000_000), Changes::default());
    let mut stream = post.stream(Said::Answer, 0);
    let (mut given, mut got) = (0, 0);
    for _ in 0..2_000 {
        given += 7;
        got += stream.push("a.b-c_d", &mut changes).len();
        assert!(given - got < 3_000, "{given} {got}");
    }
}
