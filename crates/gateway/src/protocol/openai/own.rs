//! Own: completions that are made here, as a model would have written them.
//!
//! # Invariants
//! - `OWN-1`: what is made here passes our own judges, plain and streamed.
//! - `OWN-2`: nothing is invented: usage is zero, the model is the path, the fingerprint names revision and path.
//!
//! # Source
//! `docs/design/protocols.md`, section 4.2. `null` stands where OpenAI's schema requires the key.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::sse;

/// What an own answer says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta<'a> {
    /// The decision's id.
    pub(crate) decision: &'a str,
    /// Now, in seconds since 1970.
    pub(crate) created: u64,
    /// The path that answers.
    pub(crate) path: &'a str,
    /// The revision.
    pub(crate) revision: &'a str,
    /// The `evenkeel` object, as JSON.
    pub(crate) evenkeel: &'a str,
}

#[derive(Serialize)]
struct Completion<'a, C> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    choices: Vec<C>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Spent,
    #[serde(skip_serializing_if = "Option::is_none")]
    evenkeel: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u8,
    delta: Delta<'a>,
    finish_reason: Option<&'static str>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

/// No tokens were spent.
#[derive(Clone, Copy, Default, Serialize)]
struct Zero {
    prompt_tokens: u8,
    completion_tokens: u8,
    total_tokens: u8,
}

/// What is said of tokens: nothing, `null` for "at the end", or that none were spent.
type Spent = Option<Option<Zero>>;

/// Writes a completion in one piece, with `n` choices that say the same.
pub(crate) fn own_chat(content: &str, n: u8, meta: Meta<'_>) -> Bytes {
    let choice = |index| Choice {
        index,
        message: Message { role: "assistant", content, refusal: () },
        logprobs: (),
        finish_reason: "stop",
    };
    let names = Names::of(meta);
    names.write("chat.completion", (0..n).map(choice).collect(), Some(Some(Zero::default())), true).into()
}

/// Writes a completion as the events of a stream: role, content, finish, usage if asked, `[DONE]`.
pub(crate) fn own_stream(content: &str, n: u8, include_usage: bool, meta: Meta<'_>) -> Vec<Bytes> {
    let names = Names::of(meta);
    let usage = include_usage.then_some(None);
    let steps = [
        (Delta { role: Some("assistant"), content: Some("") }, None),
        (Delta { content: Some(content), ..Delta::default() }, None),
        (Delta::default(), Some("stop")),
    ];
    let mut events = Vec::with_capacity(3 * usize::from(n) + 2);
    for (delta, finish_reason) in steps {
        for index in 0..n {
            let choices = vec![ChunkChoice { index, delta, finish_reason }];
            let chunk = names.write("chat.completion.chunk", choices, usage, events.is_empty());
            events.push(sse::write_event(&chunk));
        }
    }
    if include_usage {
        let chunk =
            names.write("chat.completion.chunk", Vec::<ChunkChoice<'_>>::new(), Some(Some(Zero::default())), false);
        events.push(sse::write_event(&chunk));
    }
    events.push(Bytes::from_static(sse::DONE));
    events
}

/// What is the same in every piece of an answer.
struct Names<'a> {
    id: String,
    fingerprint: String,
    meta: Meta<'a>,
    evenkeel: &'a RawValue,
}

impl<'a> Names<'a> {
    fn of(meta: Meta<'a>) -> Self {
        Self {
            id: format!("chatcmpl-{}", meta.decision),
            fingerprint: format!("ek-{}-{}", meta.revision, meta.path),
            meta,
            evenkeel: serde_json::from_str(meta.evenkeel).expect("the object was written here"),
        }
    }

    fn write<C: Serialize>(&self, object: &'static str, choices: Vec<C>, usage: Spent, labelled: bool) -> Vec<u8> {
        let completion = Completion {
            id: &self.id,
            object,
            created: self.meta.created,
            model: self.meta.path,
            system_fingerprint: &self.fingerprint,
            choices,
            usage,
            evenkeel: labelled.then_some(self.evenkeel),
        };
        serde_json::to_vec(&completion).expect("strings and numbers can be written into memory")
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_core::ResultCode;

    use super::*;
    use crate::protocol::openai::{
        answer::judge_chat,
        event::{Step, StreamJudge},
        peek::peek_chat,
    };

    const META: Meta<'_> = Meta {
        decision: "01KB",
        created: 7,
        path: "default",
        revision: "sha256:9b1c",
        evenkeel: r#"{"tier":3,"degraded":true}"#,
    };

    #[test]
    fn an_own_answer_is_written_as_a_model_would() {
        let golden = concat!(
            r#"{"id":"chatcmpl-01KB","object":"chat.completion","created":7,"model":"default","#,
            r#""system_fingerprint":"ek-sha256:9b1c-default","choices":[{"index":0,"message":{"role":"assistant","#,
            r#""content":"a \"b\"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"#,
            r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0},"evenkeel":{"tier":3,"degraded":true}}"#,
        );
        assert_eq!(own_chat("a \"b\"", 1, META), golden);
    }

    #[test]
    fn an_own_stream_is_role_content_finish_usage_done() {
        let chunk = |rest: &str| {
            format!(
                "data: {{\"id\":\"chatcmpl-01KB\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"default\",\"system_fingerprint\":\"ek-sha256:9b1c-default\",{rest}}}\n\n"
            )
        };
        let golden = [
            chunk(
                r#""choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null,"evenkeel":{"tier":3,"degraded":true}"#,
            ),
            chunk(r#""choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}],"usage":null"#),
            chunk(r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null"#),
            chunk(r#""choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#),
            "data: [DONE]\n\n".into(),
        ];
        assert_eq!(own_stream("hi", 1, true, META), golden);
        assert_eq!(own_stream("hi", 1, false, META).len(), 4);
    }

    #[test]
    fn own_answers_pass_our_own_judges() {
        for n in [1, 3] {
            let request = format!(r#"{{"model":"m","n":{n},"messages":[{{}}]}}"#);
            let request = peek_chat(request.as_bytes()).expect("well-formed");
            assert!(judge_chat(&own_chat("hi", n, META), &request).is_ok());
            let mut judge = StreamJudge::new(&request);
            let mut scanner = sse::Scanner::default();
            own_stream("hi", n, true, META).iter().for_each(|event| scanner.push(event));
            let mut last = None;
            while let Ok(Some(event)) = scanner.event() {
                last = Some(judge.event(&event.data).step);
            }
            assert_eq!(last, Some(Step::Complete(ResultCode::Ok)));
        }
    }
}
