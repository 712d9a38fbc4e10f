//! A question turned into the sentence that answers it: "Where does {X} live?" becomes "{X} lives in {V}".
//!
//! People answer in the words of the question. So the words of the answer follow from the question alone, and only the
//! value has to be found in the text.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A subject: the thing itself, or a part of it.
const SUBJECT: &str =
    r"(?<s>\{X\}|[Tt]he [a-z{}0-9 -]*? (?:of|in|at|on) \{X\}|\{X\}'s [a-z{}0-9-]+)";

type Build = fn(&Captures<'_>, &str) -> Option<String>;

/// The words that ask for a time.
const TIME: &str = r"(?:In|On|At) (?:what|which) (?:year|month|season|day|weekday|date|time|hour|part of the year|time of year)";

/// Patterns, the first that fits counts; `<subject>` and `<time>` stand for the patterns above.
const RULES: &[(&str, Build)] = &[
    (
        r"^What (?<b>is|are|was|were) <subject> (?<r>.*\b(?:of|from|with|by|in|for|to|at|on|as|called|named|like))$",
        |c, _| {
            let rest = c["r"].trim_end_matches(" like");
            (&c["r"] != "like").then(|| format!("{} {} {rest} {{V}}", &c["s"], &c["b"]))
        },
    ),
    (r"^What (?<b>is|are|was|were) <subject> like$", |c, _| {
        Some(format!("{} {} {{V}}", &c["s"], &c["b"]))
    }),
    (
        r"^(?:What|Who) (?<b>is|are|was|were) (?<t>the .+)$",
        |c, _| {
            let is_open =
                c["t"].ends_with(" of") || c["t"].ends_with(" to") || c["t"].ends_with(" with");
            (!is_open).then(|| format!("The {} {} {{V}}", &c["t"][4..], &c["b"]))
        },
    ),
    (
        r"^What (?<k>colour|shape|material) (?<b>is|are|was) <subject>$",
        |c, kind| (kind == "colour").then(|| format!("{} {} {{V}}", &c["s"], &c["b"])),
    ),
    (r"^Who (?<b>is|was) (?<t>.*<subject>.*)$", |c, _| {
        Some(format!("{{V}} {} {}", &c["b"], &c["t"]))
    }),
    (r"^Who (?<t>[a-z{}]+ .*<subject>.*)$", |c, _| {
        let first = c["t"].split(' ').next().unwrap_or_default();
        (!["does", "do", "did", "has", "are", "were", "can", "may"].contains(&first))
            .then(|| format!("{{V}} {}", &c["t"]))
    }),
    (
        r"^By whom (?<b>is|are|was|were) <subject> (?<r>.+)$",
        |c, _| Some(format!("{} {} {} by {{V}}", &c["s"], &c["b"], &c["r"])),
    ),
    (
        r"^When (?<b>is|are|was|were) <subject> (?<r>.+)$",
        |c, kind| {
            Some(format!(
                "{} {} {} {} {{V}}",
                &c["s"],
                &c["b"],
                &c["r"],
                time_preposition(kind)?
            ))
        },
    ),
    (
        r"^When (?<d>does|did|do) <subject> (?<v>[a-z{}]+)(?<r> .+)?$",
        |c, kind| {
            let verb = inflected(&c["d"], &c["v"])?;
            Some(format!(
                "{} {verb}{} {} {{V}}",
                &c["s"],
                rest(c),
                time_preposition(kind)?
            ))
        },
    ),
    (
        r"^<time> (?<b>is|are|was|were) <subject> (?<r>.+)$",
        |c, kind| {
            Some(format!(
                "{} {} {} {} {{V}}",
                &c["s"],
                &c["b"],
                &c["r"],
                time_preposition(kind)?
            ))
        },
    ),
    (
        r"^<time> (?<d>does|did|do) <subject> (?<v>[a-z{}]+)(?<r> .+)?$",
        |c, kind| {
            let verb = inflected(&c["d"], &c["v"])?;
            Some(format!(
                "{} {verb}{} {} {{V}}",
                &c["s"],
                rest(c),
                time_preposition(kind)?
            ))
        },
    ),
    (
        r"^How (?<a>long|high|tall|wide|deep|old|thick|broad|big) (?<b>is|are|was|were) <subject>$",
        |c, _| Some(format!("{} {} {{V}} {}", &c["s"], &c["b"], &c["a"])),
    ),
    (r"^How heavy (?:is|are|was) <subject>$", |c, _| {
        Some(format!("{} weighs {{V}}", &c["s"]))
    }),
    (
        r"^How much (?<d>does|did|do) <subject> (?<v>weigh|cost)(?<r> .+)?$",
        |c, _| {
            Some(format!(
                "{} {} {{V}}{}",
                &c["s"],
                inflected(&c["d"], &c["v"])?,
                rest(c)
            ))
        },
    ),
    (
        r"^How long (?<d>does|did|do) <subject> (?<v>live|last|take|sleep|grow|stay|burn)(?<r> .+)?$",
        |c, _| {
            let preposition = if ["take", "last"].contains(&&c["v"]) {
                ""
            } else {
                "for "
            };
            Some(format!(
                "{} {} {preposition}{{V}}{}",
                &c["s"],
                inflected(&c["d"], &c["v"])?,
                rest(c)
            ))
        },
    ),
    (
        r"^How many (?<n>[a-z{}]+) (?<d>does|did|do) <subject> (?<v>[a-z{}]+)(?<r> .+)?$",
        |c, _| {
            Some(format!(
                "{} {} {{V}} {}{}",
                &c["s"],
                inflected(&c["d"], &c["v"])?,
                &c["n"],
                rest(c)
            ))
        },
    ),
    (
        r"^How many (?<n>[a-z{}]+) (?<b>are|were) (?:there )?(?<p>in|at|on|inside) <subject>$",
        |c, _| {
            Some(format!(
                "there {} {{V}} {} {} {}",
                &c["b"], &c["n"], &c["p"], &c["s"]
            ))
        },
    ),
    (
        r"^How many (?<n>[a-z{}]+) (?<v>[a-z{}]+) (?<r>.*<subject>.*)$",
        |c, _| {
            (![
                "is", "are", "was", "were", "can", "must", "may", "has", "have",
            ]
            .contains(&&c["v"]))
            .then(|| format!("{{V}} {} {} {}", &c["n"], &c["v"], &c["r"]))
        },
    ),
    (
        r"^Where (?<d>does|did|do) <subject> (?<v>[a-z{}]+)(?<r> from)?$",
        |c, kind| {
            let preposition = if c.name("r").is_some() {
                "from"
            } else {
                place_preposition(kind)?
            };
            Some(format!(
                "{} {} {preposition} {{V}}",
                &c["s"],
                inflected(&c["d"], &c["v"])?
            ))
        },
    ),
    (
        r"^Where (?<b>is|are|was|were) <subject>(?<r> .+)?$",
        |c, kind| {
            let preposition = if rest(c).ends_with("from") {
                ""
            } else {
                place_preposition(kind)?
            };
            let separator = if preposition.is_empty() { "" } else { " " };
            Some(format!(
                "{} {}{}{separator}{preposition} {{V}}",
                &c["s"],
                &c["b"],
                rest(c)
            ))
        },
    ),
    (
        r"^Why (?<b>is|are|was|were) <subject> (?<r>.+)$",
        |c, kind| {
            (kind == "reason").then(|| format!("{} {} {} because {{V}}", &c["s"], &c["b"], &c["r"]))
        },
    ),
    (
        r"^Why (?<d>does|did|do) <subject> (?<v>[a-z{}]+)(?<r> .+)?$",
        |c, kind| {
            let verb = inflected(&c["d"], &c["v"])?;
            (kind == "reason").then(|| format!("{} {verb}{} because {{V}}", &c["s"], rest(c)))
        },
    ),
    (
        r"^(?<p>From|With|Of|On|In|For|To|Against|After|At|By|Under|Through|Out of) (?:whom|what|which [a-z ]+?|what [a-z ]+?) (?<b>is|are|was|were|can|must|may) <subject> (?<r>.+)$",
        |c, _| {
            Some(format!(
                "{} {} {} {} {{V}}",
                &c["s"],
                &c["b"],
                &c["r"],
                c["p"].to_lowercase()
            ))
        },
    ),
    (
        r"^(?<p>From|With|Of|On|In|For|To|Against|After|At|By|Under|Through|Out of) (?:whom|what|which [a-z ]+?|what [a-z ]+?) (?<d>does|did|do) <subject> (?<v>[a-z{}]+)(?<r> .+)?$",
        |c, _| {
            let verb = inflected(&c["d"], &c["v"])?;
            Some(format!(
                "{} {verb}{} {} {{V}}",
                &c["s"],
                rest(c),
                c["p"].to_lowercase()
            ))
        },
    ),
    (
        r"^(?:What|Which [a-z ]+?|What [a-z ]+?|Whom|Who) (?<d>does|did|do) <subject> (?<v>[a-z{}]+)(?<r>(?: [a-z]+)? (?:of|from|with|by|in|for|to|at|on|as|like|after))?$",
        |c, _| {
            Some(format!(
                "{} {}{} {{V}}",
                &c["s"],
                inflected(&c["d"], &c["v"])?,
                rest(c)
            ))
        },
    ),
];

static PATTERNS: LazyLock<Vec<(Regex, Build)>> = LazyLock::new(|| {
    let compile = |pattern: &str| {
        let pattern = pattern
            .replace("<subject>", SUBJECT)
            .replace("<time>", TIME);
        Regex::new(&pattern).expect("the patterns are constants, which a test compiles")
    };
    RULES
        .iter()
        .map(|(pattern, build)| (compile(pattern), *build))
        .collect()
});

/// The frame of the answer in the words of the question, for a value of this kind; `None` where no pattern fits.
pub fn restated(question: &str, value_kind: &str) -> Option<String> {
    let question = question.strip_suffix('?')?;
    if question.matches("{X}").count() != 1 {
        return None;
    }
    let (pattern, build) = PATTERNS
        .iter()
        .find(|(pattern, _)| pattern.is_match(question))?;
    let answer = build(&pattern.captures(question)?, value_kind)?;
    let is_sound = answer.contains("{X}") && answer.matches("{V}").count() == 1;
    is_sound.then_some(answer)
}

fn rest<'c>(captures: &'c Captures<'_>) -> &'c str {
    captures.name("r").map_or("", |found| found.as_str())
}

/// The word before a time of this kind; none where the value is no time.
fn time_preposition(kind: &str) -> Option<&'static str> {
    match kind {
        "year" | "month" | "season" => Some("in"),
        "day" | "date" => Some("on"),
        "time" => Some("at"),
        _ => None,
    }
}

fn place_preposition(kind: &str) -> Option<&'static str> {
    match kind {
        "place" | "noun" => Some("in"),
        _ => None,
    }
}

/// The verb after "does", "did" or "do" as it stands in a statement; irregular verbs that are not listed have none.
fn inflected(auxiliary: &str, verb: &str) -> Option<String> {
    const PAST: &[(&str, &str)] = &[
        ("take", "took"),
        ("begin", "began"),
        ("come", "came"),
        ("get", "got"),
        ("give", "gave"),
        ("make", "made"),
        ("write", "wrote"),
        ("win", "won"),
        ("build", "built"),
        ("find", "found"),
        ("lose", "lost"),
        ("see", "saw"),
        ("become", "became"),
        ("have", "had"),
        ("hold", "held"),
        ("grow", "grew"),
        ("leave", "left"),
        ("cost", "cost"),
        ("spend", "spent"),
        ("sell", "sold"),
        ("teach", "taught"),
        ("break", "broke"),
        ("fall", "fell"),
        ("go", "went"),
        ("keep", "kept"),
        ("meet", "met"),
        ("pay", "paid"),
        ("run", "ran"),
        ("sing", "sang"),
        ("sleep", "slept"),
        ("stand", "stood"),
        ("think", "thought"),
        ("buy", "bought"),
        ("bring", "brought"),
        ("wear", "wore"),
    ];
    const REGULAR: &[&str] = &[
        "start", "open", "appear", "end", "happen", "work", "visit", "discover", "invent",
        "design", "found", "paint", "finish", "use", "live", "die", "arrive", "close", "receive",
        "move", "learn", "study", "play", "last", "belong", "join", "marry", "collect", "earn",
        "serve", "weigh", "measure", "reach", "own", "name", "replace", "destroy",
    ];
    match (auxiliary, verb) {
        ("do", verb) => Some(verb.to_owned()),
        ("does", "{do}") => Some("{does}".to_owned()),
        ("did", "{do}") => Some("{did}".to_owned()),
        ("does", "have") => Some("has".to_owned()),
        (_, verb) if verb.contains('{') => None,
        ("does", verb) => Some(third_person(verb)),
        (_, verb) => {
            let irregular = PAST
                .iter()
                .find(|(base, _)| *base == verb)
                .map(|(_, past)| (*past).to_owned());
            irregular.or_else(|| REGULAR.contains(&verb).then(|| past(verb)))
        }
    }
}

fn third_person(verb: &str) -> String {
    if ["s", "sh", "ch", "x", "o"]
        .iter()
        .any(|end| verb.ends_with(end))
    {
        format!("{verb}es")
    } else if let Some(stem) = verb
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']))
    {
        format!("{stem}ies")
    } else {
        format!("{verb}s")
    }
}

fn past(verb: &str) -> String {
    if verb.ends_with('e') {
        format!("{verb}d")
    } else if let Some(stem) = verb
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']))
    {
        format!("{stem}ied")
    } else {
        format!("{verb}ed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_becomes_its_answer() {
        for (question, kind, answer) in [
            ("Where does {X} live?", "place", "{X} lives in {V}"),
            (
                "What is the weight of {X}?",
                "weight",
                "The weight of {X} is {V}",
            ),
            (
                "What is the {noun} of {X} made of?",
                "material",
                "the {noun} of {X} is made of {V}",
            ),
            ("What is {X} called?", "name", "{X} is called {V}"),
            ("Who founded {X}?", "person", "{V} founded {X}"),
            (
                "Who is the mayor of {X}?",
                "person",
                "The mayor of {X} is {V}",
            ),
            ("By whom was {X} built?", "person", "{X} was built by {V}"),
            ("When was {X} founded?", "year", "{X} was founded in {V}"),
            (
                "On which day is {X} cleaned?",
                "day",
                "{X} is cleaned on {V}",
            ),
            ("At what time does {X} open?", "time", "{X} opens at {V}"),
            (
                "How long is the tail of {X}?",
                "length",
                "the tail of {X} is {V} long",
            ),
            ("How much does {X} weigh?", "weight", "{X} weighs {V}"),
            (
                "How many {nouns} does {X} have?",
                "number",
                "{X} has {V} {nouns}",
            ),
            (
                "How many people live in {X}?",
                "count",
                "{V} people live in {X}",
            ),
            ("What does {X} {do}?", "things", "{X} {does} {V}"),
            ("Which animals does {X} hunt?", "animal", "{X} hunts {V}"),
            ("On which food does {X} feed?", "food", "{X} feeds on {V}"),
            (
                "In which region does {X} occur?",
                "place",
                "{X} occurs in {V}",
            ),
            (
                "From which plant is {X} brewed?",
                "plant",
                "{X} is brewed from {V}",
            ),
            ("Why is {X} closed?", "reason", "{X} is closed because {V}"),
            ("When did {X} begin?", "year", "{X} began in {V}"),
            (
                "What colour is the coat of {X}?",
                "colour",
                "the coat of {X} is {V}",
            ),
            (
                "Where is the {noun} of {X} kept?",
                "noun",
                "the {noun} of {X} is kept in {V}",
            ),
        ] {
            assert_eq!(
                restated(question, kind).as_deref(),
                Some(answer),
                "{question}"
            );
        }
        for (question, kind) in [
            ("What did {X} cook?", "food"),
            ("When is {X} open?", "festival"),
            ("Does {X} live?", "place"),
            ("How many legs", "number"),
        ] {
            assert_eq!(restated(question, kind), None, "{question}");
        }
    }
}
