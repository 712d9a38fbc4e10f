//! The tokenizer of the starter model: byte-level BPE of 12,288 tokens, trained on a corpus.

use std::path::Path;

use ilab_base::{atomic, io};
use serde_json::json;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    TokenizerImpl,
};

use crate::starter::error::StarterError;
use crate::starter::lexicon::Lexicon;
use crate::starter::sample::Sample;

/// The size of the vocabulary, special tokens included.
pub const VOCABULARY: usize = 12_288;
/// The token that ends an answer.
pub const END: &str = "<|endoftext|>";
/// One token for each role, and the end; ids 0 to 3 in this order.
pub const SPECIAL: [&str; 4] = ["<|system|>", "<|user|>", "<|assistant|>", END];

const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|' + message['role'] + '|> ' + message['content'] }}\
{% if message['role'] == 'assistant' %}{{ '<|endoftext|>' }}{% endif %}{{ '\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/// A byte-level BPE tokenizer.
pub type Bpe = TokenizerImpl<
    BPE,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// Trains on the texts of all messages.
pub fn train(texts: &[String]) -> Result<Bpe, tokenizers::Error> {
    let byte_level = ByteLevel::new(false, true, true);
    let mut tokenizer = TokenizerImpl::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(byte_level)));
    tokenizer.with_decoder(Some(DecoderWrapper::ByteLevel(byte_level)));
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(VOCABULARY)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(SPECIAL.map(|token| AddedToken::from(token, true)).to_vec())
        .build();
    tokenizer.train(&mut trainer, texts.iter())?;
    Ok(tokenizer)
}

/// The samples of a corpus file.
pub fn read_corpus(path: &Path) -> Result<Vec<Sample>, StarterError> {
    io::read_to_string(path)?
        .lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|source| StarterError::Sample {
                path: path.display().to_string(),
                line: i + 1,
                source,
            })
        })
        .collect()
}

/// How often each word of the lexicon is read beside the corpus: a word of one token is found by what it means, one of
/// several by the letters that it begins with.
const LEXICON_WEIGHT: usize = 60;

/// Trains on a corpus and writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
pub fn write(corpus: &Path, directory: &Path) -> Result<(), StarterError> {
    let lexicon = Lexicon::embedded()?;
    let words: String = lexicon
        .all_words
        .iter()
        .map(|word| format!(" {word}"))
        .collect();
    let texts: Vec<String> = read_corpus(corpus)?
        .into_iter()
        .flat_map(|sample| sample.messages)
        .map(|message| message.content)
        .chain(std::iter::repeat_n(words, LEXICON_WEIGHT))
        .collect();
    let tokenizer = train(&texts).map_err(|source| StarterError::Tokenizer {
        action: "trained",
        source,
    })?;
    let text = tokenizer
        .to_string(true)
        .map_err(|source| StarterError::Tokenizer {
            action: "written",
            source,
        })?;
    io::create_dir_all(directory)?;
    atomic::write(directory.join("tokenizer.json"), text.as_bytes())?;
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": null,
        "eos_token": END,
        "pad_token": END,
        "unk_token": null,
        "add_bos_token": false,
        "add_prefix_space": false,
        "clean_up_tokenization_spaces": false,
        "model_max_length": 512,
        "chat_template": CHAT_TEMPLATE,
    });
    atomic::write(
        directory.join("tokenizer_config.json"),
        format!("{config:#}\n").as_bytes(),
    )?;
    let map = json!({"eos_token": END, "pad_token": END});
    atomic::write(
        directory.join("special_tokens_map.json"),
        format!("{map:#}\n").as_bytes(),
    )?;
    Ok(())
}
