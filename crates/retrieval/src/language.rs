//! Language: what becomes of the words of a text before they are compared.
//!
//! Words are letters and digits, in lower case, without the words that say nothing of what a text is about, cut to their stems.
//! A language that is not known has neither stop words nor stems; its words are compared without accents.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language as Stems, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, StopWordFilter,
    TextAnalyzer,
};

/// Words that are longer are no words: keys, digests, data.
const LONGEST: usize = 40;

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Language(&'static str);

const KNOWN: [(&str, Stems); 18] = [
    ("ar", Stems::Arabic),
    ("da", Stems::Danish),
    ("de", Stems::German),
    ("el", Stems::Greek),
    ("en", Stems::English),
    ("es", Stems::Spanish),
    ("fi", Stems::Finnish),
    ("fr", Stems::French),
    ("hu", Stems::Hungarian),
    ("it", Stems::Italian),
    ("nl", Stems::Dutch),
    ("no", Stems::Norwegian),
    ("pt", Stems::Portuguese),
    ("ro", Stems::Romanian),
    ("ru", Stems::Russian),
    ("sv", Stems::Swedish),
    ("ta", Stems::Tamil),
    ("tr", Stems::Turkish),
];

impl Language {
    /// Reads a language tag, of which the first part counts (`en-GB` is `en`); what is not known is `und`.
    pub fn of(tag: &str) -> Self {
        let first = tag.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        Self(KNOWN.iter().find(|(code, _)| *code == first).map_or("und", |(code, _)| code))
    }

    /// Returns every language that is told from others.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|(code, _)| *code).chain(["und"]).map(Self)
    }

    /// Returns its code in ISO 639-1, or `und`.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// Makes what cuts a text into words.
    pub(crate) fn analyzer(self) -> TextAnalyzer {
        let stop = |stems| match stems {
            Stems::English => Some(StopWordFilter::remove(ENGLISH.split_whitespace().map(str::to_owned))),
            other => StopWordFilter::new(other),
        };
        self.cut(stop)
    }

    /// Makes what cuts a text into words and leaves in those that say nothing.
    pub(crate) fn plain(self) -> TextAnalyzer {
        self.cut(|_| None)
    }

    fn cut(self, stop: impl Fn(Stems) -> Option<StopWordFilter>) -> TextAnalyzer {
        let words = TextAnalyzer::builder(SimpleTokenizer::default()).filter(RemoveLongFilter::limit(LONGEST));
        let words = words.filter(LowerCaser).dynamic();
        let Some((_, stems)) = KNOWN.iter().find(|(code, _)| *code == self.0) else {
            return words.filter(AsciiFoldingFilter).build();
        };
        let stop = stop(*stems);
        match stop {
            Some(stop) => words.filter_dynamic(stop).filter(Stemmer::new(*stems)).build(),
            None => words.filter(Stemmer::new(*stems)).build(),
        }
    }
}

/// Cuts a text into words.
pub(crate) fn words(analyzer: &mut TextAnalyzer, text: &str) -> Vec<String> {
    let (mut stream, mut words) = (analyzer.token_stream(text), Vec::new());
    while let Some(token) = stream.next() {
        words.push(token.text.clone());
    }
    words
}

/// English words that say nothing of what is asked: tantivy's 33, Lucene's, leave in those of which questions are made. This
/// is the list of Snowball, which tantivy has for its other languages.
const ENGLISH: &str = "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her \
     hers herself it its itself they them their theirs themselves what which who whom this that these those am is are was \
     were be been being have has had having do does did doing would should could ought m s d ll re ve isn aren wasn weren \
     hasn haven hadn doesn don didn won wouldn shan shouldn can cannot couldn mustn let a an the and but if or because as \
     until while of at by for with about against between into through during before after above below to from up down in \
     out on off over under again further then once here there when where why how all any both each few more most other some \
     such no nor not only own same so than too very t will just";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_to_their_stems_in_their_language() {
        for (tag, text, expected) in [
            ("en", "How do I publish my Packages?", "publish packag"),
            ("en-GB", "I've published a package", "publish packag"),
            ("de", "Wie bezahle ich die Rechnungen?", "bezahl rechnung"),
            ("fr", "Comment annuler mes commandes ?", "comment annul command"),
            ("xx", "Žluté Kůň", "zlute kun"),
            ("en", "opt-level Cargo.toml", "opt level cargo toml"),
        ] {
            assert_eq!(words(&mut Language::of(tag).analyzer(), text).join(" "), expected, "{tag}");
        }
    }

    #[test]
    fn a_language_is_known_by_the_first_part_of_its_tag() {
        for (tag, code) in [("en", "en"), ("EN_us", "en"), ("pt-BR", "pt"), ("tlh", "und"), ("", "und")] {
            assert_eq!(Language::of(tag).code(), code);
        }
    }
}
