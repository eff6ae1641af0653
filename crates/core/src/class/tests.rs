//! The table of `failures.md` section 1, row by row.

use super::*;

#[test]
fn f_011_evidence_and_repetition_are_independent_columns() {
    use {Again as A, Closes as C, Evidence as E, Next as N, ResultCode as R};
    let rows = [
        (R::OkSlow, E::Soft, A::No, N::No, C::Nothing),
        (R::Slow, E::Soft, A::No, N::Yes, C::Nothing),
        (R::CallerInvalid, E::None, A::No, N::No, C::Nothing),
        (R::CallerSuspected, E::None, A::No, N::Yes, C::Nothing),
        (R::RateLimited, E::None, A::Told, N::Yes, C::Rate),
        (R::PushBack, E::None, A::Told, N::Yes, C::Replica),
        (R::OwnLimit, E::None, A::No, N::Yes, C::Nothing),
        (R::QuotaExhausted, E::None, A::No, N::Yes, C::Quota),
        (R::CredentialRejected, E::Hard, A::No, N::Yes, C::Credential),
        (R::ConnectFailed, E::Hard, A::OtherReplica, N::Yes, C::Nothing),
        (R::Unsent, E::Hard, A::Unsent, N::Yes, C::Nothing),
        (R::Status5xx, E::Hard, A::Once, N::Yes, C::Nothing),
        (R::FirstTokenTimeout, E::Hard, A::No, N::Yes, C::Nothing),
        (R::Truncated, E::Hard, A::No, N::Yes, C::Nothing),
        (R::EmptyAnswer, E::Soft, A::No, N::Yes, C::Nothing),
        (R::ContextExceeded, E::None, A::No, N::Capable, C::Nothing),
        (R::ContentFiltered, E::None, A::No, N::No, C::Nothing),
        (R::ContractShape, E::Soft, A::No, N::Yes, C::Nothing),
        (R::RetrievalBelowScore, E::Success, A::No, N::Yes, C::Nothing),
        (R::CacheDissimilar, E::Success, A::No, N::Yes, C::Nothing),
        (R::LowConfidence, E::Success, A::No, N::Yes, C::Nothing),
        (R::ClientGone, E::None, A::No, N::No, C::Nothing),
    ];
    for (result, evidence, again, next, closes) in rows {
        let row = (result.evidence(), result.again(), result.next(), result.closes());
        assert_eq!(row, (evidence, again, next, closes), "{}", result.name());
    }
}

#[test]
fn every_result_but_ok_has_a_reason_and_a_name_of_its_class() {
    for &result in ResultCode::ALL {
        assert_eq!(result.reason().is_none(), result.is_ok(), "{}", result.name());
        let class = result.name().split_once('.').map_or("ok", |(class, _)| class);
        assert_eq!(class, result.class().name());
    }
}

#[test]
fn f_002_a_callers_fault_below_tier_0_is_a_lack_of_that_tier() {
    assert_eq!(ResultCode::CallerInvalid.at_tier(0), ResultCode::CallerInvalid);
    assert_eq!(ResultCode::CallerInvalid.at_tier(1), ResultCode::UnsupportedFeature);
    assert_eq!(ResultCode::CallerSuspected.at_tier(1), ResultCode::CallerSuspected);
    assert_eq!(ResultCode::CallerTooLarge.at_tier(2), ResultCode::MessageTooLarge);
    assert_eq!(ResultCode::Status5xx.at_tier(2), ResultCode::Status5xx);
}

#[test]
fn f_065_only_what_cannot_be_the_requests_fault_counts_each_time() {
    assert!(ResultCode::Status5xx.blameless(Some(503)));
    assert!(!ResultCode::Status5xx.blameless(Some(500)));
    assert!(ResultCode::ConnectFailed.blameless(None));
    assert!(!ResultCode::Reset.blameless(None));
}
