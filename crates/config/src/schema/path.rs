//! The kinds of path that a tier may call: the registry, one line a kind.
//!
//! A new kind is a file here with its fields, and a line in the registry; `gateway/path` has a file and a line alike.
//! (The registry declares the modules, so `cargo fmt` does not find their files: `rustfmt schema/path/*.rs` does.)

use std::borrow::Cow;

pub(crate) use paths::Member;

use evenkeel_core::{Added, Features, Nanos, Where};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    check::Checks,
    outside::Outside,
    schema::{
        contract::OutputTensor,
        route::Route,
        tier::{Method, Tier},
    },
    tree::Key,
};

macro_rules! registry {
    ($($(#[$doc:meta])* $field:ident: $kind:ident,)*) => {
        $(mod $field;)*

        /// The kinds, for whoever builds them.
        pub mod kind {
            pub use super::retrieval::Embeddings;
            $(pub use super::$field::$kind;)*
        }

        /// The kinds of path, of which a tier has exactly one.
        #[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
        pub(crate) struct Kinds {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] $field: Option<$field::Block>,)*
        }

        /// What a path calls, with everything that it needs.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Kind { $($(#[$doc])* $kind(kind::$kind),)* }

        impl Kinds {
            /// The names of all kinds.
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($field),)*];

            /// Returns the kinds that are given, with their names.
            pub(crate) fn given(&self) -> Vec<(&'static str, &dyn PathKind)> {
                let mut given = Vec::new();
                $(given.extend(self.$field.as_ref().map(|it| (stringify!($field), it as &dyn PathKind)));)*
                given
            }
        }
    };
}

// A line names a module, which has a `Block`, what stands in the file, and what it becomes for the gateway.
registry! {
    /// A model on an OpenAI-compatible server.
    openai: Openai,
    /// A model on an Open Inference Protocol server.
    oip: Oip,
    /// The passages of verified documents that fit a question.
    retrieval: Retrieval,
    /// An earlier answer to the same request.
    cache: Cache,
    /// A model that is computed in this process.
    onnx: Onnx,
    /// Rules that an expert can read.
    rules: Rules,
    /// A fixed answer, which cannot fail.
    fixed: Fixed,
    /// Several of these at once, whose answers become one by `vote`.
    paths: Ensemble,
}

impl Kinds {
    /// Returns the members of an ensemble; none of any other tier.
    pub(crate) fn members(&self) -> &[Member] {
        self.paths.as_ref().map_or(&[], paths::Block::members)
    }

    /// Returns the members of an ensemble, to be written out.
    pub(crate) fn members_mut(&mut self) -> &mut [Member] {
        self.paths.as_mut().map_or(&mut [], paths::Block::members_mut)
    }
}

pub use retrieval::{Documents, Postgres};

/// What the rest of the crate asks of a kind of path.
pub(crate) trait PathKind {
    /// Reports what is wrong with it, at `key`, where it stands.
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>);

    /// Makes what the gateway gets, of a path that was checked.
    fn ready(&self, site: Site<'_>, outside: &Outside) -> Kind;

    /// Returns what it calls, and so whether an attempt is made and counted.
    fn target(&self) -> Target<'_>;

    /// Returns an upstream that it asks besides its target.
    fn also(&self) -> Option<&str> {
        None
    }

    /// Says whether something of a request leaves this process by it.
    fn leaves(&self) -> bool {
        matches!(self.target(), Target::Upstream(_))
    }

    /// Says whether an output of it is one tensor, however many rows there are.
    fn is_whole(&self) -> bool {
        false
    }

    /// Returns the name of the model at its upstream.
    fn model(&self) -> Option<&str> {
        None
    }

    /// Returns the version of the model at its upstream, where it names one.
    fn version(&self) -> Option<&str> {
        None
    }

    /// Returns the file that it names, and under which key, where its content belongs to the configuration.
    fn file(&self) -> Option<(&'static str, Cow<'_, str>)> {
        None
    }

    /// Returns the digests of what else it names whose content belongs to the configuration, each with its key.
    fn proofs(&self, _: &Outside) -> Vec<(&'static str, [u8; 32])> {
        Vec::new()
    }

    /// Returns the bytes, at most, that it answers to each row of a request out of this process.
    fn row(&self, _: &Outside) -> u64 {
        0
    }

    /// Returns the time that it needs to commit while it has no history, before the bound of a quarter of the
    /// deadline (F-027).
    fn need(&self) -> Nanos;

    /// Returns what it can do where the tier does not say.
    fn features(&self) -> Features {
        Features::ALL
    }

    /// Returns the tokens that it puts before what a model is asked.
    fn added(&self) -> Added {
        Added::default()
    }

    /// Returns the kinds of answer that clients may be told. Where the tier does not say, it is the first for tier 0 and
    /// the last for those below. A model is not asked what it is: the route knows whether it is the one it is about.
    fn methods(&self) -> &'static [Method] {
        &[Method::Primary, Method::Distilled]
    }

    /// Returns the kind of answer that clients are told where the tier does not say, at this place in the route.
    fn method(&self, tier: usize) -> Method {
        let methods = self.methods();
        methods[tier.min(methods.len() - 1)]
    }
}

/// Where a path stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) route: &'a Route,
    pub(crate) tier: &'a Tier,
}

impl<'a> Site<'a> {
    /// Returns the output of the tier of which an output of the route is made; none where it is made of nothing.
    pub(crate) fn source(self, output: &'a str) -> Option<&'a str> {
        self.tier.map.get(output).map_or(Some(output), |mapped| mapped.source(output))
    }

    /// Returns what the route says of an output of the tier, where it takes it as it is, under whatever name.
    pub(crate) fn promised(self, given: &str) -> Option<&'a OutputTensor> {
        let as_it_is = |name: &str| self.tier.map.get(name).is_none_or(|mapped| !mapped.has_steps());
        let mut tensors = self.route.output.as_ref()?.tensors.iter();
        tensors.find(|(name, _)| self.source(name) == Some(given) && as_it_is(name)).map(|it| it.1)
    }
}

/// Says whether something of a request leaves this process by a path of a route: by what is kept, where somebody else says what a
/// question means.
pub(crate) fn leaves(kind: &dyn PathKind, route: &Route) -> bool {
    kind.leaves() || kind.target() == Target::Stored && route.semantic().is_some()
}

/// What a path calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// A server.
    Upstream(&'a str),
    /// This process, in an attempt that may fail.
    Model,
    /// This process, in an attempt that reads nothing but the request and has an answer for every one (F-163).
    Rules,
    /// Nothing: the answer is there (F-163).
    Certain,
    /// Several paths, each for itself.
    Members,
    /// What was kept of earlier answers.
    Stored,
}

impl Target<'_> {
    /// Returns where the core has its work done, by the position of the upstream it names.
    pub(crate) fn place(self, upstream: impl FnOnce(&str) -> evenkeel_core::UpstreamId) -> Where {
        match self {
            Self::Upstream(name) => Where::Remote(upstream(name)),
            Self::Model | Self::Rules => Where::Local,
            Self::Certain => Where::Certain,
            Self::Members => Where::Ensemble,
            Self::Stored => Where::Stored,
        }
    }

    /// Says whether a request may be left without an answer by it.
    pub(crate) fn can_fail(self) -> bool {
        matches!(self, Self::Upstream(_) | Self::Model | Self::Stored | Self::Members)
    }
}
