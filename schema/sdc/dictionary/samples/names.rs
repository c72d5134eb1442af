//! Lists of names, and functions that draw names from them.

use super::Dice;

/// Lists of names.
pub struct Corpus {
    pub surnames: Vec<String>,
    pub given_names: Vec<String>,
    pub places: Vec<String>,
    pub occupations: Vec<String>,
    pub qualities: Vec<String>,
    pub nationalities: Vec<String>,
    pub causes: Vec<String>,
    pub terms: Vec<String>,
    /// Surnames from which those of two people in five are drawn; empty where only rare surnames are wanted.
    pub frequent_surnames: Vec<String>,
    /// Given names from which those of two people in five are drawn; empty where only rare given names are wanted.
    pub frequent_given_names: Vec<String>,
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

impl Corpus {
    /// Returns the lists with which the dictionary is trained.
    pub fn published() -> Corpus {
        Corpus {
            surnames: lines(include_str!("../corpus/surnames.txt")),
            given_names: lines(include_str!("../corpus/given_names.txt")),
            places: lines(include_str!("../corpus/places.txt")),
            occupations: lines(include_str!("../corpus/occupations.txt")),
            qualities: lines(include_str!("../corpus/qualities.txt")),
            nationalities: lines(include_str!("../corpus/nationalities.txt")),
            causes: lines(include_str!("../corpus/causes.txt")),
            terms: lines(include_str!("../corpus/terms.txt")),
            frequent_surnames: lines(include_str!("../corpus/frequent_surnames.txt")),
            frequent_given_names: lines(include_str!("../corpus/frequent_given_names.txt")),
        }
    }

    /// Returns lists whose names and places are in none of the training samples.
    pub fn held_out() -> Corpus {
        let of_kind = |kind: &str| {
            let pairs = include_str!("../held_out.txt").lines().filter_map(|line| line.split_once('\t'));
            pairs.filter(|(of, _)| *of == kind).map(|(_, name)| name.to_owned()).collect()
        };
        Corpus {
            surnames: of_kind("surname"),
            given_names: of_kind("given_name"),
            places: of_kind("place"),
            frequent_surnames: Vec::new(),
            frequent_given_names: Vec::new(),
            ..Corpus::published()
        }
    }

    /// Draws a surname, now and then a double one.
    pub fn surname(&self, dice: &mut Dice, capitals: bool) -> String {
        let is_frequent = !self.frequent_surnames.is_empty() && dice.percent(40);
        let list = if is_frequent { &self.frequent_surnames } else { &self.surnames };
        let mut name = dice.one(list).to_owned();
        if dice.percent(15) {
            name = format!("{name} {}", dice.one(&self.surnames));
        }
        if capitals { name.to_uppercase() } else { name }
    }

    /// Draws one or two given names.
    pub fn given_names(&self, dice: &mut Dice) -> String {
        let one = |dice: &mut Dice| {
            let is_frequent = !self.frequent_given_names.is_empty() && dice.percent(40);
            dice.one(if is_frequent { &self.frequent_given_names } else { &self.given_names }).to_owned()
        };
        let first = one(dice);
        if dice.percent(45) { format!("{first} {}", one(dice)) } else { first }
    }

    /// Draws a surname with given names.
    pub fn person(&self, dice: &mut Dice, capitals: bool) -> String {
        format!("{} {}", self.surname(dice, capitals), self.given_names(dice))
    }

    /// Draws an occupation.
    pub fn profession(&self, dice: &mut Dice) -> String {
        dice.one(&self.occupations).to_owned()
    }
}
