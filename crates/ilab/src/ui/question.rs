//! Questions to the user: asked on stderr, answered on stdin.

use std::io::{BufRead, Write};

use crate::error::CommandError;
use crate::ui::Ui;

/// Where nobody answers the questions of a first configuration.
pub(crate) const HINT_NON_INTERACTIVE: &str =
    "`--non-interactive` asks nothing and takes the defaults";

impl Ui {
    /// Asks for a text; an empty answer takes the default.
    pub(crate) fn ask(&self, question: &str, default: &str) -> Result<String, CommandError> {
        let answer = read_answer(&format!("{question} [{default}]: "), HINT_NON_INTERACTIVE)?;
        Ok(match answer.as_str() {
            "" => default.to_owned(),
            _ => answer,
        })
    }

    /// Asks yes or no until one of them is answered; an empty answer takes the default. `hint` is told where nobody answers.
    pub(crate) fn confirm(
        &self,
        question: &str,
        default: bool,
        hint: &str,
    ) -> Result<bool, CommandError> {
        let choices = if default { "Y/n" } else { "y/N" };
        loop {
            let answer = read_answer(&format!("{question} [{choices}]: "), hint)?;
            match answer.to_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.status("Please answer y or n."),
            }
        }
    }
}

fn read_answer(prompt: &str, hint: &str) -> Result<String, CommandError> {
    let mut stderr = std::io::stderr().lock();
    // A prompt that nobody sees can still be answered.
    let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    let mut answer = String::new();
    match std::io::stdin().lock().read_line(&mut answer) {
        Ok(n_bytes) if n_bytes > 0 => Ok(answer.trim().to_owned()),
        _ => {
            let _ = writeln!(stderr);
            Err(CommandError::interrupted(hint))
        }
    }
}
