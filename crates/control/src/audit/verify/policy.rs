//! Policy: whose cosignatures make a checkpoint good enough (C2SP `tlog-policy`).

use std::collections::BTreeMap;

use super::note::{Checkpoint, NotAKey, Signed, Vkey};

/// Which logs are known, and which witnesses have to have seen a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The logs; none where any log is taken.
    pub logs: Vec<Vkey>,
    witnesses: Vec<Vkey>,
    /// By name.
    members: BTreeMap<String, Member>,
    /// The name of who has to have witnessed it; none where nobody has to.
    quorum: Option<String>,
}

#[derive(Clone, Debug)]
enum Member {
    /// By its place among the witnesses.
    Witness(usize),
    Group {
        needed: usize,
        of: Vec<String>,
    },
}

/// What is wrong with a policy, and where.
#[derive(Debug, thiserror::Error)]
#[error("read the policy: line {line}: {why}")]
pub struct PolicyError {
    line: usize,
    why: String,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        let (mut policy, mut quorums) = (Self::default(), 0);
        let mut line = 0;
        for written in text.split('\n') {
            line += 1;
            let words: Vec<_> = written.split([' ', '\t']).filter(|it| !it.is_empty()).collect();
            let taken = match words.as_slice() {
                [] => Ok(()),
                [comment, ..] if comment.starts_with('#') => Ok(()),
                ["log", key] | ["log", key, _] => policy.log(key),
                ["witness", name, key] | ["witness", name, key, _] => policy.witness(name, key),
                ["group", name, needed, of @ ..] => policy.group(name, needed, of),
                ["quorum", name] => {
                    quorums += 1;
                    policy.rule(name, quorums)
                }
                [word, ..] => {
                    Err(format!("`{word}` with {} words is none of log, witness, group, quorum", words.len()))
                }
            };
            taken.map_err(|why| PolicyError { line, why })?;
        }
        match quorums {
            1 => Ok(policy),
            _ => Err(PolicyError { line, why: "there is no line `quorum`; `quorum none` asks for no witness".into() }),
        }
    }

    fn log(&mut self, key: &str) -> Result<(), String> {
        let key = key_of(key)?;
        if !key.is_of_a_log() || self.logs.iter().any(|it| it.public == key.public) {
            return Err("this key is no log's, or stands there twice".into());
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), String> {
        let key = key_of(key)?;
        if !key.is_of_a_witness() || self.witnesses.iter().any(|it| it.public == key.public) {
            return Err("this key is no witness's, or stands there twice".into());
        }
        self.witnesses.push(key);
        self.define(name, Member::Witness(self.witnesses.len() - 1))
    }

    fn group(&mut self, name: &str, needed: &str, of: &[&str]) -> Result<(), String> {
        let needed = match needed {
            "all" => of.len(),
            "any" => 1,
            number => number.parse().map_err(|_| format!("`{number}` is none of all, any and a number"))?,
        };
        if !(1..=of.len()).contains(&needed) {
            return Err(format!("{needed} of {} members cannot be asked for", of.len()));
        }
        for (at, member) in of.iter().enumerate() {
            let elsewhere = self.members.values().any(|it| match it {
                Member::Group { of, .. } => of.iter().any(|it| it == member),
                Member::Witness(_) => false,
            });
            if !self.members.contains_key(*member) || elsewhere || of[..at].contains(member) {
                return Err(format!("`{member}` is not defined above, or is a member already"));
            }
        }
        self.define(name, Member::Group { needed, of: of.iter().map(|it| (*it).to_owned()).collect() })
    }

    fn rule(&mut self, name: &str, quorums: usize) -> Result<(), String> {
        if quorums > 1 {
            return Err("there is a line `quorum` above".into());
        }
        if name == "none" {
            return Ok(());
        }
        if !self.members.contains_key(name) {
            return Err(format!("`{name}` is not defined above"));
        }
        self.quorum = Some(name.into());
        Ok(())
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), String> {
        match name == "none" || self.members.insert(name.into(), member).is_some() {
            true => Err(format!("`{name}` is taken")),
            false => Ok(()),
        }
    }

    /// Says how many of its witnesses have cosigned a checkpoint, of how many, and whether that is enough. A cosignature that is wrong is
    /// none.
    pub(super) fn judge(&self, checkpoint: &Checkpoint) -> (usize, usize, bool) {
        let signed: Vec<_> = self.witnesses.iter().map(|it| checkpoint.signed_by(it) == Signed::Yes).collect();
        let enough = self.quorum.as_ref().is_none_or(|name| self.witnessed(name, &signed));
        (signed.iter().filter(|it| **it).count(), signed.len(), enough)
    }

    fn witnessed(&self, name: &str, signed: &[bool]) -> bool {
        match &self.members[name] {
            Member::Witness(at) => signed[*at],
            Member::Group { needed, of } => of.iter().filter(|it| self.witnessed(it, signed)).count() >= *needed,
        }
    }
}

fn key_of(key: &str) -> Result<Vkey, String> {
    Vkey::read(key).map_err(|error: NotAKey| error.to_string())
}
