//! What stands at which address of the data plane.

use super::inference::Look;
use crate::protocol::front::Front;

/// An address that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Chat,
    Embeddings,
    Models,
    Model(String),
    Decision(String),
    Status,
    /// What became of earlier answers.
    Feedback,
    RouteState(String),
    /// An inference.
    Infer(Model),
    /// What the Open Inference Protocol has to look at.
    Oip(Look),
    /// Part of the API, and not offered here.
    NotOffered,
    Unknown,
}

/// A model of the Open Inference Protocol: here, a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) version: Option<String>,
}

/// What else the two APIs have, as their paths begin.
const NOT_OFFERED: [&str; 11] = [
    "/v2/systemsharedmemory/",
    "/v2/cudasharedmemory/",
    "/v1/completions",
    "/v1/responses",
    "/v1/images/",
    "/v1/audio/",
    "/v1/moderations",
    "/v1/files",
    "/v1/batches",
    "/v1/fine_tuning/",
    "/v1/assistants",
];

impl Address {
    /// Returns the verbs that an address takes, as `Allow` lists them.
    pub(super) fn verbs(&self) -> &'static str {
        match self {
            Self::Chat | Self::Embeddings | Self::Infer(_) | Self::Feedback => "POST",
            _ => "GET, HEAD",
        }
    }

    /// Reads a path. A slash at its end is accepted, never redirected: clients that post would lose their body.
    pub(super) fn of(path: &str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        match path {
            "/v1/chat/completions" => return Self::Chat,
            "/v1/embeddings" => return Self::Embeddings,
            "/v1/models" => return Self::Models,
            "/v1/status" => return Self::Status,
            "/v1/feedback" => return Self::Feedback,
            "/v2" => return Self::Oip(Look::Server),
            "/v2/health/live" => return Self::Oip(Look::Live),
            "/v2/health/ready" => return Self::Oip(Look::Ready),
            "/v2/models" => return Self::Oip(Look::Models),
            _ => {}
        }
        if let Some(rest) = path.strip_prefix("/v2/models/") {
            return Self::of_model(rest).unwrap_or(Self::Unknown);
        }
        let state = path.strip_prefix("/v1/routes/").and_then(|rest| rest.strip_suffix("/state"));
        let named = [
            (path.strip_prefix("/v1/models/"), Self::Model as fn(String) -> Self),
            (path.strip_prefix("/v1/decisions/"), Self::Decision),
            (state, Self::RouteState),
        ];
        let found = named.into_iter().find_map(|(name, make)| Some(make(decode(name?)?)));
        let offered = !NOT_OFFERED.iter().any(|begin| path.starts_with(begin));
        found.unwrap_or(if offered { Self::Unknown } else { Self::NotOffered })
    }
}

impl Address {
    /// Returns what somebody speaks who asks for a path.
    pub(super) fn front(path: &str) -> Front {
        if path == "/v2" || path.starts_with("/v2/") { Front::Oip } else { Front::Openai }
    }

    /// Reads what follows `/v2/models/`: a name, perhaps a version, perhaps what is to be done.
    fn of_model(rest: &str) -> Option<Self> {
        let (model, verb) = match rest.rsplit_once('/') {
            Some((model, verb @ ("infer" | "ready" | "generate" | "generate_stream" | "config" | "stats"))) => {
                (model, verb)
            }
            _ => (rest, ""),
        };
        let (name, version) = match model.rsplit_once("/versions/") {
            Some((name, version)) => (name, Some(decode(version)?)),
            None => (model, None),
        };
        let model = Model { name: decode(name)?, version };
        Some(match verb {
            "" => Self::Oip(Look::Model(model)),
            "infer" => Self::Infer(model),
            "ready" => Self::Oip(Look::ModelReady(model)),
            "generate" | "generate_stream" => Self::NotOffered,
            // To operate a server is not the data plane's business.
            _ => Self::Unknown,
        })
    }
}

/// Decodes `%2F` and the like; none where that is not text.
fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, more)) = rest.split_first() {
        if byte == b'%' {
            let hex = std::str::from_utf8(more.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &more[2..];
        } else {
            bytes.push(byte);
            rest = more;
        }
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oip_17_oip_19_oip_21_addresses_are_read_with_or_without_a_slash_and_names_whole() {
        let model =
            |name: &str, version: Option<&str>| Model { name: name.into(), version: version.map(str::to_owned) };
        let table = [
            ("/v1/chat/completions", Address::Chat),
            ("/v1/chat/completions/", Address::Chat),
            ("/v1/models", Address::Models),
            ("/v1/models/team/chat", Address::Model("team/chat".into())),
            ("/v1/models/team%2Fchat", Address::Model("team/chat".into())),
            ("/v1/models/%zz", Address::Unknown),
            ("/v1/feedback/", Address::Feedback),
            ("/v1/routes/chat/state", Address::RouteState("chat".into())),
            ("/v1/decisions/01ABC", Address::Decision("01ABC".into())),
            ("/v1/chat", Address::Unknown),
            ("/metrics", Address::Unknown),
            ("/v1/responses", Address::NotOffered),
            ("/v2/", Address::Oip(Look::Server)),
            ("/v2/health/ready/", Address::Oip(Look::Ready)),
            ("/v2/models/", Address::Oip(Look::Models)),
            ("/v2/models/fraud", Address::Oip(Look::Model(model("fraud", None)))),
            ("/v2/models/ready", Address::Oip(Look::Model(model("ready", None)))),
            ("/v2/models/team%2Ffraud/infer/", Address::Infer(model("team/fraud", None))),
            ("/v2/models/team/fraud/versions/7/infer", Address::Infer(model("team/fraud", Some("7")))),
            ("/v2/models/fraud/versions//infer", Address::Unknown),
            ("/v2/models/fraud/versions/1/ready", Address::Oip(Look::ModelReady(model("fraud", Some("1"))))),
            ("/v2/models/fraud/versions/1", Address::Oip(Look::Model(model("fraud", Some("1"))))),
            ("/v2/models/fraud/generate_stream", Address::NotOffered),
            ("/v2/models/fraud/config", Address::Unknown),
            ("/v2/systemsharedmemory/status", Address::NotOffered),
            ("/v2/repository/index", Address::Unknown),
            ("/v2x", Address::Unknown),
        ];
        for (path, expected) in table {
            assert_eq!(Address::of(path), expected, "{path}");
        }
    }
}
