//! Asking every question alone, with no document in view.

use std::cell::Cell;

use futures::future::try_join_all;
use ilab_openai::completer::{Completer, CompletionError, Prompt, Request, Sampling};
use serde::Serialize;

use super::question::Question;

/// An answer and whether it is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) is_right: bool,
}

/// Asks all questions, each in a chat of its own. `progress` is told how many are answered.
pub(crate) async fn take(
    model: &dyn Completer,
    questions: &[Question],
    max_answer_tokens: u32,
    progress: &dyn Fn(usize),
) -> Result<Vec<Answer>, CompletionError> {
    let n_answered = Cell::new(0);
    try_join_all(questions.iter().map(async |question| {
        let text = ask(model, question, max_answer_tokens).await?;
        n_answered.set(n_answered.get() + 1);
        progress(n_answered.get());
        let is_right = question.is_answered_by(&text);
        Ok(Answer { text, is_right })
    }))
    .await
}

/// The most likely answer to one question.
pub(crate) async fn ask(
    model: &dyn Completer,
    question: &Question,
    max_answer_tokens: u32,
) -> Result<String, CompletionError> {
    let request = Request {
        prompt: Prompt::Chat(question.messages()),
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(max_answer_tokens),
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
    use ilab_openai::completer::{ChatMessage, Choice, Completion, FinishReason, Usage};

    use super::*;

    /// Knows where the mirrel lives and nothing else.
    struct Student;

    impl Completer for Student {
        fn model_id(&self) -> &str {
            "student"
        }

        fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
            assert_eq!(request.sampling.temperature, Some(0.0));
            assert_eq!(request.sampling.max_tokens, Some(100));
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
        let question =
            |question: &str, expect: &str| Question::alone(question, vec![expect.to_owned()]);
        let questions = [
            question("Where does it live?", "orvany"),
            question("What does it eat?", "beetles"),
        ];
        let told = Cell::new(0);
        let tell = |n_answered| told.set(n_answered);
        let exam = take(&Student, &questions, 100, &tell);
        let answers = futures::executor::block_on(exam).unwrap();
        assert_eq!(told.get(), 2);
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
