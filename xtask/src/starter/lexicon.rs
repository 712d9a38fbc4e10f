//! The plain English words that documents are made of.

use std::collections::{BTreeSet, HashMap};

use crate::starter::grammar_error::GrammarError;
use crate::starter::template::Template;

/// A noun with its plural.
#[derive(Debug, Clone)]
pub struct Noun {
    pub singular: String,
    pub plural: String,
}

/// A transitive verb in the forms that sentences and questions need.
#[derive(Debug, Clone)]
pub struct Verb {
    pub base: String,
    pub present: String,
    pub past: String,
    pub participle: String,
    pub gerund: String,
}

/// How things of one kind are called.
#[derive(Debug, Default)]
pub struct Naming {
    /// Plain words for such a thing.
    pub heads: Vec<String>,
    /// Patterns of names with their weights.
    pub patterns: Vec<(f64, Template)>,
}

/// All word lists.
#[derive(Debug)]
pub struct Lexicon {
    pub nouns: Vec<Noun>,
    pub adjectives: Vec<String>,
    pub verbs: Vec<Verb>,
    pub activities: Vec<String>,
    /// Words of other classes: they are copied, and sentences have them by themselves.
    pub common: Vec<String>,
    /// Every word in every form.
    pub all_words: Vec<String>,
    lists: HashMap<String, Vec<String>>,
    namings: HashMap<String, Naming>,
}

impl Lexicon {
    /// Reads the lists that the program carries.
    pub fn embedded() -> Result<Self, GrammarError> {
        let mut lexicon = Self {
            all_words: Vec::new(),
            nouns: words(include_str!("../../starter/lexicon/nouns.txt"))
                .map(noun)
                .collect(),
            adjectives: words(include_str!("../../starter/lexicon/adjectives.txt"))
                .map(str::to_owned)
                .collect(),
            verbs: words(include_str!("../../starter/lexicon/verbs.txt"))
                .map(verb)
                .collect(),
            activities: lines(include_str!("../../starter/lexicon/activities.txt"))
                .map(str::to_owned)
                .collect(),
            common: words(include_str!("../../starter/lexicon/common.txt"))
                .map(str::to_owned)
                .collect(),
            lists: sections(include_str!("../../starter/lexicon/lists.txt"))?,
            namings: namings(include_str!("../../starter/lexicon/names.txt"))?,
        };
        lexicon.all_words = lexicon.forms();
        Ok(lexicon)
    }

    fn forms(&self) -> Vec<String> {
        let nouns = self
            .nouns
            .iter()
            .flat_map(|noun| [&noun.singular, &noun.plural]);
        let verbs = self.verbs.iter().flat_map(|verb| {
            [
                &verb.base,
                &verb.present,
                &verb.past,
                &verb.participle,
                &verb.gerund,
            ]
        });
        let entries = self.activities.iter().chain(self.lists.values().flatten());
        let entries = entries.flat_map(|entry| entry.split_whitespace());
        let single = nouns
            .chain(verbs)
            .chain(&self.adjectives)
            .chain(&self.common);
        let forms: BTreeSet<&str> = single.map(String::as_str).chain(entries).collect();
        forms.into_iter().map(str::to_owned).collect()
    }

    /// How things of this kind are called.
    pub fn naming(&self, kind: &str) -> &Naming {
        self.namings
            .get(kind)
            .expect("names.txt has a section for every kind of subject, which a test checks")
    }

    /// The named list of `lists.txt`.
    pub fn list(&self, name: &str) -> &[String] {
        self.lists
            .get(name)
            .expect("every list named in the code is in lists.txt, which a test checks")
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    lines(text).flat_map(str::split_whitespace)
}

fn sections(text: &str) -> Result<HashMap<String, Vec<String>>, GrammarError> {
    let mut sections: HashMap<String, Vec<String>> = HashMap::new();
    let mut name = None;
    for line in lines(text) {
        if let Some(heading) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name = Some(heading.to_owned());
        } else if let Some(name) = &name {
            let entries = line.split(',').map(str::trim).filter(|e| !e.is_empty());
            sections
                .entry(name.clone())
                .or_default()
                .extend(entries.map(str::to_owned));
        } else {
            return Err(GrammarError::WordOutsideSection {
                line: line.to_owned(),
            });
        }
    }
    Ok(sections)
}

fn noun(entry: &str) -> Noun {
    let (singular, plural) = match entry.split_once('/') {
        Some((singular, plural)) => (singular, plural.to_owned()),
        None => (entry, plural(entry)),
    };
    Noun {
        singular: singular.to_owned(),
        plural,
    }
}

fn namings(text: &str) -> Result<HashMap<String, Naming>, GrammarError> {
    let mut namings: HashMap<String, Naming> = HashMap::new();
    let mut kind = String::new();
    for line in lines(text) {
        if let Some(heading) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            heading.clone_into(&mut kind);
            continue;
        }
        let naming = namings.entry(kind.clone()).or_default();
        match line.split_once(' ') {
            Some(("heads", heads)) => naming.heads.extend(heads.split(", ").map(str::to_owned)),
            Some((weight, pattern)) if weight.parse::<f64>().is_ok_and(|w| w > 0.0) => {
                let weight = weight.parse().unwrap_or(1.0);
                naming.patterns.push((weight, Template::parse(pattern)));
            }
            _ => {
                return Err(GrammarError::NamePattern {
                    line: line.to_owned(),
                });
            }
        }
    }
    Ok(namings)
}

fn plural(noun: &str) -> String {
    if ends_with_consonant_y(noun) {
        return format!("{}ies", &noun[..noun.len() - 1]);
    }
    let hisses =
        ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) && !noun.ends_with("stomach");
    format!("{noun}{}", if hisses { "es" } else { "s" })
}

fn verb(entry: &str) -> Verb {
    let mut forms = entry.split('/');
    let base = forms.next().unwrap_or(entry);
    let past = forms
        .next()
        .map_or_else(|| with_suffix(base, "ed"), str::to_owned);
    let participle = forms.next().map_or_else(|| past.clone(), str::to_owned);
    let present = if ends_with_consonant_y(base) {
        format!("{}ies", &base[..base.len() - 1])
    } else if ["s", "x", "ch", "sh", "o"]
        .iter()
        .any(|e| base.ends_with(e))
    {
        format!("{base}es")
    } else {
        format!("{base}s")
    };
    Verb {
        base: base.to_owned(),
        present,
        past,
        participle,
        gerund: with_suffix(base, "ing"),
    }
}

/// Adds `ed` or `ing` with the spelling changes of regular verbs.
fn with_suffix(base: &str, suffix: &str) -> String {
    if suffix == "ed" && ends_with_consonant_y(base) {
        return format!("{}ied", &base[..base.len() - 1]);
    }
    if let Some(stem) = base.strip_suffix("ie") {
        return match suffix {
            "ing" => format!("{stem}ying"),
            _ => format!("{base}d"),
        };
    }
    if base.ends_with('e') && !base.ends_with("ee") && !base.ends_with("ye") {
        return format!("{}{suffix}", &base[..base.len() - 1]);
    }
    if base.ends_with('e') && suffix == "ed" {
        return format!("{base}d");
    }
    if doubles_last_letter(base) {
        return format!("{base}{}{suffix}", &base[base.len() - 1..]);
    }
    format!("{base}{suffix}")
}

fn is_vowel(letter: u8) -> bool {
    b"aeiou".contains(&letter)
}

fn ends_with_consonant_y(base: &str) -> bool {
    matches!(base.as_bytes(), [.., before, b'y'] if !is_vowel(*before))
}

/// One syllable ending in consonant, vowel, consonant; and the longer verbs of the list that are stressed at the end.
fn doubles_last_letter(base: &str) -> bool {
    let [.., first, middle, last] = base.as_bytes() else {
        return false;
    };
    let closed =
        !is_vowel(*first) && is_vowel(*middle) && !is_vowel(*last) && !b"wxy".contains(last);
    let syllables = base
        .as_bytes()
        .windows(2)
        .filter(|pair| is_vowel(pair[1]) && !is_vowel(pair[0]))
        .count()
        + usize::from(is_vowel(base.as_bytes()[0]));
    closed && (syllables == 1 || ["forget", "control"].contains(&base))
        || ["quit", "travel"].contains(&base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verb_forms() {
        let forms = |entry| {
            let v = verb(entry);
            format!(
                "{} {} {} {} {}",
                v.base, v.present, v.past, v.participle, v.gerund
            )
        };
        assert_eq!(forms("carry"), "carry carries carried carried carrying");
        assert_eq!(forms("trim"), "trim trims trimmed trimmed trimming");
        assert_eq!(forms("dye"), "dye dyes dyed dyed dyeing");
        assert_eq!(forms("tie"), "tie ties tied tied tying");
        assert_eq!(forms("free"), "free frees freed freed freeing");
        assert_eq!(forms("open"), "open opens opened opened opening");
        assert_eq!(forms("take/took/taken"), "take takes took taken taking");
        assert_eq!(forms("wash"), "wash washes washed washed washing");
    }

    #[test]
    fn noun_plurals() {
        let plural = |entry| noun(entry).plural;
        assert_eq!(plural("laundry"), "laundries");
        assert_eq!(plural("beach"), "beaches");
        assert_eq!(plural("day"), "days");
        assert_eq!(plural("knife/knives"), "knives");
    }

    #[test]
    fn lists_are_large() {
        let lexicon = Lexicon::embedded().expect("embedded lists parse");
        assert!(lexicon.nouns.len() > 800, "{}", lexicon.nouns.len());
        assert!(lexicon.adjectives.len() > 300);
        assert!(lexicon.verbs.len() > 250);
        assert!(lexicon.activities.len() > 120);
    }

    #[test]
    fn text_before_a_section_is_refused() {
        assert!(sections("bread, soup\n[food]\nbread").is_err());
        assert!(namings("[place]\nmany {proper}").is_err());
    }
}
