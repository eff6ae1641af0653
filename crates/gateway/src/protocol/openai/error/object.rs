//! Object: reads an error as any server writes it.
//!
//! Known forms: `{"error": {…}}`, `{"error": "…"}`, the same in an array, `{"object": "error", "message", …}` at the top
//! level, `{"detail": …}`. A code that is a number, or reads as one, is a status.

use crate::protocol::json::{Flaw, Kind, Reader};

/// An error as an upstream wrote it: its words, not to be trusted and never logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorObject {
    /// The `code`, where it is a word.
    pub(crate) code: Option<String>,
    /// The `code`, where it is a status.
    pub(crate) status: Option<u16>,
    /// The `type`.
    pub(crate) kind: Option<String>,
    /// The text.
    pub(crate) message: Option<String>,
    /// The field that it complains about.
    pub(crate) param: Option<String>,
}

impl ErrorObject {
    /// Reads a body; none where it is not JSON or says nothing.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body, 128).ok()?;
        let error = Self::top(&mut reader).ok()?;
        reader.end().ok()?;
        (error != Self::default()).then_some(error)
    }

    /// Reads the value of an `error` member.
    pub(crate) fn value(reader: &mut Reader<'_>) -> Result<Self, Flaw> {
        let mut error = Self::default();
        match reader.kind()? {
            Kind::Object => {
                let mut inside = reader.object()?;
                while let Some(key) = reader.key(&mut inside)? {
                    error.member(&key.decode(), reader)?;
                }
            }
            Kind::String => error.message = Some(reader.string()?.decode().into_owned()),
            _ => reader.pass()?,
        }
        Ok(error)
    }

    fn top(reader: &mut Reader<'_>) -> Result<Self, Flaw> {
        let mut error = Self::default();
        match reader.kind()? {
            Kind::Object => {}
            Kind::Array => {
                let mut inside = reader.array()?;
                while reader.item(&mut inside)? {
                    // One level only: an array of arrays is nobody's error.
                    let item = reader.clone();
                    if let (Kind::Object, true) = (reader.kind()?, error == Self::default()) {
                        error = Self::top(&mut item.clone())?;
                    }
                    reader.skip()?;
                }
                return Ok(error);
            }
            _ => {
                reader.skip()?;
                return Ok(error);
            }
        }
        let mut nested = None;
        let mut inside = reader.object()?;
        while let Some(key) = reader.key(&mut inside)? {
            match &*key.decode() {
                "error" => nested = Some(Self::value(reader)?).filter(|nested| *nested != Self::default()),
                key => error.member(key, reader)?,
            }
        }
        Ok(nested.unwrap_or(error))
    }

    fn member(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<(), Flaw> {
        let field = match key {
            "code" => &mut self.code,
            "type" => &mut self.kind,
            "message" | "detail" => &mut self.message,
            "param" => &mut self.param,
            _ => return reader.pass(),
        };
        match reader.kind()? {
            Kind::String => *field = Some(reader.string()?.decode().into_owned()),
            Kind::Number if key == "code" => *field = Some(reader.number()?.to_owned()),
            _ => reader.pass()?,
        }
        if key == "code" {
            self.status = self.code.as_deref().and_then(|code| code.parse().ok());
            self.code.take_if(|_| self.status.is_some());
        }
        Ok(())
    }
}
