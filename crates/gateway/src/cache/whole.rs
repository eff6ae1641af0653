//! Whole: a completion in one piece made of the events of a stream, and the other way about, so that what was kept answers both.
//!
//! # Invariants
//! - `WHOLE-1`: what cannot be put together with certainty is not: an event that says something which nobody here knows how to
//!   join makes nothing of all of it.
//! - `WHOLE-2`: what is put together and taken apart again says the same.
//! - `WHOLE-3`: what servers are known to say beside an answer (of their filters, of how it ended) is joined, too.
//!
//! # Source
//! `docs/design/protocols.md`, sections 4.2 and 4.3. What is beside an answer: Azure OpenAI (`content_filter_*`), OpenRouter
//! (`native_finish_reason`, `reasoning_details`), vLLM (`stop_reason`), SGLang (`matched_stop`), OpenAI (`annotations`).

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::sse;

/// Members of a delta that are texts, of which each event has a piece.
const TEXTS: [&str; 4] = ["content", "refusal", "reasoning", "reasoning_content"];

/// Members of a choice that say something beside its answer, of which the last word counts.
const ASIDES: [&str; 5] =
    ["content_filter_results", "content_filter_offsets", "native_finish_reason", "stop_reason", "matched_stop"];

type Object = Map<String, Value>;

/// Puts the events of a stream together; none where that cannot be done (WHOLE-1).
pub(super) fn assemble(events: &[Bytes]) -> Option<Vec<u8>> {
    let mut whole = Object::new();
    let mut choices: Vec<Object> = Vec::new();
    for event in events {
        let Value::Object(event) = serde_json::from_slice(event).ok()? else { return None };
        for (name, value) in event {
            match (name.as_str(), value) {
                ("choices", Value::Array(all)) => all.into_iter().try_for_each(|one| choice(&mut choices, one))?,
                ("choices" | "object" | "evenkeel" | "obfuscation", _) | (_, Value::Null) => {}
                ("usage", value) => drop(whole.insert(name, value)),
                (_, value) => drop(whole.entry(name).or_insert(value)),
            }
        }
    }
    whole.insert("object".into(), "chat.completion".into());
    let choices = choices.into_iter().enumerate().map(|(index, choice)| finished(index, choice));
    whole.insert("choices".into(), choices.collect::<Option<Vec<_>>>()?.into());
    serde_json::to_vec(&whole).ok()
}

/// Adds what an event says of one choice.
fn choice(choices: &mut Vec<Object>, one: Value) -> Option<()> {
    let Value::Object(one) = one else { return None };
    let index = usize::try_from(one.get("index")?.as_u64()?).ok().filter(|index| *index < 128)?;
    if choices.len() <= index {
        choices.resize_with(index + 1, Object::new);
    }
    let choice = &mut choices[index];
    for (name, value) in one {
        match (name.as_str(), value) {
            ("delta", Value::Object(delta)) => {
                let message = choice.entry("message").or_insert_with(|| json!({})).as_object_mut()?;
                delta.into_iter().try_for_each(|(name, value)| join(message, &name, value))?;
            }
            ("index", _) | (_, Value::Null) => {}
            ("logprobs", Value::Object(probabilities)) => {
                let all = choice.entry(name).or_insert_with(|| json!({})).as_object_mut()?;
                probabilities.into_iter().try_for_each(|(name, value)| append(all, name, value))?;
            }
            ("finish_reason", value) => drop(choice.insert(name, value)),
            (aside, value) if ASIDES.contains(&aside) => note(choice, name, value),
            _ => return None,
        }
    }
    Some(())
}

/// Notes what is said beside an answer: of several things each one's last word; a piece that says nothing takes nothing back.
fn note(choice: &mut Object, name: String, value: Value) {
    match (choice.get_mut(&name), value) {
        (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
        (_, value) => drop(choice.insert(name, value)),
    }
}

/// Joins a member of a delta to what was said before.
fn join(message: &mut Object, name: &str, value: Value) -> Option<()> {
    match (name, value) {
        (_, Value::Null) => {}
        ("role", role) => drop(message.entry(name).or_insert(role)),
        (name, Value::String(text)) if TEXTS.contains(&name) => extend(message, name, &text)?,
        ("tool_calls", Value::Array(calls)) => {
            let all = message.entry(name).or_insert_with(|| json!([])).as_array_mut()?;
            calls.into_iter().try_for_each(|call| join_call(all, call))?;
        }
        ("annotations", more @ Value::Array(_)) => append(message, name.into(), more)?,
        ("reasoning_details", Value::Array(details)) => {
            let all = message.entry(name).or_insert_with(|| json!([])).as_array_mut()?;
            details.into_iter().try_for_each(|detail| join_detail(all, detail))?;
        }
        _ => return None,
    }
    Some(())
}

/// Joins a piece of a call to the call with its index.
fn join_call(all: &mut Vec<Value>, call: Value) -> Option<()> {
    let Value::Object(call) = call else { return None };
    let index = usize::try_from(call.get("index")?.as_u64()?).ok().filter(|index| *index < 1_024)?;
    if all.len() <= index {
        all.resize_with(index + 1, || json!({}));
    }
    let whole = all[index].as_object_mut()?;
    for (name, value) in call {
        match (name.as_str(), value) {
            ("index", _) | (_, Value::Null) => {}
            ("id" | "type", value) => drop(whole.entry(name).or_insert(value)),
            ("function", Value::Object(function)) => {
                let known = whole.entry(name).or_insert_with(|| json!({})).as_object_mut()?;
                for (name, value) in function {
                    match (name.as_str(), value) {
                        (_, Value::Null) => {}
                        ("name" | "arguments", Value::String(text)) => extend(known, &name, &text)?,
                        _ => return None,
                    }
                }
            }
            _ => return None,
        }
    }
    Some(())
}

/// Joins a piece of a thought to the one that it goes on with: the last, where both are texts with the same index. A signature is over
/// a whole text, so that pieces of one would be taken by nobody.
fn join_detail(all: &mut Vec<Value>, detail: Value) -> Option<()> {
    let Value::Object(detail) = detail else { return None };
    let same = |last: &Value| ["type", "index"].iter().all(|name| last.get(*name) == detail.get(*name));
    let is_text = detail.get("type").and_then(Value::as_str) == Some("reasoning.text");
    let Some(last) = all.last_mut().filter(|last| is_text && same(last)).and_then(Value::as_object_mut) else {
        all.push(detail.into());
        return Some(());
    };
    for (name, value) in detail {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("text", Value::String(text)) => match last.get_mut(&name) {
                Some(Value::String(before)) => before.push_str(&text),
                _ => drop(last.insert(name, text.into())),
            },
            (_, value) => drop(last.insert(name, value)),
        }
    }
    Some(())
}

fn extend(object: &mut Object, name: &str, text: &str) -> Option<()> {
    match object.entry(name).or_insert_with(|| "".into()) {
        Value::String(before) => before.push_str(text),
        _ => return None,
    }
    Some(())
}

fn append(object: &mut Object, name: String, value: Value) -> Option<()> {
    let Value::Array(more) = value else { return value.is_null().then_some(()) };
    object.entry(name).or_insert_with(|| json!([])).as_array_mut()?.extend(more);
    Some(())
}

/// Writes a choice as a completion in one piece has it; none where it has no end.
fn finished(index: usize, mut choice: Object) -> Option<Value> {
    let (reason, logprobs) = (choice.remove("finish_reason")?, choice.remove("logprobs"));
    let mut message = choice.remove("message").unwrap_or_else(|| json!({}));
    let said = message.as_object_mut()?;
    said.entry("role").or_insert_with(|| "assistant".into());
    // OpenAI's schema requires both keys, and has `null` where a call stands in place of a text.
    let called = said.contains_key("tool_calls");
    if called && said.get("content").and_then(Value::as_str) == Some("") {
        said.insert("content".into(), Value::Null);
    }
    for key in ["content", "refusal"] {
        said.entry(key).or_insert(Value::Null);
    }
    choice.extend([("index".into(), index.into()), ("message".into(), message)]);
    choice.extend([("logprobs".into(), logprobs.into()), ("finish_reason".into(), reason)]);
    Some(choice.into())
}

/// Writes a completion as the events of a stream: what each choice says, how it ends, usage if asked, `[DONE]`. The object
/// `evenkeel` is in the first. None where it is no completion.
pub(crate) fn events(body: &[u8], include_usage: bool, evenkeel: &str) -> Option<Vec<Bytes>> {
    let Value::Object(mut whole) = serde_json::from_slice(body).ok()? else { return None };
    let Value::Array(choices) = whole.remove("choices")? else { return None };
    let usage = whole.remove("usage").unwrap_or(Value::Null);
    whole.insert("object".into(), "chat.completion.chunk".into());
    if include_usage {
        whole.insert("usage".into(), Value::Null);
    }
    let (mut said, mut ends) = (Vec::new(), Vec::new());
    for choice in choices {
        let Value::Object(mut choice) = choice else { return None };
        let (index, reason) = (choice.remove("index")?, choice.remove("finish_reason")?);
        let mut delta = choice.remove("message")?;
        let calls = delta.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
        calls.enumerate().for_each(|(at, call)| call["index"] = at.into());
        let logprobs = choice.remove("logprobs").unwrap_or(Value::Null);
        said.push(json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null}));
        // What was said beside the answer is told with its end, as those do who say it.
        choice.extend([("index".into(), index), ("delta".into(), json!({}))]);
        choice.extend([("logprobs".into(), Value::Null), ("finish_reason".into(), reason)]);
        ends.push(Value::Object(choice));
    }
    let mut events = Vec::with_capacity(said.len() * 2 + 2);
    for choice in said.into_iter().chain(ends) {
        let mut event = whole.clone();
        event.insert("choices".into(), json!([choice]));
        if events.is_empty() {
            event.insert("evenkeel".into(), serde_json::from_str(evenkeel).ok()?);
        }
        events.push(sse::write_event(&serde_json::to_vec(&event).ok()?));
    }
    if include_usage {
        whole.insert("choices".into(), json!([]));
        whole.insert("usage".into(), usage);
        events.push(sse::write_event(&serde_json::to_vec(&whole).ok()?));
    }
    events.push(Bytes::from_static(sse::DONE));
    Some(events)
}

#[cfg(test)]
mod tests;
