//! A language that nobody speaks: English with an accent on every letter. What is shown without one comes from no catalogue.

use std::borrow::Cow;

/// Its tag, of those that ISO 639 leaves to private use.
pub const TAG: &str = "qps";

const PLAIN: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ACCENTED: &str = "áƀçðëƒĝĥíĵķļḿñóþɋŕšţúṽŵẋýžÁɃÇÐËƑĜĤÍĴĶĻḾÑÓÞɊŔŠŢÚṼŴẊÝŽ";

/// Accents the text of a message; its parameters stay what they are.
pub fn accented(text: &str) -> Cow<'_, str> {
    let accent = |letter: char| {
        let at = PLAIN.find(letter)?;
        ACCENTED.chars().nth(at)
    };
    text.chars().map(|letter| accent(letter).unwrap_or(letter)).collect::<String>().into()
}

/// Takes the accents off again, so that a test can compare what was said with English.
pub fn unaccented(text: &str) -> String {
    let plain = |letter: char| {
        let at = ACCENTED.chars().position(|one| one == letter)?;
        PLAIN.chars().nth(at)
    };
    text.chars().map(|letter| plain(letter).unwrap_or(letter)).collect()
}

/// Names the words of a text that have no accent and are no data: they come from outside the catalogues. A single letter counts as a unit.
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
