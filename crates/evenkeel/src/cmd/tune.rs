//! `evenkeel tune`: the threshold at which a route's cheaper models may answer, with a promise of how much that may cost in right
//! answers.

use std::{path::PathBuf, process::ExitCode, str::FromStr};

use anyhow::{Context, ensure};
use clap::Args;
use evenkeel_config::{Certified, CertifiedTier, Deployment, PathSpec};
use evenkeel_signals::certify::{Answers, AtLeast, Terms, Tuned, digest, order, tune};
use jiff::Timestamp;

use super::{
    counted,
    over::{Made, may_write},
};
use crate::{
    calibrate::{confidence, table::Table, thresholds::Found},
    output,
    profile::hex,
    wire,
};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Finds the lowest `at_least` at which answers of a route are, but for a small chance, at most so much more often wrong than those of
/// its last model, and writes that down as a certificate.
///
/// Its models, from the first that is asked to the last, have answered each row; all but the last have an `accept.calibration`, which
/// other rows have taught. In which order rows stand in the file does not matter. Nothing is applied: the threshold and the certificate
/// are yours to write into the configuration. Exit code 1: no threshold keeps the promise on so many rows, or none that spares the last
/// model a row, and nothing is written.
#[derive(Debug, Args)]
pub(super) struct Tune {
    /// The route.
    route: String,
    /// A file of comma-separated values with a head.
    rows: PathBuf,
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "evenkeel.yaml")]
    config: PathBuf,
    /// The certificate to write; without it nothing is written.
    #[arg(short, long, value_name = "CERTIFICATE")]
    output: Option<PathBuf>,
    /// The column of what is true.
    #[arg(long, value_name = "COLUMN")]
    truth: String,
    /// A model, from the first tier of the route downwards: the column of its answers and, after a colon, of how sure it was. The
    /// last is the one against which loss is counted.
    #[arg(long, value_name = "TIER=ANSWER[:CONFIDENCE]", required = true)]
    tier: Vec<Named>,
    /// What one call of a model costs, in a unit that they share; by default each costs 1.
    #[arg(long, value_name = "TIER=NUMBER")]
    cost: Vec<Priced>,
    /// How much more often answers may be wrong.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    epsilon: f64,
    /// The chance that the promise is wrong.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    delta: f64,
    /// How often this route has been tuned, this time included: each time has a smaller part of the chance.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    tuning: u32,
    /// For how many days the certificate is valid.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=366))]
    valid_for: u64,
    /// When it is issued; by default now.
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// Replaces the file of -o where one of the kind is there: a running gateway that uses it takes the new one at once.
    #[arg(long)]
    force: bool,
    /// Draws what thresholds cost and how often they are right, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// A tier with its columns.
#[derive(Clone, Debug)]
struct Named {
    tier: String,
    answer: String,
    confidence: Option<String>,
}

impl FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (tier, columns) = text.split_once('=').ok_or("write it as TIER=ANSWER, or TIER=ANSWER:CONFIDENCE")?;
        let (answer, confidence) = columns.split_once(':').map_or((columns, None), |(a, b)| (a, Some(b.to_owned())));
        Ok(Self { tier: tier.into(), answer: answer.into(), confidence })
    }
}

/// What a call of a tier costs.
#[derive(Clone, Debug)]
struct Priced {
    tier: String,
    cost: f64,
}

impl FromStr for Priced {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let how = "write it as TIER=NUMBER, 0 or more";
        let (tier, cost) = text.split_once('=').ok_or(how)?;
        let cost = cost.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0).ok_or(how)?;
        Ok(Self { tier: tier.into(), cost })
    }
}

impl Tune {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let terms = Terms::new(self.epsilon, self.delta, self.tuning);
        let terms = terms.context("`--epsilon` and `--delta` are between 0 and 1, and `--tuning` is 1 or more")?;
        let loaded = wire::read(&self.config);
        let Some(whole) = &loaded.deployment else {
            loaded.diagnostics.iter().for_each(output::note);
            anyhow::bail!("cannot read {}: {}", self.config.display(), counted(loaded.errors(), "error"));
        };
        let models = self.models(whole)?;
        let (mut table, sha256) = Table::read_whole(&self.rows)?;
        self.taught_by_others(&models, &sha256)?;
        table.leave_out_untrue(&self.truth)?;
        let (rows, of_rows) = self.drawn(&table, &models)?;
        let costs = self.costs()?;
        let found = Found(tune(&rows, &costs, terms)?);
        let last = self.tier.last().map_or("", |it| it.tier.as_str());
        for doubt in found.few().into_iter().chain(found.dearer(last)) {
            output::note(format_args!("warning: {doubt}"));
        }
        match self.json {
            true => output::line(found.json())?,
            false => output::line(found.table(last).trim_end())?,
        }
        if let Some(file) = &self.svg {
            let drawn = found.figure(&self.route, last).svg();
            std::fs::write(file, drawn).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let Some(certified) = self.certified(&found.0, &models, of_rows)? else {
            output::note(format_args!("{}: nothing is written", found.refused().unwrap_or("nothing is promised")));
            return Ok(ExitCode::FAILURE);
        };
        if let Some(file) = &self.output {
            may_write(file, Made::Certificate, [self.rows.as_path(), self.config.as_path()], self.force)?;
            let certified = Certified { reference: self.reference(whole), ..certified };
            std::fs::write(file, certified.write()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The models that are named, as the configuration has them.
    fn models<'w>(&self, whole: &'w Deployment) -> anyhow::Result<Vec<&'w PathSpec>> {
        let route = &self.route;
        let at = whole.revision.route(route).with_context(|| format!("there is no route `{route}`"))?.index();
        let tiers = &whole.revision.routes[at].tiers;
        let known: Vec<_> = tiers.iter().map(|it| it.name.as_str()).collect();
        let named: Vec<_> = self.tier.iter().map(|it| it.tier.as_str()).collect();
        ensure!(
            named.len() > 1 && known.starts_with(&named),
            "name two tiers or more with --tier, from the first downwards and none left out; route `{route}` has: {}",
            known.join(", ")
        );
        let models: Vec<_> = tiers[..named.len()].iter().map(|it| &whole.paths[it.path.index()]).collect();
        for (it, model) in self.tier.iter().zip(&models[..models.len() - 1]) {
            let learnt = model.accept.as_ref().is_some_and(|it| it.worth.is_some());
            ensure!(
                learnt,
                "nobody knows what the confidence of `{}` is worth: learn it from other rows with `evenkeel calibrate {route}/{} …`, and \
                 name the file as `accept.calibration`",
                it.tier,
                it.tier
            );
            ensure!(
                it.confidence.is_some(),
                "how sure `{}` was is not named: write --tier TIER=ANSWER:CONFIDENCE",
                it.tier
            );
        }
        Ok(models)
    }

    /// Returns the digest of the route's reference, where it has one.
    fn reference(&self, whole: &Deployment) -> Option<String> {
        let at = whole.revision.route(&self.route)?.index();
        let against = whole.routes[at].guarding.as_ref()?.reference.as_ref()?;
        Some(hex(&against.0.digest()))
    }

    /// Refuses rows that have taught a calibration: on them a model looks better than it is.
    fn taught_by_others(&self, models: &[&PathSpec], sha256: &str) -> anyhow::Result<()> {
        for (it, model) in self.tier.iter().zip(&models[..models.len() - 1]) {
            let by = model.accept.as_ref().and_then(|it| it.worth.as_ref()).map(|it| it.learnt.rows.as_deref());
            ensure!(
                by != Some(Some(sha256)),
                "the calibration of `{}` was learnt from these very rows, on which it looks better than it is: give rows of another \
                 file",
                it.tier
            );
            if by == Some(None) {
                output::note(format_args!(
                    "warning: the calibration of `{}` does not say which rows have taught it: if it was these, the promise is worth \
                     nothing; learn it anew to be sure",
                    it.tier
                ));
            }
        }
        Ok(())
    }

    /// Reads the rows that every model has answered, in an order that is drawn by what stands in them; and returns the digest of them, which
    /// does not depend on any order either.
    fn drawn(&self, table: &Table, models: &[&PathSpec]) -> anyhow::Result<(Vec<Answers>, String)> {
        let (mut rows, bytes) = (self.answers(table, models)?, table.bytes());
        let mut take = |at: usize| std::mem::replace(&mut rows[at], Answers { answers: Vec::new() });
        let drawn = order(&bytes).into_iter().map(&mut take).collect();
        Ok((drawn, hex(&digest(&bytes))))
    }

    /// Reads the rows that every model has answered, as they stand in the file.
    fn answers(&self, table: &Table, models: &[&PathSpec]) -> anyhow::Result<Vec<Answers>> {
        let mut rows: Vec<Answers> = (0..table.len()).map(|_| Answers { answers: Vec::new() }).collect();
        let truths = table.column(&self.truth)?;
        for (it, model) in self.tier.iter().zip(models) {
            let answers = table.column(&it.answer)?;
            let confidences = it.confidence.as_ref().map(|it| table.column(it)).transpose()?;
            for (at, row) in rows.iter_mut().enumerate() {
                let answer = answers[at].trim();
                let cell = confidences.as_ref().zip(it.confidence.as_ref()).filter(|_| !answer.is_empty());
                let said = cell.map(|(cells, name)| table.sure(at, name, cells[at])).transpose()?.flatten();
                let likely = |said: f64| {
                    let accept = model.accept.as_ref()?;
                    let label = accept.label.as_ref().map(|_| answer);
                    Some(accept.worth.as_ref()?.learnt.right(label, accept.confidence.as_said(said)))
                };
                row.answers.push((said.and_then(likely), confidence::same(truths[at].trim(), answer)));
            }
        }
        Ok(rows)
    }

    fn costs(&self) -> anyhow::Result<Vec<f64>> {
        for it in &self.cost {
            let known = self.tier.iter().any(|named| named.tier == it.tier);
            ensure!(known, "`--cost` names `{}`, which no --tier does", it.tier);
        }
        let cost = |of: &Named| self.cost.iter().find(|it| it.tier == of.tier).map_or(1.0, |it| it.cost);
        Ok(self.tier.iter().map(cost).collect())
    }

    /// Writes down what is promised, where something is.
    fn certified(&self, tuned: &Tuned, models: &[&PathSpec], rows: String) -> anyhow::Result<Option<Certified>> {
        let Some(taken) = tuned.taken() else { return Ok(None) };
        let tier = |(it, model): (&Named, &&PathSpec)| CertifiedTier {
            name: it.tier.clone(),
            model: model.model.clone(),
            calibration: model.accept.as_ref().and_then(|it| it.worth.as_ref()).map(|it| hex(&it.sha256)),
        };
        let mut tiers: Vec<_> = self.tier.iter().zip(models).map(tier).collect();
        // What the last one is sure of plays no part.
        tiers.iter_mut().next_back().into_iter().for_each(|it| it.calibration = None);
        let at_least = |it: &AtLeast| f64::from(it.at_least) / 1e3;
        let safer = tuned.curve.iter().map(at_least).take_while(|it| *it > at_least(taken));
        let as_of = self.as_of.unwrap_or_else(Timestamp::now).as_second();
        Ok(Some(Certified {
            epsilon: self.epsilon,
            delta: self.delta,
            tuning: self.tuning,
            rows,
            n: tuned.n as u64,
            passed_at: taken.passed.unwrap_or(0),
            extra_loss: taken.extra,
            cost: taken.cost,
            at: u64::try_from(as_of).context("a time before 1970")?,
            valid_for: self.valid_for.saturating_mul(DAY),
            ladder: safer.collect(),
            ..Certified::new(self.route.clone(), tiers, at_least(taken))
        }))
    }
}

#[cfg(test)]
mod tests;
