//! Single values: raw text to JSON, by what the schema wants. Text is never guessed to be something else: `no` is a word.

use serde_json::{Number, Value};

use super::{Misfit, kind, misfit};
use crate::{
    diagnostic::nearest,
    schema::scalar::{Misread, check_format},
};

/// How far a number may be from a multiple, for the rounding of decimal fractions.
const SLACK: f64 = 1e-6;

/// Reads a text as the schema wants it.
pub(super) fn read(text: &str, quoted: bool, schema: &Value) -> Result<Value, Misfit> {
    let wrong = |wanted: &str| misfit("wrong-type", format!("`{text}` is not {wanted}"), &format!("write {wanted}"));
    match kind(schema) {
        "boolean" => match text {
            "true" if !quoted => Ok(Value::Bool(true)),
            "false" if !quoted => Ok(Value::Bool(false)),
            _ => Err(wrong("true or false")),
        },
        "integer" => {
            let number: i64 = text.parse().ok().filter(|_| !quoted).ok_or_else(|| wrong("a whole number"))?;
            in_range(number as f64, text, schema)?;
            Ok(Value::Number(number.into()))
        }
        "number" => {
            let number: f64 = text.parse().ok().filter(|_| !quoted).ok_or_else(|| wrong("a number"))?;
            in_range(number, text, schema)?;
            Number::from_f64(number).map(Value::Number).ok_or_else(|| wrong("a finite number"))
        }
        "scalar" => {
            formatted(text, schema)?;
            plain(text, quoted)
        }
        _ => word(text, schema),
    }
}

/// Reads what may be a number, true, false or text: the core schema of YAML 1.2, so `no` is text. A number that is not
/// finite is refused, before it turns into a text unseen.
fn plain(text: &str, quoted: bool) -> Result<Value, Misfit> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let dotted = matches!(text.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str(), ".nan" | ".inf");
    let number = text.parse::<f64>().ok().filter(|_| starts);
    match text {
        _ if quoted => Ok(Value::String(text.into())),
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        _ if dotted || number.is_some_and(|it| !it.is_finite()) => Err(misfit(
            "out-of-range",
            format!("`{text}` is not a finite number"),
            "write a finite number, or quote a text",
        )),
        _ => Ok(match (text.parse::<i64>(), number.and_then(Number::from_f64)) {
            (Ok(whole), _) => Value::Number(whole.into()),
            (Err(_), Some(number)) => Value::Number(number),
            (Err(_), None) => Value::String(text.into()),
        }),
    }
}

fn word(text: &str, schema: &Value) -> Result<Value, Misfit> {
    one_of(text, schema)?;
    formatted(text, schema)?;
    Ok(Value::String(text.into()))
}

fn formatted(text: &str, schema: &Value) -> Result<(), Misfit> {
    let format = schema["format"].as_str().unwrap_or_default();
    let example = || schema["examples"][0].as_str().map_or(String::new(), |it| format!("for example {it}"));
    check_format(format, text).map_err(|Misread { message, hint }| {
        let hint = hint.map_or_else(example, str::to_owned);
        Misfit { code: "bad-value", message, hint }
    })
}

fn in_range(number: f64, text: &str, schema: &Value) -> Result<(), Misfit> {
    let narrowest = match schema["format"].as_str() {
        Some("uint8") => Some(f64::from(u8::MAX)),
        Some("uint16") => Some(f64::from(u16::MAX)),
        Some("uint32") => Some(f64::from(u32::MAX)),
        _ => None,
    };
    let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64().or(narrowest));
    if !number.is_finite() || least.is_some_and(|it| number < it) || most.is_some_and(|it| number > it) {
        let (message, hint) = match (least, most) {
            (Some(only), Some(most)) if only == most => {
                (format!("`{text}` is not possible here"), format!("write {only}"))
            }
            (Some(least), Some(most)) => {
                (format!("`{text}` is out of range"), format!("write a number from {least} to {most}"))
            }
            (Some(least), None) => (format!("`{text}` is out of range"), format!("write {least} or more")),
            (None, Some(most)) => (format!("`{text}` is out of range"), format!("write {most} or less")),
            (None, None) => (format!("`{text}` is out of range"), "write a finite number".into()),
        };
        return Err(misfit("out-of-range", message, &hint));
    }
    let Some(step) = schema["multipleOf"].as_f64() else { return Ok(()) };
    let steps = number / step;
    if (steps - steps.round()).abs() < SLACK {
        return Ok(());
    }
    Err(misfit("out-of-range", format!("`{text}` is finer than steps of {step}"), "write fewer decimal places"))
}

/// A choice of words is an `enum`, or a `oneOf` of constants where each word has a description.
fn one_of(text: &str, schema: &Value) -> Result<(), Misfit> {
    let words = words(schema);
    if words.is_empty() || words.contains(&text) {
        return Ok(());
    }
    let hint = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", words.join(", ")),
    };
    Err(Misfit { code: "unknown-word", message: format!("`{text}` is not possible here"), hint })
}

/// Returns the words of a choice; none where any text fits.
pub(super) fn words(schema: &Value) -> Vec<&str> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten().flat_map(|it| match it["enum"].as_array() {
        Some(words) => words.iter().collect::<Vec<_>>(),
        None => vec![&it["const"]],
    });
    listed.chain(described).filter_map(Value::as_str).collect()
}

/// Names a type as people say it.
pub(super) fn article(kind: &str) -> &'static str {
    match kind {
        "object" => "a map",
        "array" => "a list",
        "number" => "a number",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "scalar" => "a single value",
        _ => "a text",
    }
}
