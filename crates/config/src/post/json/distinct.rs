//! Distinct: how many keys of a JSON text stand twice in their object, which a tree of it does not tell any more.

use std::{collections::BTreeSet, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Returns how many there are; the text is JSON.
pub(super) fn twice(text: &str) -> u64 {
    serde_json::from_str::<Twice>(text).map_or(0, |it| it.0)
}

struct Twice(u64);

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Counting)
    }
}

struct Counting;

impl<'de> Visitor<'de> for Counting {
    type Value = Twice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Twice, A::Error> {
        let (mut seen, mut twice) = (BTreeSet::new(), 0);
        while let Some(key) = map.next_key::<String>()? {
            twice += u64::from(!seen.insert(key)) + map.next_value::<Twice>()?.0;
        }
        Ok(Twice(twice))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Twice, A::Error> {
        let mut twice = 0;
        while let Some(item) = items.next_element::<Twice>()? {
            twice += item.0;
        }
        Ok(Twice(twice))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Twice, E> {
        Ok(Twice(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Twice, E> {
        Ok(Twice(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Twice, E> {
        Ok(Twice(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Twice, E> {
        Ok(Twice(0))
    }

    fn visit_str<E>(self, _: &str) -> Result<Twice, E> {
        Ok(Twice(0))
    }

    fn visit_unit<E>(self) -> Result<Twice, E> {
        Ok(Twice(0))
    }
}
