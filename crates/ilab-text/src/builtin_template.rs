//! Chat templates by name, for models that have none.
//!
//! # Source
//! The shapes of `ibm_legacy_tmpl.py`, `ibm_generic_tmpl.py` and `mistral_tmpl.py` of instructlab-training 0.11.1; the
//! wording is ours. The role `pretraining` is unrolled before a template sees it.

use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, read_to_string};

/// A chat template that replaces the model's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateSource {
    /// One of [`BUILTIN`].
    Builtin(&'static BuiltinTemplate),
    /// The text of a file.
    File {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
    },
}

/// A chat template that comes with the program.
#[derive(Debug, PartialEq, Eq)]
pub struct BuiltinTemplate {
    /// Its name on the command line.
    pub name: &'static str,
    /// The Jinja text.
    pub text: &'static str,
    /// The token that begins a conversation.
    pub bos_token: &'static str,
    /// The token that ends an answer.
    pub eos_token: &'static str,
}

/// All of them.
pub static BUILTIN: [BuiltinTemplate; 3] = [
    BuiltinTemplate {
        name: "ibm_legacy",
        text: include_str!("templates/ibm_legacy.jinja"),
        bos_token: "<|begginingoftext|>",
        eos_token: "<|endoftext|>",
    },
    BuiltinTemplate {
        name: "ibm_generic",
        text: include_str!("templates/ibm_generic.jinja"),
        bos_token: "<|end_of_text|>",
        eos_token: "<|end_of_text|>",
    },
    BuiltinTemplate {
        name: "mistral",
        text: include_str!("templates/mistral.jinja"),
        bos_token: "<s>",
        eos_token: "</s>",
    },
];

impl TemplateSource {
    /// The template that `argument` names: one of [`BUILTIN`], or else a file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn named(argument: &str) -> Result<Self, IoError> {
        if let Some(builtin) = BUILTIN.iter().find(|builtin| builtin.name == argument) {
            return Ok(Self::Builtin(builtin));
        }
        let path = Path::new(argument);
        Ok(Self::File {
            path: path.to_owned(),
            text: read_to_string(path)?,
        })
    }

    /// The Jinja text.
    pub fn text(&self) -> &str {
        match self {
            Self::Builtin(builtin) => builtin.text,
            Self::File { text, .. } => text,
        }
    }
}
