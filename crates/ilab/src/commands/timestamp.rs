//! Moments as parts of file names.

use jiff::Zoned;

/// `2026-11-23T09_59_15`, in local time as the original's; it has no character that a file system refuses.
pub(crate) fn local() -> String {
    named(&Zoned::now())
}

/// `2026-11-23 09:59`, in local time, to be read.
pub(crate) fn shown() -> String {
    Zoned::now().strftime("%Y-%m-%d %H:%M").to_string()
}

fn named(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H_%M_%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_named_by_the_clock_on_the_wall() {
        let moment: Zoned = "2026-11-23T09:59:15+02:00[+02:00]".parse().unwrap();
        assert_eq!(named(&moment), "2026-11-23T09_59_15");
    }
}
