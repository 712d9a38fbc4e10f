//! Tokens and labels beside those of instructlab-training, see `goldens/data/gen.py`: equal, or different on purpose.

use ilab_text::builtin_template::TemplateSource;
use ilab_text::message::Message;
use ilab_text::sample::{EncodedSample, encode};
use ilab_text::template::ChatTemplate;
use insta::assert_snapshot;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::family::{
    Family, GEMMA, GRANITE3, LLAMA3, MISTRAL3, PHI3, QWEN2, QWEN3, conversation, picture,
};

/// A conversation as the reference labels it.
#[derive(Deserialize)]
struct Case {
    family: String,
    chat: String,
    messages: Value,
    unmask: bool,
    input_ids: Vec<u32>,
    labels: Vec<i64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../../goldens/data/masks.json")).unwrap()
}

fn family(name: &str) -> Family {
    match name {
        "gemma" => GEMMA,
        "granite3" => GRANITE3,
        "llama3" => LLAMA3,
        "mistral3" => MISTRAL3,
        "phi3" => PHI3,
        "qwen2" => QWEN2,
        "qwen3" => QWEN3,
        other => panic!("no family {other}"),
    }
}

/// Theirs and ours as pictures.
fn pictures(case: &Case) -> (String, String) {
    let tokenizer = family(&case.family).tokenizer();
    let conversation = conversation(case.messages.clone(), case.unmask);
    let ours = encode(&tokenizer, &conversation).unwrap();
    let theirs = EncodedSample {
        is_learned: case.labels.iter().map(|label| *label != -100).collect(),
        input_ids: case.input_ids.clone(),
    };
    if ours == theirs {
        let labels = case.labels.iter().zip(&case.input_ids);
        assert!(
            labels
                .clone()
                .all(|(label, id)| *label == -100 || *label == i64::from(*id))
        );
    }
    (picture(&tokenizer, &theirs), picture(&tokenizer, &ours))
}

#[test]
fn tokens_and_labels_are_those_of_the_reference_but_where_it_is_wrong() {
    let mut different: Vec<String> = Vec::new();
    let cases = cases();
    for case in &cases {
        let (theirs, ours) = pictures(case);
        let name = format!("{}: {}", case.family, case.chat);
        if theirs != ours && !different.contains(&name) {
            different.push(name);
        }
    }
    assert_eq!(cases.len(), 94);
    // A thought that is not printed takes the end of its answer along; Gemma and Phi 3 do not end their turns with
    // `eos_token`; and where a template trims, the marks of the reference keep it from that.
    assert_snapshot!(different.join("\n"), @r"
    granite3: last thought
    granite3: all thoughts
    llama3: padded
    llama3: last thought
    llama3: all thoughts
    mistral3: padded
    mistral3: last thought
    mistral3: all thoughts
    qwen2: last thought
    qwen2: all thoughts
    qwen3: padded
    qwen3: all thoughts
    phi3: two turns
    phi3: system
    phi3: question last
    phi3: empty answer
    phi3: padded
    phi3: last thought
    phi3: all thoughts
    gemma: two turns
    gemma: question last
    gemma: empty answer
    gemma: padded
    gemma: last thought
    gemma: all thoughts
    ");
}

fn both(family: &str, chat: &str) -> String {
    let cases = cases();
    let mut cases = cases.iter();
    let case = cases.find(|case| case.family == family && case.chat == chat && !case.unmask);
    let (theirs, ours) = pictures(case.unwrap());
    format!("{theirs}\n---\n{ours}")
}

/// The texts were counted to know whose they are, and the first thought is not printed.
#[test]
fn the_end_of_an_answer_is_not_lost_with_a_thought() {
    assert_snapshot!(both("qwen3", "all thoughts"), @r"
    <|im_start|>user
    a<|im_end|>
    <|im_start|>assistant
    ⟦b⟧<|im_end|>
    <|im_start|>user
    c<|im_end|>
    <|im_start|>assistant
    <think>
    ⟦y
    </think>

    d<|im_end|>⟧

    ---
    <|im_start|>user
    a<|im_end|>
    <|im_start|>assistant
    ⟦b<|im_end|>⟧
    <|im_start|>user
    c<|im_end|>
    <|im_start|>assistant
    <think>
    ⟦y
    </think>

    d<|im_end|>⟧
    ");
}

/// `eos_token` is not what ends a turn.
#[test]
fn turns_end_where_the_template_ends_them() {
    assert_snapshot!(both("gemma", "two turns"), @r"
    <bos><start_of_turn>user
    is a < b?<end_of_turn>
    <start_of_turn>model
    ⟦Yes.⟧<end_of_turn>
    <start_of_turn>user
    And c?<end_of_turn>
    <start_of_turn>model
    ⟦No.⟧<end_of_turn>

    ---
    <bos><start_of_turn>user
    is a < b?<end_of_turn>
    <start_of_turn>model
    ⟦Yes.<end_of_turn>⟧
    <start_of_turn>user
    And c?<end_of_turn>
    <start_of_turn>model
    ⟦No.<end_of_turn>⟧
    ");
    assert_snapshot!(both("phi3", "two turns"), @r"
    <|user|>
    is a < b?<|end|>
    <|assistant|>
    ⟦Yes.⟧<|end|>
    <|user|>
    And c?<|end|>
    <|assistant|>
    ⟦No.<|end|>
    <|endoftext|>⟧
    ---
    <|user|>
    is a < b?<|end|>
    <|assistant|>
    ⟦Yes.<|end|>⟧
    <|user|>
    And c?<|end|>
    <|assistant|>
    ⟦No.<|end|>⟧
    <|endoftext|>
    ");
}

/// The marks of the reference keep the white space from being trimmed, as it is when the model is used.
#[test]
fn what_a_template_trims_is_trimmed() {
    assert_snapshot!(both("llama3", "padded"), @r"
    <|begin_of_text|><|start_header_id|>user<|end_header_id|>

    a<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦ b
    <|eot_id|>⟧<|start_header_id|>user<|end_header_id|>

    c<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦
     d<|eot_id|>⟧
    ---
    <|begin_of_text|><|start_header_id|>user<|end_header_id|>

    a<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦b<|eot_id|>⟧<|start_header_id|>user<|end_header_id|>

    c<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦d<|eot_id|>⟧
    ");
}

#[test]
fn builtin_templates_render_as_those_of_the_reference() {
    #[derive(Deserialize)]
    struct Rendering {
        template: String,
        messages: Vec<Message>,
        tools: Option<Value>,
        asks: bool,
        text: String,
    }
    let cases: Vec<Rendering> =
        serde_json::from_str(include_str!("../../../../goldens/data/templates.json")).unwrap();
    assert_eq!(cases.len(), 11);
    for case in cases {
        let source = TemplateSource::named(&case.template).unwrap();
        let template = ChatTemplate::new(source.text(), "", "").unwrap();
        let tools = case.tools.map(|tools| ("tools".to_owned(), tools));
        let variables: Map<String, Value> = tools.into_iter().collect();
        let rendered = template.render_with(&case.messages, &variables, case.asks);
        assert_eq!(rendered.unwrap(), case.text, "{}", case.template);
    }
}
