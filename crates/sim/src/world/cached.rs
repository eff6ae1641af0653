//! What is kept of answers, for clients that ask the same (F-145).

use std::collections::BTreeMap;

use evenkeel_core::{Decision, Lookup, Nanos, RequestId, RouteId, Stored};

/// Answers that are kept: those of the first tier, as a route does where nothing else is said.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By what was asked: when it was answered, and by which tier.
    answers: BTreeMap<u64, (Nanos, u8)>,
    /// What open requests ask.
    asked: BTreeMap<RequestId, u64>,
}

/// Returns what is the same for all that ask a route the same question, with bits that are as good as drawn.
pub(super) fn key(route: RouteId, question: u64) -> u64 {
    let mut bits = (u64::from(route.0) << 32 | question).wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

impl Kept {
    /// Looks up what is held of a question.
    pub(super) fn ask(&mut self, now: Nanos, request: RequestId, question: Option<u64>) -> Lookup {
        let Some(key) = question else { return Lookup::default() };
        self.asked.insert(request, key);
        let stored = self.answers.get(&key).map(|(at, tier)| Stored { age: now.saturating_sub(*at), tier: *tier });
        Lookup { key: Some(key), stored, ..Lookup::default() }
    }

    /// Keeps the answer of a request that is over; says whether others may have it who wait for it. None where nobody may wait.
    pub(super) fn over(&mut self, now: Nanos, decision: &Decision) -> Option<bool> {
        let key = self.asked.remove(&decision.request)?;
        let whole = decision.attempts.iter().find(|attempt| attempt.result.is_ok());
        if let Some(whole) = whole.filter(|whole| whole.tier == 0) {
            self.answers.insert(key, (now, whole.tier));
        }
        Some(whole.is_some())
    }
}
