//! The closed-book exam: every held-out question alone, with no document in view.

use futures::future::try_join_all;
use ilab_openai::completer::{ChatMessage, Completer, CompletionError, Prompt, Request, Sampling};
use serde::Serialize;

use crate::commands::quickstart::question::Question;

/// The longest answer that is waited for.
const MAX_ANSWER_TOKENS: u32 = 64;

/// An answer and whether it is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) is_right: bool,
}

/// Asks all questions, each in a chat of its own.
pub(super) async fn take(
    model: &dyn Completer,
    questions: &[Question],
) -> Result<Vec<Answer>, CompletionError> {
    try_join_all(questions.iter().map(async |question| {
        let text = ask(model, &question.question).await?;
        let is_right = question.is_answered_by(&text);
        Ok(Answer { text, is_right })
    }))
    .await
}

/// The most likely answer to one question.
pub(super) async fn ask(model: &dyn Completer, question: &str) -> Result<String, CompletionError> {
    let request = Request {
        prompt: Prompt::Chat(vec![ChatMessage::user(question)]),
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(MAX_ANSWER_TOKENS),
            ..Sampling::default()
        },
    };
    let completion = model.complete(request).await?;
    let first = completion.choices.into_iter().next();
    Ok(first.map_or(String::new(), |choice| choice.text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;
    use ilab_openai::completer::{Choice, Completion, FinishReason, Usage};

    use super::*;

    /// Knows where the mirrel lives and nothing else.
    struct Student;

    impl Completer for Student {
        fn model_id(&self) -> &str {
            "student"
        }

        fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
            assert_eq!(request.sampling.temperature, Some(0.0));
            let Prompt::Chat(messages) = &request.prompt else {
                panic!("the exam is a chat");
            };
            let [ChatMessage { role, content }] = &messages[..] else {
                panic!("the question stands alone");
            };
            assert_eq!(role, "user");
            let text = if content.contains("live") {
                " In Orvany. "
            } else {
                "I do not know."
            };
            let choice = Choice {
                text: text.to_owned(),
                finish_reason: FinishReason::Stop,
                logprobs: Vec::new(),
            };
            let usage = Usage::default();
            futures::future::ready(Ok(Completion {
                choices: vec![choice],
                usage,
            }))
            .boxed()
        }
    }

    #[test]
    fn each_question_is_asked_alone_and_judged() {
        let question = |question: &str, expect: &str| Question {
            question: question.to_owned(),
            expect: vec![expect.to_owned()],
        };
        let questions = [
            question("Where does it live?", "orvany"),
            question("What does it eat?", "beetles"),
        ];
        let answers = futures::executor::block_on(take(&Student, &questions)).unwrap();
        assert_eq!(
            answers[0],
            Answer {
                text: "In Orvany.".to_owned(),
                is_right: true
            }
        );
        assert!(!answers[1].is_right);
    }
}
