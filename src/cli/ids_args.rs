//! Token ids as the value of a flag: definitions only.

use std::str::FromStr;

/// Token ids with commas, white space or both between them, as `siskin tokenize` prints them too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids(pub Vec<u32>);

impl FromStr for Ids {
    type Err = String;

    fn from_str(text: &str) -> Result<Ids, String> {
        let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        let ids = words.map(|word| {
            word.parse().map_err(|_| format!("found '{word}', expected token ids such as 1,2,3 or \"1 2 3\""))
        });
        let ids: Vec<u32> = ids.collect::<Result<_, _>>()?;
        if ids.is_empty() { Err("found no token id. Try 1,2,3".into()) } else { Ok(Ids(ids)) }
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn commas_or_blanks_stand_between_ids() {
        for text in ["1,2,3", "1 2 3", "1, 2,\n3 "] {
            assert_eq!(text.parse(), Ok(Ids(vec![1, 2, 3])), "{text:?}");
        }
        for (text, found) in
            [("1,x", "'x'"), ("-1", "'-1'"), ("5000000000", "'5000000000'"), (" ,", "no token id")]
        {
            assert!(text.parse::<Ids>().unwrap_err().contains(found), "{text:?}");
        }
    }
}
