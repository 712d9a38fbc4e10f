//! Words that nobody has seen before, by many different sound systems.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;

/// Onsets, middles, further onsets and endings of one sound system, separated by spaces.
struct Sounds {
    onsets: &'static str,
    vowels: &'static str,
    inner: &'static str,
    endings: &'static str,
}

const SYSTEMS: &[Sounds] = &[
    Sounds {
        // English
        onsets: "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sc sh sk sl sm sn sp st str sw t th thr tr tw v w wh y z",
        vowels: "a e i o u ea oo ai ou ee oa",
        inner: "b bb d dd ff g gg l ll m mm n nd ng nt p pp r rd rn rr s sk ss st t tt v x z mb nk rk lt ck",
        endings: "le er en ow y el in et ock ing ish ard wick ford ham mere ley ton ster well by ness field bury thorpe gate",
    },
    Sounds {
        // Slavic
        onsets: "b br d dm dr g gr k kr l m ml mn n p pr r s sl st sv t tr v vl vr z zd zl zv",
        vowels: "a e i o u",
        inner: "b d dn g k l m n r rn s sk sl st t v z zd zn rk lk sh ch",
        endings: "ov ova ovo ica ek in ina insk nik evo ava ak or oslav ko ec enka una ost ar",
    },
    Sounds {
        // Japanese
        onsets: "k s t n h m y r w g z d b p ch sh ts ky",
        vowels: "a i u e o",
        inner: "k s t n h m r g z b sh ch",
        endings: "a i u o ka ko ma ra ri ro ta to na no shi su mi yo wa go ya ki ne ru zu han ken",
    },
    Sounds {
        // Nordic
        onsets: "b bj br d f fj fr g gr h hj hv j k kj kn l m n r s sk skj sn st sv t th tr v",
        vowels: "a e i o u y å ø ö ä",
        inner: "d g k l ld ll lm m n nd ng nn r rd rg rn s sk t tt v lv rv",
        endings: "en er heim vik dal ness fjord holm land gard berg sund a ar ur rik borg ulf by",
    },
    Sounds {
        // Polynesian
        onsets: "h k l m n p w t r f",
        vowels: "a e i o u ai au oa ua ei",
        inner: "h k l m n p r t w",
        endings: "a i o u ana ola iki ohe ulu ai ea onu aro ete",
    },
    Sounds {
        // Romance
        onsets: "b c d f g l m n p qu r s t v br cr fl gr pl tr",
        vowels: "a e i o u ia io é",
        inner: "b c cc d g l ll m n nn r rr rt s ss t tt v z nd nt rc",
        endings: "a o e io ia etto ella ino ana oro ez anza ada elle ier eau ois ette illo ares",
    },
    Sounds {
        // Arabic and Persian
        onsets: "b d dh f gh h j k kh l m n q r s sh t w y z",
        vowels: "a i u aa ee ou",
        inner: "b d f h j k kh l m n q r s sh t z mm ss rr",
        endings: "ah an ar id if im in ir ud ur eh ani abad iya oum az",
    },
    Sounds {
        // Welsh and Gaelic
        onsets: "b c ca d dd g gw ll m n p r rh t tr w f gl cl",
        vowels: "a e i o w y ae ei wy",
        inner: "ch d dd dr ff g l ll m n nn r rn rth s th w",
        endings: "wen wyn an ach ydd og as aid iad on el gor lan fa wys ain",
    },
    Sounds {
        // German and Dutch
        onsets: "b bl d dr f g gr h j k kl kn kr l m n pf r s sch schl schw st t v w z zw",
        vowels: "a e i o u ei au ie ü ö ä ij oe",
        inner: "b ch ck d f ff g l ld ll m mm n nd ng r rn rt s ss st t tz z",
        endings: "en er el ing burg stein bach dorf heim berg feld wald ling lein haus strand zoon",
    },
    Sounds {
        // West African and Bantu
        onsets: "b d f g k kw l m mb mw n nd ng nj ny nz p s t v w y z",
        vowels: "a e i o u",
        inner: "b d g k l mb mp nd ng nt nz r s sh t w z",
        endings: "a i o u e ba ka la ma na ndi ngo wa ye zi oro ele ana iko",
    },
    Sounds {
        // Nahuatl and Quechua
        onsets: "c ch h k ll m n p qu t tl tz x y z w",
        vowels: "a e i o u",
        inner: "c ch h ll m n p qu t tl tz x z yk nk lc",
        endings: "atl otl itl an co cha pan tla ec uma ara aq illo ixi",
    },
];

const CONSONANTS: &str = "b c d f g h j k l m n p q r s t v w x y z";
const VOWELS: &str = "a e i o u";

fn part(rng: &mut Rng, sounds: &'static str) -> &'static str {
    let n = sounds.split(' ').count();
    let k = rng.between(0, n - 1);
    sounds.split(' ').nth(k).unwrap_or("a")
}

/// An invented word in small letters.
pub fn word(rng: &mut Rng) -> String {
    if rng.chance(0.15) {
        return plain_syllables(rng);
    }
    let system = rng.between(0, SYSTEMS.len() - 1);
    let sounds = &SYSTEMS[system];
    let mut word = String::new();
    if rng.chance(0.85) {
        word.push_str(part(rng, sounds.onsets));
    }
    word.push_str(part(rng, sounds.vowels));
    word.push_str(part(rng, sounds.inner));
    if rng.chance(0.25) {
        word.push_str(part(rng, sounds.vowels));
        word.push_str(part(rng, sounds.inner));
    }
    word.push_str(part(rng, sounds.endings));
    word
}

/// Letters at even odds, so that rare ones are met everywhere.
fn plain_syllables(rng: &mut Rng) -> String {
    let mut word = String::new();
    for _ in 0..rng.between(2, 3) {
        word.push_str(part(rng, CONSONANTS));
        word.push_str(part(rng, VOWELS));
        if rng.chance(0.4) {
            word.push_str(part(rng, CONSONANTS));
        }
    }
    word
}

/// An invented common noun: a sound word, or two English words grown together ("glimmerfox").
pub fn common_noun(rng: &mut Rng, lexicon: &Lexicon, tails: &[String]) -> String {
    match rng.weighted(&[0.45, 0.25, 0.2, 0.1]) {
        0 => word(rng),
        1 => {
            let head = english(rng, lexicon);
            let tail = rng.pick(tails).clone();
            format!("{head}{}", tail.replace(' ', ""))
        }
        2 => format!("{} {}", word(rng), rng.pick(tails)),
        _ => format!("{}-{}", english(rng, lexicon), rng.pick(tails)),
    }
}

/// A short English word of any class.
pub fn english(rng: &mut Rng, lexicon: &Lexicon) -> String {
    match rng.weighted(&[0.5, 0.2, 0.15, 0.15]) {
        0 => rng.pick(&lexicon.nouns).singular.clone(),
        1 => rng.pick(&lexicon.adjectives).clone(),
        2 => rng.pick(&lexicon.common).clone(),
        _ => rng.pick(&lexicon.verbs).base.clone(),
    }
}

/// The word with a capital first letter.
pub fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The word with a small first letter.
pub fn uncapitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Every word with a capital first letter.
pub fn title(words: &str) -> String {
    words
        .split(' ')
        .map(capitalised)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A proper name of one or two words, written in any of the ways in which names are written.
pub fn proper(rng: &mut Rng, lexicon: &Lexicon) -> String {
    match rng.weighted(&[0.62, 0.08, 0.05, 0.03, 0.04, 0.04, 0.03, 0.11]) {
        0 => capitalised(&word(rng)),
        1 => format!("{} {}", capitalised(&word(rng)), capitalised(&word(rng))),
        2 => format!("{}-{}", capitalised(&word(rng)), capitalised(&word(rng))),
        3 => format!("{}'{}", capitalised(&plain_syllables(rng)), word(rng)),
        4 => format!(
            "{}{}",
            capitalised(&english(rng, lexicon)),
            capitalised(&english(rng, lexicon))
        ),
        5 => code(rng),
        6 => letters(rng, 2, 5),
        _ => capitalised(&english(rng, lexicon)),
    }
}

/// Capital letters in a row, as in an abbreviation.
pub fn letters(rng: &mut Rng, low: usize, high: usize) -> String {
    (0..rng.between(low, high))
        .map(|_| char::from(b'A' + u8::try_from(rng.between(0, 25)).unwrap_or(0)))
        .collect()
}

/// A model or part number such as `KR-7`.
pub fn code(rng: &mut Rng) -> String {
    let head = if rng.chance(0.6) {
        letters(rng, 1, 3)
    } else {
        capitalised(&word(rng))
    };
    let number = match rng.between(0, 3) {
        0 => rng.between(1, 9),
        1 => rng.between(10, 99),
        2 => rng.between(1, 20) * 100,
        _ => rng.between(100, 9999),
    };
    let tail = if rng.chance(0.2) {
        letters(rng, 1, 1)
    } else {
        String::new()
    };
    match rng.between(0, 2) {
        0 => format!("{head}-{number}{tail}"),
        1 => format!("{head} {number}{tail}"),
        _ => format!("{head}{number}{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_use_the_whole_alphabet() {
        let mut rng = ilab_base::seed::rng(1, "words");
        let text: String = (0..2_000).map(|_| word(&mut rng)).collect();
        for letter in 'a'..='z' {
            assert!(text.contains(letter), "{letter}");
        }
    }

    #[test]
    fn names_start_with_a_capital_and_repeat_by_seed() {
        let lexicon = Lexicon::embedded().expect("embedded lists parse");
        let draw = || {
            let mut rng = ilab_base::seed::rng(2, "names");
            (0..50)
                .map(|_| proper(&mut rng, &lexicon))
                .collect::<Vec<_>>()
        };
        let names = draw();
        assert_eq!(names, draw());
        for name in names {
            assert!(
                name.chars().next().is_some_and(char::is_uppercase),
                "{name}"
            );
        }
    }
}
