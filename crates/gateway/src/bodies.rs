//! Bodies: bytes of request bodies that are held at once, each from its arrival until its request is over (F-087, PR-04).
//!
//! Not a queue: what does not fit is refused while it is read. That most of the room used is no longer for models is the
//! core's to say, from the share that goes in with a request.
//!
//! # Invariants
//! - `BODY-1`: a byte of a body is counted once, as it is held (what was compressed, in its full size), and given back when
//!   nobody holds that body any more, however that ends.
//!
//! # When it misleads
//! What is made of a body is not counted: the copy with another model name that an attempt sends (one for each on its way,
//! two at most at once), and the tensors of an inference, at most some four times its JSON, or eight times what is typed over gRPC. The process holds that much more.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use evenkeel_core::Permille;

/// The bytes of all bodies.
#[derive(Debug, Default)]
pub(crate) struct Bodies(AtomicU64);

/// The bytes of one body, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    bodies: Arc<Bodies>,
    bytes: u64,
}

impl Bodies {
    /// Begins to hold a body.
    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        Held { bodies: self.clone(), bytes: 0 }
    }

    /// Returns the share of `most` bytes that is in use.
    pub(crate) fn share(&self, most: u64) -> Permille {
        let permille = u128::from(self.0.load(Relaxed)) * 1_000 / u128::from(most.max(1));
        Permille::new(permille.min(1_000) as u16)
    }
}

impl Held {
    /// Takes in so many bytes more; says whether all bodies together have room for them in `most`.
    pub(crate) fn grow(&mut self, bytes: u64, most: u64) -> bool {
        self.bytes += bytes;
        self.bodies.0.fetch_add(bytes, Relaxed).saturating_add(bytes) <= most
    }
}

#[cfg(test)]
impl Held {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.0.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_087_bytes_are_counted_while_they_are_held() {
        let bodies = Arc::new(Bodies::default());
        let (mut one, mut two) = (bodies.hold(), bodies.hold());
        assert!(one.grow(60, 100) && two.grow(40, 100));
        assert!(!two.grow(1, 100));
        assert_eq!(bodies.share(100), Permille::ALL);
        drop(two);
        assert_eq!(bodies.share(100), Permille::new(600), "BODY-1");
        drop(one);
        assert_eq!(bodies.share(0), Permille::new(0));
    }
}
