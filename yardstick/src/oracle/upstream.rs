//! Upstream's answers: from the Go program, which is started once and asked line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::question::{Answer, Question};

/// The program while it runs.
pub struct Upstream {
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
        Ok(Upstream { child, questions, answers })
    }

    /// Asks one question.
    ///
    /// # Errors
    /// When it has ended, or answers what is no answer.
    pub fn ask(&mut self, question: &Question) -> Result<Answer> {
        let questions = self.questions.as_mut().context("it has been told to end")?;
        let mut line = serde_json::to_string(question)?;
        line.push('\n');
        questions.write_all(line.as_bytes()).context("asking the oracle")?;
        questions.flush()?;
        line.clear();
        if self.answers.read_line(&mut line).context("hearing the oracle")? == 0 {
            bail!("the oracle has ended");
        }
        serde_json::from_str(&line).with_context(|| format!("no answer: {line}"))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // It ends with its input.
        self.questions = None;
        drop(self.child.wait());
    }
}
