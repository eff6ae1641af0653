//! Scene: what is done to a server, and what the record says of whoever asks it meanwhile.
//!
//! The table of `docs/interop.md` is written from what the test holds the servers against.

use std::fmt::Write as _;

use super::garbage::Garbage;

/// A route before a server: what the name of its upstream ends with, whether it speaks gRPC, and whether the proxy is between.
pub(super) type Way = (&'static str, bool, bool);

pub(super) const WAYS: [Way; 4] =
    [("rest", false, false), ("grpc", true, false), ("rest-spoiled", false, true), ("grpc-spoiled", true, true)];

/// What is done to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scene {
    /// Nothing is wrong.
    Well,
    /// The proxies spoil answers.
    Spoiled(Garbage),
    /// SIGSTOP.
    Stopped,
    /// SIGKILL.
    Killed,
    /// It is on its way back: anything may be seen but a failure.
    Mending,
}

impl Scene {
    /// Those in which something is broken.
    pub(super) const BROKEN: [Self; 7] = [
        Self::Killed,
        Self::Stopped,
        Self::Spoiled(Garbage::Noise),
        Self::Spoiled(Garbage::Cut),
        Self::Spoiled(Garbage::Scrambled),
        Self::Spoiled(Garbage::Half),
        Self::Spoiled(Garbage::Page),
    ];

    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase().replace(['(', ')'], " ").trim_end().to_owned()
    }

    /// The results that attempts at tier 0 may bear over a way, in the words of the record. The first is seen whenever the way is
    /// broken; the others are those of requests that share a connection with such a one, or were under way.
    pub(super) fn results(self, (_, is_grpc, is_spoiled): Way) -> &'static [&'static str] {
        match (self, is_grpc) {
            // A kept connection that the server has closed meanwhile is asked again on a fresh one, and costs nothing.
            (Self::Well, _) => &["ok", "target.unsent"],
            (Self::Spoiled(_), _) if !is_spoiled => &["ok", "target.unsent"],
            (Self::Spoiled(Garbage::Noise), false) => &["target.protocol_error"],
            (Self::Spoiled(Garbage::Noise), true) => &["target.protocol_error", "target.unsent"],
            (Self::Spoiled(Garbage::Cut), false) => &["target.truncated"],
            (Self::Spoiled(Garbage::Cut), true) => &["target.truncated", "target.reset", "target.unsent"],
            // The first byte before a message of gRPC says whether it is compressed, and nothing else.
            (Self::Spoiled(Garbage::Scrambled), true) => &["target.protocol_error"],
            (Self::Spoiled(Garbage::Scrambled | Garbage::Half), _) => &["target.decode_failed"],
            (Self::Spoiled(Garbage::Page), false) => &["target.wrong_content_type"],
            (Self::Spoiled(Garbage::Page), true) => &["target.wrong_content_type", "target.reset", "target.unsent"],
            (Self::Stopped, _) => &["target.total_timeout"],
            // The proxy takes a connection before it finds nobody to pass it on to.
            (Self::Killed, _) if is_spoiled => &["target.reset", "target.unsent"],
            (Self::Killed, _) => &["target.connect_failed", "target.reset", "target.unsent"],
            (Self::Mending, _) => &[],
        }
    }

    /// Says whether tier 0 answers over a way.
    pub(super) fn is_answered(self, way: Way) -> bool {
        self.results(way).contains(&"ok")
    }

    /// What is done, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Well => "nothing",
            Self::Spoiled(Garbage::Noise) => "answers with bytes that are no protocol",
            Self::Spoiled(Garbage::Cut) => "answers are cut in the middle",
            Self::Spoiled(Garbage::Scrambled) => "the head is right, the body is scrambled",
            Self::Spoiled(Garbage::Half) => "200 with half a document, half a message",
            Self::Spoiled(Garbage::Page) => "200 with a page of HTML",
            Self::Stopped => "SIGSTOP, for two clocks of the tier",
            Self::Killed => "SIGKILL, and a start on the same ports",
            Self::Mending => "it is mended",
        }
    }
}

/// Writes the section of the page.
pub(super) fn section() -> String {
    let mut text = HEAD.to_owned();
    for scene in Scene::BROKEN {
        let [rest, grpc] = [false, true].map(|is_grpc| {
            let way = ("", is_grpc, matches!(scene, Scene::Spoiled(_)));
            scene.results(way).iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
        });
        writeln!(text, "| {} | {rest} | {grpc} |", scene.words()).expect("a String takes all");
    }
    text
}

const HEAD: &str = "\n## Broken under load\n\n\
Each of the three servers is killed, stopped, and made to answer garbage by a proxy in between, while clients of REST and of gRPC ask all the\n\
time; one in five of them asks wrongly. What a test holds: every request that is right is answered by tier 0 or by a tier below, none\n\
fails; every wrong one is answered with 400, or INVALID_ARGUMENT, at any moment; routes whose upstream is not touched stay with tier 0 and\n\
their breakers closed; and the first tier of each route is back once its server is. Two of the wrong ones, seven\n\
columns in place of eight and text in place of numbers, are errors of the server (500, INTERNAL) to MLServer or to kserve. Of the attempts at\n\
the broken server the records say the first of these, and of those that shared its connection, or were under way, the others:\n\n\
| what is done | `oip` | `oip-grpc` |\n|---|---|---|\n";
