//! The templates that come with the program.

use ilab_text::builtin_template::{BUILTIN, TemplateSource};
use ilab_text::sample::encode;
use ilab_text::tokenizer::Tokenizer;
use insta::assert_snapshot;
use serde_json::json;

use crate::family::{Family, conversation, picture};

/// A tokenizer with the tokens of all three and no template of its own.
const BARE: Family = Family {
    template: "",
    bos_token: "<s>",
    eos_token: "</s>",
    special: &[
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<|endoftext|>",
        "<|start_of_role|>",
        "<|end_of_role|>",
        "<|end_of_text|>",
    ],
};

fn with_builtin(name: &str) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    BARE.write(folder.path(), None);
    let source = TemplateSource::named(name).unwrap();
    Tokenizer::from_dir_with(folder.path(), Some(&source)).unwrap()
}

fn shown(name: &str) -> String {
    let tokenizer = with_builtin(name);
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a?"},
        {"role": "assistant", "content": "b."},
        {"role": "user", "content": "c?"},
        {"role": "assistant", "content": "d."},
    ]);
    let sample = encode(&tokenizer, &conversation(messages, false)).unwrap();
    picture(&tokenizer, &sample)
}

#[test]
fn answers_and_their_ends_are_learned() {
    assert_snapshot!(shown("ibm_legacy"), @r"
    <|system|>
    Be brief.
    <|user|>
    a?
    <|assistant|>
    ⟦b.<|endoftext|>⟧
    <|user|>
    c?
    <|assistant|>
    ⟦d.<|endoftext|>⟧
    ");
    assert_snapshot!(shown("ibm_generic"), @r"
    <|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>
    <|start_of_role|>user<|end_of_role|>a?<|end_of_text|>
    <|start_of_role|>assistant<|end_of_role|>⟦b.<|end_of_text|>⟧
    <|start_of_role|>user<|end_of_role|>c?<|end_of_text|>
    <|start_of_role|>assistant<|end_of_role|>⟦d.<|end_of_text|>⟧
    ");
    assert_snapshot!(shown("mistral"), @r"
    <s> [INST] Be brief.

    a? [/INST] ⟦b.</s>⟧ [INST] c? [/INST] ⟦d.</s>⟧
    ");
}

#[test]
fn a_model_without_a_template_is_told_of_the_flag() {
    use ilab_base::hint::Hint as _;
    let folder = tempfile::tempdir().unwrap();
    BARE.write(folder.path(), None);
    let error = Tokenizer::from_dir(folder.path()).unwrap_err();
    assert!(
        error.to_string().ends_with("has no chat template"),
        "{error}"
    );
    assert_snapshot!(error.hints().join("\n"), @"use an instruction-tuned model, or pass a template with `--chat-template`: a Jinja file, or ibm_generic, ibm_legacy or mistral");
}

#[test]
fn a_template_of_another_family_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut family = BARE;
    family.special = &[];
    family.write(folder.path(), None);
    for builtin in &BUILTIN[..2] {
        let source = TemplateSource::named(builtin.name).unwrap();
        let error = Tokenizer::from_dir_with(folder.path(), Some(&source)).unwrap_err();
        let expected = format!(
            "the chat template `{}` ends answers with `{}`, which is no token of `{}`",
            builtin.name,
            builtin.eos_token,
            folder.path().display()
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_file_is_a_template_too() {
    let folder = tempfile::tempdir().unwrap();
    BARE.write(folder.path(), None);
    let path = folder.path().join("mine.jinja");
    std::fs::write(&path, "{{ messages[0].content }}</s>").unwrap();
    let source = TemplateSource::named(path.to_str().unwrap()).unwrap();
    let tokenizer = Tokenizer::from_dir_with(folder.path(), Some(&source)).unwrap();
    let messages = json!([{"role": "assistant", "content": "a"}]);
    let sample = encode(&tokenizer, &conversation(messages, false)).unwrap();
    assert_eq!(picture(&tokenizer, &sample), "⟦a</s>⟧");
    assert!(
        TemplateSource::named("ibm_legazy")
            .unwrap_err()
            .is_not_found()
    );
}
