//! Schema: the fields of an index. Each language has its own, so that words are counted among their like.

use std::collections::BTreeMap;

use tantivy::{
    Index, TantivyDocument,
    schema::{FAST, Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions},
};

use crate::{document::Document, language::Language};

/// The name of the column with the moments of verification, and of that with the ends of validity.
pub(crate) const VERIFIED: &str = "verified_at";
pub(crate) const EXPIRES: &str = "expires_at";

/// The fields.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) id: Field,
    pub(crate) title: Field,
    /// The questions that it answers, a line each.
    pub(crate) questions: Field,
    pub(crate) body: Field,
    pub(crate) source: Field,
    pub(crate) language: Field,
    verified: Field,
    expires: Field,
    /// Title with questions, and body, as words, by language.
    pub(crate) words: BTreeMap<Language, [Field; 2]>,
}

impl Fields {
    /// Makes the schema, which is the same for every index: a field without words costs a byte for each document.
    pub(crate) fn new() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let kept = || TextOptions::default().set_stored();
        let id = schema.add_text_field("id", STRING | STORED);
        let [title, questions, body, source, language] =
            ["title", "questions", "body", "source", "language"].map(|name| schema.add_text_field(name, kept()));
        let [verified, expires] = [VERIFIED, EXPIRES].map(|name| schema.add_i64_field(name, FAST));
        let words = Language::all().map(|language| {
            let code = language.code();
            let indexed =
                TextFieldIndexing::default().set_tokenizer(code).set_index_option(IndexRecordOption::WithFreqs);
            let field = |name: &str| format!("{name}_{code}");
            let mut add = |name| {
                schema.add_text_field(&field(name), TextOptions::default().set_indexing_options(indexed.clone()))
            };
            (language, [add("title"), add("body")])
        });
        let words = words.collect();
        (schema.build(), Self { id, title, questions, body, source, language, verified, expires, words })
    }

    /// Lets an index cut words as the languages do.
    pub(crate) fn register(&self, index: &Index) {
        for language in self.words.keys() {
            index.tokenizers().register(language.code(), language.analyzer());
        }
    }

    /// Makes of a document what is indexed; its language is one of those.
    pub(crate) fn document(&self, it: &Document) -> TantivyDocument {
        let mut made = TantivyDocument::default();
        let stored = [(self.id, &*it.id), (self.title, &it.title), (self.body, &it.body), (self.source, &it.source)];
        for (field, text) in stored.into_iter().chain([(self.language, it.language.code())]) {
            made.add_text(field, text);
        }
        made.add_text(self.questions, it.asked());
        made.add_i64(self.verified, it.verified_at);
        made.add_i64(self.expires, it.expires_at.unwrap_or(i64::MAX));
        for (field, text) in self.words[&it.language].iter().zip([&it.about(), &it.body]) {
            made.add_text(*field, text);
        }
        made
    }
}
