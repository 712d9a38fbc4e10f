//! Which columns rows have at a place of a pipeline, so that a name that nothing produces is found before anything is asked.

use std::collections::BTreeSet;

use ilab_base::yaml::{self, Node};

use crate::yaml::{Source, YamlError};

/// The columns that every row has here.
#[derive(Debug, Clone)]
pub(super) struct Columns(BTreeSet<String>);

impl Columns {
    pub(super) fn new(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    pub(super) fn add(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// An error at `node` when there is no such column.
    pub(super) fn require(
        &self,
        source: &Source<'_>,
        node: &Node,
        name: &str,
    ) -> Result<(), YamlError> {
        self.require_for(source, node, name, "this block")
    }

    /// As [`Columns::require`], for a user that the message names.
    pub(super) fn require_for(
        &self,
        source: &Source<'_>,
        node: &Node,
        name: &str,
        user: &str,
    ) -> Result<(), YamlError> {
        if self.0.contains(name) {
            return Ok(());
        }
        let message = format!("{user} uses the column `{name}`, which rows do not have here");
        let mut error = source.error(node.span, message);
        let names = self.0.iter().map(String::as_str);
        error.diagnostic.help = Some(match yaml::nearest(name, names) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => {
                let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
                format!("they have {}", names.join(", "))
            }
        });
        Err(error)
    }
}
