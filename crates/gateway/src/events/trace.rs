//! Trace: the trace that a client's request belongs to, kept of it where it is one.
//!
//! # Source
//! W3C Trace Context, section 3.2. Version 00 is read; what later versions append is unknown and is not kept.

use http::HeaderMap;

/// Returns the trace context of a request: text of our own alphabet only gets into records and logs (SE-08).
pub(super) fn context(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all("traceparent").iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    is_context(value).then(|| value.to_owned())
}

fn is_context(value: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_set = |part: &str| part.bytes().any(|byte| byte != b'0');
    let mut parts = value.split('-');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some("00"), Some(trace), Some(parent), Some(flags), None] = parts else { return false };
    [trace.len(), parent.len(), flags.len()] == [32, 16, 2]
        && [trace, parent, flags].into_iter().all(is_hex)
        && is_set(trace)
        && is_set(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn se_08_only_a_whole_context_of_version_00_is_kept() {
        let kept = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("traceparent", value.parse().expect("a header"));
            }
            context(&headers)
        };
        assert_eq!(kept(&[GOOD]).as_deref(), Some(GOOD));
        assert_eq!(kept(&[]), None);
        assert_eq!(kept(&[GOOD, GOOD]), None, "two say nothing");
        for (from, to) in [
            ("00-4", "01-4"),
            ("00-4", "ff-4"),
            ("4bf9", "4BF9"),
            ("4bf9", "4bf"),
            ("4bf9", "4bf99"),
            ("4bf9", "4bg9"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            ("00f067aa0ba902b7", "0000000000000000"),
            ("-01", "-1"),
            ("-01", "-0x"),
            ("-01", ""),
            ("-01", "-01-what-follows"),
            ("-01", "-01 "),
            ("00-", "00-{\"a\":1}-"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert!(bad != GOOD && kept(&[&bad]).is_none(), "{bad}");
        }
    }
}
