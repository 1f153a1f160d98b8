//! Dates in templates: `strftime_now`, in UTC and with English names.
//!
//! Where a board is, and in which language it is asked, is not known; the model was told dates in English.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const DAY_SECONDS: u64 = 86_400;

/// A moment in UTC, in the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: i64,
    /// From 1.
    month: usize,
    day: usize,
    /// From 1.
    day_of_year: usize,
    /// From 0, which is Sunday.
    weekday: usize,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Date {
    /// Days are counted from 1 March of year 0, so that a leap day is the last of its year: then 400 years are 146,097 days, and the
    /// months from March on have 153 days in five.
    fn new(time: SystemTime) -> Date {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (days, second) = ((seconds / DAY_SECONDS) as i64, seconds % DAY_SECONDS);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * from_march + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        let day_of_year = if month <= 2 { from_march - 306 } else { from_march + 59 + leap };
        Date {
            year,
            month: month as usize,
            day: (from_march - (153 * shifted_month + 2) / 5 + 1) as usize,
            day_of_year: day_of_year as usize + 1,
            weekday: (days + 4).rem_euclid(7) as usize,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    /// The text of one directive; `None` if there is none of that letter. Flags such as `%-d` leave out padding.
    fn directive(&self, letter: char) -> Option<String> {
        let (month, day) = (MONTHS[self.month - 1], DAYS[self.weekday]);
        let hour12 = (self.hour + 11) % 12 + 1;
        Some(match letter {
            'A' => day.to_owned(),
            'a' => day[..3].to_owned(),
            'B' => month.to_owned(),
            'b' | 'h' => month[..3].to_owned(),
            'd' => format!("{:02}", self.day),
            'e' => format!("{:2}", self.day),
            'D' => format!("{:02}/{:02}/{:02}", self.month, self.day, self.year % 100),
            'F' => format!("{:04}-{:02}-{:02}", self.year, self.month, self.day),
            'H' => format!("{:02}", self.hour),
            'I' => format!("{hour12:02}"),
            'j' => format!("{:03}", self.day_of_year),
            'M' => format!("{:02}", self.minute),
            'm' => format!("{:02}", self.month),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
            'S' => format!("{:02}", self.second),
            'T' => format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second),
            'u' => format!("{}", (self.weekday + 6) % 7 + 1),
            'w' => format!("{}", self.weekday),
            'Y' => format!("{:04}", self.year),
            'y' => format!("{:02}", self.year % 100),
            'Z' => "UTC".to_owned(),
            'z' => "+0000".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }
}

/// A moment as C's `strftime` writes it.
///
/// # Errors
/// The directive, if it is not one of those that templates use.
pub(super) fn strftime(time: SystemTime, format: &str) -> Result<String, String> {
    let date = Date::new(time);
    let (mut out, mut rest) = (String::new(), format.chars());
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let letter = rest.next();
        let (unpadded, letter) = if letter == Some('-') { (true, rest.next()) } else { (false, letter) };
        let letter = letter.ok_or_else(|| "%".to_owned())?;
        let text = date.directive(letter).ok_or_else(|| format!("%{letter}"))?;
        let short = text.trim_start_matches(['0', ' ']);
        out.push_str(match (unpadded, short) {
            (false, _) => &text,
            (true, "") => "0",
            (true, short) => short,
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64, format: &str) -> String {
        strftime(UNIX_EPOCH + Duration::from_secs(seconds), format).expect("known directives")
    }

    /// Expected texts are those of Python 3.11's `datetime.fromtimestamp(n, timezone.utc).strftime`.
    #[test]
    fn dates_are_those_of_python() {
        let all = "%a %A %b %B %d %e %D %F %H %I %j %M %m %p %S %T %u %w %Y %y %% %-d %-m";
        for (seconds, expected) in [
            (
                0,
                "Thu Thursday Jan January 01  1 01/01/70 1970-01-01 00 12 001 00 01 AM 00 00:00:00 4 4 1970 70 % 1 1",
            ),
            (
                951_782_400,
                "Tue Tuesday Feb February 29 29 02/29/00 2000-02-29 00 12 060 00 02 AM 00 00:00:00 2 2 2000 00 % 29 2",
            ),
            (
                1_735_689_599,
                "Tue Tuesday Dec December 31 31 12/31/24 2024-12-31 23 11 366 59 12 PM 59 23:59:59 2 2 2024 24 % 31 12",
            ),
            (
                4_107_542_400,
                "Mon Monday Mar March 01  1 03/01/00 2100-03-01 00 12 060 00 03 AM 00 00:00:00 1 1 2100 00 % 1 3",
            ),
        ] {
            assert_eq!(at(seconds, all), expected);
        }
        assert_eq!(at(12 * 3600, "%I %p"), "12 PM");
        assert_eq!(at(0, "%-H"), "0");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = Date::new(UNIX_EPOCH);
        for day in 1..60_000 {
            let date = Date::new(UNIX_EPOCH + Duration::from_secs(day * DAY_SECONDS));
            let next_day = (before.year, before.month, before.day + 1);
            let next_month = (before.year, before.month + 1, 1);
            let next_year = (before.year + 1, 1, 1);
            assert!(
                [next_day, next_month, next_year].contains(&(date.year, date.month, date.day)),
                "{date:?}"
            );
            assert!(date.day_of_year == before.day_of_year + 1 || date.day_of_year == 1, "{date:?}");
            before = date;
        }
        assert_eq!((before.year, before.month, before.day), (2134, 4, 10));
    }

    #[test]
    fn unknown_directives_are_named() {
        assert_eq!(strftime(UNIX_EPOCH, "%Q"), Err("%Q".to_owned()));
        assert_eq!(strftime(UNIX_EPOCH, "50 %"), Err("%".to_owned()));
    }
}
