//! Recipes, and the training files that they make.

use std::io;
use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::IoError;
use ilab_base::seed;
use rand::seq::index;

use super::json_lines::{self, Style};
use super::precomputed::Precomputed;
use super::record::Sample;

/// How much of a dataset goes into a mix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SamplingSize {
    /// All of it.
    All,
    /// So many samples.
    Count(usize),
    /// So many times as many as there are, rounded down.
    Share(f64),
}

impl SamplingSize {
    /// Of so many samples.
    pub(super) fn of(self, n_samples: usize) -> usize {
        match self {
            Self::All => n_samples,
            Self::Count(count) => count,
            Self::Share(share) => (share * n_samples as f64) as usize,
        }
    }
}

/// A dataset of a recipe.
#[derive(Debug)]
struct Ingredient {
    /// Relative to the recipe, or absolute.
    path: String,
    size: SamplingSize,
    samples: Samples,
}

/// Where samples are.
#[derive(Debug)]
enum Samples {
    Here(Vec<Sample>),
    /// Others may be too many to hold.
    Elsewhere(Precomputed),
}

impl Samples {
    fn len(&self) -> usize {
        match self {
            Self::Here(samples) => samples.len(),
            Self::Elsewhere(precomputed) => precomputed.n_samples,
        }
    }
}

/// What a training file is mixed from, in order.
#[derive(Debug, Default)]
pub(super) struct Recipe {
    ingredients: Vec<Ingredient>,
}

impl Recipe {
    pub(super) fn add(&mut self, path: String, size: SamplingSize, samples: Vec<Sample>) {
        self.ingredients.push(Ingredient {
            path,
            size,
            samples: Samples::Here(samples),
        });
    }

    pub(super) fn add_precomputed(&mut self, precomputed: &Precomputed) {
        self.ingredients.push(Ingredient {
            path: precomputed.path.display().to_string(),
            size: precomputed.size,
            samples: Samples::Elsewhere(precomputed.clone()),
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
                SamplingSize::Share(share) => format!("{share:?}"),
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
        atomic::write_with(path, |file| {
            for ingredient in &self.ingredients {
                let mut rng = seed::rng(seed, &format!("mixing {}", leaf_file(&ingredient.path)));
                for (pass, positions) in (0..).zip(ingredient.drawn(&mut rng)) {
                    ingredient.samples.each_at(&positions, |sample| {
                        let sample = match pass {
                            0 => sample,
                            _ => sample.copy(pass),
                        };
                        json_lines::write_record(
                            file,
                            Style::Compact,
                            &sample.with_system(system_prompt),
                        )
                    })?;
                }
            }
            Ok(())
        })?;
        Ok(true)
    }
}

impl Samples {
    /// Calls `write` with the samples at these positions, which ascend.
    fn each_at(
        &self,
        positions: &[usize],
        mut write: impl FnMut(Sample) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::Here(samples) => positions
                .iter()
                .try_for_each(|position| write(samples[*position].clone())),
            Self::Elsewhere(precomputed) => precomputed
                .at(positions)
                .map_err(io::Error::other)?
                .try_for_each(|sample| write(sample?)),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The file name alone: the folder carries the time of the run, which must not change the draw.
fn leaf_file(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Ingredient {
    // Differs from upstream: drawn without replacement. More samples than there are repeat all of them before any is drawn
    // once more, and copies have ids of their own.
    /// The positions of the samples to take, in passes: none twice in a pass, and each pass but the last has all.
    fn drawn(&self, rng: &mut seed::Rng) -> Vec<Vec<usize>> {
        let n_samples = self.samples.len();
        let count = self.size.of(n_samples);
        if n_samples == 0 {
            return Vec::new();
        }
        let passes = 0..count.div_ceil(n_samples);
        let pass = |pass: usize| {
            let n_drawn = n_samples.min(count - pass * n_samples);
            if n_drawn == n_samples {
                return (0..n_samples).collect();
            }
            let mut positions = index::sample(rng, n_samples, n_drawn).into_vec();
            positions.sort_unstable();
            positions
        };
        passes.map(pass).collect()
    }
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mix.jsonl");
        let mut recipe = Recipe::default();
        recipe.add("a.jsonl".into(), size, samples(n));
        assert!(recipe.mix(&path, "", 1).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let records: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let distinct = |pointer: &str| -> HashSet<String> {
            let values = records.iter().map(|record| record.pointer(pointer));
            values.map(|value| value.unwrap().to_string()).collect()
        };
        assert_eq!(distinct("/id").len(), records.len(), "ids are unique");
        (records.len(), distinct("/messages/0/content").len())
    }

    #[test]
    fn nothing_is_drawn_twice_while_something_is_left() {
        assert_eq!(check(50, SamplingSize::Count(30)), (30, 30));
        assert_eq!(check(12, SamplingSize::Count(30)), (30, 12));
        assert_eq!(check(5, SamplingSize::All), (5, 5));
        assert_eq!(check(0, SamplingSize::Count(30)), (0, 0));
        assert_eq!(check(5, SamplingSize::Share(2.0)), (10, 5));
        assert_eq!(check(5, SamplingSize::Share(0.3)), (1, 1));
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
