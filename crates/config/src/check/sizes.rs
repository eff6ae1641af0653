//! What must hold for sizes: no body and no answer is so large that what is made of it cannot say how large it is.
//!
//! A message of gRPC and an element of text bear their length in 32 bits, and readers of protocol buffers take 2 GiB.

use super::Checks;
use crate::{
    schema::{scalar::Size, server::Server, tier::Tier},
    tree::Key,
};

/// The largest body that is read in one piece, and the largest answer.
const LARGEST: Size = Size(2 << 30);

impl Checks<'_> {
    /// The largest body of a request.
    pub(super) fn largest_body(&mut self, key: &Key, server: &Server) {
        self.largest(&key.field("max_body"), server.max_body);
    }

    /// The largest answer of a tier.
    pub(super) fn largest_answer(&mut self, key: &Key, tier: &Tier) {
        self.largest(&key.field("max_answer"), tier.max_answer);
    }

    fn largest(&mut self, key: &Key, size: Size) {
        if size > LARGEST {
            let message = "larger than anything that is read and sent in one piece";
            self.error("out-of-range", key, message, "write 2GiB or less");
        }
    }
}
