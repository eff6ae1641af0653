//! Post-processing: steps that were checked, ready to be done.

use std::sync::Arc;

use crate::{
    outside::Outside,
    post::{Clamp, Does, Labels, Length, Part, Pattern, Post, Round, Schema, Step, Work, pattern_of},
    schema::post::{self as schema, OnError, Personal, Unwanted},
};

/// Makes the steps of a route.
pub(super) fn post(steps: &[schema::Step], outside: &Outside) -> Arc<Post> {
    Arc::new(Post::new(steps.iter().map(|it| step(it, outside)).collect()))
}

/// Writes in one way what can be written in several.
pub(super) fn write_out(step: &mut schema::Step) {
    if let Some(it) = &mut step.redact {
        it.patterns = sorted(&it.patterns);
    }
    if let Some(it) = &mut step.strip {
        it.what = sorted(&it.what);
    }
}

fn step(it: &schema::Step, outside: &Outside) -> Step {
    let (name, output) = it.given().pop().expect("checked: there is one");
    Step { name, output: output.map(str::to_owned), work: work(name, it, outside) }
}

fn work(name: &str, it: &schema::Step, outside: &Outside) -> Work {
    let or_passes =
        |does, on_error| Work::Text(vec![Part { name: name.into(), does, passes: on_error == OnError::Pass }]);
    let one = |does| or_passes(does, OnError::NextTier);
    match it {
        schema::Step { clamp: Some(it), .. } => Work::Clamp(Clamp { min: it.min, max: it.max }),
        schema::Step { round: Some(it), .. } => Work::Round(Round { places: it.places }),
        schema::Step { allow: Some(it), .. } => {
            or_passes(Does::Allow(Labels::new(&it.labels, it.otherwise.clone())), it.on_error)
        }
        schema::Step { redact: Some(it), .. } => Work::Text(redact(it)),
        schema::Step { strip: Some(it), .. } => Work::Text(it.what.iter().copied().map(strip).collect()),
        schema::Step { max_length: Some(it), .. } => {
            one(Does::Length(Length { most: it.characters as usize, mark: it.mark.clone() }))
        }
        schema::Step { json: Some(it), .. } => {
            let read = Schema::read(outside.schema(&it.schema), it.repair);
            or_passes(Does::Json(Arc::new(read.expect("checked: it is a schema"))), it.on_error)
        }
        schema::Step { .. } => Work::Text(Vec::new()),
    }
}

fn redact(it: &schema::Redact) -> Vec<Part> {
    let built_in = |kind: Personal| Part {
        name: kind.name().into(),
        does: Does::Pattern(Arc::new(pattern_of(kind).expect("it is one"))),
        passes: false,
    };
    let own = it.own.iter().map(|(name, source)| Part {
        name: name.clone(),
        does: Does::Pattern(Arc::new(Pattern::own(name, source).expect("checked: it is one"))),
        passes: false,
    });
    // Those with check digits come first: a telephone number may look like the end of an account's.
    it.patterns.iter().copied().map(built_in).chain(own).collect()
}

fn strip(what: Unwanted) -> Part {
    let (name, does) = match what {
        Unwanted::Control => ("control", Does::Control),
        Unwanted::Markup => ("markup", Does::Markup),
    };
    Part { name: name.into(), does, passes: false }
}

/// Returns each once, in the order in which they are done.
fn sorted<T: Copy + Ord>(them: &[T]) -> Vec<T> {
    let mut them = them.to_vec();
    them.sort_unstable();
    them.dedup();
    them
}
