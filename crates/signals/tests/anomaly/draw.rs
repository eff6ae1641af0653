//! Draw: numbers by seed (SplitMix64).

pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn shuffle(&mut self, all: &mut [usize]) {
        for at in (1..all.len()).rev() {
            let bound = u64::try_from(at + 1).expect("a count");
            all.swap(at, usize::try_from(self.next() % bound).expect("below a count"));
        }
    }
}
