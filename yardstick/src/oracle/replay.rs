//! Knarr's answers to the questions that are kept are upstream's, but for what is known to differ.

use std::path::{Path, PathBuf};

use super::compare::differences;
use super::fixtures::{self, Fixture};
use super::knarr;
use super::question::Op;
use crate::known::Known;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle")
}

fn known() -> Known {
    let text = std::fs::read_to_string(directory().join("known.tsv")).expect("the list is there");
    Known::parse(&text).expect("the list is well-formed")
}

fn check(path: &Path) -> usize {
    let known = known();
    let fixtures = fixtures::read(path).expect("fixtures are well-formed");
    let mut wrong = Vec::new();
    for Fixture { question, answer } in &fixtures {
        let differences = differences(&knarr::answer(question), answer);
        for difference in differences {
            if known.find(question.op.name(), &question.named(), &difference.place).is_none() {
                wrong.push(format!(
                    "{} {}\n    {}\n    {difference}",
                    question.op.name(),
                    question.named(),
                    question.object
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), path.display(), wrong.join("\n"));
    fixtures.len()
}

#[test]
fn what_once_differed_does_not_any_more() {
    let checked = check(&fixtures::differences(&directory()));
    println!("{checked} answers checked");
}

#[test]
fn what_was_answered_alike_still_is() {
    for op in Op::ALL {
        let checked = check(&fixtures::samples(&directory(), op));
        assert!(checked > 0, "no samples of {}", op.name());
        println!("{checked} answers to {} checked", op.name());
    }
}
