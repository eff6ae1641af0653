//! Embeddings: unit vectors that follow from seed, model and input.
//!
//! It is a space of words, and no more: the vector of a text is the sum of those of its words, whatever their order and case, so that
//! texts lie near one another by the words that they have in common.
//!
//! # Source
//! `protocols.md`, section 4.2: base64 is 4 bytes a number, f32, little-endian.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Usage;
use crate::{Options, model, protocol::error::ApiError};

/// The most inputs of one request.
const MAX_INPUTS: usize = 2048;
/// The widest vector that may be asked for.
const MAX_WIDTH: u32 = 65_536;

/// A request for embeddings, with all that its answer follows from.
#[derive(Debug)]
pub(crate) struct Embeddings {
    pub(crate) model: String,
    pub(crate) vectors: Vec<Vec<f32>>,
    pub(crate) base64: bool,
    pub(crate) usage: Option<Usage>,
    inputs: Vec<String>,
    seed: u64,
}

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    input: Option<Value>,
    dimensions: Option<u32>,
    encoding_format: Option<String>,
}

/// Understands a request for embeddings: its model, and what to answer.
pub(super) fn read(options: &Options, body: &[u8]) -> (String, Result<Embeddings, ApiError>) {
    let request: Request = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => {
            return (String::new(), Err(ApiError::invalid(format!("the body is no embeddings request: {error}"))));
        }
    };
    (request.model.clone().unwrap_or_default(), answer(options, request))
}

fn answer(options: &Options, request: Request) -> Result<Embeddings, ApiError> {
    let Some(model) = request.model.filter(|model| !model.is_empty()) else {
        return Err(ApiError { param: Some("model"), ..ApiError::invalid("`model` is missing") });
    };
    let inputs = inputs(request.input.as_ref()).ok_or_else(|| ApiError {
        param: Some("input"),
        ..ApiError::invalid("`input` must be a text, a list of texts, tokens, or a list of lists of tokens")
    })?;
    let width = request.dimensions.unwrap_or(options.pace(&model).embedding_width);
    if width == 0 || width > MAX_WIDTH {
        let message = format!("`dimensions` must be from 1 to {MAX_WIDTH}");
        return Err(ApiError { param: Some("dimensions"), ..ApiError::invalid(message) });
    }
    let base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let message = "`encoding_format` must be float or base64";
            return Err(ApiError { param: Some("encoding_format"), ..ApiError::invalid(message) });
        }
    };
    let prompt: u64 = inputs.iter().map(|input| input.len() as u64 / 4 + 1).sum();
    let usage = Some(Usage { prompt, completion: 0, total: prompt });
    let mut embeddings = Embeddings { model, vectors: Vec::new(), base64, usage, inputs, seed: options.seed };
    embeddings.resize(width);
    Ok(embeddings)
}

/// Takes the inputs apart; tokens are taken as their JSON text.
fn inputs(input: Option<&Value>) -> Option<Vec<String>> {
    let inputs = match input? {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.is_empty() || items.len() > MAX_INPUTS => return None,
        Value::Array(items) if items.iter().all(Value::is_u64) => vec![input?.to_string()],
        Value::Array(items) => items.iter().map(single).collect::<Option<_>>()?,
        _ => return None,
    };
    inputs.iter().all(|input| !input.is_empty()).then_some(inputs)
}

fn single(item: &Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text.clone()),
        Value::Array(tokens) if !tokens.is_empty() && tokens.iter().all(Value::is_u64) => Some(item.to_string()),
        _ => None,
    }
}

impl Embeddings {
    /// Makes the vectors anew in another width.
    pub(crate) fn resize(&mut self, width: u32) {
        let of = |text: &str| model::vector(&mut model::voice(self.seed, &self.model, text.as_bytes(), 0), width);
        let vector = |input: &String| {
            let words: Vec<_> = model::words(input).iter().map(|word| of(word)).collect();
            if words.is_empty() { of(input) } else { model::sum(&words) }
        };
        self.vectors = self.inputs.iter().map(vector).collect();
    }

    /// Writes the answer.
    pub(crate) fn body(&self) -> Vec<u8> {
        let item = |(index, vector): (usize, &Vec<f32>)| {
            let embedding = if self.base64 { base64(vector).into() } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        };
        let data: Vec<Value> = self.vectors.iter().enumerate().map(item).collect();
        let mut body = json!({"object": "list", "data": data, "model": self.model});
        if let Some(usage) = self.usage {
            body["usage"] = json!({"prompt_tokens": usage.prompt, "total_tokens": usage.total});
        }
        body.to_string().into_bytes()
    }
}

/// Encodes numbers as base64 of their bytes (RFC 4648, section 4).
fn base64(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(if place <= group.len() { ALPHABET[index as usize] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn oai_12_base64_is_little_endian_f32_with_padding() {
        assert_eq!(base64(&[1.0]), "AACAPw==");
        assert_eq!(base64(&[1.0, -2.5]), "AACAPwAAIMA=");
        assert_eq!(base64(&[1.0, -2.5, 0.0]), "AACAPwAAIMAAAAAA");
        assert_eq!(base64(&[]), "");
    }
}
