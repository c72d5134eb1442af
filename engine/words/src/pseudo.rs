//! The pseudo-language for tests: English with an accent on every letter. A shown text without accents comes from no catalogue.

use std::borrow::Cow;

/// Tag of the pseudo-language; ISO 639 leaves it to private use.
pub const TAG: &str = "qps";

const PLAIN: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ACCENTED: &str = "áƀçðëƒĝĥíĵķļḿñóþɋŕšţúṽŵẋýžÁɃÇÐËƑĜĤÍĴĶĻḾÑÓÞɊŔŠŢÚṼŴẊÝŽ";

/// Puts accents on the text of a message. Its parameters stay as they are.
pub fn accented(text: &str) -> Cow<'_, str> {
    let accent = |letter: char| {
        let at = PLAIN.find(letter)?;
        ACCENTED.chars().nth(at)
    };
    text.chars().map(|letter| accent(letter).unwrap_or(letter)).collect::<String>().into()
}

/// Removes the accents, so that a test can compare the text with English.
pub fn unaccented(text: &str) -> String {
    let plain = |letter: char| {
        let at = ACCENTED.chars().position(|one| one == letter)?;
        PLAIN.chars().nth(at)
    };
    text.chars().map(|letter| plain(letter).unwrap_or(letter)).collect()
}

/// Lists the words of a text that have no accent and are not data, so that they come from outside the catalogues. Single letters are not
/// listed, because they count as units.
pub fn foreign(text: &str, data: &[&str]) -> Vec<String> {
    let mut data: Vec<&str> = data.iter().copied().filter(|one| !one.is_empty()).collect();
    data.sort_by_key(|one| std::cmp::Reverse(one.len()));
    let left = data.into_iter().fold(text.to_owned(), |left, one| left.replace(one, "·"));
    let words = left.split(|letter: char| !letter.is_ascii_alphabetic());
    words.filter(|word| word.len() > 1).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_gets_an_accent_and_every_other_character_stays() {
        assert!(!accented(PLAIN).contains(|c: char| c.is_ascii()));
        assert_eq!(PLAIN.chars().count(), ACCENTED.chars().count());
        assert_eq!(accented("1 (2): …"), "1 (2): …");
        assert_eq!(foreign("ńó agency 42 in Édéa s", &["42", "Édéa"]), ["agency", "in"]);
        assert_eq!(unaccented(&accented(PLAIN)), PLAIN);
    }
}
