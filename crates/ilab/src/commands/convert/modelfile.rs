//! The file by which Ollama takes in a GGUF file: `ollama create NAME -f FILE`.
//!
//! # Source
//! <https://docs.ollama.com/modelfile>; the template's language is that of Go's `text/template`, its variables are `.Messages` with
//! `.Role` and `.Content`, and `.System`.

use std::path::{Path, PathBuf};

use ilab_base::atomic;
use ilab_text::template::ChatTemplate;
use ilab_text::turns::{SystemTurn, Turns};
use ilab_weights::gguf::{Array, GgufFile, Value};

use super::beside;
use crate::error::CommandError;

/// Writes the file beside the model's and returns its path.
pub(super) fn write(gguf: &Path) -> Result<PathBuf, CommandError> {
    let file = GgufFile::open(gguf)?;
    let path = beside(gguf, "Modelfile");
    atomic::write(&path, text(&file).as_bytes())?;
    Ok(path)
}

fn text(file: &GgufFile) -> String {
    let name = file.path().file_name().unwrap_or_default();
    let mut text = format!("FROM ./{}\n", name.to_string_lossy());
    let special = SpecialTokens(file);
    let turns = turns(file, &special);
    if let Some(template) = turns
        .as_ref()
        .and_then(|turns| go_template(turns, &special))
    {
        text.push_str(&format!("TEMPLATE \"\"\"{template}\"\"\"\n"));
    } else {
        text.push_str("# The model's chat template does more than to put texts around messages: Ollama reads it from the file.\n");
    }
    for stop in special.stops(turns.as_ref()) {
        text.push_str(&format!("PARAMETER stop \"{stop}\"\n"));
    }
    text
}

fn turns(file: &GgufFile, special: &SpecialTokens<'_>) -> Option<Turns> {
    let source = file.metadata().text("tokenizer.chat_template")?;
    let (bos, eos) = (special.text("bos"), special.text("eos"));
    let template = ChatTemplate::new(source, bos.unwrap_or(""), eos.unwrap_or("")).ok()?;
    Turns::of(&template)
}

struct SpecialTokens<'a>(&'a GgufFile);

impl SpecialTokens<'_> {
    fn text(&self, role: &str) -> Option<&str> {
        let metadata = self.0.metadata();
        let id = metadata.unsigned(&format!("tokenizer.ggml.{role}_token_id"))?;
        let tokens = metadata
            .array("tokenizer.ggml.tokens")
            .and_then(Array::as_strings)?;
        tokens.get(usize::try_from(id).ok()?).map(String::as_str)
    }

    /// The token that llama.cpp puts before every prompt by itself.
    fn added_bos(&self) -> Option<&str> {
        let flag = self.0.metadata().value("tokenizer.ggml.add_bos_token");
        self.text("bos")
            .filter(|_| flag.and_then(Value::as_bool) == Some(true))
    }

    /// What ends an answer: the end of the sequence, and what the template puts after answers.
    fn stops(&self, turns: Option<&Turns>) -> Vec<String> {
        let eos = self.text("eos").unwrap_or_default();
        let after = turns.map_or("", |turns| turns.after_answer.trim());
        let mut stops = vec![eos.to_owned(), after.to_owned()];
        stops.dedup();
        stops.retain(|stop| !stop.is_empty() && !stop.contains(['"', '\n']));
        stops
    }
}

/// The turns in Go's template language; `None` where a text would be taken for something else.
fn go_template(turns: &Turns, special: &SpecialTokens<'_>) -> Option<String> {
    let bos = special.added_bos().unwrap_or("");
    // Whatever comes first in a conversation.
    let without_bos = |text: &str| text.strip_prefix(bos).unwrap_or(text).to_owned();
    let opening = without_bos(&turns.opening);
    let answer = format!(
        "{}{{{{ .Content }}}}{}",
        turns.answer_margin, turns.after_answer
    );
    let question = |first: &str| {
        format!(
            "{}{first}{{{{ .Content }}}}{}",
            turns.before_question, turns.before_answer
        )
    };
    let (opening, system, question) = match &turns.system {
        SystemTurn::Own { before, after } => (
            when("not .System", &opening),
            format!("{}{{{{ .Content }}}}{after}", without_bos(before)),
            question(""),
        ),
        SystemTurn::InFirstQuestion { between } => (
            opening,
            String::new(),
            // The first question comes after the system prompt, the second one after an answer as well.
            question(&when(
                "and $.System (le $index 1)",
                &format!("{{{{ $.System }}}}{between}"),
            )),
        ),
        SystemTurn::None => (opening, String::new(), question("")),
    };
    let texts = [
        &turns.opening,
        &turns.before_question,
        &turns.before_answer,
        &turns.after_answer,
    ];
    if texts
        .iter()
        .any(|text| text.contains("{{") || text.contains("\"\"\""))
    {
        return None;
    }
    let system = if system.is_empty() {
        String::new()
    } else {
        format!("{{{{ if eq .Role \"system\" }}}}{system}{{{{ else }}}}")
    };
    let end = if system.is_empty() { "" } else { "{{ end }}" };
    Some(format!(
        "{opening}{{{{ range $index, $_ := .Messages }}}}{system}{{{{ if eq .Role \"user\" }}}}{question}{{{{ end }}}}\
         {{{{ if eq .Role \"assistant\" }}}}{answer}{{{{ end }}}}{end}{{{{ end }}}}"
    ))
}

fn when(condition: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{{{{ if {condition} }}}}{text}{{{{ end }}}}")
}
