//! Names of people, of places and of the things that documents are about.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;
use crate::starter::word::{self, capitalised, proper, title};

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

/// What a document is about.
#[derive(Debug, Clone)]
pub struct Entity {
    /// The kind of subject that relation files name.
    pub kind: &'static str,
    /// The name without "the".
    pub name: String,
    /// Whether the name stands with "the".
    pub has_article: bool,
    /// The plain word for it: "bridge", "animal".
    pub head: String,
    /// The three forms of its pronoun: subject, possessive, object.
    pub pronoun: [&'static str; 3],
}

impl Entity {
    /// The name as it stands in a sentence.
    pub fn mention(&self) -> String {
        if self.has_article {
            format!("the {}", self.name)
        } else {
            self.name.clone()
        }
    }

    /// The name as a heading.
    pub fn heading(&self) -> String {
        capitalised(&self.name)
    }
}

/// The kinds of subjects.
pub const SUBJECTS: &[&str] = &[
    "place",
    "building",
    "organisation",
    "festival",
    "person",
    "animal",
    "plant",
    "machine",
    "food",
    "drink",
    "game",
    "book",
    "song",
    "vehicle",
    "substance",
    "star",
    "object",
    "event",
    "custom",
];

const IT: [&str; 3] = ["it", "its", "it"];

/// Invents something of this kind.
pub fn entity(rng: &mut Rng, lexicon: &Lexicon, kind: &'static str) -> Entity {
    let head = rng.pick(heads(kind)).to_string();
    if kind == "person" {
        let (name, is_she) = person(rng, lexicon);
        let pronoun = if is_she {
            ["she", "her", "her"]
        } else {
            ["he", "his", "him"]
        };
        let head = rng.pick(lexicon.list("job")).clone();
        return Entity {
            kind,
            name,
            has_article: false,
            head,
            pronoun,
        };
    }
    let (name, has_article) = name_of(rng, lexicon, kind, &head);
    Entity {
        kind,
        name,
        has_article,
        head,
        pronoun: IT,
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn heads(kind: &str) -> &'static [&'static str] {
    match kind {
        "place" => &[
            "town",
            "village",
            "island",
            "valley",
            "city",
            "harbour",
            "region",
            "district",
            "lake",
            "hamlet",
            "oasis",
            "mountain",
            "settlement",
        ],
        "building" => &[
            "tower",
            "bridge",
            "castle",
            "mill",
            "library",
            "lighthouse",
            "temple",
            "museum",
            "theatre",
            "station",
            "hall",
            "palace",
            "observatory",
            "inn",
            "hospital",
            "school",
            "barn",
            "gate",
        ],
        "organisation" => &[
            "society",
            "guild",
            "company",
            "club",
            "school",
            "orchestra",
            "bank",
            "order",
            "academy",
            "team",
            "union",
            "league",
            "firm",
            "group",
        ],
        "festival" => &[
            "festival",
            "feast",
            "fair",
            "carnival",
            "celebration",
            "holiday",
            "parade",
        ],
        "animal" => &[
            "animal", "bird", "fish", "lizard", "insect", "rodent", "beetle", "frog", "mammal",
            "creature", "snake", "moth",
        ],
        "plant" => &[
            "plant", "flower", "tree", "bush", "herb", "moss", "vine", "grass", "mushroom", "fern",
        ],
        "machine" => &[
            "machine",
            "engine",
            "device",
            "robot",
            "pump",
            "clock",
            "loom",
            "press",
            "computer",
            "lamp",
            "drill",
            "instrument",
            "tool",
        ],
        "food" => &[
            "dish", "cake", "soup", "bread", "cheese", "stew", "pie", "pudding", "sauce", "snack",
        ],
        "drink" => &["drink", "tea", "wine", "beer", "juice", "syrup", "brew"],
        "game" => &["game", "sport", "board game", "card game", "ball game"],
        "book" => &["book", "novel", "story", "poem", "atlas", "play", "diary"],
        "song" => &[
            "song", "hymn", "tune", "ballad", "lullaby", "march", "opera",
        ],
        "vehicle" => &[
            "ship",
            "boat",
            "train",
            "car",
            "airship",
            "tram",
            "wagon",
            "ferry",
            "bicycle",
            "submarine",
        ],
        "substance" => &[
            "metal", "mineral", "powder", "oil", "gas", "resin", "dye", "glue", "salt", "liquid",
            "crystal",
        ],
        "star" => &["star", "planet", "moon", "comet", "asteroid", "galaxy"],
        "object" => &[
            "object", "stone", "crown", "bell", "coin", "statue", "mask", "painting", "sword",
            "ring", "flag", "map", "carpet", "vase",
        ],
        "event" => &[
            "event",
            "battle",
            "flood",
            "race",
            "strike",
            "voyage",
            "expedition",
            "fire",
            "meeting",
            "treaty",
        ],
        _ => &[
            "custom",
            "tradition",
            "ceremony",
            "ritual",
            "habit",
            "dance",
        ],
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "a table of the forms of names by kind"
)]
fn name_of(rng: &mut Rng, lexicon: &Lexicon, kind: &str, head: &str) -> (String, bool) {
    let proper_name = proper(rng, lexicon);
    match kind {
        "place" => place_name(rng, lexicon),
        "building" => match rng.weighted(&[0.45, 0.2, 0.15, 0.2]) {
            0 => (format!("{proper_name} {}", title(head)), true),
            1 => (
                format!(
                    "{proper_name} {}",
                    rng.pick(&[
                        "House", "Hall", "Castle", "Mill", "Court", "Lodge", "Station"
                    ])
                ),
                false,
            ),
            2 => (format!("{} of {proper_name}", title(head)), true),
            _ => (
                format!("{} {}", title(&word::english(rng, lexicon)), title(head)),
                true,
            ),
        },
        "organisation" => match rng.weighted(&[0.2, 0.25, 0.15, 0.2, 0.2]) {
            0 => (
                format!(
                    "{} of {}",
                    title(head),
                    title(&rng.pick(&lexicon.nouns).plural)
                ),
                true,
            ),
            1 => (format!("{proper_name} {}", title(head)), true),
            2 => (
                format!(
                    "{} & {}",
                    proper_name,
                    rng.pick(&["Sons", "Sisters", "Company", "Daughters"])
                ),
                false,
            ),
            3 => (proper_name, false),
            _ => (
                format!(
                    "{} {} {}",
                    title(rng.pick(&lexicon.adjectives).as_str()),
                    title(&rng.pick(&lexicon.nouns).singular),
                    title(head)
                ),
                true,
            ),
        },
        "festival" => match rng.weighted(&[0.3, 0.25, 0.2, 0.25]) {
            0 => (
                format!(
                    "{} of {proper_name}",
                    rng.pick(&["Feast", "Festival", "Night", "Day", "Fair"])
                ),
                true,
            ),
            1 => (format!("{proper_name} {}", title(head)), true),
            2 => (
                format!("{proper_name} {}", rng.pick(&["Day", "Night", "Week"])),
                false,
            ),
            _ => (proper_name, false),
        },
        "animal" | "plant" => species(rng, lexicon, kind, head),
        "food" | "drink" => match rng.weighted(&[0.45, 0.35, 0.2]) {
            0 => (format!("{} {head}", word::word(rng)), false),
            1 => (word::word(rng), false),
            _ => (
                format!("{} {head}", rng.pick(&lexicon.nouns).singular),
                false,
            ),
        },
        "game" => match rng.weighted(&[0.5, 0.3, 0.2]) {
            0 => (capitalised(&word::word(rng)), false),
            1 => (word::word(rng), false),
            _ => (format!("{} ball", rng.pick(&lexicon.nouns).singular), false),
        },
        "book" | "song" => (work_title(rng, lexicon), false),
        "substance" => match rng.weighted(&[0.6, 0.25, 0.15]) {
            0 => (
                format!(
                    "{}{}",
                    stem(rng),
                    rng.pick(&["ite", "ium", "ol", "ine", "on", "ane", "ide", "um"])
                ),
                false,
            ),
            1 => (format!("{} {head}", word::word(rng)), false),
            _ => (word::word(rng), false),
        },
        "star" => match rng.weighted(&[0.6, 0.25, 0.15]) {
            0 => (proper_name, false),
            1 => (word::code(rng), false),
            _ => (format!("{proper_name} {}", title(head)), true),
        },
        "custom" => match rng.weighted(&[0.4, 0.35, 0.25]) {
            0 => (word::word(rng), true),
            1 => (
                format!(
                    "{} {}",
                    rng.pick(&lexicon.nouns).singular,
                    rng.pick(&[
                        "walk", "dance", "supper", "song", "greeting", "throw", "oath"
                    ])
                ),
                true,
            ),
            _ => (format!("{} {head}", capitalised(&word::word(rng))), true),
        },
        _ => made_thing(rng, lexicon, head, proper_name),
    }
}

fn place_name(rng: &mut Rng, lexicon: &Lexicon) -> (String, bool) {
    let name = place(rng, lexicon);
    match name.strip_prefix("the ") {
        Some(bare) => (bare.to_owned(), true),
        None => (name, false),
    }
}

fn species(rng: &mut Rng, lexicon: &Lexicon, kind: &str, head: &str) -> (String, bool) {
    let name = if rng.chance(0.15) {
        format!(
            "{} {}",
            capitalised(&word::word(rng)),
            rng.pick(lexicon.list(kind))
        )
    } else if rng.chance(0.15) {
        format!("{} {head}", word::word(rng))
    } else {
        word::common_noun(rng, lexicon, lexicon.list(kind))
    };
    (name, true)
}

fn made_thing(rng: &mut Rng, lexicon: &Lexicon, head: &str, proper_name: String) -> (String, bool) {
    match rng.weighted(&[0.3, 0.2, 0.2, 0.3]) {
        0 => (format!("{proper_name} {head}"), true),
        1 => (word::code(rng), rng.chance(0.6)),
        2 => (
            format!(
                "{} {}",
                title(rng.pick(&lexicon.adjectives).as_str()),
                title(&rng.pick(&lexicon.nouns).singular)
            ),
            true,
        ),
        _ => (format!("{} of {proper_name}", title(head)), true),
    }
}

fn work_title(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let adjective = title(rng.pick(&lexicon.adjectives).as_str());
    let noun = title(&rng.pick(&lexicon.nouns).singular);
    match rng.weighted(&[0.35, 0.25, 0.2, 0.2]) {
        0 => format!("The {adjective} {noun}"),
        1 => format!("The {noun} of {}", proper(rng, lexicon)),
        2 => format!("{adjective} {}", title(&rng.pick(&lexicon.nouns).plural)),
        _ => proper(rng, lexicon),
    }
}

fn stem(rng: &mut Rng) -> String {
    let word = word::word(rng);
    word.trim_end_matches(['a', 'e', 'i', 'o', 'u', 'y'])
        .to_owned()
}
