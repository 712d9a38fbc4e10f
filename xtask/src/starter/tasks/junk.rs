//! Strings without meaning, so that every token of the vocabulary is met where it has to be copied.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;
use crate::starter::{number, word};

const MARKS: &[char] = &[
    '!', '"', '#', '$', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', ':', ';', '<', '=',
    '>', '?', '@', '[', '\\', ']', '^', '_', '`', '{', '|', '}', '~', '§', '°', '€', '£', '–', '—',
    '…', '„', '“', '”', '’', '«', '»', '×', '±',
];

/// Something to copy, of one word or a few.
pub fn draw(rng: &mut Rng, lexicon: &Lexicon) -> String {
    match rng.weighted(&[
        0.15, 0.1, 0.1, 0.08, 0.06, 0.08, 0.2, 0.09, 0.06, 0.05, 0.03,
    ]) {
        0 => word::word(rng),
        1 => word::proper(rng, lexicon),
        2 => letters(rng),
        3 => word::code(rng),
        4 => marks(rng),
        5 => number::number(rng),
        6 => english(rng, lexicon),
        7 => word::english(rng, lexicon).to_uppercase(),
        8 => word::word(rng).to_uppercase(),
        9 => address(rng, lexicon),
        _ => foreign(rng),
    }
}

fn letters(rng: &mut Rng) -> String {
    let case = rng.between(0, 2);
    (0..rng.between(2, 9))
        .map(|_| {
            let letter = char::from(b'a' + u8::try_from(rng.between(0, 25)).unwrap_or(0));
            if case == 1 || case == 2 && rng.chance(0.5) {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        })
        .collect()
}

fn marks(rng: &mut Rng) -> String {
    let glue = *rng.pick(&["", " ", "a", "7"]);
    (0..rng.between(2, 5))
        .map(|_| rng.pick(MARKS).to_string())
        .collect::<Vec<_>>()
        .join(glue)
}

fn english(rng: &mut Rng, lexicon: &Lexicon) -> String {
    const SMALL: &[&str] = &[
        "the", "a", "of", "and", "in", "is", "was", "with", "not", "for", "on", "to", "by", "at",
        "from", "because",
    ];
    let n = rng.between(2, 5);
    let mut words = Vec::new();
    for _ in 0..n {
        words.push(match rng.between(0, 4) {
            0 => (*rng.pick(SMALL)).to_owned(),
            1 => rng.pick(&lexicon.nouns).plural.clone(),
            2 => rng.pick(&lexicon.verbs).past.clone(),
            3 => rng.pick(&lexicon.verbs).gerund.clone(),
            _ => word::english(rng, lexicon),
        });
    }
    words.join(" ")
}

fn address(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let (first, second) = (word::english(rng, lexicon), word::word(rng));
    match rng.between(0, 4) {
        0 => format!("{first}@{second}.org"),
        1 => format!("/{first}/{second}/{}", rng.between(1, 99)),
        2 => format!("{first}_{second}"),
        3 => format!("{first}.{second}({})", rng.between(0, 9)),
        _ => format!("https://{second}.com/{first}?x={}", rng.between(1, 999)),
    }
}

/// Letters beyond ASCII: Latin with accents, Greek, Cyrillic, and now and then any other script.
fn foreign(rng: &mut Rng) -> String {
    let ranges: &[(u32, u32)] = &[
        (0xC0, 0x17F),
        (0xC0, 0xFF),
        (0x3B1, 0x3C9),
        (0x410, 0x44F),
        (0x20A0, 0x2BFF),
        (0x3041, 0x30FE),
        (0x4E00, 0x9FFF),
        (0x1F300, 0x1F64F),
        (0x80, 0x2FFFF),
    ];
    let (low, high) = *rng.pick(ranges);
    (0..rng.between(1, 5))
        .filter_map(|_| {
            let point = rng.between(usize::try_from(low).ok()?, usize::try_from(high).ok()?);
            char::from_u32(u32::try_from(point).ok()?)
        })
        .filter(|c| !c.is_control())
        .collect()
}
