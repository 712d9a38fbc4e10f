//! Tokenizers, chat templates and the one function that encodes messages with a loss mask.
