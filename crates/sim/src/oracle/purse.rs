//! Purse: re-attempts stay within what first attempts put in, plus the floor (rule 6, F-044); hedges within a twentieth (F-093).

use evenkeel_core::{Nanos, Permille, Revision, RouteId};

use super::{Broken, watch::Again};

/// What hedges may cost of what first attempts do (F-093).
const HEDGES: Permille = Permille::new(50);

/// What was put in and taken out, by route.
#[derive(Debug)]
pub(super) struct Purses(Vec<Purse>);

#[derive(Debug)]
struct Purse {
    ratio: Permille,
    floor: u64,
    per: Nanos,
    deposited: u64,
    paid: u64,
    /// The dearest re-attempt so far.
    dearest: u64,
    first: Option<Nanos>,
    /// What hedges may have cost, and did.
    hedges: (u64, u64),
}

impl Purses {
    pub(super) fn new(revision: &Revision) -> Self {
        let purse = |route: &evenkeel_core::Route| Purse {
            ratio: route.budget.ratio,
            floor: u64::from(route.budget.floor),
            per: route.budget.per,
            deposited: 0,
            paid: 0,
            dearest: 0,
            first: None,
            hedges: (0, 0),
        };
        Self(revision.routes.iter().map(purse).collect())
    }

    /// Judges a start: over any time, what re-attempts cost is at most a share of first attempts, plus the floor.
    pub(super) fn started(&mut self, now: Nanos, route: RouteId, again: Again, cost: u64) -> Result<(), Broken> {
        let purse = &mut self.0[route.index()];
        match again {
            Again::First => {
                purse.deposited += purse.ratio.of(cost);
                purse.hedges.0 += HEDGES.of(cost);
            }
            Again::Fallback | Again::Free => {}
            Again::Paid | Again::Hedge => {
                purse.hedges.1 += if again == Again::Hedge { cost } else { 0 };
                if purse.hedges.1 > purse.hedges.0 {
                    return Err((
                        "F-093",
                        None,
                        format!("hedges cost {}, {} may they", purse.hedges.1, purse.hedges.0),
                    ));
                }
                let first = *purse.first.get_or_insert(now);
                purse.paid += cost;
                purse.dearest = purse.dearest.max(cost);
                let periods = (now - first) / purse.per + 1;
                // The floor's slots leave whole, so one period more may show at either end.
                let most = purse.deposited + purse.floor * (periods + 1) * purse.dearest;
                if purse.paid > most {
                    return Err(("rule 6", None, format!("re-attempts cost {}, at most {most} was there", purse.paid)));
                }
            }
        }
        Ok(())
    }
}
