//! Names of people and of places.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;
use crate::starter::word::{self, capitalised, title};

/// Whether a person is a she or a he is known from the first name, as far as English readers would guess.
pub fn person(rng: &mut Rng, lexicon: &Lexicon) -> (String, bool) {
    const SHE: &[&str] = &[
        "Ada", "Agnes", "Aisha", "Alba", "Alice", "Amara", "Ana", "Anita", "Astrid", "Ava",
        "Beatrice", "Bianca", "Carla", "Chloe", "Clara", "Daisy", "Diana", "Dora", "Edith",
        "Elena", "Ella", "Emma", "Esther", "Eva", "Fatima", "Fiona", "Flora", "Freya", "Gita",
        "Grace", "Greta", "Hana", "Hannah", "Hazel", "Helen", "Ida", "Ines", "Ingrid", "Irene",
        "Ivy", "Jane", "Joan", "Julia", "Kate", "Keiko", "Lara", "Laura", "Leila", "Lena", "Lila",
        "Lucy", "Luna", "Magda", "Maria", "Marta", "Mary", "Maya", "Mei", "Mina", "Mira", "Nadia",
        "Nina", "Nora", "Olga", "Pearl", "Petra", "Pia", "Rachel", "Rita", "Rosa", "Ruth", "Sara",
        "Sofia", "Tara", "Tilda", "Una", "Ursula", "Vera", "Wanda", "Wilma", "Yara", "Yuki",
        "Zara", "Zoe",
    ];
    let known = rng.chance(0.68);
    let first = if known {
        rng.pick(lexicon.list("first_name")).clone()
    } else {
        capitalised(&word::word(rng))
    };
    let is_she = if known {
        SHE.contains(&first.as_str())
    } else {
        rng.chance(0.5)
    };
    let last = match rng.weighted(&[0.45, 0.4, 0.15]) {
        0 => rng.pick(lexicon.list("last_name")).clone(),
        1 => capitalised(&word::word(rng)),
        _ => capitalised(&word::english(rng, lexicon)),
    };
    let name = match rng.weighted(&[0.7, 0.12, 0.06, 0.04, 0.08]) {
        0 => format!("{first} {last}"),
        1 => first,
        2 => format!(
            "{first} {} {last}",
            rng.pick(&["van", "de", "von", "el", "ap", "da"])
        ),
        3 => format!("{first} {}-{last}", rng.pick(lexicon.list("last_name"))),
        _ => {
            let title = if is_she {
                ["Queen", "Lady", "Sister", "Mrs", "Aunt"]
            } else {
                ["King", "Lord", "Brother", "Mr", "Uncle"]
            };
            let neutral = ["Captain", "Dr", "Professor", "Mayor", "Master"];
            let title = if rng.chance(0.5) {
                rng.pick(&title)
            } else {
                rng.pick(&neutral)
            };
            format!("{title} {last}")
        }
    };
    (name, is_she)
}

/// Somewhere on a map.
pub fn place(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let name = if rng.chance(0.85) {
        capitalised(&word::word(rng))
    } else {
        title(&word::english(rng, lexicon))
    };
    match rng.weighted(&[0.55, 0.15, 0.1, 0.1, 0.1]) {
        0 => name,
        1 => format!(
            "{} {name}",
            rng.pick(&[
                "Port", "Upper", "Lower", "Old", "New", "North", "South", "East", "West", "Lake",
                "Mount", "Great", "Little", "Saint"
            ])
        ),
        2 => format!(
            "{name} {}",
            rng.pick(&[
                "Bay", "Island", "Falls", "Hill", "Bridge", "Cross", "Point", "Valley", "Street",
                "Square", "Park", "Harbour"
            ])
        ),
        3 => format!(
            "the {name} {}",
            rng.pick(&[
                "hills",
                "valley",
                "river",
                "mountains",
                "coast",
                "islands",
                "forest",
                "desert",
                "plains",
                "delta",
                "marshes",
                "highlands"
            ])
        ),
        _ => format!(
            "{} {name}",
            rng.pick(&[
                "the island of",
                "the village of",
                "the town of",
                "the city of",
                "the bay of",
                "the port of"
            ])
        ),
    }
}

/// A water, a hill or a wood by its name.
pub fn landmark(rng: &mut Rng) -> String {
    let name = capitalised(&word::word(rng));
    let before = [
        "Lake",
        "Mount",
        "Cape",
        "the river",
        "the island of",
        "Loch",
    ];
    let after = [
        "Valley",
        "Forest",
        "Hills",
        "Canal",
        "Sea",
        "Marsh",
        "Moor",
        "Pass",
        "Woods",
        "Gorge",
        "Bay",
        "Mountains",
    ];
    if rng.chance(0.45) {
        format!("{} {name}", rng.pick(&before))
    } else {
        format!("the {name} {}", rng.pick(&after))
    }
}

/// What people call something that they are fond of or afraid of.
pub fn nickname(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let adjective = rng.pick(&lexicon.adjectives);
    let noun = &rng.pick(&lexicon.nouns).singular;
    match rng.weighted(&[0.3, 0.3, 0.2, 0.2]) {
        0 => format!("the {}", title(&format!("{adjective} {noun}"))),
        1 => format!(
            "{} {}",
            rng.pick::<&str>(&[
                "Old",
                "Little",
                "Big",
                "Dear",
                "Grandfather",
                "Aunt",
                "Lazy"
            ]),
            capitalised(&word::word(rng))
        ),
        2 => format!(
            "Old {}",
            title(if rng.chance(0.5) { noun } else { adjective })
        ),
        _ => format!(
            "the {} {}",
            title(rng.pick::<String>(lexicon.list("colour"))),
            title(rng.pick::<String>(lexicon.list("animal")))
        ),
    }
}
