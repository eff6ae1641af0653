//! What guards and detectors measured of an input, each in a sentence.

use super::number;
use crate::decision::Input;

/// Says what was compared; none where it is something else.
pub(super) fn words(it: &Input) -> Option<String> {
    let (value, threshold) = (number(&it.signal, &it.value), number(&it.signal, &it.threshold));
    let features = |what: &str| match it.value.as_str() {
        "0" => format!("no feature was {what}"),
        "1" => format!("1 feature was {what}"),
        _ => format!("{value} features were {what}"),
    };
    Some(match it.signal.as_str() {
        "anomaly_p" => format!(
            "{} of usual inputs are as unlike the reference as this one, and {} are too few",
            share(&it.value, 4),
            share(&it.threshold, 4)
        ),
        "distance_p" => format!(
            "{} of usual texts mean something as far from the reference as this one, and {} are too few",
            share(&it.value, 4),
            share(&it.threshold, 4)
        ),
        "missing_ratio" => {
            format!(
                "{} of the features did not come, and {} may be missing",
                share(&it.value, 2),
                share(&it.threshold, 2)
            )
        }
        "input_contract" => features("of the wrong type, or did not come though they have to"),
        "input_range" => features("out of range"),
        "input_unseen" => features("of a value that the reference does not have"),
        "input_norm" => features("longer or shorter than those of the reference"),
        "staleness_ms" => format!("the oldest feature was {value} ms old, and may be {threshold} ms"),
        "noise" if it.value == "0" => "the input is no noise".into(),
        "noise" => "the input is noise".into(),
        "fallback_risk" => format!(
            "inputs like this one fail the first tier in {} of all cases, and {} is too often",
            share(&it.value, 2),
            share(&it.threshold, 2)
        ),
        "drift" => {
            format!("the inputs of the route stand at {}, and {} is too much", state(&it.value), state(&it.threshold))
        }
        "output_drift" => format!(
            "the answers of the first tier, whose inputs are as they were, stand at {}, and {} is too much",
            state(&it.value),
            state(&it.threshold)
        ),
        "drift_lot_permille" => format!(
            "the route comes back after drift: the lot of the request was {value}, and the share that it gets {threshold}"
        ),
        "certificate_steps" => format!(
            "in service the certificate of the route did not keep what it promises: thresholds are {value} steps safer, of {threshold}"
        ),
        _ => return None,
    })
}

fn state(value: &str) -> &str {
    match value {
        "0" => "stable",
        "1" => "warning",
        "2" => "drift",
        other => other,
    }
}

/// Writes a number of so many decimals below a hundredth as a percentage.
fn share(written: &str, decimals: u32) -> String {
    let Ok(value) = written.parse::<u64>() else { return written.to_owned() };
    let (whole, part) = (value / 10_u64.pow(decimals), value % 10_u64.pow(decimals));
    format!("{whole}.{part:0width$} %", width = decimals as usize)
}
