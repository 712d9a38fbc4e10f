//! A model that goes on with another vocabulary: the layers stay, an embedding is made from those of the old pieces.

use std::path::Path;

use ilab_train::error::TrainError;
use ilab_train::method::Method;
use ilab_train::model::Model;
use ilab_train::parameter::Parameter;
use tokenizers::Tokenizer;

use crate::starter::error::StarterError;

const EMBEDDING: &str = "model.embed_tokens.weight";

/// The model in `folder` for the tokens of the tokenizer in `tokenizer`; unchanged where both have the same tokens.
pub fn with_tokenizer(
    folder: &Path,
    tokenizer: &Path,
    max_seq_len: usize,
) -> Result<Model, StarterError> {
    let old = Model::from_dir(folder, Method::Full, max_seq_len)?;
    let old_tokens = read(folder)?;
    let new_tokens = read(tokenizer)?;
    if old_tokens.get_vocab(true) == new_tokens.get_vocab(true) {
        return Ok(old);
    }
    let rows = embeddings(&old, &old_tokens, &new_tokens)?;
    let mut config = old.config().clone();
    config.vocab_size = new_tokens.get_vocab_size(true);
    let model = Model::new(config, Method::Full, max_seq_len, |name, _| {
        if name == EMBEDDING {
            return Ok(rows.concat());
        }
        let weight = old.parameter(name).map(Parameter::to_f32).transpose()?;
        Ok(weight.unwrap_or_default().into_owned())
    })?;
    Ok(model)
}

/// One row for each new token: the old row of the same token, or the mean of its old pieces at their length.
fn embeddings(
    old: &Model,
    old_tokens: &Tokenizer,
    new_tokens: &Tokenizer,
) -> Result<Vec<Vec<f32>>, StarterError> {
    let values = old.parameter(EMBEDDING).map(Parameter::to_f32).transpose();
    let values = values.map_err(TrainError::from)?.unwrap_or_default();
    let old_rows: Vec<Vec<f32>> = values
        .chunks_exact(old.config().hidden_size)
        .map(<[f32]>::to_vec)
        .collect();
    let n_new = u32::try_from(new_tokens.get_vocab_size(true)).unwrap_or(u32::MAX);
    (0..n_new)
        .map(|id| {
            let token = new_tokens.id_to_token(id).unwrap_or_default();
            if let Some(old_id) = old_tokens.token_to_id(&token) {
                return Ok(old_rows[old_id as usize].clone());
            }
            let text = new_tokens.decode(&[id], false).map_err(failed)?;
            let pieces = old_tokens.encode_fast(text, false).map_err(failed)?;
            let pieces: Vec<&Vec<f32>> = pieces
                .get_ids()
                .iter()
                .map(|old_id| &old_rows[*old_id as usize])
                .collect();
            Ok(mean(&pieces))
        })
        .collect()
}

/// The mean direction with the mean length.
fn mean(rows: &[&Vec<f32>]) -> Vec<f32> {
    let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
    let mut sum = vec![0.0; rows[0].len()];
    for row in rows {
        for (sum, x) in sum.iter_mut().zip(*row) {
            *sum += x;
        }
    }
    let wanted = rows.iter().map(|row| length(row)).sum::<f32>() / rows.len() as f32;
    let scale = wanted / length(&sum).max(1e-6);
    sum.iter().map(|x| x * scale).collect()
}

fn read(folder: &Path) -> Result<Tokenizer, StarterError> {
    Tokenizer::from_file(folder.join("tokenizer.json")).map_err(failed)
}

fn failed(source: tokenizers::Error) -> StarterError {
    StarterError::Tokenizer {
        action: "used",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_the_length_of_its_parts() {
        let (a, b) = (vec![3.0, 0.0], vec![0.0, 3.0]);
        let mean = mean(&[&a, &b]);
        assert!((mean[0] - mean[1]).abs() < 1e-6);
        assert!((mean[0] * mean[0] + mean[1] * mean[1] - 9.0).abs() < 1e-4);
    }
}
