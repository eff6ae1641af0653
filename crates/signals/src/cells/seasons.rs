//! Seasons: hours that are alike share a reference (`signals.md` §5).

use super::HOUR_NS;

/// How often traffic repeats itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Season {
    /// Every 24 hours.
    Day,
    /// Every 168 hours.
    Week,
}

impl Season {
    /// Returns its hours.
    pub fn hours(self) -> usize {
        match self {
            Self::Day => 24,
            Self::Week => 168,
        }
    }

    /// Returns the hour of a time, ns since the epoch, UTC. The first hour of a week is Thursday's, as the epoch's was.
    pub fn hour(self, at: u64) -> usize {
        usize::try_from(at / HOUR_NS % self.hours() as u64).expect("below 168")
    }
}

/// Which bucket the rows of an hour belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seasons {
    season: Season,
    buckets: Vec<usize>,
}

impl Seasons {
    /// Joins neighbouring hours until each bucket has `least` rows; `rows` are those of the reference, hour by hour. One bucket
    /// where all of them are fewer. None where there is not one number for each hour.
    pub fn joined(season: Season, rows: &[u64], least: u64) -> Option<Self> {
        let (mut bucket, mut filled, mut buckets) = (0_usize, 0_u64, Vec::with_capacity(rows.len()));
        for rows in rows {
            buckets.push(bucket);
            filled = filled.saturating_add(*rows);
            if filled >= least {
                (bucket, filled) = (bucket + 1, 0);
            }
        }
        // What is left over is too little: it goes to the bucket before.
        let last = bucket.saturating_sub(1);
        buckets.iter_mut().filter(|it| **it == bucket).for_each(|it| *it = last);
        (rows.len() == season.hours()).then_some(Self { season, buckets })
    }

    /// Takes buckets as they were kept, hour by hour: they begin with 0 and rise by steps of one; none for others.
    pub fn of(season: Season, buckets: Vec<usize>) -> Option<Self> {
        let rising = buckets.first() == Some(&0) && buckets.windows(2).all(|it| it[1] == it[0] || it[1] == it[0] + 1);
        (rising && buckets.len() == season.hours()).then_some(Self { season, buckets })
    }

    /// Returns the season.
    pub fn season(&self) -> Season {
        self.season
    }

    /// Returns how many buckets there are.
    pub fn buckets(&self) -> usize {
        self.buckets.last().map_or(1, |it| it + 1)
    }

    /// Returns the bucket of a time, ns since the epoch.
    pub fn bucket(&self, at: u64) -> usize {
        self.buckets[self.season.hour(at)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_join_until_there_are_enough_and_the_rest_goes_to_the_last() {
        let mut rows = [100; 24];
        rows[0] = 1_000;
        let seasons = Seasons::joined(Season::Day, &rows, 1_000).expect("24 hours");
        assert_eq!(seasons.buckets(), 3);
        assert_eq!([0, 1, 10, 11, 23, 24].map(|hour| seasons.bucket(hour * HOUR_NS)), [0, 1, 1, 2, 2, 0]);
        assert_eq!(Seasons::joined(Season::Week, &[1; 168], 1_000).map(|it| it.buckets()), Some(1));
        assert_eq!(Seasons::joined(Season::Week, &rows, 1_000), None);
        assert_eq!(Seasons::of(Season::Day, seasons.buckets.clone()), Some(seasons));
        assert_eq!([Seasons::of(Season::Day, vec![0; 23]), Seasons::of(Season::Day, vec![1; 24])], [None, None]);
    }
}
