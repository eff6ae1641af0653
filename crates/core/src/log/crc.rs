//! CRC-32: whether bytes are still those that were written.
//!
//! It finds every damage of up to 32 bits in a row, and misses one in four thousand million others. No signature: who may
//! write the file may write the sum.
//!
//! # Source
//! The CRC of ISO 3309 and of zip (polynomial 0x04C11DB7, reflected); eight tables, as M. E. Kounavis and F. L. Berry (2005)
//! slice it.

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut at = 0;
    while at < 256 {
        let (mut rest, mut bit) = (at as u32, 0);
        while bit < 8 {
            rest = if rest & 1 == 1 { (rest >> 1) ^ 0xEDB8_8320 } else { rest >> 1 };
            bit += 1;
        }
        tables[0][at] = rest;
        at += 1;
    }
    let mut more = 256;
    while more < 8 * 256 {
        let before = tables[more / 256 - 1][more % 256];
        tables[more / 256][more % 256] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
        more += 1;
    }
    tables
}

/// Returns the CRC-32 of bytes.
pub fn crc32(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = u32::MAX;
    for word in words {
        let low = u32::from_le_bytes([word[0], word[1], word[2], word[3]]) ^ sum;
        let high = u32::from_le_bytes([word[4], word[5], word[6], word[7]]);
        let parts = [low, low >> 8, low >> 16, low >> 24, high, high >> 8, high >> 16, high >> 24];
        sum = parts.into_iter().zip(TABLES.iter().rev()).fold(0, |sum, (at, table)| sum ^ table[(at & 0xFF) as usize]);
    }
    !rest.iter().fold(sum, |sum, byte| (sum >> 8) ^ TABLES[0][((sum ^ u32::from(*byte)) & 0xFF) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_published_one_however_it_is_sliced() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926, "the check value of the algorithm");
        assert_eq!((crc32(b""), crc32(b"a")), (0, 0xE8B7_BE43));
        let bytes: alloc::vec::Vec<u8> = (0..=255).collect();
        let slow = |bytes: &[u8]| {
            !bytes.iter().fold(u32::MAX, |sum, byte| {
                (0..8).fold(sum ^ u32::from(*byte), |it, _| (it >> 1) ^ (0xEDB8_8320 & (it & 1).wrapping_neg()))
            })
        };
        for length in 0..bytes.len() {
            assert_eq!(crc32(&bytes[..length]), slow(&bytes[..length]), "{length} bytes");
        }
    }
}
