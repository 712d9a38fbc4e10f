//! The tokens that end an answer: a model that does not learn them goes on for ever.

use crate::message::Message;
use crate::template::ChatTemplate;

/// `eos_token`, and the first special token that the template prints after an answer at the end.
pub(crate) fn ends_of_turn(
    inner: &tokenizers::Tokenizer,
    template: &ChatTemplate,
    eos_token: &str,
) -> Vec<String> {
    const ANSWER: &str = "answer";
    let mut ends = vec![eos_token.to_owned()];
    let messages = [
        Message::new("user", "question"),
        Message::new("assistant", ANSWER),
    ];
    // A template that wants other messages than these names no further token.
    if let Ok(text) = template.render(&messages, false)
        && let Some((_, tail)) = text.rsplit_once(ANSWER)
    {
        let added = inner.get_added_vocabulary().get_added_tokens_decoder();
        let special = added.values().filter(|token| token.special);
        let first = special
            .filter_map(|token| Some((tail.find(&token.content)?, &token.content)))
            .min();
        if let Some((_, token)) = first
            && token != eos_token
        {
            ends.push(token.clone());
        }
    }
    ends
}
