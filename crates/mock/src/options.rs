//! Options: what a mock is before anything breaks: addresses, seed, models and their pace.
//!
//! It is not the faults' language; a list of faults is only carried here.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::{Rule, protocol::OipModel};

/// How much a chat or embedding model says, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Tokens of an answer in text, where the request allows as many.
    pub tokens: u32,
    /// The time to the first token, or to the whole answer of an embedding or an inference.
    pub first_token: Duration,
    /// The time between tokens. A plain answer takes the sum.
    pub token_delay: Duration,
    /// The width of embeddings, where the request names none.
    pub embedding_width: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { tokens: 24, first_token: Duration::ZERO, token_delay: Duration::ZERO, embedding_width: 64 }
    }
}

/// Everything a mock is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where models are served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/mock/…` is served as well, open even while `listen` is closed by a fault.
    pub control: SocketAddr,
    /// What answers and draws follow from.
    pub seed: u64,
    /// Every model says the same words to the same messages, so that one can finish what another has begun.
    pub alike: bool,
    /// The bearer token that requests must carry; without one, any request is served.
    pub api_key: Option<String>,
    /// The pace of every model that `models` does not name.
    pub pace: Pace,
    /// The pace of single models; `GET /v1/models` lists them.
    pub models: BTreeMap<String, Pace>,
    /// The models that speak the Open Inference Protocol; others are 404 there.
    pub oip: BTreeMap<String, OipModel>,
    /// The faults from the start.
    pub faults: Vec<Rule>,
}

impl Default for Options {
    fn default() -> Options {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Options {
            listen: any_port,
            control: any_port,
            seed: 0,
            alike: false,
            api_key: None,
            pace: Pace::default(),
            models: BTreeMap::new(),
            oip: BTreeMap::new(),
            faults: Vec::new(),
        }
    }
}

impl Options {
    /// Returns the pace of a model.
    pub(crate) fn pace(&self, model: &str) -> Pace {
        self.models.get(model).copied().unwrap_or(self.pace)
    }
}
