//! Tests of forecasts: what they say on ramps and noise, when they are silent, and that they hide when they are wrong.

use super::*;

const SETTING: Setting = Setting { scale: Scale::Plain, side: Side::Above, threshold: 1.0, horizon: FIVE_MINUTES };

/// Noise within ±1, by number.
fn noise(at: u64) -> f64 {
    let bits = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u32::try_from(bits >> 40).expect("24 bits")) / 8_388_608.0 - 1.0
}

/// A quiet series in which a ramp of 40 minutes begins every three hours: at its end it is above the threshold.
fn ramps(at: u64) -> f64 {
    let within = at % 2_160;
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let ramp = if within < 1_600 { 0.0 } else { (within - 1_600) as f64 / 480.0 * 0.9 };
    0.2 + ramp + 0.02 * noise(at)
}

fn fed(setting: Setting, points: u64, series: impl Fn(u64) -> f64) -> Forecast {
    let mut forecast = Forecast::new(setting).expect("sound");
    (0..points).for_each(|at| forecast.update(at * 5, Some(series(at))));
    forecast
}

#[test]
fn ramps_are_warned_of_before_they_cross() {
    let forecast = fed(SETTING, 8 * 2_160, ramps);
    let skill = forecast.skill();
    assert!(skill.brier <= 0.8 * skill.persistence, "{skill:?}");
    assert!(skill.recall.expect("crossings") >= 0.8 && skill.lead.expect("warnings") >= 12, "{skill:?}");
    assert!(skill.precision.expect("warnings") > 0.7, "{skill:?}");
}

#[test]
fn before_a_crossing_it_warns_says_when_and_knows_when_it_is_there() {
    // Some three minutes before the crossing of the ramp.
    let crossing = (1_600..2_160).find(|at| ramps(*at) >= 1.0).expect("it crosses");
    let before = fed(SETTING, 4 * 2_160 + crossing - 36, ramps);
    let said = before.read().expect("it has learnt");
    assert!(before.warns() && said.state == State::Tried && said.value >= 0.7, "{said:?}");
    assert_eq!(before.quantise(), quantise(said.value, RATIO));
    assert!(
        before.points_to_threshold().is_some_and(|it| (12..=60).contains(&it)),
        "{:?}",
        before.points_to_threshold()
    );
    let there = fed(SETTING, 4 * 2_160 + crossing + 90, ramps);
    let said = there.read().expect("it has learnt");
    assert!(said.state == State::Crossed && said.value == 1.0 && !there.warns());
    let quiet = fed(SETTING, 4 * 2_160 + 800, ramps);
    assert!(
        !quiet.warns() && quiet.read().expect("it has learnt").value < 0.1 && quiet.points_to_threshold().is_none()
    );
}

#[test]
fn fore_1_and_2_nothing_is_said_early_or_after_five_missing_points() {
    let forecast = |points: u64| fed(SETTING, points, |at| 0.2 + 0.02 * noise(at));
    // 60 points until the first horizon is over, 240 residuals, 60 more until the first forecast is judged, 240 of them.
    assert_eq!(forecast(598).read(), None);
    let mut it = forecast(600);
    let said = it.read().expect("240 judged forecasts");
    assert!(said.state == State::Untried && said.value < 0.01, "{said:?}");
    (0..4).for_each(|_| it.update(9, None));
    assert!(it.read().is_some());
    it.update(9, None);
    assert_eq!((it.read(), it.quantise()), (None, None));
    it.update(9, Some(f64::NAN));
    assert_eq!(it.read(), None, "what is no number is no point");
}

#[test]
fn fore_3_a_forecast_that_is_worse_than_no_change_hides() {
    let mut judge = Judge::default();
    (0..100).for_each(|at| judge.judge(0.9, 0.9, at == 0));
    assert!(judge.skill().against_persistence.expect("one came") < 0.0 && judge.hides());
    let hides = |p: f64, crossed: fn(u32) -> bool| {
        let mut judge = Judge::default();
        (0..240).for_each(|at| judge.judge(p, p, crossed(at)));
        judge.hides()
    };
    assert!(hides(0.9, |at| at == 0), "nearly always wrong");
    assert!(!hides(0.9, |at| at != 0), "nearly always right");
    assert!(hides(0.5, |_| false) && !hides(0.05, |_| false), "where nothing is crossed a little doubt is allowed");
    // A day of ramps, and a forecast that was taught to be wrong: it hides.
    let mut forecast = fed(SETTING, 4 * 2_160 + 800, ramps);
    assert!(forecast.read().is_some());
    (0..17_280).for_each(|_| forecast.judge.judge(0.9, 0.9, false));
    assert_eq!((forecast.read(), forecast.quantise(), forecast.points_to_threshold()), (None, None, None));
}

#[test]
fn below_is_above_upside_down_and_settings_that_cannot_be_are_refused() {
    let below = Setting { side: Side::Below, threshold: -1.0, ..SETTING };
    let (up, down) = (fed(SETTING, 5_000, ramps), fed(below, 5_000, |at| -ramps(at)));
    assert_eq!((up.read(), up.skill()), (down.read(), down.skill()));
    let refused = |setting: Setting| Forecast::new(setting).is_none();
    assert!(refused(Setting { horizon: 0, ..SETTING }) && refused(Setting { horizon: 181, ..SETTING }));
    assert!(refused(Setting { threshold: f64::NAN, ..SETTING }));
    let ratio = Setting { scale: Scale::Ratio, threshold: 0.5, ..SETTING };
    assert!(
        (ratio.height(0.5).expect("a number")).abs() < 1e-12
            && ratio.height(0.0).is_some()
            && ratio.height(f64::INFINITY).is_none()
    );
    let count = Setting { scale: Scale::Count, ..SETTING };
    assert_eq!(count.height(0.0), Some(0.0));
}
