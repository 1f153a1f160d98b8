//! Bytes for people, in both directions.

use std::fmt;
use std::str::FromStr;

const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// A number of bytes, shown with three digits and a unit, and read from texts such as `512M`, `1.5G`, `800 KiB` or `4096`. Units are powers of 1024.
///
/// ```
/// use siskin::memory::Size;
///
/// assert_eq!(Size(1536 << 20).to_string(), "1.50 GiB");
/// assert_eq!("1.5G".parse(), Ok(Size(1536 << 20)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut x = self.0 as f64;
        let mut unit = 0;
        while x >= 999.5 && unit + 1 < UNITS.len() {
            x /= 1024.0;
            unit += 1;
        }
        let digits = match x {
            _ if unit == 0 || x >= 99.95 => 0,
            _ if x >= 9.995 => 1,
            _ => 2,
        };
        // through a string, so that a width applies
        f.pad(&format!("{x:.digits$} {}", UNITS[unit]))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let failed = || format!("found '{text}', expected a number and a unit, such as 512M or 1.5G");
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number: f64 = number.parse().map_err(|_| failed())?;
        let unit = unit.trim().trim_end_matches(['b', 'B']).trim_end_matches(['i', 'I']).to_ascii_uppercase();
        let power = ["", "K", "M", "G", "T"].iter().position(|name| *name == unit).ok_or_else(failed)?;
        let bytes = number * 1024f64.powi(power as i32);
        if bytes < u64::MAX as f64 { Ok(Size(bytes as u64)) } else { Err(failed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        let sizes = [0, 999, 1000, 1024 * 1024, 668_788_096, u64::MAX];
        let shown: Vec<String> = sizes.map(|n| Size(n).to_string()).into();
        assert_eq!(shown, ["0 B", "999 B", "0.98 KiB", "1.00 MiB", "638 MiB", "16777216 TiB"]);
        assert_eq!(format!("[{:>9}] [{:<6}]", Size(2048), Size(5)), "[ 2.00 KiB] [5 B   ]");
    }

    #[test]
    fn sizes_are_read() {
        let read = |text: &str| text.parse().ok().map(|Size(bytes)| bytes);
        let texts = ["512M", "1.5G", "800 KiB", "4096", "2mib", "1t", "0.5k", "7B"];
        let expected = [512 << 20, 1536 << 20, 800 << 10, 4096, 2 << 20, 1 << 40, 512, 7];
        assert_eq!(texts.map(read), expected.map(Some));
        for wrong in ["", "M", "-1M", "1X", "1.2.3M", "1e3", "999999999T", "MM", "1 2"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
