//! Priority: who gives way first when there is less room than work (F-084).
//!
//! It is set by the route, never by a bare header of a client: everybody is important to themselves (SE-04).

use crate::unit::Permille;

/// How important a request is, the most important first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody's work stands still without it.
    Critical,
    /// Everything that nothing else is said of.
    #[default]
    Default,
    /// Can be answered by a lower tier, or later, without harm.
    Sheddable,
}

/// What requests to models may use of the memory for bodies; the rest is for tiers of this process (F-087).
const FOR_MODELS: Permille = Permille::new(800);

impl Priority {
    /// Every priority, the most important first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Default, Self::Sheddable];

    /// Returns the word that configuration and records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Default => "default",
            Self::Sheddable => "sheddable",
        }
    }

    /// Returns the share of a limit at which it stops being admitted, where a higher class has a claim on it (F-084).
    pub(crate) const fn share(self) -> Permille {
        Permille::new(match self {
            Self::Critical => 1_000,
            Self::Default => 950,
            Self::Sheddable => 800,
        })
    }

    /// Returns the share of the memory for bodies above which a request of this class is sent to no model (F-087).
    pub fn share_of_bodies(self) -> Permille {
        let share = FOR_MODELS.of(self.share().thousandths().into());
        Permille::new(share.try_into().expect("a share of a share is one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_087_the_shares_of_the_memory_for_bodies() {
        assert_eq!(Priority::ALL.map(|priority| priority.share_of_bodies().thousandths()), [800, 760, 640]);
    }

    #[test]
    fn f_084_the_classes_by_name_and_share() {
        let table = Priority::ALL.map(|priority| (priority.name(), priority.share().thousandths()));
        assert_eq!(table, [("critical", 1_000), ("default", 950), ("sheddable", 800)]);
        assert_eq!(Priority::default(), Priority::Default);
    }
}
