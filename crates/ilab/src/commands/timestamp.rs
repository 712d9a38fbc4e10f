//! Moments as parts of file names.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_A_DAY: u64 = 86_400;

/// `2026-11-23T09_59_15`, in UTC: sorts by time, and has no character that a file system refuses.
pub(crate) fn utc(moment: SystemTime) -> String {
    // Clocks before 1970 are set wrong; the epoch is as good a name as any.
    let seconds = moment
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    let (year, month, day) = date(seconds / SECONDS_A_DAY);
    let time = seconds % SECONDS_A_DAY;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}_{minute:02}_{second:02}")
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Counts from 0000-03-01, so that the leap day is the last of its year (Howard Hinnant, `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = if months_from_march < 10 {
        months_from_march + 3
    } else {
        months_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_are_those_of_the_date_program() {
        for (seconds, expected) in [
            (0, "1970-01-01T00_00_00"),
            (951_827_696, "2000-02-29T12_34_56"),
            (1_795_427_955, "2026-11-23T09_59_15"),
            (4_107_542_399, "2100-02-28T23_59_59"),
            (4_107_542_400, "2100-03-01T00_00_00"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
