//! Answers of a form: whatever the model would like to say, and this one says nonsense.

use ilab_openai::completer::{CompletionError, FinishReason, Sampling};
use ilab_openai::constraint::Constraint;
use serde_json::json;

use super::{complete, engine, request, text};

fn of_form(constraint: Constraint) -> impl FnOnce(&mut Sampling) {
    move |sampling| {
        sampling.constraint = Some(constraint);
        sampling.temperature = Some(1.0);
        sampling.max_tokens = Some(200);
        sampling.n = 6;
    }
}

fn answers(constraint: Constraint) -> Vec<String> {
    let completion = complete(&engine(), request("Judge this.", of_form(constraint))).unwrap();
    let choices = completion.choices.into_iter();
    choices
        .map(|choice| {
            assert_eq!(choice.finish_reason, FinishReason::Stop, "{}", choice.text);
            choice.text
        })
        .collect()
}

#[test]
fn a_choice_is_one_of_its_texts() {
    let texts = ["YES", "NO", "NOBODY KNOWS (?)"].map(str::to_owned);
    let found = answers(Constraint::Choice(texts.to_vec()));
    assert!(
        found.iter().all(|answer| texts.contains(answer)),
        "{found:?}"
    );
    assert!(
        found.iter().any(|answer| *answer != found[0]),
        "a model of random weights: {found:?}"
    );
}

#[test]
fn a_pattern_is_kept_to_and_ends_the_answer() {
    let found = answers(Constraint::Regex(
        r"\s*\[Why\][^\[\]]{5,20}\[/Why\]\s?\[Score\] [0-2]\[/Score\]".to_owned(),
    ));
    let form = |answer: &String| {
        let (why, score) = answer
            .trim_start()
            .strip_prefix("[Why]")?
            .split_once("[/Why]")?;
        let score = score
            .trim_start()
            .strip_prefix("[Score] ")?
            .strip_suffix("[/Score]")?;
        Some((5..=20).contains(&why.chars().count()) && ["0", "1", "2"].contains(&score))
    };
    assert!(
        found.iter().all(|answer| form(answer) == Some(true)),
        "{found:?}"
    );
}

#[test]
fn an_answer_may_end_where_the_pattern_matches_and_go_on_where_it_still_can() {
    let found = answers(Constraint::Regex("a{1,5}(bb)?".to_owned()));
    for answer in found {
        let rest = answer.trim_start_matches('a');
        assert!(
            (1..=5).contains(&(answer.len() - rest.len())) && ["", "bb"].contains(&rest),
            "{answer}"
        );
    }
}

#[test]
fn an_answer_that_is_cut_off_says_so() {
    let completion = complete(
        &engine(),
        request("x", |sampling| {
            sampling.constraint = Some(Constraint::Regex("[0-9]{100}".to_owned()));
            sampling.max_tokens = Some(5);
        }),
    );
    let choice = &completion.unwrap().choices[0];
    assert_eq!(choice.finish_reason, FinishReason::Length);
    assert!(
        choice.text.bytes().all(|byte| byte.is_ascii_digit()),
        "{}",
        choice.text
    );
}

#[test]
fn what_is_allowed_anyway_is_drawn_as_without_a_form() {
    let engine = engine();
    let free = |sampling: &mut Sampling| {
        sampling.temperature = Some(1.0);
        sampling.seed = Some(3);
    };
    let formed = |sampling: &mut Sampling| {
        free(sampling);
        sampling.constraint = Some(Constraint::Regex("(?s-u:.)*".to_owned()));
    };
    let formed_text = complete(&engine, request("x", formed));
    match formed_text {
        Ok(completion) => assert_eq!(
            completion.choices[0].text,
            text(&engine, request("x", free))
        ),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn forms_that_cannot_be_kept_to_are_refused() {
    let refusal = |constraint: Constraint| {
        let outcome = complete(&engine(), request("x", of_form(constraint)));
        let Err(CompletionError::Rejected { message, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        message
    };
    let message = refusal(Constraint::Regex("[unclosed".to_owned()));
    assert!(
        message.contains("not a usable regular expression: unclosed character class"),
        "{message}"
    );
    let message = refusal(Constraint::Regex("(((a{999}){999}){999})".to_owned()));
    assert!(
        message.contains("not a usable regular expression"),
        "{message}"
    );
    let message = refusal(Constraint::Json(json!({"type": "object"})));
    assert!(message.contains("`json` are not supported"), "{message}");
    let message = refusal(Constraint::Choice(vec![String::new()]));
    assert!(message.contains("nothing can be an answer"), "{message}");
    let unknown = complete(
        &engine(),
        request("x", |sampling| {
            sampling.extra.insert("min_tokens".to_owned(), json!(3));
        }),
    );
    assert!(
        matches!(unknown, Err(CompletionError::Rejected { .. })),
        "{unknown:?}"
    );
}
