//! Coupling: of how likely each class is beside each other one, how likely each is.
//!
//! # Source
//! T.-F. Wu, C.-J. Lin, R. C. Weng, "Probability estimates for multi-class classification by pairwise coupling" (2004),
//! their second method, with the bounds of LIBSVM: a hundred rounds, and an error of 0.005 shared by the classes.

const MAX_ROUNDS: usize = 100;

/// Couples probabilities; `beside[i * classes + j]` is how likely `i` is where it is one of `i` and `j`.
pub(super) fn couple(beside: &[f32], classes: usize) -> Vec<f32> {
    let r = |i: usize, j: usize| beside[i * classes + j];
    let mut q = vec![0.0_f32; classes * classes];
    for i in 0..classes {
        for j in 0..classes {
            if j == i {
                continue;
            }
            q[i * classes + i] += r(j, i) * r(j, i);
            q[i * classes + j] = if j < i { q[j * classes + i] } else { -r(j, i) * r(i, j) };
        }
    }
    let enough = 0.005 / classes as f32;
    let mut p = vec![1.0 / classes as f32; classes];
    let mut qp = vec![0.0_f32; classes];
    for _ in 0..MAX_ROUNDS {
        let mut pqp = 0.0_f32;
        for i in 0..classes {
            qp[i] = (0..classes).fold(0.0, |sum, j| sum + q[i * classes + j] * p[j]);
            pqp += p[i] * qp[i];
        }
        if !qp.iter().any(|it| (it - pqp).abs() >= enough) {
            break;
        }
        for i in 0..classes {
            let own = q[i * classes + i];
            let step = (pqp - qp[i]) / own;
            p[i] += step;
            pqp = (pqp + step * (step * own + 2.0 * qp[i])) / (1.0 + step) / (1.0 + step);
            for j in 0..classes {
                qp[j] = (qp[j] + step * q[i * classes + j]) / (1.0 + step);
                p[j] /= 1.0 + step;
            }
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_of_probabilities_gives_them_back() {
        let true_ones = [0.2_f32, 0.5, 0.3];
        let pair = |at: usize| true_ones[at / 3] / (true_ones[at / 3] + true_ones[at % 3]);
        let found = couple(&(0..9).map(pair).collect::<Vec<_>>(), 3);
        for (found, wanted) in found.iter().zip(true_ones) {
            assert!((found - wanted).abs() < 0.005, "{found} for {wanted}");
        }
    }
}
