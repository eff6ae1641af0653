//! Every name of telemetry, in one place (`interfaces.md`, section 5). prometheus-client adds `_total` to counters.

pub(crate) const REQUESTS: &str = "evenkeel_requests";
pub(crate) const REQUEST_DURATION: &str = "evenkeel_request_duration_seconds";
pub(crate) const ATTEMPTS: &str = "evenkeel_attempts";
pub(crate) const ATTEMPT_DURATION: &str = "evenkeel_attempt_duration_seconds";
pub(crate) const DECISIONS: &str = "evenkeel_decisions";
pub(crate) const TRANSITIONS: &str = "evenkeel_transitions";
pub(crate) const EPISODE_DURATION: &str = "evenkeel_episode_duration_seconds";
pub(crate) const ROUTE_TIER: &str = "evenkeel_route_tier";
pub(crate) const ROUTE_PHASE: &str = "evenkeel_route_phase";
pub(crate) const BREAKER_STATE: &str = "evenkeel_breaker_state";
pub(crate) const BREAKER_CHANGES: &str = "evenkeel_breaker_changes";
pub(crate) const FEATURE_FETCHES: &str = "evenkeel_feature_fetches";
pub(crate) const IMPUTED: &str = "evenkeel_imputed_values";
pub(crate) const FEATURE_BREAKER_STATE: &str = "evenkeel_feature_breaker_state";
pub(crate) const FEATURE_BREAKER_CHANGES: &str = "evenkeel_feature_breaker_changes";
pub(crate) const GATE_CLOSED: &str = "evenkeel_gate_closed";
pub(crate) const GATE_CHANGES: &str = "evenkeel_gate_changes";
pub(crate) const CANCELS_IGNORED: &str = "evenkeel_cancels_ignored";
pub(crate) const PROBES: &str = "evenkeel_probes";
pub(crate) const REFUSED: &str = "evenkeel_refused_before_admission";
pub(crate) const LINES_DROPPED: &str = "evenkeel_log_lines_dropped";
pub(crate) const LOST: &str = "evenkeel_decisions_lost";
pub(crate) const REVISION_INFO: &str = "evenkeel_config_revision_info";
pub(crate) const LAST_APPLY: &str = "evenkeel_config_last_apply_timestamp_seconds";
pub(crate) const APPLY_FAILURES: &str = "evenkeel_config_apply_failures";
pub(crate) const BUILD_INFO: &str = "evenkeel_build_info";
