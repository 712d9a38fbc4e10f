//! Tokenizers, chat templates, and the one function that turns messages into token ids with a loss mask.
//!
//! Training, generation, evaluation and serving all come through here, so that a model is asked in exactly the form in
//! which it was taught. Deliberately absent: models, tensors and anything that talks to a server.

pub mod builtin_template;
pub mod conversation;
mod end_of_turn;
mod marks;
pub mod message;
mod regions;
pub mod sample;
pub mod template;
pub mod tokenizer;
pub mod turns;
pub mod vocabulary;
