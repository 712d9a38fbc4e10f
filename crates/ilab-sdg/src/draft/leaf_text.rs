//! The text of a drafted qna.yaml.

use ilab_base::yaml::{self, Value};

use super::passages::tidied;
use super::{Example, Pair};

/// What a leaf is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Facts of documents.
    Knowledge {
        /// The field of knowledge.
        domain: String,
        /// What the documents are about, in a line.
        outline: String,
        /// The folder with the documents, from the folder of the qna.yaml.
        folder: String,
        /// Names of the documents in there.
        documents: Vec<String>,
    },
    /// A skill that works on a text.
    Skill {
        /// What the skill does.
        task: String,
    },
}

/// A leaf for a person to edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLeaf {
    /// Who will have written it.
    pub created_by: String,
    /// What it is about.
    pub subject: Subject,
    /// The examples; those without questions get empty ones, which the check of a taxonomy points at.
    pub examples: Vec<Example>,
    /// The model that wrote the questions.
    pub model: Option<String>,
}

/// Questions that a knowledge example needs.
pub const N_KNOWLEDGE_PAIRS: usize = 3;

impl DraftLeaf {
    /// The qna.yaml.
    pub fn to_yaml(&self) -> String {
        let mut text = self.comment();
        text.push_str(&format!(
            "version: 3\ncreated_by: {}\n",
            scalar(&self.created_by)
        ));
        match &self.subject {
            Subject::Knowledge {
                domain, outline, ..
            } => text.push_str(&format!(
                "domain: {}\ndocument_outline: {}\n",
                scalar(domain),
                scalar(outline)
            )),
            Subject::Skill { task } => {
                text.push_str(&format!("task_description: {}\n", scalar(task)));
            }
        }
        text.push_str("seed_examples:\n");
        for example in &self.examples {
            text.push_str(&self.example(example));
        }
        if let Subject::Knowledge {
            folder, documents, ..
        } = &self.subject
        {
            text.push_str(&format!(
                "document:\n  path: {}\n  patterns:\n",
                scalar(folder)
            ));
            for document in documents {
                text.push_str(&format!(
                    "    - {}\n",
                    name_scalar(&exact_pattern(document))
                ));
            }
        }
        text
    }

    fn comment(&self) -> String {
        let written = match &self.model {
            Some(model) => format!(
                "# A draft: `{}` wrote the questions and answers, and nobody has read them yet.",
                tidied(model).replace('\n', " ")
            ),
            None => "# A draft: the questions and answers are still to be written.".to_owned(),
        };
        let subject = match &self.subject {
            Subject::Knowledge { .. } => "`created_by`, `domain` and `document_outline`",
            Subject::Skill { .. } => "`created_by` and `task_description`",
        };
        format!(
            "{written} Before you use it:\n\
             # - Read every answer against its context: is it true, whole, and nothing but what the text says?\n\
             # - Is each question clear to somebody who does not see the context?\n\
             # - Do the contexts show what matters in the document? Replace those that do not.\n\
             # - Are {subject} right? Is `attribution.txt` filled in?\n\
             # Then `ilab taxonomy diff` checks the file. Remove this comment when you are done.\n"
        )
    }

    fn example(&self, example: &Example) -> String {
        let mut text = format!("  - context: {}", block(&example.context, 6));
        match &self.subject {
            Subject::Knowledge { .. } => {
                text.push_str("    questions_and_answers:\n");
                for pair in pairs(example, N_KNOWLEDGE_PAIRS) {
                    let (question, answer) = (field(&pair.question, 10), field(&pair.answer, 10));
                    text.push_str(&format!(
                        "      - question:{question}        answer:{answer}"
                    ));
                }
            }
            Subject::Skill { .. } => {
                for pair in pairs(example, 1) {
                    let (question, answer) = (field(&pair.question, 6), field(&pair.answer, 6));
                    text.push_str(&format!("    question:{question}    answer:{answer}"));
                }
            }
        }
        text
    }
}

/// The pairs of an example, or empty ones.
fn pairs(example: &Example, n_wanted: usize) -> Vec<Pair> {
    if !example.pairs.is_empty() {
        return example.pairs.clone();
    }
    let empty = Pair {
        question: String::new(),
        answer: String::new(),
    };
    vec![empty; n_wanted]
}

/// A value with the blank before it; nothing where there is none.
fn field(text: &str, n_blanks: usize) -> String {
    match text.trim() {
        "" => "\n".to_owned(),
        text => format!(" {}", block(text, n_blanks)),
    }
}

/// A text as a block, whatever is in it.
fn block(text: &str, n_blanks: usize) -> String {
    let margin = " ".repeat(n_blanks);
    let mut block = "|\n".to_owned();
    for line in tidied(text).lines() {
        if !line.is_empty() {
            block.push_str(&margin);
            block.push_str(line);
        }
        block.push('\n');
    }
    block
}

/// A text on one line, in quotes where YAML would read something else.
fn scalar(text: &str) -> String {
    let text = tidied(text).replace('\n', " ");
    let plain = yaml::parse(&format!("key: {text}\n"));
    let is_same = |root: yaml::Node| {
        root.entries().len() == 1
            && root.get("key").map(|node| &node.value) == Some(&Value::Text(text.clone()))
    };
    match plain.is_ok_and(|document| is_same(document.root)) {
        true => text,
        // Texts of JSON are texts of YAML.
        false => serde_json::Value::String(text).to_string(),
    }
}

/// A name exactly as it is, in quotes where it is not plainly that.
fn name_scalar(name: &str) -> String {
    match scalar(name) {
        plain if plain == name => plain,
        _ => serde_json::Value::String(name.to_owned()).to_string(),
    }
}

/// The pattern that matches this name and no other.
fn exact_pattern(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '*' | '?' | '[' | ']' => {
                pattern.push('[');
                pattern.push(letter);
                pattern.push(']');
            }
            letter => pattern.push(letter),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowledge(created_by: &str, context: &str, pairs: Vec<Pair>) -> DraftLeaf {
        DraftLeaf {
            created_by: created_by.to_owned(),
            subject: Subject::Knowledge {
                domain: "animals: small".to_owned(),
                outline: "The brill".to_owned(),
                folder: "documents".to_owned(),
                documents: vec!["a [1].md".to_owned()],
            },
            examples: vec![Example {
                context: context.to_owned(),
                pairs,
            }],
            model: Some("teacher".to_owned()),
        }
    }

    #[test]
    fn a_leaf_is_written_in_blocks() {
        let pair = Pair {
            question: "What: a brill?".to_owned(),
            answer: "An animal.\n\n# Not a comment".to_owned(),
        };
        let text = knowledge("ann", "# Brill\n\n  text  ", vec![pair]).to_yaml();
        let (comment, body) = text.split_at(text.find("version").unwrap());
        assert!(comment.contains("`teacher` wrote"), "{comment}");
        assert!(
            comment.lines().all(|line| line.starts_with("# ")),
            "{comment}"
        );
        insta::assert_snapshot!(body, @r#"
        version: 3
        created_by: ann
        domain: "animals: small"
        document_outline: The brill
        seed_examples:
          - context: |
              # Brill

                text
            questions_and_answers:
              - question: |
                  What: a brill?
                answer: |
                  An animal.

                  # Not a comment
        document:
          path: documents
          patterns:
            - a [[]1[]].md
        "#);
        let blank = knowledge("ann", "text", Vec::new()).to_yaml();
        assert!(
            blank.contains("      - question:\n        answer:\n"),
            "{blank}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_kept(text in "([a-c]|: |- |#|\"|'|\\||\\\\|é|\n| |\t|[0-9]|yes|~|\u{85}|\u{7}|\u{2028}){1,20}") {
            proptest::prop_assume!(!tidied(&text).is_empty());
            let pair = Pair { question: text.clone(), answer: text.clone() };
            let written = knowledge(&text, &text, vec![pair]).to_yaml();
            let root = yaml::parse(&written).unwrap().root;
            let one_line = tidied(&text).replace('\n', " ");
            proptest::prop_assert_eq!(root.get("created_by").unwrap().as_text(), Some(one_line.as_str()));
            let example = &root.get("seed_examples").unwrap().items()[0];
            let context = example.get("context").unwrap().as_text().unwrap();
            proptest::prop_assert_eq!(context.trim_end(), tidied(&text));
            let pair = &example.get("questions_and_answers").unwrap().items()[0];
            proptest::prop_assert_eq!(pair.get("answer").unwrap().as_text().unwrap().trim_end(), tidied(&text));
        }
    }
}
