//! `SAMP`: the rows from which all that is not private is computed.

use crate::{
    reference::{
        Reference, SAMPLE,
        bytes::{Reader, Writer},
        sample::{self, Sampled},
        scalar::{Held, Scalar},
    },
    row::RowId,
};

pub(super) fn write(rows: &[Sampled]) -> Vec<u8> {
    let mut out = Writer::default();
    out.count(rows.len());
    for row in rows {
        out.u64(row.id.source);
        out.u64(row.id.number);
        out.byte(u8::from(row.at.is_some()));
        row.at.iter().for_each(|it| out.u64(*it));
        for value in &row.values {
            match value {
                Held::Missing => out.byte(0),
                Held::Invalid => out.byte(1),
                Held::Number(number) => {
                    out.byte(2);
                    out.f64(*number);
                }
                Held::Category(name) => {
                    out.byte(3);
                    out.text(name);
                }
            }
        }
    }
    out.0
}

pub(super) fn read(reader: &mut Reader<'_>, scalars: &[Scalar], it: &mut Reference) -> Option<()> {
    let public: Vec<bool> = scalars.iter().filter(|it| !it.private).map(|it| it.names).collect();
    let count = reader.count(17)?;
    let rows = reader.many(count, |it| {
        let id = RowId { source: it.u64()?, number: it.u64()? };
        let at = match it.byte()? {
            0 => None,
            1 => Some(it.u64()?),
            _ => return None,
        };
        let mut names = public.iter();
        let values = it.many(public.len(), |it| match (it.byte()?, names.next()?) {
            (0, _) => Some(Held::Missing),
            (1, _) => Some(Held::Invalid),
            (2, false) => it.f64().filter(|it| it.is_finite()).map(Held::Number),
            (3, true) => it.text().map(|it| Held::Category(it.to_owned())),
            _ => None,
        })?;
        Some(Sampled { id, at, values })
    })?;
    let ascending = rows.windows(2).all(|it| sample::key(it[0].id) < sample::key(it[1].id));
    it.sample = Some(rows);
    (ascending && count <= SAMPLE).then_some(())
}
