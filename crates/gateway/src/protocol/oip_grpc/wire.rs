//! Wire: Protocol Buffers, field by field.
//!
//! Not a schema and not a message: those who read one know its fields. Groups, which this protocol has none of, are refused.
//!
//! # Source
//! Protocol Buffers, *Encoding* (wire types 0, 1, 2 and 5).

use bytes::{Buf, Bytes};

use super::Malformed;

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number or a truth value.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// A text, a message, bytes, or several numbers.
    Bytes(Bytes),
    /// Four bytes.
    Fixed32(u32),
}

impl Value {
    pub(super) fn varint(self) -> Result<u64, Malformed> {
        if let Self::Varint(value) = self { Ok(value) } else { Err(Malformed) }
    }

    pub(super) fn bytes(self) -> Result<Bytes, Malformed> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Malformed) }
    }

    pub(super) fn text(self) -> Result<String, Malformed> {
        let bytes = self.bytes()?;
        str::from_utf8(&bytes).map(str::to_owned).map_err(|_| Malformed)
    }
}

/// The fields of a message, in their order.
pub(super) struct Fields(Bytes);

impl Fields {
    pub(super) fn of(message: Bytes) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u32, Value), Malformed> {
        let key = varint(&mut self.0)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0).ok_or(Malformed)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => Value::Fixed64(self.0.try_get_u64_le().map_err(|_| Malformed)?),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).ok().filter(|length| *length <= self.0.len());
                Value::Bytes(self.0.split_to(length.ok_or(Malformed)?))
            }
            5 => Value::Fixed32(self.0.try_get_u32_le().map_err(|_| Malformed)?),
            _ => return Err(Malformed),
        };
        Ok((number, value))
    }
}

impl Iterator for Fields {
    type Item = Result<(u32, Value), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0.clear();
        }
        Some(field)
    }
}

/// Reads a number of one to ten bytes.
pub(super) fn varint(bytes: &mut impl Buf) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().map_err(|_| Malformed)?;
        let part = u64::from(byte & 0x7F);
        if part << shift >> shift != part {
            return Err(Malformed);
        }
        value |= part << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// A message that is being written. What is empty, false or zero is not written, as the format has it.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Begins a field of so many bytes.
    pub(super) fn key(&mut self, field: u32, length: usize) {
        self.put_varint(u64::from(field) << 3 | 2);
        self.put_varint(length as u64);
    }

    /// Writes a number, zero too.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.put_varint(u64::from(field) << 3);
        self.put_varint(value);
    }

    /// Writes bytes, none too.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, bytes.len());
        self.put(bytes);
    }

    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// Writes a message or several numbers, none too.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    /// Writes several numbers; nothing where there are none.
    pub(super) fn packed(&mut self, field: u32, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        if !inner.0.is_empty() {
            self.bytes(field, &inner.0);
        }
    }

    /// Takes what was written.
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &'static [u8]) -> Result<Vec<(u32, Value)>, Malformed> {
        Fields::of(Bytes::from_static(message)).collect()
    }

    #[test]
    fn every_kind_of_field_is_read_and_what_is_cut_or_overlong_is_malformed() {
        let good = b"\x08\x96\x01\x11\x01\0\0\0\0\0\0\0\x1a\x02ab\x25\x02\0\0\0";
        let values = [
            (1, Value::Varint(150)),
            (2, Value::Fixed64(1)),
            (3, Value::Bytes(Bytes::from_static(b"ab"))),
            (4, Value::Fixed32(2)),
        ];
        assert_eq!(read(good), Ok(values.to_vec()));
        for length in [1, 2, 4, 11, 13, 14, 17, 20] {
            assert_eq!(read(&good[..length]), Err(Malformed), "cut at {length}");
        }
        for wrong in [
            // Longer than what is left; the field 0; a group; a number of eleven bytes; one beyond 64 bits.
            &b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..],
            b"\x00\x00",
            b"\x0b\x0c",
            b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        ] {
            assert_eq!(read(wrong), Err(Malformed), "{wrong:?}");
        }
        assert_eq!(read(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Ok(vec![(1, Value::Varint(u64::MAX))]));
    }

    #[test]
    fn a_slice_is_not_copied() {
        let message = Bytes::from_static(b"\x1a\x02ab");
        let Some(Ok((3, Value::Bytes(found)))) = Fields::of(message.clone()).next() else { panic!("a field") };
        assert_eq!(found.as_ptr(), message[2..].as_ptr());
    }
}
