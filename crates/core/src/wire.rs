//! Wire: what enters the core as bytes, and back, so that it can be kept and fed again.
//!
//! Numbers are LEB128, a choice is its number, a list begins with its length, and fields stand in the order of their
//! declaration; nothing names itself. What may grow in the middle, results and signals, stands by its name. It is no
//! format between releases: a log says by which one it was written (`log`).
//!
//! # Invariants
//! - `WIRE-1`: what was put is taken again, and takes all of its bytes.
//! - `WIRE-2`: one value has one form: whatever can be taken is put as the same bytes. Taking anything else gives an error
//!   with its place, never a panic, and never memory beyond that of the bytes.
//! - `WIRE-3`: a field or a choice that is forgotten here does not compile.

mod input;
mod revision;
#[cfg(test)]
mod tests;

use alloc::{string::String, sync::Arc, vec::Vec};

/// Bytes that are no value: where that shows, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The byte, from the first that was given.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Bytes that are read from their beginning.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns how many bytes were read.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Says whether all was read.
    pub const fn is_over(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Says that what was read is wrong.
    pub(crate) const fn wrong(&self, what: &'static str) -> Malformed {
        Malformed { at: self.at, what }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.at..];
        let Some((taken, _)) = rest.split_at_checked(length) else { return Err(self.wrong("it ends too soon")) };
        self.at += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.bytes(N)?.try_into().expect("as many as were asked for"))
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads how many items follow, each of which takes a byte at least.
    fn length(&mut self) -> Result<usize, Malformed> {
        let at = self.at;
        let length = u64::take(self)?;
        let left = self.bytes.len() - self.at;
        usize::try_from(length).ok().filter(|it| *it <= left).ok_or(Malformed { at, what: "more items than bytes" })
    }
}

/// What can be put into bytes, and be taken out of them.
pub trait Wire: Sized {
    /// Appends it.
    fn put(&self, into: &mut Vec<u8>);

    /// Reads it.
    ///
    /// # Errors
    /// The next bytes are not what [`Wire::put`] writes of any value.
    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Structures: their fields, in this order.
macro_rules! fields {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl crate::wire::Wire for $name {
            fn put(&self, into: &mut alloc::vec::Vec<u8>) {
                let Self { $($field),* } = self;
                $($field.put(into);)*
            }

            fn take(from: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::Malformed> {
                Ok(Self { $($field: crate::wire::Wire::take(from)?),* })
            }
        }
    )*};
}

/// Structures of one number.
macro_rules! numbers {
    ($($name:ident)*) => {$(
        impl crate::wire::Wire for $name {
            fn put(&self, into: &mut alloc::vec::Vec<u8>) {
                self.0.put(into);
            }

            fn take(from: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::Malformed> {
                crate::wire::Wire::take(from).map(Self)
            }
        }
    )*};
}

/// Choices: the number of each, and then what it holds. A number is never given to another one.
macro_rules! choices {
    ($($name:ident { $($number:literal = $choice:ident $(($($item:ident),*))? $({$($field:ident),*})?),* $(,)? })*) => {$(
        impl crate::wire::Wire for $name {
            fn put(&self, into: &mut alloc::vec::Vec<u8>) {
                match self {
                    $(Self::$choice $(($($item),*))? $({$($field),*})? => {
                        into.push($number);
                        $($($item.put(into);)*)?
                        $($($field.put(into);)*)?
                    })*
                }
            }

            fn take(from: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::Malformed> {
                let wrong = from.wrong(concat!("no choice of ", stringify!($name)));
                match from.byte()? {
                    $($number => {
                        $($(let $item = crate::wire::Wire::take(from)?;)*)?
                        $($(let $field = crate::wire::Wire::take(from)?;)*)?
                        Ok(Self::$choice $(($($item),*))? $({$($field),*})?)
                    })*
                    _ => Err(wrong),
                }
            }
        }
    )*};
}

/// Words of a list that grows: their names.
macro_rules! words {
    ($($name:ident)*) => {$(
        impl crate::wire::Wire for $name {
            fn put(&self, into: &mut alloc::vec::Vec<u8>) {
                crate::wire::put_bytes(self.name().as_bytes(), into);
            }

            fn take(from: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::Malformed> {
                let wrong = from.wrong(concat!("no name of a ", stringify!($name)));
                let length = from.length()?;
                let name = from.bytes(length)?;
                Self::ALL.iter().find(|it| it.name().as_bytes() == name).copied().ok_or(wrong)
            }
        }
    )*};
}

use {choices, fields, numbers, words};

fn put_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    (bytes.len() as u64).put(into);
    into.extend_from_slice(bytes);
}

impl Wire for u64 {
    fn put(&self, into: &mut Vec<u8>) {
        let mut left = *self;
        while left >= 0x80 {
            into.push(left as u8 | 0x80);
            left >>= 7;
        }
        into.push(left as u8);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (wrong, mut number) = (from.wrong("no number"), 0);
        for shift in (0..Self::BITS).step_by(7) {
            let byte = from.byte()?;
            let bits = Self::from(byte & 0x7F);
            // The last byte of a longer number is not empty, and that of the longest has one bit.
            if (byte == 0 && shift > 0) || (bits << shift) >> shift != bits {
                return Err(wrong);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(wrong)
    }
}

macro_rules! smaller {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn put(&self, into: &mut Vec<u8>) {
                u64::from(*self).put(into);
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                let wrong = from.wrong("a number beyond its range");
                u64::take(from)?.try_into().map_err(|_| wrong)
            }
        }
    )*};
}

smaller! { u8 u16 u32 }

impl Wire for u128 {
    fn put(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.to_le_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.array().map(Self::from_le_bytes)
    }
}

impl Wire for bool {
    fn put(&self, into: &mut Vec<u8>) {
        into.push((*self).into());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let wrong = from.wrong("neither yes nor no");
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(wrong),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, into: &mut Vec<u8>) {
        self.is_some().put(into);
        self.iter().for_each(|it| it.put(into));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        bool::take(from)?.then(|| T::take(from)).transpose()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, into: &mut Vec<u8>) {
        (self.len() as u64).put(into);
        self.iter().for_each(|it| it.put(into));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = from.length()?;
        // One by one: what is held grows with what was read, not with what was said.
        let mut items = Self::new();
        for _ in 0..length {
            items.push(T::take(from)?);
        }
        Ok(items)
    }
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    fn put(&self, into: &mut Vec<u8>) {
        self.iter().for_each(|it| it.put(into));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut items = Vec::new();
        for _ in 0..N {
            items.push(T::take(from)?);
        }
        Ok(items.try_into().unwrap_or_else(|_| unreachable!("as many as were taken")))
    }
}

impl<T: Wire> Wire for Arc<T> {
    fn put(&self, into: &mut Vec<u8>) {
        (**self).put(into);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        T::take(from).map(Self::new)
    }
}

impl Wire for String {
    fn put(&self, into: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), into);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = from.length()?;
        let wrong = from.wrong("no text");
        Self::from_utf8(from.bytes(length)?.into()).map_err(|_| wrong)
    }
}
