//! `evenkeel calibrate`: learns from rows what a tier's scores would be on the primary's scale, what it is worth that it is sure, or
//! what the votes of its members are worth.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use evenkeel_config::{
    Alone, Datatype, Deployment, Kind, LearntConfidence, LearntVotes, Loaded, PathSpec, ScoreMaps, Voted, kind,
};
use evenkeel_signals::score_map::Match;
use jiff::Timestamp;

use super::{
    counted,
    over::{Made, may_write},
    serve_path::Named,
};
use crate::{
    calibrate::{asked, confidence, scores, table::Table, votes},
    output, wire,
};

/// Learns from rows what the scores of a tier would be on the scale of the first, and writes the file of `calibrate_to`.
///
/// Both are asked for each row where they are computed in this process; scores that were recorded are named by their columns. Each
/// row is judged by a map that the other four fifths of the rows have taught; the one that is written is taught by all. Exit code 1:
/// the map does no better than scores as they are, and nothing is written.
#[derive(Debug, Args)]
pub(super) struct Calibrate {
    /// The route and the tier whose scores are mapped, or whose members vote, such as `home-value/distilled`.
    #[arg(value_name = "ROUTE/TIER")]
    path: Named,
    /// A file of comma-separated values with a head; features stand under the names that the route has for them.
    rows: PathBuf,
    /// The configuration: the tier and the first of its route are read, with their files, and no secret.
    #[arg(short, long, value_name = "FILE", default_value = "evenkeel.yaml")]
    config: PathBuf,
    /// The file to write; without it nothing is written.
    #[arg(short, long, value_name = "MAP")]
    output: Option<PathBuf>,
    /// The output that is mapped; it need not be named where the route has one alone.
    #[arg(long = "of", value_name = "OUTPUT")]
    of: Option<String>,
    /// What the map keeps: means, or how often a threshold is passed.
    #[arg(long = "match", value_enum, default_value_t = Keeps::Mean)]
    keeps: Keeps,
    /// The columns of the tier's recorded scores, one for each class.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    score: Vec<String>,
    /// The columns of the primary's recorded scores.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', conflicts_with = "primary_model")]
    primary: Vec<String>,
    /// An ONNX file that stands in for a primary on a server.
    #[arg(long, value_name = "FILE")]
    primary_model: Option<PathBuf>,
    /// Thresholds at which actions are counted; by default 0.3, 0.5, 0.7 and 0.9 where scores are probabilities.
    #[arg(long, value_name = "SCORE", value_delimiter = ',')]
    threshold: Vec<f64>,
    /// When the rows were seen, for the file; by default now.
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// The column of what is true. With --answer it is learnt what it is worth that the tier is sure: with --output the file of
    /// `accept.calibration` is written, unless that says no more than how often it is right. With --member it is learnt what the
    /// votes of an ensemble's members count: with --output the file of `vote.calibration` is written, unless those votes do no better
    /// than the best member alone.
    #[arg(long, value_name = "COLUMN", requires = "said", conflicts_with_all = ["of", "score", "primary", "primary_model", "threshold"])]
    truth: Option<String>,
    /// A member of the ensemble, in the order of its `paths`: the column of its answers and, after a colon, of its confidences. An
    /// empty cell is no answer.
    #[arg(long, value_name = "ANSWER[:CONFIDENCE]", requires = "truth", group = "said")]
    member: Vec<String>,
    /// The column of the tier's answers; a row without one is left out.
    #[arg(long, value_name = "COLUMN", requires_all = ["truth", "confidence"], group = "said")]
    answer: Option<String>,
    /// The column of how sure it was, as `accept.confidence` says it; an empty cell is none that could be computed.
    #[arg(long, value_name = "COLUMN", requires = "answer")]
    confidence: Option<String>,
    /// Replaces the file of -o where one of the kind is there: a running gateway that uses it takes the new one at once.
    #[arg(long)]
    force: bool,
    /// Draws the tier's scores beside the primary's, before and after, as SVG.
    #[arg(long, value_name = "FILE", conflicts_with = "truth")]
    svg: Option<PathBuf>,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What a map keeps.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Keeps {
    Mean,
    Rate,
}

impl Calibrate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match (&self.truth, &self.answer, &self.confidence) {
            (Some(truth), Some(answer), Some(confidence)) => {
                self.confidence(confidence::Columns { truth, answer, confidence, labels: false })
            }
            (Some(truth), ..) => self.votes(truth),
            (None, ..) => self.map(),
        }
    }

    /// Learns what a confidence is worth.
    fn confidence(&self, columns: confidence::Columns<'_>) -> anyhow::Result<ExitCode> {
        let (table, sha256) = self.table(columns.truth)?;
        let Some(file) = &self.output else {
            self.known()?;
            let learnt = confidence::learn(&confidence::rows(&table, columns, |it| it)?)?;
            return self.told_of_confidence(&learnt);
        };
        let loaded = self.read();
        let Some(whole) = &loaded.deployment else { return self.unreadable(&loaded) };
        let PathSpec { accept, confidence_of, .. } = self.tier(whole)?;
        let (Some(accept), Some(of)) = (accept, confidence_of.clone()) else {
            anyhow::bail!(
                "`{}` does not say what its confidence is: write `accept: {{confidence: …, at_least: …}}`",
                self.path.tier
            )
        };
        let columns = confidence::Columns { labels: of.label.is_some(), ..columns };
        let rows = confidence::rows(&table, columns, |it| accept.confidence.as_said(it))?;
        let learnt = confidence::learn(&rows)?;
        let told = self.told_of_confidence(&learnt)?;
        if learnt.is_better() {
            let (route, as_of, n) = (self.path.route.clone(), self.as_of()?, rows.len() as u64);
            let learnt = LearntConfidence { route, of, as_of, n, rows: Some(sha256), learnt: learnt.whole };
            self.write(file, &learnt.write())?;
        }
        Ok(told)
    }

    fn told_of_confidence(&self, learnt: &confidence::Learnt) -> anyhow::Result<ExitCode> {
        match self.json {
            true => output::line(learnt.json())?,
            false => output::line(learnt.table().trim_end())?,
        }
        if !learnt.is_better() {
            output::note("its confidence says no more than how often it is right; nothing is written");
        }
        Ok(ExitCode::from(u8::from(!learnt.is_better())))
    }

    /// Learns what votes count.
    fn votes(&self, truth: &str) -> anyhow::Result<ExitCode> {
        let (table, _) = self.table(truth)?;
        let Some(file) = &self.output else {
            self.known()?;
            let learnt = votes::learn(&votes::rows(&table, truth, &self.member, None)?, &self.member)?;
            return self.told(&learnt, learnt.is_better());
        };
        let loaded = self.read();
        let Some(whole) = &loaded.deployment else { return self.unreadable(&loaded) };
        let (vote, datatype) = self.ensemble(whole)?;
        self.suits(vote)?;
        let form = votes::Form { on: &vote.on, datatype, confidence: vote.confidence.as_ref() };
        let rows = votes::rows(&table, truth, &self.member, Some(form))?;
        let learnt = votes::learn(&rows, &self.member)?;
        let better = learnt.is_calibrated_better();
        let told = self.told(&learnt, better)?;
        if better {
            let (route, of) = (self.path.route.clone(), vote.of.clone());
            let votes = LearntVotes { route, of, as_of: self.as_of()?, n: rows.len() as u64, learnt: learnt.whole };
            self.write(file, &votes.write())?;
        }
        Ok(told)
    }

    /// Writes what was learnt, not over what must not be lost.
    fn write(&self, file: &Path, text: &str) -> anyhow::Result<()> {
        let read = [&self.rows, &self.config].into_iter().chain(&self.primary_model).map(PathBuf::as_path);
        may_write(file, Made::Calibration, read, self.force)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Refuses a tier that is not there; without a configuration nobody knows.
    fn known(&self) -> anyhow::Result<()> {
        if !self.config.exists() {
            return Ok(());
        }
        let loaded = self.read();
        let unknown = loaded.diagnostics.iter().find(|it| it.code == "not-alone");
        unknown.map_or(Ok(()), |it| Err(anyhow::anyhow!("cannot learn anything of it: {}", it.message)))
    }

    /// Reads the rows whose truth is known, and returns SHA-256 of their file, too.
    fn table(&self, truth: &str) -> anyhow::Result<(Table, String)> {
        let (mut table, sha256) = Table::read_whole(&self.rows)?;
        table.leave_out_untrue(truth)?;
        Ok((table, sha256))
    }

    fn told(&self, learnt: &votes::Learnt, better: bool) -> anyhow::Result<ExitCode> {
        match self.json {
            true => output::line(learnt.json())?,
            false => output::line(learnt.table().trim_end())?,
        }
        if !better {
            output::note("the vote does no better than the best of its members alone; nothing is written");
        }
        Ok(ExitCode::from(u8::from(!better)))
    }

    /// The tier that is named.
    fn tier<'w>(&self, whole: &'w Deployment) -> anyhow::Result<&'w PathSpec> {
        let Named { route, tier } = &self.path;
        let at = whole.revision.route(route).with_context(|| format!("there is no route `{route}`"))?.index();
        let found = whole.revision.routes[at].tiers.iter().find(|it| it.name == *tier);
        let path = found.with_context(|| format!("route `{route}` has no tier `{tier}`"))?.path;
        Ok(&whole.paths[path.index()])
    }

    /// The vote of the tier that is named, and the type of the output that it is on.
    fn ensemble<'w>(&self, whole: &'w Deployment) -> anyhow::Result<(&'w kind::Ensemble, Option<Datatype>)> {
        let Kind::Ensemble(vote) = &self.tier(whole)?.kind else {
            anyhow::bail!("`{}` asks one path, and it is the votes of several that are learnt", self.path.tier)
        };
        let at = whole.revision.route(&self.path.route).map_or(0, |it| it.index());
        let output = whole.routes[at].output.as_ref();
        let tensor = |name: &String| Some(output?.tensors.iter().find(|it| it.name == *name)?.datatype);
        Ok((vote, if let Voted::Label(name) = &vote.on { tensor(name) } else { None }))
    }

    /// Says whether what is taught is what will be asked.
    fn suits(&self, vote: &kind::Ensemble) -> anyhow::Result<()> {
        let (here, given) = (vote.of.members.len(), self.member.len());
        ensure!(
            here == given,
            "`{}` has {here} members, and {given} are given: name each with --member",
            self.path.tier
        );
        ensure!(
            vote.on.is_exact(),
            "it is learnt of answers that are equal or not: vote on labels, letters, or fields without a tolerance"
        );
        let sure = self.member.iter().any(|it| it.contains(':'));
        ensure!(
            vote.confidence.is_some() || !sure,
            "there are columns of confidences, and the vote does not say what they are: write `vote.confidence`"
        );
        ensure!(
            vote.confidence.is_none() || sure,
            "`vote.confidence` asks how sure members are, and there is no column of it: write --member ANSWER:CONFIDENCE"
        );
        Ok(())
    }

    /// Reads what is learnt of, and nothing else of the configuration.
    fn read(&self) -> Loaded {
        let Named { route, tier } = self.path.clone();
        wire::read_to_learn(&self.config, &Alone { route, tier })
    }

    fn unreadable(&self, loaded: &Loaded) -> anyhow::Result<ExitCode> {
        if let Some(it) = loaded.diagnostics.iter().find(|it| it.code == "not-alone") {
            anyhow::bail!("cannot learn anything of it: {}", it.message);
        }
        loaded.diagnostics.iter().for_each(output::note);
        anyhow::bail!("cannot read {}: {}", self.config.display(), counted(loaded.errors(), "error"));
    }

    fn as_of(&self) -> anyhow::Result<u64> {
        let as_of = self.as_of.unwrap_or_else(Timestamp::now).as_second();
        u64::try_from(as_of).context("a time before 1970")
    }

    /// Learns a map of scores.
    fn map(&self) -> anyhow::Result<ExitCode> {
        let loaded = self.read();
        let Some(whole) = &loaded.deployment else { return self.unreadable(&loaded) };
        let table = Table::read(&self.rows)?;
        let (first, of) = self.names(whole)?;
        let Named { route, tier } = &self.path;
        let ours = self.scores(whole, &table, (tier, &of), (&self.score, None)).context("the tier")?;
        let model = self.primary_model.as_ref();
        let primary = self.scores(whole, &table, (&first, &of), (&self.primary, model)).context("the primary")?;
        let rows: Vec<_> = ours.into_iter().zip(primary).collect();
        let keeps = if matches!(self.keeps, Keeps::Rate) { Match::Rate } else { Match::Mean };
        let learnt = scores::learn(&rows, keeps, &self.threshold)?;
        match self.json {
            true => output::line(learnt.json())?,
            false => output::line(learnt.table().trim_end())?,
        }
        if let Some(file) = &self.svg {
            std::fs::write(file, learnt.figure().svg()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        if let Some(why) = learnt.why_not() {
            output::note(format_args!("{why}; nothing is written"));
            return Ok(ExitCode::FAILURE);
        }
        if let Some(file) = &self.output {
            let maps = ScoreMaps {
                route: route.clone(),
                tier: tier.clone(),
                to: first,
                keeps,
                as_of: self.as_of()?,
                outputs: vec![(of, learnt.mapped)],
            };
            self.write(file, &maps.write())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The first tier of the route, and the output that is mapped.
    fn names(&self, whole: &Deployment) -> anyhow::Result<(String, String)> {
        let Named { route, tier } = &self.path;
        let at = whole.revision.route(route).with_context(|| format!("there is no route `{route}`"))?.index();
        let tiers: Vec<_> = whole.revision.routes[at].tiers.iter().map(|it| it.name.as_str()).collect();
        ensure!(tiers.contains(&tier.as_str()), "route `{route}` has no tier `{tier}`; it has: {}", tiers.join(", "));
        ensure!(tiers[0] != tier, "`{tier}` is the first tier, whose scale is the one that counts");
        let outputs = whole.routes[at].output.as_ref().map(|it| &it.tensors[..]).unwrap_or_default();
        let of = match (&self.of, outputs) {
            (Some(of), _) => of.clone(),
            (None, [one]) => one.name.clone(),
            _ => anyhow::bail!("route `{route}` has several outputs, or declares none: name one with --of"),
        };
        Ok((tiers[0].to_owned(), of))
    }

    /// The scores of one tier: of columns, or computed.
    fn scores(
        &self,
        whole: &Deployment,
        table: &Table,
        (tier, of): (&str, &str),
        (columns, model): (&[String], Option<&PathBuf>),
    ) -> anyhow::Result<Vec<Vec<f64>>> {
        if columns.is_empty() {
            let alone = asked::alone(whole, (&self.path.route, tier), model.map(PathBuf::as_path));
            let alone = alone.context("its scores can be given as columns (--score, --primary)")?;
            return super::runtime()?.block_on(asked::ask(alone, table, of));
        }
        let columns: Vec<Vec<f64>> = columns.iter().map(|it| table.numbers(it)).collect::<Result<_, _>>()?;
        Ok((0..table.len()).map(|row| columns.iter().map(|it| it[row]).collect()).collect())
    }
}

#[cfg(test)]
mod tests;
