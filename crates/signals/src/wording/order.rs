//! Order: whether what two texts both say is said in the same order (`WORD-3`).
//!
//! Compared are words of content, without the ending of a plural: not articles, prepositions and auxiliaries, which move where a
//! question is only put otherwise ("how can I", "how I can"). A word that stands more often in one text has no counterpart in the
//! other, and is not compared.
//!
//! "France's capital" and "the capital of France" are the same order: who owns something in one text, and is what follows "of" in the
//! other, is not compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::Word;

/// Words that say nothing of their own, in the languages of [`super::TURNS`]. Pronouns are not among them: "can I call you" is not
/// "can you call me".
const SMALL: [&str; 2] = [
    "\
    a an the this that these those and or but if as at by for in into of on onto over per than then to upon via with within \
    am is are was were be been being do does did done doing have has had having can could may might must shall should \
    will would let lets there here what which who whom whose when where why how just really actually please kindly thanks \
    thank hello hi hey also so too very any some it its about tell explain say",
    "\
    der die das den dem des ein eine einen einem einer eines und oder aber wenn als am an auf bei bis durch für im in ins \
    mit nach über um unter von vom zu zum zur zwischen ist sind war waren sein wird werden wurde hat haben hatte kann kannst \
    können könnte muss müssen soll sollte darf dürfen was welche welcher welches wer wen wem wo wie wann warum denn bitte auch so \
    le la les l un une des du de d et ou mais si à au aux en dans par pour sur avec est sont était être a ont avoir peut \
    puis peux peuvent dois doit que qu' qui quoi quel quelle quels quelles comment quand où pourquoi il y el los las una unos \
    unas y o pero como al del por para con es está están ser hay ha puede puedo debe qué quién cuál cómo cuándo dónde \
    lo gli uno e ma se di da nel nella al alla per tra è sono essere può posso devo che chi quale come dove perché \
    os as um uma mas em no na ao do da são pode quem qual onde het een en of maar als bij door met naar op te van voor \
    zijn was wordt heeft kan moet mag wat wie welke waar hoe wanneer waarom",
];

/// The same, one by one.
static SMALL_WORDS: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| SMALL.iter().flat_map(|all| all.split_whitespace()).collect());

/// One word of content, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The word, and which of the same it is.
    key: (String, usize),
    /// It says whose something is.
    owns: bool,
    /// It is what follows "of".
    of: bool,
}

/// Returns the words of content of a text, in order.
pub(super) fn places(words: &[Word]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    // Where the words begin that stand together, and whether they follow "of".
    let (mut run, mut of) = (0, false);
    for word in words {
        if word.turns || SMALL_WORDS.contains(word.text.as_str()) {
            let article = matches!(word.text.as_str(), "a" | "an" | "the");
            of = word.text == "of" || of && article && run == places.len();
            run = places.len();
            continue;
        }
        let text = stem(&word.text);
        let nth = seen.entry(text.clone()).or_default();
        places.push(Place { key: (text, *nth), owns: false, of });
        *nth += 1;
        if word.owns {
            places[run..].iter_mut().for_each(|it| it.owns = true);
            (run, of) = (places.len(), false);
        }
    }
    places
}

/// Says whether the words that stand in both texts, as often, stand in the same order.
pub(super) fn same_order(one: &[Place], other: &[Place]) -> bool {
    let (in_one, in_other) = (by_key(one), by_key(other));
    let count = |places: &[Place]| {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        places.iter().for_each(|it| *count.entry(it.key.0.clone()).or_default() += 1);
        count
    };
    let (count_one, count_other) = (count(one), count(other));
    let compared = |key: &(String, usize)| {
        let (Some(a), Some(b)) = (in_one.get(key), in_other.get(key)) else { return false };
        let owner = a.owns && b.of || a.of && b.owns;
        count_one.get(&key.0) == count_other.get(&key.0) && !owner
    };
    let in_order =
        |places: &[Place]| places.iter().filter(|it| compared(&it.key)).map(|it| it.key.clone()).collect::<Vec<_>>();
    in_order(one) == in_order(other)
}

fn by_key(places: &[Place]) -> BTreeMap<&(String, usize), &Place> {
    places.iter().map(|it| (&it.key, it)).collect()
}

/// A word without the ending of a plural.
fn stem(word: &str) -> String {
    let bare = word.strip_suffix('s').filter(|it| it.chars().count() > 2 && !it.ends_with('s'));
    bare.unwrap_or(word).to_owned()
}
