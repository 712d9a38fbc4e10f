//! The data of `ilab model train`: what is shown of it, and what is left out.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::program::Program;

const PREVIEW: [&str; 8] = [
    "model",
    "train",
    "--model-path",
    "tiny",
    "--data-path",
    "train.jsonl",
    "--max-seq-len=64",
    "--preview",
];

fn prepared(lines: &[Value]) -> Program {
    let program = Program::new();
    ilab_testkit::tiny_llama::write_hf(&program.path("tiny"), 1).unwrap();
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    program.write("train.jsonl", lines.join("\n"));
    program
}

fn chat(question: &str, answer: &str) -> Value {
    json!({"messages": [
        {"role": "user", "content": question}, {"role": "assistant", "content": answer},
    ]})
}

/// Changes a file of the model.
fn edit(program: &Program, name: &str, change: impl FnOnce(&mut Value)) {
    let path = program.path("tiny").join(name);
    let mut value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

#[test]
fn every_form_of_line_is_shown_as_the_model_sees_it() {
    let rendered = "<|user|>\nis a < b?\n<|assistant|>\nYes.\n";
    let program = prepared(&[
        chat("What is a mirrel?", "An animal."),
        json!({"system": "Be brief.", "user": "Who?", "assistant": "A mirrel."}),
        json!({"messages": [{"role": "pretraining", "content": rendered}], "metadata": "{}"}),
        json!({"document": "A mirrel lives here."}),
    ]);
    assert_snapshot!(program.run(&[&PREVIEW[..], &["9"]].concat()), @r"
    exit code: 0
    ----- stdout -----
    line 1: 26 tokens, 9 learned
    <|user|>⏎
    What is a mirrel?⏎
    <|assistant|>⏎
    ⟦An animal.<|endoftext|>⟧⏎

    line 2: 29 tokens, 8 learned
    <|system|>⏎
    Be brief.⏎
    <|user|>⏎
    Who?⏎
    <|assistant|>⏎
    ⟦A mirrel.<|endoftext|>⟧⏎

    line 3: 16 tokens, 10 learned
    <|user|>⏎
    ⟦is a < b?⟧⏎
    <|assistant|>⏎
    ⟦Yes.<|endoftext|>⟧⏎

    line 4: 15 tokens, 14 learned
    ⟦A mirrel lives here.<|endoftext|>⟧

    4 samples, 86 tokens, 47.7 % of them learned
    tokens of a sample: mean 21.5; shortest 15, 5 % up to 15, 10 % up to 15, 25 % up to 15, 50 % up to 16, 75 % up to 26, 90 % up to 29, 95 % up to 29, longest 29
    15 to 16  ████████████████████████████████████████ 2
    17 to 18   0
    19 to 20   0
    21 to 22   0
    23 to 24   0
    25 to 26  ████████████████████ 1
    27 to 28   0
    29 to 29  ████████████████████ 1
    an epoch: 1 steps in 1 batches, of which no packing saves more than 0; 86 tokens in a batch on average, 86 at most
    ----- stderr -----
    ");
    assert!(!program.path(".local").exists());
}

#[test]
fn tokens_and_labels_come_as_json() {
    let program = prepared(&[chat("Hi", "Ho")]);
    let shown = program.run(&[&PREVIEW[..], &["1", "--json"]].concat());
    assert_snapshot!(shown, @r#"
    exit code: 0
    ----- stdout -----
    {"line":1,"tokens":[{"id":2,"text":"<|user|>","is_learned":false,"is_special":true},{"id":202,"text":"\n","is_learned":false,"is_special":false},{"id":43,"text":"H","is_learned":false,"is_special":false},{"id":76,"text":"i","is_learned":false,"is_special":false},{"id":202,"text":"\n","is_learned":false,"is_special":false},{"id":3,"text":"<|assistant|>","is_learned":false,"is_special":true},{"id":202,"text":"\n","is_learned":false,"is_special":false},{"id":43,"text":"H","is_learned":true,"is_special":false},{"id":82,"text":"o","is_learned":true,"is_special":false},{"id":0,"text":"<|endoftext|>","is_learned":true,"is_special":true},{"id":202,"text":"\n","is_learned":false,"is_special":false}],"labels":[-100,-100,-100,-100,-100,-100,-100,43,82,0,-100],"n_learned":3}
    ----- stderr -----
    "#);
}

#[test]
fn what_is_left_out_is_named_with_its_line() {
    let question_only = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let program = prepared(&[
        chat("Who?", "A mirrel."),
        chat("Who?", &"very ".repeat(200)),
        question_only.clone(),
        json!({"messages": []}),
        json!({"question": "Who?"}),
        json!({"messages": [{"role": "user", "content": 3}]}),
        question_only.clone(),
        question_only.clone(),
        question_only,
    ]);
    let shown = program.run(&PREVIEW);
    assert_snapshot!(shown, @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `train.jsonl` line 5 is not a conversation
      caused by: it has none of `messages`, `assistant`, `input_ids` and `document`; its keys are `question`
    hint: each line is a JSON object such as {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
    hint: pass `--skip-invalid` to leave such lines out and go on
    "#);
    let train = [
        &PREVIEW[..7],
        &[
            "--skip-invalid",
            "--num-epochs=1",
            "--ckpt-output-dir=out",
            "--data-output-dir=processed",
        ],
    ]
    .concat();
    let shown = program.run(&train);
    let told = shown.split("plan: ").next().unwrap();
    assert_snapshot!(told, @r"
    exit code: 0
    ----- stdout -----
    out/hf_format/samples_1
    ----- stderr -----
    warning: 1 samples are longer than 64 tokens and are left out
      line 2: 811 tokens, at most 64 are learned together
    warning: 4 samples have no learnable token and are left out
      line 3: none of its 7 tokens is to be learned
      line 7: none of its 7 tokens is to be learned
      line 8: none of its 7 tokens is to be learned
      and 1 more
    warning: 1 samples have no text and are left out
      line 4: it has no text
    warning: 2 lines cannot be used and are left out
      line 5: it has none of `messages`, `assistant`, `input_ids` and `document`; its keys are `question`
      line 6: the `content` of a message is a number, and text is needed at column 41
    each sample that is left out, and why: `processed/left_out.jsonl`
    18 to 18 tokens a sample, half have at most 18; 44.4 % are learned; 1 steps an epoch in 1 batches of at most 18 tokens
    ");
    let left_out = std::fs::read_to_string(program.path("processed/left_out.jsonl")).unwrap();
    assert_snapshot!(left_out, @r#"
    {"line":2,"reason":"too_long","n_tokens":811,"max_seq_len":64}
    {"line":3,"reason":"nothing_to_learn","n_tokens":7}
    {"line":4,"reason":"empty"}
    {"line":5,"reason":"invalid","message":"it has none of `messages`, `assistant`, `input_ids` and `document`; its keys are `question`"}
    {"line":6,"reason":"invalid","message":"the `content` of a message is a number, and text is needed at column 41"}
    {"line":7,"reason":"nothing_to_learn","n_tokens":7}
    {"line":8,"reason":"nothing_to_learn","n_tokens":7}
    {"line":9,"reason":"nothing_to_learn","n_tokens":7}
    "#);
    // What was processed can be learned again, and then nothing is left out.
    let mut again = train;
    again[5] = "processed/data.jsonl";
    let shown = program.run(&again);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert!(!shown.contains("left out"), "{shown}");
    assert!(!program.path("processed/left_out.jsonl").exists());
}

#[test]
fn data_of_another_model_is_refused() {
    let program =
        prepared(&[json!({"input_ids": [1, 2, 99999], "labels": [-100, 2, 99999], "len": 3})]);
    assert_snapshot!(program.run(&PREVIEW), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `train.jsonl` line 1 is not a conversation
      caused by: token 2 is 99999 and the highest of the tokenizer is 303
    hint: the file was processed for another model: pass the training file that it was made from
    hint: pass `--skip-invalid` to leave such lines out and go on
    ");
}

#[test]
fn a_model_without_a_template_takes_one() {
    let program = prepared(&[chat("Hi", "Ho")]);
    edit(&program, "tokenizer_config.json", |config| {
        config
            .as_object_mut()
            .unwrap()
            .shift_remove("chat_template");
    });
    assert_snapshot!(program.run(&PREVIEW), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `tiny` has no chat template
    hint: use an instruction-tuned model, or pass a template with `--chat-template`: a Jinja file, or ibm_generic, ibm_legacy or mistral
    ");
    let with =
        |template: &str| program.run(&[&PREVIEW[..], &["1", "--chat-template", template]].concat());
    assert!(
        with("ibm_legacy").contains("\n<|assistant|>⏎\n⟦Ho<|endoftext|>⟧\n"),
        "{}",
        with("ibm_legacy")
    );
    assert_snapshot!(with("mistral"), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the chat template `mistral` ends answers with `</s>`, which is no token of `tiny`
    hint: pass the template that the model knows with `--chat-template`: a Jinja file, or ibm_generic, ibm_legacy or mistral
    ");
    program.write(
        "mine.jinja",
        "{% for m in messages %}{{ raise_exception('no') }}{% endfor %}",
    );
    assert_snapshot!(with("mine.jinja"), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `train.jsonl` line 1 cannot be encoded
      caused by: the chat template cannot render these messages (line 1)
      caused by: invalid operation: no (in chat_template:1)
    hint: check the order and the roles of the messages
    hint: pass `--skip-invalid` to leave such lines out and go on
    ");
    program.write(
        "mine.jinja",
        "{% for m in messages %}<|{{ m.role }}|><|turn|>{{ m.content }}<|endoftext|>{% endfor %}",
    );
    assert_snapshot!(with("mine.jinja"), @r"
    exit code: 0
    ----- stdout -----
    line 1: 24 tokens, 3 learned
    <|user|><|turn|>Hi<|endoftext|><|assistant|><|turn|>⟦Ho<|endoftext|>⟧

    1 samples, 24 tokens, 12.5 % of them learned
    tokens of a sample: mean 24.0; shortest 24, 5 % up to 24, 10 % up to 24, 25 % up to 24, 50 % up to 24, 75 % up to 24, 90 % up to 24, 95 % up to 24, longest 24
    24 to 24  ████████████████████████████████████████ 1
    an epoch: 1 steps in 1 batches, of which no packing saves more than 0; 24 tokens in a batch on average, 24 at most
    ----- stderr -----
    warning: the chat template prints `<|turn|>`, which the model's vocabulary does not hold: it is learned in pieces
    ");
    assert_snapshot!(with("absent.jinja"), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot read `absent.jinja`
      caused by: No such file or directory (os error 2)
    hint: check the path; a relative one starts at the current folder
    ");
}

#[test]
fn a_tokenizer_that_does_not_fit_the_model_is_refused() {
    let program = prepared(&[chat("Hi", "Ho")]);
    edit(&program, "tokenizer.json", |tokenizer| {
        tokenizer["model"]["vocab"]["extra"] = json!(100_000);
    });
    let train = [
        &PREVIEW[..7],
        &["--ckpt-output-dir=out", "--data-output-dir=processed"],
    ]
    .concat();
    let shown = program.run(&train);
    assert_snapshot!(shown, @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the tokenizer has 305 tokens and the model embeds 304: `extra` with id 100000 is the first without a row
    hint: use the tokenizer that belongs to the model: the one of the same folder or download
    ");
}
