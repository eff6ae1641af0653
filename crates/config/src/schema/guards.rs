//! `routes.NAME.guards`: what is asked of an input before it is answered, and what a breach does (`signals.md`, section 7).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error};

use super::{
    rows::Rows,
    scalar::{Duration, Ratio},
};

/// What is asked of an input before it is answered. With `input.reference` all but `staleness` and `fallback_risk` are on, `distance` where
/// there are `embeddings`, and only tell what they find; each is `off`, or says by `then` where a request starts that is in breach of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guards {
    /// Features of another type than the reference has, and required ones without a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) contract: Option<Switch<Told>>,
    /// The share of features without a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<Switch<Missing>>,
    /// Numbers outside the range that the reference declares, or makes likely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) range: Option<Switch<Told>>,
    /// Categories that the reference has never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unseen: Option<Switch<Told>>,
    /// Embeddings whose length is outside its bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) norm: Option<Switch<Norm>>,
    /// Requests of which more than .05 of the numbers lie in the outer hundredth of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) noise: Option<Switch<Told>>,
    /// The age of what a feature server has, or what stands in for it; off by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) staleness: Option<Switch<Staleness>>,
    /// Rows that are far from all that the reference has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anomaly: Option<Switch<Anomaly>>,
    /// Texts that mean something far from what those of the reference mean; on where `input.text.embeddings` says who knows what a text means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) distance: Option<Switch<Distance>>,
    /// How often the first tier's answer did not do, of requests that looked like this one; off by default. It is learnt in this
    /// process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fallback_risk: Option<Switch<FallbackRisk>>,
}

/// The word for a guard that is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "GuardOff")]
pub(crate) enum Off {
    /// It is not asked.
    Off,
}

/// A guard that is off, or how it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch<T> {
    /// It is not asked.
    Not(Off),
    /// It is.
    On(T),
}

/// Where a request starts that is in breach.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Then {
    /// The first tier that is asked about such a request; those above are skipped.
    pub(crate) start_at: String,
}

/// What is found is told, and may decide where a request starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardTold")]
pub(crate) struct Told {
    /// What a breach does; without it, it is told in the record, and changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<Then>,
}

/// How many features may be without a value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardMissing")]
pub(crate) struct Missing {
    /// The largest share of the features of a row that may be.
    pub(crate) max_ratio: Ratio,
    /// What a breach does; without it, it is told in the record, and changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<Then>,
}

/// How long an embedding may be.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardNorm")]
pub(crate) struct Norm {
    /// The least Euclidean length; without `min` and `max` the range that the reference declares for its column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// The greatest Euclidean length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    /// What a breach does; without it, it is told in the record, and changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<Then>,
}

/// How old a feature may be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuardStaleness")]
pub(crate) struct Staleness {
    /// The greatest age of a value that was fetched, or stands in as the last known one.
    pub(crate) max_age: Duration,
    /// What a breach does; without it, it is told in the record, and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<Then>,
}

/// How rare a row must be.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardAnomaly")]
pub(crate) struct Anomaly {
    /// The share of usual requests that may be called anomalous. The reference must have enough rows for it: 1/rate calibrating
    /// ones at least, and five times as many to keep it well.
    #[schemars(range(min = 0.000_001, max = 0.5))]
    pub(crate) false_alarm_rate: f64,
    /// Which rows make a request of several anomalous: any, where each row has its share of the rate; all; or {fraction: 0.2}.
    pub(crate) rows: Rows,
    /// What a breach does; without it, it is told in the record, and changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<Then>,
}

/// How rare what a text means must be.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardDistance")]
pub(crate) struct Distance {
    /// The share of usual requests that may be called far. The reference must have enough rows for it: 1/rate calibrating ones at least, and
    /// five times as many to keep it well.
    #[schemars(range(min = 0.000_001, max = 0.5))]
    pub(crate) false_alarm_rate: f64,
    /// What a breach does; without it, it is told in the record, and changes nothing, and no request waits for the encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<Then>,
}

/// How likely it may be that the first tier's answer will not do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuardFallbackRisk")]
pub(crate) struct FallbackRisk {
    /// The probability from which on a request is in breach; nothing is said where fewer than 50 were like it.
    pub(crate) at_least: Ratio,
    /// What a breach does; without it, it is told in the record, and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<Then>,
}

impl Default for Missing {
    fn default() -> Self {
        Self { max_ratio: Ratio(200), then: None }
    }
}

impl Default for Anomaly {
    fn default() -> Self {
        Self { false_alarm_rate: 0.001, rows: Rows::Any, then: None }
    }
}

impl Default for Distance {
    fn default() -> Self {
        Self { false_alarm_rate: 0.001, then: None }
    }
}

/// A kind of guard with what a breach of it does.
pub(crate) trait Judges {
    fn then(&self) -> Option<&Then>;
}

macro_rules! judges {
    ($($name:ident),*) => {
        $(impl Judges for $name {
            fn then(&self) -> Option<&Then> {
                self.then.as_ref()
            }
        })*
    };
}

judges!(Told, Missing, Norm, Staleness, Anomaly, Distance, FallbackRisk);

impl<T> Switch<T> {
    /// Returns how it is asked; none where it is not.
    pub(crate) fn on(&self) -> Option<&T> {
        match self {
            Self::Not(Off::Off) => None,
            Self::On(it) => Some(it),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Switch<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // By its shape, so that a message is about what was written.
        let value = serde_json::Value::deserialize(from)?;
        let read = match value.is_object() {
            true => serde_json::from_value(value).map(Self::On),
            false => serde_json::from_value(value).map(Self::Not),
        };
        read.map_err(D::Error::custom)
    }
}

impl<T: Serialize> Serialize for Switch<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Not(off) => off.serialize(to),
            Self::On(it) => it.serialize(to),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Switch<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Switch", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (off, on) = (generator.subschema_for::<Off>(), generator.subschema_for::<T>());
        json_schema!({ "anyOf": [off, on] })
    }
}

impl Guards {
    /// Says whether nothing is said of any of them.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Writes out those that are on by default where there is a reference, and nothing is said of them; one of them where there is an
    /// encoder.
    pub(crate) fn write_out(&mut self, encoder: bool) {
        fn on<T: Default>(it: &mut Option<Switch<T>>) {
            it.get_or_insert_with(|| Switch::On(T::default()));
        }
        let Self { contract, missing, range, unseen, norm, noise, staleness: _, anomaly, distance, fallback_risk: _ } =
            self;
        [contract, range, unseen, noise].into_iter().for_each(on);
        on(missing);
        on(norm);
        on(anomaly);
        if encoder {
            on(distance);
        }
    }

    /// Returns those that are on, by their keys, each with what a breach does.
    pub(crate) fn on(&self) -> Vec<(&'static str, Option<&Then>)> {
        fn one<'a, T: Judges>(
            name: &'static str,
            it: &'a Option<Switch<T>>,
        ) -> Option<(&'static str, Option<&'a Then>)> {
            it.as_ref()?.on().map(|it| (name, it.then()))
        }
        let all = [
            one("contract", &self.contract),
            one("missing", &self.missing),
            one("range", &self.range),
            one("unseen", &self.unseen),
            one("norm", &self.norm),
            one("noise", &self.noise),
            one("staleness", &self.staleness),
            one("anomaly", &self.anomaly),
            one("distance", &self.distance),
            one("fallback_risk", &self.fallback_risk),
        ];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_guard_is_written_as_it_is_read_a_word_or_what_it_asks() {
        for value in [
            json!({"contract": "off", "missing": {"max_ratio": 0.3}}),
            json!({"anomaly": {"false_alarm_rate": 0.01, "rows": "all", "then": {"start_at": "rules"}}}),
            json!({}),
        ] {
            let guards: Guards = serde_json::from_value(value.clone()).expect("guards");
            assert_eq!(serde_json::to_value(guards).expect("it can be written"), value);
        }
        assert!(serde_json::from_value::<Guards>(json!({"noise": "on"})).is_err());
    }

    #[test]
    fn with_a_reference_all_are_on_but_those_that_need_a_number() {
        let mut guards = Guards { range: Some(Switch::Not(Off::Off)), ..Guards::default() };
        guards.write_out(false);
        let names = |of: &Guards| of.on().into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(names(&guards), ["contract", "missing", "unseen", "norm", "noise", "anomaly"]);
        guards.write_out(true);
        assert_eq!(names(&guards), ["contract", "missing", "unseen", "norm", "noise", "anomaly", "distance"]);
    }
}
