//! Numbers, measures and dates in the ways people write them.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;

const SMALL: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] = &[
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const ORDINALS: &[&str] = &["first", "second", "third", "fourth", "last"];

/// A number below 1,000 in words.
pub fn in_words(n: usize) -> String {
    match n {
        0..=19 => SMALL[n].to_owned(),
        20..=99 if n.is_multiple_of(10) => TENS[n / 10 - 2].to_owned(),
        20..=99 => format!("{}-{}", TENS[n / 10 - 2], SMALL[n % 10]),
        _ if n.is_multiple_of(100) => format!("{} hundred", in_words(n / 100)),
        _ => format!("{} hundred and {}", in_words(n / 100), in_words(n % 100)),
    }
}

fn with_commas(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Every order of magnitude is as likely as the next.
fn magnitude(rng: &mut Rng, digits: usize) -> usize {
    let n = rng.between(1, digits);
    let low = 10_usize.pow(u32::try_from(n - 1).unwrap_or(0));
    let drawn = rng.between(low, low * 10 - 1);
    if n > 2 && rng.chance(0.4) {
        drawn / (low / 10) * (low / 10)
    } else {
        drawn
    }
}

fn digits(rng: &mut Rng, n: usize) -> String {
    if n >= 1_000 && rng.chance(0.7) {
        with_commas(n)
    } else {
        n.to_string()
    }
}

/// A year.
pub fn year(rng: &mut Rng) -> String {
    match rng.weighted(&[0.45, 0.35, 0.2]) {
        0 => rng.between(1800, 2035),
        1 => rng.between(1300, 1900),
        _ => rng.between(600, 2400),
    }
    .to_string()
}

/// A number of any size.
pub fn number(rng: &mut Rng) -> String {
    let n = magnitude(rng, 6).max(2);
    if n < 100 && rng.chance(0.3) {
        return in_words(n);
    }
    digits(rng, n)
}

/// A number of things.
pub fn count(rng: &mut Rng) -> String {
    let n = match rng.weighted(&[0.55, 0.3, 0.15]) {
        0 => rng.between(2, 20),
        1 => rng.between(21, 200),
        _ => magnitude(rng, 5).max(2),
    };
    if n < 100 && rng.chance(0.55) || n < 1_000 && n.is_multiple_of(100) && rng.chance(0.5) {
        return in_words(n);
    }
    digits(rng, n)
}

fn amount(rng: &mut Rng) -> String {
    let n = match rng.weighted(&[0.6, 0.25, 0.15]) {
        0 => rng.between(2, 99),
        1 => rng.between(100, 999),
        _ => magnitude(rng, 5).max(2),
    };
    match rng.weighted(&[0.62, 0.23, 0.15]) {
        1 if n < 100 => in_words(n),
        2 => format!("{}.{}", n % 100, rng.between(1, 9)),
        _ => digits(rng, n),
    }
}

fn measure(rng: &mut Rng, units: &[&str], short: &[&str]) -> String {
    let amount = amount(rng);
    if rng.chance(0.2) && amount.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{amount} {}", rng.pick(short))
    } else {
        format!("{amount} {}", rng.pick(units))
    }
}

/// A length, height or distance.
pub fn length(rng: &mut Rng) -> String {
    measure(
        rng,
        &[
            "metres",
            "metres",
            "kilometres",
            "centimetres",
            "feet",
            "miles",
            "millimetres",
            "paces",
            "inches",
            "yards",
        ],
        &["m", "km", "cm", "mm", "ft"],
    )
}

/// A weight.
pub fn weight(rng: &mut Rng) -> String {
    measure(
        rng,
        &[
            "kilograms",
            "grams",
            "tonnes",
            "pounds",
            "kilos",
            "ounces",
            "tons",
            "stone",
        ],
        &["kg", "g", "t", "lb"],
    )
}

/// How long something takes.
pub fn duration(rng: &mut Rng) -> String {
    match rng.weighted(&[0.75, 0.1, 0.15]) {
        1 => [
            "an hour",
            "half an hour",
            "a week",
            "a whole day",
            "one night",
            "half a year",
            "a century",
            "a month",
        ][rng.between(0, 7)]
        .to_owned(),
        2 => {
            let n = rng.between(2, 40);
            format!(
                "{} and a half {}",
                in_words(n),
                rng.pick(&["hours", "days", "years"])
            )
        }
        _ => {
            let n = rng.between(2, 90);
            let n = if rng.chance(0.5) {
                in_words(n)
            } else {
                n.to_string()
            };
            format!(
                "{n} {}",
                rng.pick(&[
                    "seconds", "minutes", "hours", "days", "weeks", "months", "years", "nights"
                ])
            )
        }
    }
}

/// How old something is.
pub fn age(rng: &mut Rng) -> String {
    let n = if rng.chance(0.7) {
        rng.between(2, 99)
    } else {
        magnitude(rng, 4).max(2)
    };
    let text = if n < 100 && rng.chance(0.4) {
        in_words(n)
    } else {
        digits(rng, n)
    };
    let unit = if rng.chance(0.85) {
        "years"
    } else {
        *rng.pick(&["months", "weeks", "days"])
    };
    format!("{text} {unit}")
}

/// A price or a sum.
pub fn money(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let amount = amount(rng);
    let is_digits = amount.starts_with(|c: char| c.is_ascii_digit());
    match rng.weighted(&[0.3, 0.5, 0.2]) {
        0 if is_digits => format!("{}{amount}", rng.pick(&["$", "€", "£"])),
        2 => format!("{amount} {} coins", rng.pick(lexicon.list("material"))),
        _ => {
            let unit = rng.pick(&[
                "crowns",
                "coins",
                "dollars",
                "euros",
                "pounds",
                "shillings",
                "pennies",
                "francs",
                "cents",
                "florins",
                "marks",
                "ducats",
                "tokens",
            ]);
            format!("{amount} {unit}")
        }
    }
}

/// A day of the year, after "on".
pub fn date(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let day = rng.between(1, 28);
    let month = rng.pick(lexicon.list("month")).clone();
    let weekday = rng.pick(lexicon.list("day")).clone();
    match rng.weighted(&[0.3, 0.25, 0.2, 0.15, 0.1]) {
        0 => format!("{day} {month}"),
        1 => format!("{day} {month} {}", year(rng)),
        2 => format!("{month} {day}"),
        3 => format!("the {} {weekday} of {month}", rng.pick(ORDINALS)),
        _ => format!("{month} {day}, {}", year(rng)),
    }
}

/// A time of the day, after "at".
pub fn time(rng: &mut Rng) -> String {
    let hour = rng.between(1, 12);
    match rng.weighted(&[0.25, 0.2, 0.15, 0.2, 0.2]) {
        0 => format!("{}:{:02}", rng.between(0, 23), rng.between(0, 11) * 5),
        1 => format!("{} o'clock", in_words(hour)),
        2 => format!("half past {}", in_words(hour)),
        3 => format!(
            "{} in the {}",
            in_words(hour),
            rng.pick(&["morning", "afternoon", "evening"])
        ),
        _ => (*rng.pick(&[
            "noon",
            "midnight",
            "dawn",
            "dusk",
            "sunrise",
            "sunset",
            "first light",
            "high tide",
            "low tide",
            "nightfall",
        ]))
        .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_commas() {
        assert_eq!(in_words(0), "zero");
        assert_eq!(in_words(21), "twenty-one");
        assert_eq!(in_words(300), "three hundred");
        assert_eq!(in_words(999), "nine hundred and ninety-nine");
        assert_eq!(with_commas(1_234_567), "1,234,567");
        assert_eq!(with_commas(123), "123");
    }
}
