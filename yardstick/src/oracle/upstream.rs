//! Upstream's answers: from the Go program, which is started once and asked line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::question::{Answer, Question};

/// The program while it runs.
pub struct Upstream {
    program: PathBuf,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Upstream {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path) -> Result<Upstream> {
        let mut command = Command::new(program);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let answers = BufReader::new(child.stdout.take().context("its output")?);
        let questions = child.stdin.take();
        Ok(Upstream { program: program.to_owned(), child, questions, answers })
    }

    /// Asks one question.
    ///
    /// # Errors
    /// When it has ended, or answers what is no answer.
    pub fn ask(&mut self, question: &Question) -> Result<Answer> {
        let mut line = serde_json::to_string(question)?;
        line.push('\n');
        let answer = self.answer(&line).unwrap_or_default();
        // It answers every question that it reads, so it has ended.
        if answer.is_empty() {
            self.questions = None;
            let status = self.child.wait()?;
            bail!(
                "the oracle has ended ({status}) at a question about {}: {}; if it is damaged, delete it, and it is built anew",
                question.named(),
                self.program.display()
            );
        }
        serde_json::from_str(&answer).with_context(|| format!("no answer: {answer}"))
    }

    /// The line that it answers; nothing, or an error, when it has ended.
    fn answer(&mut self, question: &str) -> std::io::Result<String> {
        let mut line = String::new();
        if let Some(questions) = &mut self.questions {
            questions.write_all(question.as_bytes())?;
            questions.flush()?;
            self.answers.read_line(&mut line)?;
        }
        Ok(line)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // It ends with its input.
        self.questions = None;
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::oracle::question::Op;
    use crate::oracle::questions::{question, subjects};

    #[test]
    fn a_program_that_dies_is_named_with_how_it_ended() {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("oracle");
        std::fs::write(&program, "#!/bin/sh\nread line\nexit 3\n").expect("a file");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let mut upstream = Upstream::start(&program).expect("it starts");
        let subject = &subjects(Op::Default)[0];
        let error = upstream.ask(&question(Op::Default, subject, 1, 0)).expect_err("it died").to_string();
        assert!(error.starts_with("the oracle has ended (exit status: 3) at a question about "), "{error}");
        assert!(error.contains(&program.display().to_string()), "{error}");
    }
}
