//! What holds for every conversation and template.

use ilab_text::sample::encode;
use proptest::prelude::*;
use serde_json::json;

use crate::family::{GEMMA, GRANITE3, LLAMA3, MISTRAL3, PHI3, QWEN2, QWEN3, conversation, picture};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The ids are those of the plain rendering, every answer is learned as it stands with its end, and nothing of a
    /// question is.
    #[test]
    fn answers_are_learned_whole_and_questions_not_at_all(
        turns in prop::collection::vec(("[ -~é\n]{0,12}", "[ -~é\n]{0,12}"), 1..4),
    ) {
        for family in [GRANITE3, LLAMA3, MISTRAL3, QWEN2, QWEN3, PHI3, GEMMA] {
            let tokenizer = family.tokenizer();
            let messages: Vec<_> = turns
                .iter()
                .flat_map(|(question, answer)| [
                    json!({"role": "user", "content": format!("Q{question}")}),
                    json!({"role": "assistant", "content": format!("A{answer}Z")}),
                ])
                .collect();
            let conversation = conversation(messages.into(), false);
            let plain = tokenizer.template().render(&conversation.messages, false).unwrap();
            let sample = encode(&tokenizer, &conversation).unwrap();
            prop_assert_eq!(&sample.input_ids, &tokenizer.encode(&plain).unwrap().ids);
            let picture = picture(&tokenizer, &sample);
            let learned: Vec<_> = picture
                .split('⟦')
                .skip(1)
                .map(|rest| rest.split('⟧').next().unwrap())
                .collect();
            let ends = tokenizer.ends_of_turn();
            prop_assert_eq!(learned.len(), turns.len());
            for (learned, (_, answer)) in learned.iter().zip(&turns) {
                let answer = format!("A{answer}Z");
                let is_whole = ends.iter().any(|end| *learned == format!("{answer}{end}"));
                prop_assert!(is_whole, "{learned:?} of {answer:?} in {picture}");
            }
        }
    }

    /// Anything may be called a template.
    #[test]
    fn no_template_and_no_text_panics(
        template in "(\\{\\{|\\}\\}|\\{%|%\\}|messages|\\[0\\]|\\.content|for m in messages|endfor|m\\.content|if|endif| |[a-z])*",
        text in "\\PC*",
    ) {
        if let Ok(tokenizer) = QWEN2.try_tokenizer(&template) {
            let messages = json!([{"role": "user", "content": text}, {"role": "assistant", "content": text}]);
            // Both outcomes are right; the test is that there is one.
            let _ = encode(&tokenizer, &conversation(messages, true));
        }
    }
}
