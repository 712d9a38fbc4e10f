//! Samples that say nearly the same as an earlier one.
//!
//! Two texts are as alike as the share of their pieces that both have (Jaccard). All pairs above a limit are found without
//! comparing all pairs: each must share one of its rarest pieces, so many that without them too few would be left
//! (Bayardo et al. 2007, "Scaling up all pairs similarity search").

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::drops::DropReason;
use crate::question::{Generated, context, folded};
use crate::run::Dropped;

/// Characters of a piece: short enough that another ending of a word leaves most pieces as they are, long enough that a language
/// has many.
const PIECE_LENGTH: usize = 4;

/// Leaves out each question with its answer that is more alike than `max_similarity` to one that is kept before it. The same
/// words about another text are another sample.
pub(crate) fn leave_out(
    questions: &mut Vec<Generated>,
    max_similarity: f64,
    dropped: &mut Dropped<'_>,
) {
    let texts: Vec<String> = questions
        .iter()
        .map(|one| format!("{} {}", one.question, one.answer))
        .collect();
    let contexts: Vec<String> = questions.iter().map(|one| context(&one.row)).collect();
    let found = near_duplicates(&texts, &contexts, max_similarity);
    let mut is_kept = found.iter().map(Option::is_none);
    for (text, of) in texts.iter().zip(&found) {
        if let Some(of) = of {
            let told = format!("{text} (nearly as: {})", texts[*of]);
            dropped.add(DropReason::NearDuplicate, 1, told);
        }
    }
    questions.retain(|_| is_kept.next().unwrap_or(true));
}

/// One in so many pieces stands for all of a long text, the same ones in each text: which they are follows from the piece.
const SAMPLED: u64 = 4;

/// For each of some long texts the first that it is more alike to than `max_similarity`; itself where there is none before it.
pub(crate) fn groups(texts: &[&str], max_similarity: f64) -> Vec<usize> {
    let sampled = |text: &&str| {
        let mut pieces = pieces(text);
        pieces.retain(|piece| piece % SAMPLED == 0);
        pieces
    };
    let sets = ordered_by_rarity(texts.iter().map(sampled).collect());
    let found = first_alike(&sets, &vec![""; texts.len()], max_similarity);
    (0..)
        .zip(found)
        .map(|(index, first)| first.unwrap_or(index))
        .collect()
}

/// For each text the first that is kept before it, has an equal context, and is more alike than `max_similarity`.
fn near_duplicates(
    texts: &[String],
    contexts: &[String],
    max_similarity: f64,
) -> Vec<Option<usize>> {
    let sets = ordered_by_rarity(texts.iter().map(|text| pieces(text)).collect());
    let contexts: Vec<&str> = contexts.iter().map(String::as_str).collect();
    first_alike(&sets, &contexts, max_similarity)
}

fn first_alike(sets: &[Vec<u64>], contexts: &[&str], max_similarity: f64) -> Vec<Option<usize>> {
    let mut kept_by_piece: HashMap<(&str, u64), Vec<usize>> = HashMap::new();
    let mut found = Vec::with_capacity(sets.len());
    for (index, set) in sets.iter().enumerate() {
        let context = contexts[index];
        let candidates: BTreeSet<usize> = prefix(set, max_similarity)
            .iter()
            .filter_map(|piece| kept_by_piece.get(&(context, *piece)))
            .flatten()
            .copied()
            .collect();
        let mut candidates = candidates.into_iter();
        let like = candidates.find(|other| similarity(set, &sets[*other]) > max_similarity);
        if like.is_none() {
            for piece in prefix(set, max_similarity) {
                kept_by_piece
                    .entry((context, *piece))
                    .or_default()
                    .push(index);
            }
        }
        found.push(like);
    }
    found
}

/// So many of the first pieces that two texts which share none of them share too few of the rest.
fn prefix(set: &[u64], max_similarity: f64) -> &[u64] {
    let n_shared = (max_similarity * set.len() as f64).floor() as usize;
    &set[..set.len().saturating_sub(n_shared)]
}

fn pieces(text: &str) -> BTreeSet<u64> {
    let characters: Vec<char> = folded(text).chars().collect();
    let hashed = |piece: &[char]| {
        let mut hash = DefaultHasher::new();
        piece.hash(&mut hash);
        hash.finish()
    };
    match characters.len() < PIECE_LENGTH {
        true => BTreeSet::from([hashed(&characters)]),
        false => characters.windows(PIECE_LENGTH).map(hashed).collect(),
    }
}

/// The pieces of each text, those first that occur in the fewest texts.
fn ordered_by_rarity(sets: Vec<BTreeSet<u64>>) -> Vec<Vec<u64>> {
    let mut n_texts: HashMap<u64, usize> = HashMap::new();
    for piece in sets.iter().flatten() {
        *n_texts.entry(*piece).or_default() += 1;
    }
    let ordered = |set: BTreeSet<u64>| {
        let mut pieces: Vec<u64> = set.into_iter().collect();
        pieces.sort_by_key(|piece| (n_texts[piece], *piece));
        pieces
    };
    sets.into_iter().map(ordered).collect()
}

fn similarity(a: &[u64], b: &[u64]) -> f64 {
    let a: BTreeSet<_> = a.iter().collect();
    let n_shared = b.iter().filter(|piece| a.contains(piece)).count();
    n_shared as f64 / (a.len() + b.len() - n_shared) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(texts: &[&str], max_similarity: f64) -> Vec<Option<usize>> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        near_duplicates(&texts, &vec![String::new(); texts.len()], max_similarity)
    }

    #[test]
    fn nearly_the_same_is_found_and_something_else_is_not() {
        let texts = [
            "How many legs has the brill? The brill has six legs.",
            "How many legs has a brill? The brill has six legs.",
            "How many eyes has the brill? It has four of them.",
            "HOW MANY  LEGS HAS THE BRILL? The brill has six legs.",
            "",
            "a",
        ];
        assert_eq!(
            found(&texts, 0.7),
            [None, Some(0), None, Some(0), None, None]
        );
        assert_eq!(found(&texts, 0.99), [None, None, None, Some(0), None, None]);
        assert_eq!(
            found(&texts, 1.0),
            [None; 6],
            "nothing is more alike than equal"
        );
    }

    #[test]
    fn the_same_about_another_text_is_another_sample() {
        let texts = ["What is it? A brill.", "What is it? A brill."].map(str::to_owned);
        let contexts = ["one", "two"].map(str::to_owned);
        assert_eq!(near_duplicates(&texts, &contexts, 0.5), [None, None]);
    }

    #[test]
    fn long_texts_are_grouped_with_their_near_copies() {
        let text = |first: usize| -> String {
            (first..first + 400)
                .map(|number| format!("word{} ", number * 7919 % 1000))
                .collect()
        };
        let (one, other) = (text(0), text(400));
        let near = one.replacen("word919", "another", 1);
        assert_eq!(
            groups(&[&one, &other, &near, &one, "", ""], 0.7),
            [0, 1, 0, 0, 4, 5]
        );
    }

    proptest::proptest! {
        #[test]
        fn all_pairs_and_only_they_are_found(texts in proptest::collection::vec("[ab ]{0,12}", 0..25), max_similarity in 0.0..1.0_f64) {
            let fast = near_duplicates(&texts, &vec![String::new(); texts.len()], max_similarity);
            let sets = ordered_by_rarity(texts.iter().map(|text| pieces(text)).collect());
            let mut slow: Vec<Option<usize>> = Vec::new();
            for index in 0..texts.len() {
                let like = (0..index).find(|other| slow[*other].is_none() && similarity(&sets[index], &sets[*other]) > max_similarity);
                slow.push(like);
            }
            proptest::prop_assert_eq!(fast, slow);
        }
    }
}
