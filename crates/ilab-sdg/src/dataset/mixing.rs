//! Recipes, and the training files that they make.

use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::IoError;
use ilab_base::seed;
use rand::seq::index;

use super::json_lines::{self, Style};
use super::record::Sample;

/// How much of a dataset goes into a mix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SamplingSize {
    /// All of it.
    All,
    /// So many samples.
    Count(usize),
}

/// A dataset of a recipe.
#[derive(Debug)]
pub(super) struct Ingredient {
    /// Relative to the recipe.
    pub(super) path: String,
    pub(super) size: SamplingSize,
    pub(super) samples: Vec<Sample>,
}

/// What a training file is mixed from, in order.
#[derive(Debug, Default)]
pub(super) struct Recipe {
    pub(super) ingredients: Vec<Ingredient>,
}

impl Recipe {
    pub(super) fn add(&mut self, path: String, size: SamplingSize, samples: Vec<Sample>) {
        self.ingredients.push(Ingredient {
            path,
            size,
            samples,
        });
    }

    /// Writes the recipe: keys sorted, texts quoted as JSON, which is YAML too.
    pub(super) fn write(&self, path: &Path, system_prompt: &str) -> Result<(), IoError> {
        let mut text = if self.ingredients.is_empty() {
            "datasets: []\n".to_owned()
        } else {
            "datasets:\n".to_owned()
        };
        for ingredient in &self.ingredients {
            let size = match ingredient.size {
                SamplingSize::All => "1.0".to_owned(),
                SamplingSize::Count(count) => count.to_string(),
            };
            text.push_str(&format!(
                "- path: {}\n  sampling_size: {size}\n",
                quoted(&ingredient.path)
            ));
        }
        text.push_str(&format!(
            "metadata:\n  sys_prompt: {}\n",
            quoted(system_prompt)
        ));
        atomic::write(path, text.as_bytes())
    }

    /// Writes the training file; false and no file when there is nothing to mix.
    pub(super) fn mix(self, path: &Path, system_prompt: &str, seed: u64) -> Result<bool, IoError> {
        if self.ingredients.is_empty() {
            return Ok(false);
        }
        let samples = self.ingredients.into_iter().flat_map(|ingredient| {
            let mut rng = seed::rng(seed, &format!("mixing {}", leaf_file(&ingredient.path)));
            drawn(ingredient.samples, ingredient.size, &mut rng)
        });
        json_lines::write(
            path,
            Style::Compact,
            samples.map(|sample| sample.with_system(system_prompt)),
        )?;
        Ok(true)
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The file name alone: the folder carries the time of the run, which must not change the draw.
fn leaf_file(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

// Differs from upstream: drawn without replacement. More samples than there are repeat all of them before any is drawn
// once more, and copies have ids of their own.
fn drawn(samples: Vec<Sample>, size: SamplingSize, rng: &mut seed::Rng) -> Vec<Sample> {
    let SamplingSize::Count(count) = size else {
        return samples;
    };
    let n_samples = samples.len();
    if n_samples == 0 {
        return samples;
    }
    let mut drawn = Vec::with_capacity(count);
    for pass in 0..count.div_ceil(n_samples) {
        let n_drawn = n_samples.min(count - pass * n_samples);
        let mut positions = index::sample(rng, n_samples, n_drawn).into_vec();
        positions.sort_unstable();
        drawn.extend(positions.into_iter().map(|position| match pass {
            0 => samples[position].clone(),
            _ => samples[position].copy(pass),
        }));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::super::record::Message;
    use super::*;
    use std::collections::HashSet;

    fn samples(n: usize) -> Vec<Sample> {
        (0..n)
            .map(|index| {
                Sample::new(
                    "t",
                    vec![Message::user(index.to_string())],
                    "{}".into(),
                    false,
                )
            })
            .collect()
    }

    fn check(n: usize, size: SamplingSize) -> (usize, usize) {
        let drawn = drawn(samples(n), size, &mut seed::rng(1, "test"));
        let texts: HashSet<_> = drawn
            .iter()
            .map(|sample| sample.messages[0].content.clone())
            .collect();
        let ids: HashSet<_> = drawn.iter().map(|sample| sample.id.clone()).collect();
        assert_eq!(ids.len(), drawn.len(), "ids are unique");
        (drawn.len(), texts.len())
    }

    #[test]
    fn nothing_is_drawn_twice_while_something_is_left() {
        assert_eq!(check(50, SamplingSize::Count(30)), (30, 30));
        assert_eq!(check(12, SamplingSize::Count(30)), (30, 12));
        assert_eq!(check(5, SamplingSize::All), (5, 5));
        assert_eq!(check(0, SamplingSize::Count(30)), (0, 0));
    }

    #[test]
    fn a_recipe_is_yaml() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.yaml");
        let mut recipe = Recipe::default();
        recipe.add(
            "node_datasets_x/a.jsonl".into(),
            SamplingSize::All,
            samples(1),
        );
        recipe.add(
            "node_datasets_x/b.jsonl".into(),
            SamplingSize::Count(30),
            samples(1),
        );
        recipe.write(&path, "say \"hi\"\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        insta::assert_snapshot!(text, @r#"
        datasets:
        - path: "node_datasets_x/a.jsonl"
          sampling_size: 1.0
        - path: "node_datasets_x/b.jsonl"
          sampling_size: 30
        metadata:
          sys_prompt: "say \"hi\"\n"
        "#);
        let document = ilab_base::yaml::parse(&text).unwrap();
        let prompt = document
            .root
            .get("metadata")
            .unwrap()
            .get("sys_prompt")
            .unwrap();
        assert_eq!(prompt.as_text(), Some("say \"hi\"\n"));
        assert!(
            !Recipe::default()
                .mix(&folder.path().join("none"), "", 1)
                .unwrap()
        );
    }
}
