//! All: every document of a folder, once, for whoever keeps them elsewhere than in an index.

use std::{collections::BTreeMap, ops::ControlFlow};

use super::{Folder, Left, Why};
use crate::{build::Progress, document::Document};

impl Folder {
    /// Hands out each document, in the order of the files, until `each` wants no more; returns what is none, and why. Of documents
    /// with the same id it is the first that is handed out.
    pub fn documents(
        &self,
        mut tell: impl FnMut(Progress),
        mut each: impl FnMut(Document) -> ControlFlow<()>,
    ) -> Vec<Left> {
        let (files, mut left) = self.list();
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut go_on = ControlFlow::Continue(());
        for (at, file) in files.iter().enumerate() {
            tell(Progress { read: at, of: files.len() });
            file.read(|place, read| {
                let once = read.and_then(|document| match seen.get(&document.id) {
                    Some(other) => Err(Why::Twice { id: document.id, other: other.clone() }),
                    None => Ok(document),
                });
                match once {
                    Ok(document) if go_on.is_continue() => {
                        seen.insert(document.id.clone(), place.into());
                        go_on = each(document);
                    }
                    Ok(_) => {}
                    Err(why) => left.push(Left { place: place.into(), why }),
                }
            });
            if go_on.is_break() {
                return left;
            }
        }
        tell(Progress { read: files.len(), of: files.len() });
        left
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::language::Language;

    #[test]
    fn each_document_comes_once_until_no_more_are_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        let line = |id: &str| format!(r#"{{"id":"{id}","body":"text","verified_at":"2020-01-01"}}"#);
        fs::write(folder.path().join("a.jsonl"), [line("x"), line("y"), line("x")].join("\n")).expect("written");
        fs::write(folder.path().join("b.md"), "no date").expect("written");
        let from = Folder { path: folder.path().into(), language: Language::of("en") };
        let (mut ids, mut told) = (Vec::new(), 0);
        let left = from.documents(
            |_| told += 1,
            |document| {
                ids.push(document.id);
                ControlFlow::Continue(())
            },
        );
        assert_eq!((ids, told), (vec!["x".to_owned(), "y".to_owned()], 3));
        assert_eq!(left.iter().map(|it| it.place.as_str()).collect::<Vec<_>>(), ["a.jsonl:3", "b.md"]);
        let mut taken = 0;
        from.documents(
            |_| {},
            |_| {
                taken += 1;
                ControlFlow::Break(())
            },
        );
        assert_eq!(taken, 1);
    }
}
