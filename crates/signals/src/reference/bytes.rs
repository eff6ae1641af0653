//! Bytes: little-endian numbers, written and read. The reader takes any bytes and never more than there are (`REF-3`).

/// Writes.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, it: u8) {
        self.0.push(it);
    }

    pub(super) fn u32(&mut self, it: u32) {
        self.0.extend(it.to_le_bytes());
    }

    pub(super) fn u64(&mut self, it: u64) {
        self.0.extend(it.to_le_bytes());
    }

    pub(super) fn f32(&mut self, it: f32) {
        self.u32(it.to_bits());
    }

    pub(super) fn f64(&mut self, it: f64) {
        self.u64(it.to_bits());
    }

    /// A count of what follows.
    pub(super) fn count(&mut self, it: usize) {
        self.u32(u32::try_from(it).expect("no section has so much of anything"));
    }

    pub(super) fn text(&mut self, it: &str) {
        self.count(it.len());
        self.0.extend(it.as_bytes());
    }

    /// A count that is mostly small: seven bits a byte.
    pub(super) fn small(&mut self, mut it: u64) {
        while it >= 0x80 {
            self.byte(u8::try_from(it & 0x7f).expect("seven bits") | 0x80);
            it >>= 7;
        }
        self.byte(u8::try_from(it).expect("seven bits"));
    }
}

/// Reads; none once the bytes do not suffice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|it| it[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn f32(&mut self) -> Option<f32> {
        self.u32().map(f32::from_bits)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    pub(super) fn digest(&mut self) -> Option<[u8; 32]> {
        self.array()
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let count = self.count(1)?;
        std::str::from_utf8(self.take(count)?).ok()
    }

    /// A count of things that each take at least so many bytes; none where there are not as many.
    pub(super) fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.u32()?).ok()?;
        (count.checked_mul(least)? <= self.0.len()).then_some(count)
    }

    /// A count of seven bits a byte, in its shortest form.
    pub(super) fn small(&mut self) -> Option<u64> {
        let (mut it, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let lost = shift > 63 || (shift == 63 && bits > 1);
            if lost || (byte == 0 && shift > 0) {
                return None;
            }
            it |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(it);
            }
            shift += 7;
        }
    }

    /// As many things as are said.
    pub(super) fn many<T>(&mut self, count: usize, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..count).map(|_| one(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_counts_have_one_form_and_come_back() {
        for it in [0, 1, 127, 128, 16_383, 16_384, u64::MAX] {
            let mut writer = Writer::default();
            writer.small(it);
            assert_eq!(Reader(&writer.0).small(), Some(it));
        }
        for bytes in
            [&[0x80, 0x00][..], &[0xff; 11], &[0x80], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert_eq!(Reader(bytes).small(), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_count_of_more_than_there_is_is_refused_before_anything_is_made() {
        let bytes = [0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        assert_eq!((Reader(&bytes).count(1), Reader(&bytes).text()), (None, None));
    }
}
