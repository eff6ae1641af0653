//! Row: what one request brings, feature by feature, and the columns that a reference knows.
//!
//! It measures nothing: it is the shape that guards, row score and reference share.
//!
//! # Invariants
//! - `ROW-1`: a value that is no number, or of another kind than its column, is *invalid*, which is not the same as missing.
//! - `ROW-2`: a row of a source has one id for ever, and what is drawn by hash is drawn by that id, never by value or place.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers, finite ones.
    Number,
    /// One of several names.
    Category,
    /// So many numbers, an embedding.
    Vector(usize),
    /// Text, of any length.
    Text,
}

/// One value of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none: absent or null.
    Missing,
    /// A number. NaN and the infinities are invalid.
    Number(f64),
    /// A name.
    Category(&'a str),
    /// An embedding.
    Vector(&'a [f32]),
    /// A text.
    Text(&'a str),
    /// Something that cannot be read.
    Invalid,
}

impl Value<'_> {
    /// Says whether a column of this kind can hold it; what is missing fits everywhere (`ROW-1`).
    pub fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Missing => true,
            Self::Number(number) => kind == Kind::Number && number.is_finite(),
            Self::Category(_) => kind == Kind::Category,
            Self::Text(_) => kind == Kind::Text,
            Self::Vector(vector) => {
                kind == Kind::Vector(vector.len()) && vector.iter().all(|number| number.is_finite())
            }
            Self::Invalid => false,
        }
    }
}

/// Where a row of a reference came from; shown in place of the row, whose values stay where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// The first eight bytes of its source's digest.
    pub source: u64,
    /// Its number there, from 0.
    pub number: u64,
}

impl RowId {
    /// Returns 64 bits that stand for the row in one draw (`ROW-2`); another salt is another draw.
    pub fn drawn(self, salt: u64) -> u64 {
        mix(mix(mix(self.source) ^ self.number) ^ salt)
    }
}

/// Scatters 64 bits: a bijection in which each bit of the result depends on all that went in.
///
/// # Source
/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn mix(bits: u64) -> u64 {
    let z = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_1_what_is_no_number_or_of_another_kind_is_invalid() {
        for (value, number, category) in [
            (Value::Missing, true, true),
            (Value::Number(-0.0), true, false),
            (Value::Vector(&[1.0]), false, false),
            (Value::Text("a"), false, false),
            (Value::Number(f64::NAN), false, false),
            (Value::Number(f64::NEG_INFINITY), false, false),
            (Value::Category(""), false, true),
            (Value::Invalid, false, false),
        ] {
            assert_eq!((value.fits(Kind::Number), value.fits(Kind::Category)), (number, category), "{value:?}");
        }
    }

    #[test]
    fn row_1_a_vector_has_its_length_and_a_number_in_every_place() {
        for (vector, fits) in [(&[1.0, 2.0][..], true), (&[1.0], false), (&[1.0, f32::NAN], false), (&[], false)] {
            assert_eq!(Value::Vector(vector).fits(Kind::Vector(2)), fits, "{vector:?}");
        }
    }

    #[test]
    fn row_2_a_draw_depends_on_id_and_salt_alone() {
        let id = RowId { source: 1, number: 2 };
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(id.drawn(3), id.drawn(3));
        assert_ne!(id.drawn(3), id.drawn(4));
        assert_ne!(id.drawn(3), RowId { source: 2, number: 1 }.drawn(3));
    }
}
