//! The kinds of path that a tier may call: the registry, one line a kind.
//!
//! A new kind is a file here with its fields, and a line in the registry; `gateway/path` has a file and a line alike.

use evenkeel_core::Nanos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{check::Checks, schema::route::RouteProtocol, tree::Key};

macro_rules! registry {
    ($($(#[$doc:meta])* $field:ident: $kind:ident,)*) => {
        $(mod $field;)*

        /// The kinds, for whoever builds them.
        pub mod kind { $(pub use super::$field::$kind;)* }

        use kind::*;

        /// The kinds of path, of which a tier has exactly one.
        #[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
        pub(crate) struct Kinds {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub(crate) $field: Option<$kind>,)*
        }

        /// What a tier calls.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $kind($kind),)* }

        impl Kinds {
            /// The names of all kinds.
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($field),)*];

            /// Returns the kinds that are given, with their names.
            pub(crate) fn given(&self) -> Vec<(&'static str, Kind)> {
                let mut given = Vec::new();
                $(given.extend(self.$field.clone().map(|it| (stringify!($field), Kind::$kind(it))));)*
                given
            }
        }

        impl Kind {
            pub(crate) fn rules(&self) -> &dyn PathKind { match self { $(Self::$kind(it) => it,)* } }
        }
    };
}

registry! {
    /// A model on an OpenAI-compatible server.
    openai: Openai,
    /// A fixed answer, which cannot fail.
    fixed: Fixed,
}

/// What the rest of the crate asks of a kind of path.
pub(crate) trait PathKind {
    /// Reports what is wrong with it, at `key`, in a route of this protocol.
    fn check(&self, key: &Key, route: RouteProtocol, checks: &mut Checks<'_>);

    /// Returns the upstream that it calls; none for a path in this process.
    fn upstream(&self) -> Option<&str>;

    /// Says whether it cannot fail (F-163).
    fn is_certain(&self) -> bool;

    /// Returns the time that it needs to commit while it has no history, before the bound of a quarter of the
    /// deadline (F-027).
    fn need(&self) -> Nanos;

    /// Returns what it can do where the tier does not say.
    fn features(&self) -> evenkeel_core::Features {
        evenkeel_core::Features::ALL
    }
}
