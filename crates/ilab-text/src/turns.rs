//! The texts that a chat template puts around messages, for programs that have templates of another kind.
//!
//! They are found by rendering short conversations and held against the renderings of longer ones, so what comes out is the template's
//! own doing, not a guess from its name. Templates that do more than to put texts around messages are told by `None`.

use crate::message::Message;
use crate::template::ChatTemplate;

/// Where the system prompt goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemTurn {
    /// It is a turn of its own, with a text before and one after it.
    Own {
        /// Before the prompt.
        before: String,
        /// After it.
        after: String,
    },
    /// It stands at the beginning of the first question, with a text between.
    InFirstQuestion {
        /// Between the prompt and the question.
        between: String,
    },
    /// The template has no place for it.
    None,
}

/// The texts around the messages of a conversation in which questions and answers take turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns {
    /// At the beginning of a conversation without a system prompt.
    pub opening: String,
    /// The system prompt.
    pub system: SystemTurn,
    /// Before a question.
    pub before_question: String,
    /// Between a question and its answer: where the model goes on.
    pub before_answer: String,
    /// White space before an answer that is already given; the model writes it itself otherwise.
    pub answer_margin: String,
    /// After an answer.
    pub after_answer: String,
}

const SYSTEM: &str = "Be brief, Ada.";
const QUESTIONS: [&str; 3] = ["What is tin?", "And zinc?", "Which melts first?"];
const ANSWERS: [&str; 2] = ["A metal.", "Another one."];

impl Turns {
    /// Finds the texts of a template; `None` for one that does more than to put texts around messages.
    pub fn of(template: &ChatTemplate) -> Option<Self> {
        let [first, second, _] = QUESTIONS;
        let render = |messages: &[Message]| template.render(messages, true).ok();
        let text = render(&conversation(false, 2))?;
        let (opening, rest) = text.split_once(first)?;
        let (before_given, rest) = rest.split_once(ANSWERS[0])?;
        let (between, before_answer) = rest.split_once(second)?;
        let answer_margin = before_given.strip_prefix(before_answer)?;
        if before_answer.is_empty() || !answer_margin.trim().is_empty() {
            return None;
        }
        // What stands before the first question and before the second one alike belongs to the question.
        let before_question = common_end(opening, between);
        let turns = Self {
            opening: opening[..opening.len() - before_question.len()].to_owned(),
            system: SystemTurn::None,
            before_question: before_question.to_owned(),
            before_answer: before_answer.to_owned(),
            answer_margin: answer_margin.to_owned(),
            after_answer: between[..between.len() - before_question.len()].to_owned(),
        };
        let system = render(&conversation(true, 1)).and_then(|text| turns.system_turn(&text));
        let turns = Self {
            system: system.unwrap_or(SystemTurn::None),
            ..turns
        };
        turns.agrees_with(template).then_some(turns)
    }

    fn system_turn(&self, text: &str) -> Option<SystemTurn> {
        let (before, rest) = text.split_once(SYSTEM)?;
        let (between, _) = rest.split_once(QUESTIONS[0])?;
        if let Some(after) = between.strip_suffix(&self.before_question) {
            return Some(SystemTurn::Own {
                before: before.to_owned(),
                after: after.to_owned(),
            });
        }
        let is_in_question = *before == format!("{}{}", self.opening, self.before_question);
        is_in_question.then(|| SystemTurn::InFirstQuestion {
            between: between.to_owned(),
        })
    }

    /// Whether these texts give what the template gives.
    fn agrees_with(&self, template: &ChatTemplate) -> bool {
        let has_system = self.system != SystemTurn::None;
        let conversations = (1..=3).flat_map(|n| [(false, n), (has_system, n)]);
        conversations.into_iter().all(|(has_system, n_questions)| {
            let messages = conversation(has_system, n_questions);
            let expected = template.render(&messages, true);
            expected.is_ok_and(|expected| self.render(&messages) == expected)
        })
    }

    /// A conversation up to where the model is to answer: an optional system prompt, then questions and answers by turns.
    pub fn render(&self, messages: &[Message]) -> String {
        let system = messages
            .first()
            .filter(|message| message.role == "system")
            .map(|message| message.content.as_str());
        let mut text = match (&self.system, system) {
            (SystemTurn::Own { before, after }, Some(system)) => format!("{before}{system}{after}"),
            _ => self.opening.clone(),
        };
        let mut is_first = true;
        for message in messages {
            match message.role.as_str() {
                "user" => {
                    text.push_str(&self.before_question);
                    if let (SystemTurn::InFirstQuestion { between }, Some(system), true) =
                        (&self.system, system, is_first)
                    {
                        text.push_str(&format!("{system}{between}"));
                    }
                    text.push_str(&message.content);
                    text.push_str(&self.before_answer);
                    is_first = false;
                }
                "assistant" => {
                    text.push_str(&self.answer_margin);
                    text.push_str(&message.content);
                    text.push_str(&self.after_answer);
                }
                _ => {}
            }
        }
        text
    }
}

fn conversation(has_system: bool, n_questions: usize) -> Vec<Message> {
    let system = has_system.then(|| Message::new("system", SYSTEM));
    let turns = QUESTIONS[..n_questions]
        .iter()
        .zip(ANSWERS.iter().map(Some).chain([None]))
        .enumerate()
        .flat_map(|(index, (question, answer))| {
            let answer = answer.filter(|_| index + 1 < n_questions);
            let answer = answer.map(|answer| Message::new("assistant", *answer));
            [Some(Message::new("user", *question)), answer]
        });
    system.into_iter().chain(turns.flatten()).collect()
}

/// The longest text that both end with, but not from within a `<tag>` on.
fn common_end<'a>(one: &'a str, other: &str) -> &'a str {
    let n_alike: usize = one
        .chars()
        .rev()
        .zip(other.chars().rev())
        .take_while(|(one, other)| one == other)
        .map(|(character, _)| character.len_utf8())
        .sum();
    let (before, common) = one.split_at(one.len() - n_alike);
    let is_in_tag = before.rfind('<') > before.rfind('>');
    match common.find(['<', '>']) {
        Some(at) if is_in_tag && common[at..].starts_with('>') => &common[at + 1..],
        _ => common,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(template: &str) -> Option<Turns> {
        Turns::of(&ChatTemplate::new(template, "<s>", "</s>").unwrap())
    }

    const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
    const MISTRAL: &str = "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ bos_token }}{% for m in rest %}{% if m.role == 'user' %}{{ ' [INST] ' }}{% if loop.first and system is defined %}{{ system + '\\n\\n' }}{% endif %}{{ m.content + ' [/INST]' }}{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";

    #[test]
    fn a_turn_of_its_own() {
        let found = turns(CHATML).unwrap();
        assert_eq!(found.before_answer, "<|im_end|>\n<|im_start|>assistant\n");
        assert_eq!(
            found.system,
            SystemTurn::Own {
                before: "<|im_start|>system\n".to_owned(),
                after: "<|im_end|>\n".to_owned()
            }
        );
        assert_eq!(found.before_question, "<|im_start|>user\n");
        assert_eq!(found.after_answer, "<|im_end|>\n");
        assert_eq!(found.opening, "");
    }

    #[test]
    fn a_default_system_prompt_is_the_opening() {
        let template = format!(
            "{{% if messages[0].role != 'system' %}}{{{{ '<|im_start|>system\\nYou are kind.<|im_end|>\\n' }}}}{{% endif %}}{CHATML}"
        );
        let found = turns(&template).unwrap();
        // The end of the system prompt is also that of an answer: it counts to the question that follows both.
        assert_eq!(found.opening, "<|im_start|>system\nYou are kind.");
        let asked = found.render(&[Message::new("user", "Why?")]);
        assert!(asked.starts_with(
            "<|im_start|>system\nYou are kind.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        ));
    }

    #[test]
    fn a_system_prompt_in_the_first_question() {
        let found = turns(MISTRAL).unwrap();
        assert_eq!(
            (&*found.before_answer, &*found.answer_margin),
            (" [/INST]", " ")
        );
        assert_eq!(
            found.system,
            SystemTurn::InFirstQuestion {
                between: "\n\n".to_owned()
            }
        );
        assert_eq!(found.opening, "<s>");
        assert_eq!(found.before_question, " [INST] ");
        assert_eq!(found.after_answer, "</s>");
    }

    #[test]
    fn templates_that_do_more_are_not_translated() {
        let trimming = CHATML.replace("m.content", "m.content | upper");
        assert_eq!(turns(&trimming), None);
        let counting = CHATML.replace("m.role + '\\n'", "m.role ~ loop.index ~ '\\n'");
        assert_eq!(turns(&counting), None);
        // Short conversations look regular; the third question shows that the template is not.
        let late = CHATML.replace(
            "{% for m in messages %}",
            "{% for m in messages %}{% if loop.index > 4 %}{{ '!' }}{% endif %}",
        );
        assert_eq!(turns(&late), None);
        assert_eq!(turns("{{ raise_exception('no') }}"), None);
    }
}
