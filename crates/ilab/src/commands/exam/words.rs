//! The words of a text.

/// The words of a text alone: two questions that differ only in case, punctuation or blanks are the same question.
pub(crate) fn words(text: &str) -> String {
    let letters = text.to_lowercase();
    let words = letters
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The same as a list, with numbers in one piece. Writing without blanks between words is taken sign by sign.
pub(super) fn word_list(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    let mut list = Vec::new();
    let mut word = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let is_digit_at = |index: Option<usize>| {
            let letter = index.and_then(|index| letters.get(index));
            letter.is_some_and(char::is_ascii_digit)
        };
        // 1,250 and 2.5 are one number each.
        let is_inside_number = matches!(letter, ',' | '.')
            && is_digit_at(index.checked_sub(1))
            && is_digit_at(Some(index + 1));
        if is_sign(*letter) {
            list.extend([std::mem::take(&mut word), letter.to_string()]);
        } else if letter.is_alphanumeric() || (is_inside_number && *letter == '.') {
            word.push(*letter);
        } else if !is_inside_number {
            list.push(std::mem::take(&mut word));
        }
    }
    list.push(word);
    list.retain(|word| !word.is_empty());
    list
}

/// Chinese characters and Japanese syllables.
fn is_sign(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_compared_by_their_words() {
        assert_eq!(
            words("  Where does the Mirrel live? "),
            words("where does the mirrel  live")
        );
        assert_ne!(words("Where does it live?"), words("Where did it live?"));
    }

    #[test]
    fn numbers_and_signs_are_words() {
        assert_eq!(
            word_list("It weighs 2.5 kg, or 1,250 grams. In 1948."),
            [
                "it", "weighs", "2.5", "kg", "or", "1250", "grams", "in", "1948"
            ]
        );
        assert_eq!(word_list("山の上 abc"), ["山", "の", "上", "abc"]);
        assert_eq!(word_list(" .,. "), [""; 0]);
    }
}
