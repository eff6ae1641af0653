//! What stands at which address of the data plane.

/// An address that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Chat,
    Embeddings,
    Models,
    Model(String),
    Decision(String),
    Status,
    RouteState(String),
    /// Part of the API, and not offered here.
    NotOffered,
    Unknown,
}

/// What else the OpenAI API has, as its paths begin.
const NOT_OFFERED: [&str; 9] = [
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
    /// Reads a path. A slash at its end is accepted, never redirected: clients that post would lose their body.
    pub(super) fn of(path: &str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        match path {
            "/v1/chat/completions" => return Self::Chat,
            "/v1/embeddings" => return Self::Embeddings,
            "/v1/models" => return Self::Models,
            "/v1/status" => return Self::Status,
            _ => {}
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
    fn addresses_are_read_with_or_without_a_slash_and_names_whole() {
        let table = [
            ("/v1/chat/completions", Address::Chat),
            ("/v1/chat/completions/", Address::Chat),
            ("/v1/models", Address::Models),
            ("/v1/models/team/chat", Address::Model("team/chat".into())),
            ("/v1/models/team%2Fchat", Address::Model("team/chat".into())),
            ("/v1/models/%zz", Address::Unknown),
            ("/v1/routes/chat/state", Address::RouteState("chat".into())),
            ("/v1/decisions/01ABC", Address::Decision("01ABC".into())),
            ("/v1/chat", Address::Unknown),
            ("/metrics", Address::Unknown),
            ("/v1/responses", Address::NotOffered),
        ];
        for (path, expected) in table {
            assert_eq!(Address::of(path), expected, "{path}");
        }
    }
}
