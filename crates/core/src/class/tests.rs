//! The table of `failures.md` section 1, row by row.

use super::*;

#[test]
fn f_011_evidence_and_repetition_are_independent_columns() {
    use {Again as A, Evidence as E, Next as N, ResultCode as R};
    let rows = [
        (R::CallerInvalid, E::None, A::No, N::No),
        (R::RateLimited, E::None, A::Told, N::Yes),
        (R::PushBack, E::None, A::Told, N::Yes),
        (R::QuotaExhausted, E::None, A::No, N::Yes),
        (R::CredentialRejected, E::Hard, A::No, N::Yes),
        (R::ConnectFailed, E::Hard, A::OtherReplica, N::Yes),
        (R::Unsent, E::Hard, A::Unsent, N::Yes),
        (R::Status5xx, E::Hard, A::Once, N::Yes),
        (R::FirstTokenTimeout, E::Hard, A::No, N::Yes),
        (R::Truncated, E::Hard, A::No, N::Yes),
        (R::EmptyAnswer, E::Soft, A::No, N::Yes),
        (R::ContextExceeded, E::None, A::No, N::Capable),
        (R::ContentFiltered, E::None, A::No, N::No),
        (R::ContractShape, E::Soft, A::No, N::Yes),
        (R::ClientGone, E::None, A::No, N::No),
    ];
    for (result, evidence, again, next) in rows {
        assert_eq!((result.evidence(), result.again(), result.next()), (evidence, again, next), "{}", result.name());
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
