//! The families one by one.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::family::{Family, GEMMA, GRANITE3, LLAMA3, MISTRAL3, PHI3, QWEN2, QWEN3};

fn two_turns() -> Value {
    json!([
        {"role": "user", "content": "is a < b?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": " And c? "},
        {"role": "assistant", "content": " No.\n"},
    ])
}

fn with_system() -> Value {
    let mut messages = two_turns();
    messages
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"role": "system", "content": "Be brief."}));
    messages
}

#[test]
fn granite3() {
    assert_snapshot!(GRANITE3.picture(two_turns(), false), @r"
    <|start_of_role|>system<|end_of_role|>You are Granite.<|end_of_text|>
    <|start_of_role|>user<|end_of_role|>is a < b?<|end_of_text|>
    <|start_of_role|>assistant<|end_of_role|>⟦Yes.<|end_of_text|>⟧
    <|start_of_role|>user<|end_of_role|> And c? <|end_of_text|>
    <|start_of_role|>assistant<|end_of_role|>⟦ No.
    <|end_of_text|>⟧
    ");
    assert_snapshot!(GRANITE3.picture(with_system(), true), @r"
    <|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>
    <|start_of_role|>user<|end_of_role|>⟦is a < b?⟧<|end_of_text|>
    <|start_of_role|>assistant<|end_of_role|>⟦Yes.<|end_of_text|>⟧
    <|start_of_role|>user<|end_of_role|>⟦ And c? ⟧<|end_of_text|>
    <|start_of_role|>assistant<|end_of_role|>⟦ No.
    <|end_of_text|>⟧
    ");
}

#[test]
fn llama3_trims_what_is_said() {
    assert_snapshot!(LLAMA3.picture(with_system(), false), @r"
    <|begin_of_text|><|start_header_id|>system<|end_header_id|>

    Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>

    is a < b?<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦Yes.<|eot_id|>⟧<|start_header_id|>user<|end_header_id|>

    And c?<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦No.<|eot_id|>⟧
    ");
    assert_snapshot!(LLAMA3.picture(with_system(), true), @r"
    <|begin_of_text|><|start_header_id|>system<|end_header_id|>

    Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>

    ⟦is a < b?⟧<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦Yes.<|eot_id|>⟧<|start_header_id|>user<|end_header_id|>

    ⟦And c?⟧<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦No.<|eot_id|>⟧
    ");
}

#[test]
fn mistral_wants_turns_to_alternate() {
    assert_snapshot!(MISTRAL3.picture(two_turns(), false), @"<s>[INST] is a < b?[/INST] ⟦Yes.</s>⟧[INST]  And c? [/INST] ⟦No.</s>⟧");
    let twice = json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]);
    assert_snapshot!(MISTRAL3.picture(twice, false), @"the chat template cannot render these messages (line 4): invalid operation: roles must alternate between user and assistant (in chat_template:4)");
}

#[test]
fn qwen2() {
    assert_snapshot!(QWEN2.picture(two_turns(), false), @r"
    <|im_start|>system
    You are helpful.<|im_end|>
    <|im_start|>user
    is a < b?<|im_end|>
    <|im_start|>assistant
    ⟦Yes.<|im_end|>⟧
    <|im_start|>user
     And c? <|im_end|>
    <|im_start|>assistant
    ⟦ No.
    <|im_end|>⟧
    ");
}

#[test]
fn gemma_and_phi_learn_to_end_their_turns() {
    assert_snapshot!(GEMMA.picture(two_turns(), false), @r"
    <bos><start_of_turn>user
    is a < b?<end_of_turn>
    <start_of_turn>model
    ⟦Yes.<end_of_turn>⟧
    <start_of_turn>user
    And c?<end_of_turn>
    <start_of_turn>model
    ⟦No.<end_of_turn>⟧
    ");
    assert_snapshot!(PHI3.picture(two_turns(), false), @r"
    <|user|>
    is a < b?<|end|>
    <|assistant|>
    ⟦Yes.<|end|>⟧
    <|user|>
     And c? <|end|>
    <|assistant|>
    ⟦ No.
    <|end|>⟧
    <|endoftext|>
    ");
    assert_snapshot!(GEMMA.picture(with_system(), false), @"the chat template cannot render these messages (line 4): invalid operation: there is no role system (in chat_template:4)");
}

fn thoughts(key: &str) -> Value {
    json!([
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2", key: "Easy."},
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4", key: "\nTwice.\n"},
    ])
}

#[test]
fn every_answer_ends_where_earlier_thoughts_are_left_out() {
    assert_snapshot!(QWEN3.picture(thoughts("reasoning_content"), false), @r"
    <|im_start|>user
    1+1?<|im_end|>
    <|im_start|>assistant
    ⟦2<|im_end|>⟧
    <|im_start|>user
    2+2?<|im_end|>
    <|im_start|>assistant
    <think>
    ⟦Twice.
    </think>

    4<|im_end|>⟧
    ");
    assert_snapshot!(QWEN3.picture(thoughts("reasoning_content"), true), @r"
    <|im_start|>user
    ⟦1+1?⟧<|im_end|>
    <|im_start|>assistant
    ⟦2<|im_end|>⟧
    <|im_start|>user
    ⟦2+2?⟧<|im_end|>
    <|im_start|>assistant
    <think>
    ⟦Twice.
    </think>

    4<|im_end|>⟧
    ");
    // A template that prints no thoughts teaches none.
    assert_snapshot!(QWEN2.picture(thoughts("thinking"), false), @r"
    <|im_start|>system
    You are helpful.<|im_end|>
    <|im_start|>user
    1+1?<|im_end|>
    <|im_start|>assistant
    ⟦2<|im_end|>⟧
    <|im_start|>user
    2+2?<|im_end|>
    <|im_start|>assistant
    ⟦4<|im_end|>⟧
    ");
}

#[test]
fn thoughts_may_stand_in_the_text() {
    let inline = |first: &str, last: &str| {
        json!([
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": first},
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": last},
        ])
    };
    let thought = inline(
        "<think>\nEasy.\n</think>\n\n2",
        "<think>\nTwice.\n</think>\n\n4",
    );
    assert_snapshot!(QWEN3.picture(thought.clone(), false), @r"
    <|im_start|>user
    1+1?<|im_end|>
    <|im_start|>assistant
    ⟦2<|im_end|>⟧
    <|im_start|>user
    2+2?<|im_end|>
    <|im_start|>assistant
    <think>
    ⟦Twice.
    </think>

    4<|im_end|>⟧
    ");
    assert_snapshot!(QWEN2.picture(thought, false), @r"
    <|im_start|>system
    You are helpful.<|im_end|>
    <|im_start|>user
    1+1?<|im_end|>
    <|im_start|>assistant
    ⟦<think>
    Easy.
    </think>

    2<|im_end|>⟧
    <|im_start|>user
    2+2?<|im_end|>
    <|im_start|>assistant
    ⟦<think>
    Twice.
    </think>

    4<|im_end|>⟧
    ");
    let empty = inline("<think>\n\n</think>\n\n2", "4");
    assert_snapshot!(QWEN3.picture(empty, false), @r"
    <|im_start|>user
    1+1?<|im_end|>
    <|im_start|>assistant
    ⟦2<|im_end|>⟧
    <|im_start|>user
    2+2?<|im_end|>
    <|im_start|>assistant
    <think>

    </think>

    ⟦4<|im_end|>⟧
    ");
}

fn with_call(content: Value) -> Value {
    let call = json!({"type": "function", "function": {"name": "add", "arguments": {"a": 1}}});
    json!([
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": content, "tool_calls": [call]},
        {"role": "tool", "content": "2"},
        {"role": "assistant", "content": "It is 2."},
    ])
}

#[test]
fn calls_of_tools_are_learned() {
    assert_snapshot!(QWEN2.picture(with_call(json!("I ask.")), false), @r#"
    <|im_start|>system
    You are helpful.<|im_end|>
    <|im_start|>user
    1+1?<|im_end|>
    <|im_start|>assistant
    ⟦I ask.
    <tool_call>
    {"name": "add", "arguments": {"a": 1}}
    </tool_call><|im_end|>⟧
    <|im_start|>tool
    2<|im_end|>
    <|im_start|>assistant
    ⟦It is 2.<|im_end|>⟧
    "#);
    assert_snapshot!(QWEN2.picture(with_call(Value::Null), false), @r#"
    <|im_start|>system
    You are helpful.<|im_end|>
    <|im_start|>user
    1+1?<|im_end|>
    <|im_start|>assistant
    ⟦<tool_call>
    {"name": "add", "arguments": {"a": 1}}
    </tool_call><|im_end|>⟧
    <|im_start|>tool
    2<|im_end|>
    <|im_start|>assistant
    ⟦It is 2.<|im_end|>⟧
    "#);
    assert_snapshot!(LLAMA3.picture(with_call(json!("Not printed.")), false), @r#"
    <|begin_of_text|><|start_header_id|>user<|end_header_id|>

    1+1?<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦{"name": "add", "parameters": {"a": 1}}<|eot_id|>⟧<|start_header_id|>tool<|end_header_id|>

    2<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    ⟦It is 2.<|eot_id|>⟧
    "#);
}

fn printing(text: &'static str) -> String {
    let family = Family {
        template: text,
        ..QWEN2
    };
    family.picture(two_turns(), false)
}

#[test]
fn a_text_may_be_changed_as_long_as_its_place_is_known() {
    let loud = "{% for m in messages %}<|im_start|>{{ m.content | upper }}<|im_end|>{% endfor %}";
    assert_snapshot!(printing(loud), @r"
    <|im_start|>IS A < B?<|im_end|><|im_start|>⟦YES.<|im_end|>⟧<|im_start|> AND C? <|im_end|><|im_start|>⟦ NO.
    <|im_end|>⟧
    ");
    // Where the template says how it asks for an answer, that is enough.
    let asking = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | length }}<|im_end|>\n{% endfor %}\
        {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    assert_snapshot!(printing(asking), @r"
    <|im_start|>user
    9<|im_end|>
    <|im_start|>assistant
    ⟦4<|im_end|>⟧
    <|im_start|>user
    8<|im_end|>
    <|im_start|>assistant
    ⟦5<|im_end|>⟧
    ");
}

#[test]
fn what_a_template_does_not_print_is_named() {
    let twice = "{% for m in messages %}{{ m.content }}|{{ m.content }}<|im_end|>{% endfor %}";
    assert_snapshot!(printing(twice), @"the chat template does not print message 1 (`assistant`) as it is:");
    let counted = "{% for m in messages %}{{ m.content | length }}<|im_end|>{% endfor %}";
    assert_snapshot!(printing(counted), @"the chat template does not print message 1 (`assistant`) as it is:");
    let endless = "{% for m in messages %}{{ m.role }}: {{ m.content | length }}\n{% endfor %}\
        {% if add_generation_prompt %}assistant: {% endif %}";
    assert_snapshot!(printing(endless), @"the chat template does not print message 1 (`assistant`) as it is:");
}

#[test]
fn characters_of_the_marks_are_refused() {
    let messages = json!([{"role": "assistant", "content": "a\u{F0003}"}]);
    assert_snapshot!(QWEN2.picture(messages, false), @"message 0 holds the private-use character U+F0003, which is needed to mark texts:");
}
