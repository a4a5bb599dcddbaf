//! What must be known of all records of a table before the first is cleaned.

use std::sync::Arc;

use super::prepared::Prepared;
use super::source::Source;
use super::{convert, next};
use crate::base::{Error, Result};
use crate::lake::Batches;
use crate::operators::blocking::side_by_side;
use crate::rules::tables::{Repeats, Survey};

/// Takes evidence for values that can be read in several ways, and then which keys come again.
pub(super) async fn survey(
    mut prepared: Prepared,
    source: &Source<'_>,
) -> Result<(Arc<Prepared>, Option<Repeats>)> {
    if prepared.cleaning.needs_survey() {
        prepared = relying_on_records(prepared, source).await?;
    }
    let prepared = Arc::new(prepared);
    let repeats = match prepared.cleaning.has_identities() {
        true => Some(repeats(&prepared, source).await?),
        false => None,
    };
    Ok((prepared, repeats))
}

async fn relying_on_records(prepared: Prepared, source: &Source<'_>) -> Result<Prepared> {
    let names = Arc::new(prepared.cleaning.survey_columns());
    let sql = prepared.select_texts(source.table, &names);
    let parts = source.parts(&sql).await?;
    let shared = Arc::new(prepared);
    let parts = parts
        .into_iter()
        .map(|chunks| shown(Arc::clone(&shared), Arc::clone(&names), chunks));
    let mut all = shared.cleaning.nothing_shown();
    for shown in side_by_side(parts).await? {
        all.add(&shared.cleaning, &shown)?;
    }
    let mut prepared =
        Arc::into_inner(shared).ok_or_else(|| Error::new("a survey is still going on"))?;
    prepared.cleaning.rely_on(all);
    Ok(prepared)
}

/// What `chunks` show.
async fn shown(
    prepared: Arc<Prepared>,
    names: Arc<Vec<String>>,
    mut chunks: Batches,
) -> Result<Survey> {
    let mut survey = prepared.cleaning.nothing_shown();
    while let Some(chunk) = next(&mut chunks).await? {
        let frame = convert::frame(&chunk, names.iter().map(String::as_str))?;
        prepared.cleaning.survey(&frame, &mut survey)?;
    }
    Ok(survey)
}

async fn repeats(prepared: &Arc<Prepared>, source: &Source<'_>) -> Result<Repeats> {
    let names = Arc::new(prepared.cleaning.identity_columns());
    let sql = prepared.select_texts(source.table, &names);
    let records = source.warehouse.count(source.table).await?;
    let nothing = || prepared.cleaning.repeats(records);
    let parts = source.parts(&sql).await?;
    let parts = parts.into_iter().map(|chunks| {
        let (prepared, names) = (Arc::clone(prepared), Arc::clone(&names));
        noted(prepared, names, chunks, nothing())
    });
    let mut all = nothing();
    for noted in side_by_side(parts).await? {
        all.add(&noted);
    }
    Ok(all)
}

/// With the keys of `chunks`.
async fn noted(
    prepared: Arc<Prepared>,
    names: Arc<Vec<String>>,
    mut chunks: Batches,
    mut repeats: Repeats,
) -> Result<Repeats> {
    while let Some(chunk) = next(&mut chunks).await? {
        let frame = convert::frame(&chunk, names.iter().map(String::as_str))?;
        prepared.cleaning.note(&frame, &mut repeats)?;
    }
    Ok(repeats)
}
