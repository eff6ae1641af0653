//! Header: what a reference says of itself, as JSON that a person can read and that has one form only.

use serde::{Deserialize, Serialize};

use crate::{cells::Season, row::Kind};

/// What a reference says of itself. Its fields are written in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The route that it is for.
    pub route: String,
    /// The columns of its rows, in their order.
    pub schema: Vec<Column>,
    /// What all draws depend on.
    pub seed: u64,
    /// The false-alarm rate that its calibrating rows suffice for, in millionths.
    pub false_alarms_per_million: u32,
    /// How often traffic repeats itself.
    pub repeats: Repeats,
    /// Where its rows came from, ascending by digest.
    pub sources: Vec<Source>,
    /// Rows by section.
    pub rows: Rows,
    /// Whether it has labels: where it has none, accuracy is unknown.
    pub labels: bool,
    /// The program that made it; of a merge the later one.
    pub tool: String,
    /// What the key of private names makes of a fixed word: by it another key is known. None where no name is private, or an earlier
    /// program made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name; no two are alike.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// What it is there for.
    pub role: Role,
    /// In what it is measured.
    pub unit: Option<String>,
    /// Whether a row must have it.
    pub required: bool,
    /// Whether none of its values may be kept (`REF-4`).
    pub private: bool,
    /// The least and the most that it may be, as decimal numbers; none: as the reference has it.
    pub range: Option<[String; 2]>,
    /// Of [`Role::Meaning`], whose meaning it is, and who says so; none of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Meaning>,
}

/// What a column of embeddings is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The column of the texts.
    pub of: String,
    /// The model that says what they mean: the vectors of two models cannot be compared.
    pub model: String,
}

impl Column {
    /// A column that a row may lack, of no unit and no declared range.
    pub fn new(name: &str, kind: ColumnKind, role: Role) -> Self {
        let name = name.into();
        Self { name, kind, role, unit: None, required: false, private: false, range: None, meaning: None }
    }

    /// What the texts of a column mean, in so many numbers, as a model says.
    pub fn meaning(name: &str, numbers: u32, meaning: Meaning) -> Self {
        Self { meaning: Some(meaning), ..Self::new(name, ColumnKind::Vector(numbers), Role::Meaning) }
    }

    /// Returns the declared range; none where there is none, or it is no range.
    pub fn declared_range(&self) -> Option<[f64; 2]> {
        let [least, most] = self.range.as_ref()?.each_ref().map(|it| it.parse::<f64>().ok());
        least.zip(most).filter(|(least, most)| least <= most).map(|(least, most)| [least, most])
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// Names.
    Category,
    /// Texts: twelve numbers each.
    Text,
    /// Embeddings of so many numbers: 64 numbers each.
    Vector(u32),
}

impl ColumnKind {
    /// Returns it as a row has it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Number => Kind::Number,
            Self::Category => Kind::Category,
            Self::Text => Kind::Text,
            Self::Vector(numbers) => Kind::Vector(usize::try_from(numbers).unwrap_or(usize::MAX)),
        }
    }
}

/// What a column is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What a model is given: guards and row score judge it.
    Input,
    /// What came out: predicted label, length, latency.
    Output,
    /// How sure a model was of what came out.
    Confidence,
    /// The truth.
    Label,
    /// What the text of another column means, as an encoder says: a distance of its own is judged by it, and nothing else.
    Meaning,
}

/// How often traffic repeats itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// It does not: one set of cells.
    Never,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
}

impl Repeats {
    /// Returns the season; none where there is none.
    pub fn season(self) -> Option<Season> {
        match self {
            Self::Never => None,
            Self::Daily => Some(Season::Day),
            Self::Weekly => Some(Season::Week),
        }
    }
}

/// Where rows came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub digest: String,
    /// Its rows.
    pub rows: u64,
    /// The time of its earliest row, ns since the epoch; none where no row has one.
    pub from_ns: Option<u64>,
    /// The time of its latest row likewise.
    pub to_ns: Option<u64>,
}

/// Rows by section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Of all sources.
    pub all: u64,
    /// Those of which everything is computed that is not private.
    pub sample: u64,
    /// Those that means and scales come from.
    pub fitted: u64,
    /// Those that are kept to be compared with.
    pub kept: u64,
    /// Those that calibrate.
    pub calibrating: u64,
}

/// Writes a header in its one form.
pub(super) fn write(header: &Header) -> Vec<u8> {
    serde_json::to_vec(header).expect("text and whole numbers")
}

/// Reads a header; what is wrong with it otherwise.
pub(super) fn read(bytes: &[u8]) -> Result<Header, String> {
    let header: Header = serde_json::from_slice(bytes).map_err(|it| it.to_string())?;
    if write(&header) != bytes {
        return Err("it is not in its one form".into());
    }
    let mut names: Vec<&str> = header.schema.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|it| it[0] == it[1]) {
        return Err("two columns have one name".into());
    }
    if !meanings_fit(&header.schema) {
        return Err("it is not said whose meaning a column is".into());
    }
    if !header.sources.windows(2).all(|it| it[0].digest < it[1].digest) {
        return Err("its sources do not ascend".into());
    }
    Ok(header)
}

/// Says whether at most one column is what a text means, an embedding of a column of texts that is there, neither of them private.
pub(super) fn meanings_fit(schema: &[Column]) -> bool {
    let fits = |it: &Column| match (&it.meaning, it.role) {
        (None, role) => role != Role::Meaning,
        (Some(meaning), Role::Meaning) => {
            let is_text = |of: &Column| {
                of.name == meaning.of && of.kind == ColumnKind::Text && of.role == Role::Input && !of.private
            };
            matches!(it.kind, ColumnKind::Vector(_)) && !it.private && schema.iter().any(is_text)
        }
        (Some(_), _) => false,
    };
    schema.iter().all(fits) && schema.iter().filter(|it| it.meaning.is_some()).count() <= 1
}
