//! Recorded: the models of `tests/fixtures`, what they were asked, and what the ONNX Runtime answered.

use std::path::{Path, PathBuf};

use evenkeel_onnx::{Data, Model, Tensor};
use serde::Deserialize;

/// One run of a model.
#[derive(Deserialize)]
pub(crate) struct Run {
    inputs: Vec<Written>,
    outputs: Vec<Written>,
}

/// A tensor as `make.py` writes it.
#[derive(Deserialize)]
struct Written {
    name: String,
    kind: String,
    shape: Vec<usize>,
    #[serde(default)]
    data: String,
    #[serde(default)]
    texts: Vec<String>,
}

impl Written {
    fn tensor(&self) -> Tensor {
        let data = match self.kind.as_str() {
            "f32" => Data::F32(self.numbers()),
            "f64" => Data::F64(self.numbers()),
            "i32" => Data::I32(self.numbers()),
            "i64" => Data::I64(self.numbers()),
            "bool" => Data::Bool(self.numbers()),
            "text" => Data::Text(self.texts.clone()),
            other => panic!("{other} is no kind"),
        };
        Tensor::new(self.shape.clone(), data).expect("make.py writes what fits")
    }

    fn numbers<T: std::str::FromStr<Err: std::fmt::Debug>>(&self) -> Vec<T> {
        self.data.split_whitespace().map(|it| it.parse().expect("make.py writes numbers")).collect()
    }
}

impl Run {
    /// What the model is asked.
    pub(crate) fn inputs(&self) -> Vec<(&str, Tensor)> {
        self.inputs.iter().map(|it| (it.name.as_str(), it.tensor())).collect()
    }

    /// What the ONNX Runtime answered.
    pub(crate) fn outputs(&self) -> Vec<(String, Tensor)> {
        self.outputs.iter().map(|it| (it.name.clone(), it.tensor())).collect()
    }
}

/// The bytes of a model, and its runs.
pub(crate) fn recorded(name: &str) -> (Vec<u8>, Vec<Run>) {
    read("fixtures", name)
}

/// The same, of a folder of `tests`.
pub(crate) fn read(folder: &str, name: &str) -> (Vec<u8>, Vec<Run>) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let file = |kind: &str| tests.join(folder).join(format!("{name}.{kind}"));
    let runs = std::fs::read(file("json")).expect("a model comes with its runs");
    (std::fs::read(file("onnx")).expect("it is committed"), serde_json::from_slice(&runs).expect("make.py writes JSON"))
}

/// All models, by name.
pub(crate) fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("it is committed").map(|it| it.expect("a file").path());
    let model = |it: &PathBuf| it.extension().is_some_and(|it| it == "onnx");
    let stem = |it: PathBuf| it.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut names: Vec<String> = files.filter(model).map(stem).collect();
    names.sort();
    names
}

/// Reads a model that must be sound.
pub(crate) fn load(name: &str) -> (Model, Vec<Run>) {
    let (bytes, runs) = recorded(name);
    (Model::load(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")), runs)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Cuts a row out.
pub(crate) fn cut(tensor: &Tensor, row: usize) -> Tensor {
    let mut shape = tensor.shape().to_vec();
    let width: usize = shape[1..].iter().product();
    let places = row * width..(row + 1) * width;
    shape[0] = 1;
    let data = match tensor.data() {
        Data::F32(it) => Data::F32(it[places].into()),
        Data::F64(it) => Data::F64(it[places].into()),
        Data::I32(it) => Data::I32(it[places].into()),
        Data::I64(it) => Data::I64(it[places].into()),
        Data::Bool(it) => Data::Bool(it[places].into()),
        Data::Text(it) => Data::Text(it[places].into()),
    };
    Tensor::new(shape, data).expect("a row of it")
}
