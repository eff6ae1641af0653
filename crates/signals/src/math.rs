//! The only `ln`, `exp` and `exp2`: alike on every machine, to the last bit (`SIG-1`).
//!
//! Not fast paths of a processor and not the C library's, whose last bits differ from one to another: series after an exact
//! reduction by powers of two, in plain IEEE operations and a fixed order. Right within 2 units in the last place.
//!
//! # Source
//! `ln m = 2 atanh((m-1)/(m+1))` for m in [√½, √2]; Taylor's series of `exp` for |r| ≤ ½ ln 2; the reduction with ln 2 in two parts
//! is Cody and Waite's (1980).

/// The leading bits of ln 2: a product with an exponent is exact.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
/// What is left of ln 2.
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Terms of the series of `ln`: the next would be below 2^-60 of the sum.
const LN_TERMS: u32 = 12;
/// Terms of the series of `exp`, likewise.
const EXP_TERMS: u32 = 14;

/// Returns the natural logarithm. NaN below zero, minus infinity at zero.
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_infinite() {
        return x;
    }
    // A subnormal is made normal first, exactly.
    let (x, lifted) = if x < f64::MIN_POSITIVE { (x * power_of_two(54), 54) } else { (x, 0) };
    let mut exponent = i32::try_from((x.to_bits() >> 52) & 0x7ff).expect("eleven bits") - 1_023 - lifted;
    let mut m = f64::from_bits((x.to_bits() & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut series = 0.0;
    for term in (1..=LN_TERMS).rev() {
        series = z * (1.0 / f64::from(2 * term + 1) + series);
    }
    let twice = s + s;
    let e = f64::from(exponent);
    e * LN2_HIGH + (twice + (twice * series + e * LN2_LOW))
}

/// Returns e to the power of `x`. Infinity above 709.78, zero below −745.2.
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.782_712_893_384 {
        return f64::INFINITY;
    }
    if x < -745.2 {
        return 0.0;
    }
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut series = 1.0;
    for term in (1..=EXP_TERMS).rev() {
        series = 1.0 + r / f64::from(term) * series;
    }
    // In two steps: the power alone may be no number although the product is one.
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 1,075")]
    let k = k as i32;
    let half = k / 2;
    series * power_of_two(half) * power_of_two(k - half)
}

/// Returns two to the power of `x`; exact where `x` is whole.
pub fn exp2(x: f64) -> f64 {
    let whole = x.floor();
    if !(-1_000.0..=1_000.0).contains(&whole) {
        return exp(x * std::f64::consts::LN_2);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 1,000")]
    let power = power_of_two(whole as i32);
    exp((x - whole) * std::f64::consts::LN_2) * power
}

/// Returns the log-odds of a probability that is neither 0 nor 1.
pub fn logit(p: f64) -> f64 {
    ln(p / (1.0 - p))
}

/// Returns the probability of log-odds.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// Returns 2^k for a k whose power is a normal number.
fn power_of_two(k: i32) -> f64 {
    let biased = u64::try_from(k + 1_023).expect("an exponent of a normal number");
    f64::from_bits(biased << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mixes a number into a digest (FNV-1a over its bits).
    fn mix(digest: u64, x: f64) -> u64 {
        x.to_bits().to_le_bytes().iter().fold(digest, |it, byte| (it ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
    }

    #[test]
    fn ln_and_exp_are_right_within_two_units_and_keep_their_edges() {
        let mut x = 1e-300;
        while x < 1e300 {
            let (ours, theirs) = (ln(x), x.ln());
            assert!((ours - theirs).abs() <= theirs.abs() * 4.5e-16, "ln {x}: {ours} {theirs}");
            x *= 1.37;
        }
        for at in -7_000..=7_000 {
            let x = f64::from(at) * 0.101;
            let (ours, theirs) = (exp(x), x.exp());
            assert!((ours - theirs).abs() <= theirs.abs() * 4.5e-16, "exp {x}: {ours} {theirs}");
        }
        assert_eq!([ln(1.0), exp(0.0), exp2(-3.0), exp2(10.0)], [0.0, 1.0, 0.125, 1_024.0]);
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan() && exp(f64::NAN).is_nan());
        assert_eq!([ln(0.0), exp(800.0), exp(-800.0)], [f64::NEG_INFINITY, f64::INFINITY, 0.0]);
        assert!((ln(5e-324) + 744.440_071_921_381_3).abs() < 1e-9 && (exp(-740.0) / 4.2e-322 - 1.0).abs() < 0.05);
        assert!((logistic(logit(0.3)) - 0.3).abs() < 1e-15);
    }

    #[test]
    fn the_same_bits_on_every_machine() {
        let mut digest = 0xcbf2_9ce4_8422_2325;
        for at in 1..=20_000_u32 {
            let x = f64::from(at) * 0.001_7;
            digest = mix(mix(mix(digest, ln(x)), exp(x - 17.0)), exp2(x - 17.0));
        }
        assert_eq!(digest, 17_451_766_993_788_757_965, "golden: the digest that every machine finds");
    }
}
