//! Row: one fault of the catalogue as the bench plays it.

use std::{future::Future, pin::Pin};

use crate::run::Run;

/// What a row does with one run.
pub(crate) type Act = for<'a> fn(&'a mut Run) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One row.
pub(crate) struct Row {
    /// The id in the catalogue.
    pub(crate) id: &'static str,
    /// The forms of answer that it is about.
    pub(crate) forms: Forms,
    /// The ways in which the fault is produced; each is played for itself.
    pub(crate) variants: &'static [Variant],
    /// What stands around the routes.
    pub(crate) setting: Setting,
    pub(crate) act: Act,
    /// It takes longer than most, and so begins first.
    pub(crate) is_long: bool,
    /// It changes the gateway itself, and so is played once.
    pub(crate) is_single: bool,
    /// What a run of each variant that streams has to see, and a late machine keeps some of them from seeing.
    pub(crate) sometimes: Option<&'static str>,
}

/// One way in which a fault is produced.
pub(crate) struct Variant {
    /// A word or two; empty where there is only one.
    pub(crate) name: &'static str,
    /// The fault of the primary's model, as `PUT /mock/faults` takes it in YAML; empty for none.
    pub(crate) fault: &'static str,
    /// Its route: one of `rows::routes`, or its own.
    pub(crate) route: &'static str,
    /// The forms of its own, where they are not those of the row.
    pub(crate) forms: Option<Forms>,
}

/// Streamed, plain, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forms {
    Both,
    Streamed,
    Plain,
}

impl Forms {
    /// Returns for each form whether it streams.
    pub(crate) fn streams(self) -> &'static [bool] {
        match self {
            Forms::Both => &[true, false],
            Forms::Streamed => &[true],
            Forms::Plain => &[false],
        }
    }
}

/// What stands around the routes of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// More keys of `server`.
    pub(crate) server: &'static str,
    /// The lines below `upstreams`; `PRIMARY` and `LOWER` stand for the addresses of the two mocks.
    pub(crate) upstreams: &'static str,
    /// The same again, once for every run; `MODEL` stands for its name.
    pub(crate) each: &'static str,
    /// More arguments of the two mocks.
    pub(crate) mock: &'static [&'static str],
    /// A model of the Open Inference Protocol that the mocks serve under the name of every run: a file of the repository.
    pub(crate) onnx: Option<&'static str>,
    /// What a raw upstream does, for which `RAW` stands among the upstreams.
    pub(crate) raw: Option<crate::raw::Serve>,
    /// The most files that the gateway may have open.
    pub(crate) files: Option<u32>,
    /// The gateway is sent a signal by the row itself, which may end it.
    pub(crate) ends: bool,
}

/// Two mocks as they are.
pub(crate) const PLAIN: Setting = Setting {
    server: "",
    upstreams: "  primary: {protocol: openai, url: \"PRIMARY/v1\"}\n  lower: {protocol: openai, url: \"LOWER/v1\"}\n",
    each: "",
    mock: &[],
    onnx: None,
    raw: None,
    files: None,
    ends: false,
};

/// The set-up of the ★ rows, word by word: everything that is not written here is default.
pub(crate) const STARRED: &str = "
    protocol: openai-chat
    deadline: 30s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, retries: 2, total: 30s}
      - {name: lower, openai: {upstream: lower, model: MODEL}, retries: 2, total: 30s}
";

/// The set-up of the ★ rows, with another model as the fallback, which says other words.
pub(crate) const STARRED_OTHER_WORDS: &str = "
    protocol: openai-chat
    deadline: 30s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, retries: 2, total: 30s}
      - {name: lower, openai: {upstream: lower, model: MODEL-small}, retries: 2, total: 30s}
";

/// Two models and a safe default, with clocks that a test can wait for.
pub(crate) const SHORT: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 1s, stall: 1s, total: 6s}
      - {name: lower, openai: {upstream: lower, model: MODEL}, first_token: 2s, stall: 2s, total: 6s}
      - {name: default, fixed: {content: \"Later.\"}}
";

/// Two models and nothing below them.
pub(crate) const MODELS_ONLY: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 1s, stall: 1s, total: 6s}
      - {name: lower, openai: {upstream: lower, model: MODEL}, first_token: 2s, stall: 2s, total: 6s}
";

impl Row {
    /// Makes a row of its one variant.
    pub(crate) const fn new(id: &'static str, forms: Forms, variants: &'static [Variant], act: Act) -> Row {
        Row { id, forms, variants, setting: PLAIN, act, is_long: false, is_single: false, sometimes: None }
    }

    /// Gives it another setting.
    pub(crate) const fn within(self, setting: Setting) -> Row {
        Row { setting, ..self }
    }

    /// Lets it begin first.
    pub(crate) const fn long(self) -> Row {
        Row { is_long: true, ..self }
    }

    /// Lets it fail where no streamed run of a variant sees something in the record.
    pub(crate) const fn sees(self, what: &'static str) -> Row {
        Row { sometimes: Some(what), ..self }
    }

    /// Lets it be played once.
    pub(crate) const fn single(self) -> Row {
        Row { is_single: true, ..self }
    }

    /// Returns for each form of a variant whether it streams.
    pub(crate) fn streams(&self, variant: &Variant) -> &'static [bool] {
        variant.forms.unwrap_or(self.forms).streams()
    }

    /// Returns its name as a test: `up_06`.
    pub(crate) fn name(&self) -> String {
        self.id.to_lowercase().replace('-', "_")
    }
}

impl Variant {
    /// Makes the only variant of a ★ row.
    pub(crate) const fn starred(fault: &'static str) -> Variant {
        Variant { name: "", fault, route: STARRED, forms: None }
    }

    /// Makes one of several variants.
    pub(crate) const fn named(name: &'static str, fault: &'static str, route: &'static str) -> Variant {
        Variant { name, fault, route, forms: None }
    }

    /// Lets it be played plain alone: what it asks for never streams.
    pub(crate) const fn plain(self) -> Variant {
        Variant { forms: Some(Forms::Plain), ..self }
    }
}

/// Turns an async function over a run into an [`Act`].
macro_rules! act {
    ($function:path) => {
        |run| Box::pin($function(run))
    };
}

pub(crate) use act;
