//! Names, places and callings of Central and West Africa, for records about no real person.

use crate::dice::Dice;

const SURNAMES: &[&str] = &[
    "Abena",
    "Adjovi",
    "Amougou",
    "Atangana",
    "Ba",
    "Bassong",
    "Bello",
    "Biya'a",
    "Coulibaly",
    "Dembélé",
    "Diallo",
    "Diop",
    "Djoumessi",
    "Ebodé",
    "Ekambi",
    "Eto'o",
    "Fouda",
    "Fotso",
    "Guèye",
    "Hamadou",
    "Iyodi",
    "Kaboré",
    "Kamga",
    "Kenfack",
    "Koné",
    "Kouamé",
    "Lobé",
    "Mahamat",
    "Manga",
    "Mbarga",
    "Mbida",
    "Mballa",
    "Moukoko",
    "N'Diaye",
    "N'Guessan",
    "Ndongo",
    "Ngo Bayiha",
    "Ngono",
    "Njoya",
    "Nkolo",
    "Nomo",
    "Ondoa",
    "Ouattara",
    "Ouédraogo",
    "Owona",
    "Sanogo",
    "Sow",
    "Tamo",
    "Tchuente",
    "Touré",
    "Traoré",
    "Wamba",
    "Yacouba",
    "Zambo",
    "Zinsou",
];
const GIVEN: &[&str] = &[
    "Adèle",
    "Aïssatou",
    "Alphonse",
    "Amadou",
    "Ange",
    "Aristide",
    "Bernadette",
    "Blaise",
    "Cécile",
    "Chantal",
    "Christelle",
    "Clément",
    "Désiré",
    "Édith",
    "Élisabeth",
    "Émile",
    "Ernestine",
    "Fatoumata",
    "Félicité",
    "Firmin",
    "François",
    "Geneviève",
    "Germaine",
    "Hervé",
    "Ibrahim",
    "Irène",
    "Jacqueline",
    "Jean-Paul",
    "Joël",
    "Joséphine",
    "Kadiatou",
    "Léa",
    "Léopold",
    "Mamadou",
    "Marie-Noëlle",
    "Mariam",
    "Moïse",
    "Nadège",
    "Odile",
    "Olivier",
    "Ousmane",
    "Pélagie",
    "Raïssa",
    "Rodrigue",
    "Rosalie",
    "Salomé",
    "Sévérin",
    "Solange",
    "Théophile",
    "Zénabou",
];
const PLACES: &[&str] = &[
    "Abong-Mbang",
    "Akonolinga",
    "Ambam",
    "Bafia",
    "Bafoussam",
    "Bamenda",
    "Banyo",
    "Batouri",
    "Bertoua",
    "Douala V",
    "Ébolowa",
    "Édéa",
    "Foumban",
    "Garoua",
    "Garoua-Boulaï",
    "Guider",
    "Kaélé",
    "Kribi",
    "Kumba",
    "Limbé",
    "Loum",
    "Maroua",
    "Mbalmayo",
    "Mbouda",
    "Mokolo",
    "Nanga-Eboko",
    "Ngaoundéré",
    "Nkongsamba",
    "Obala",
    "Sangmélima",
    "Tibati",
    "Wum",
    "Yabassi",
    "Yagoua",
    "Yaoundé II",
    "Yokadouma",
];
const CALLINGS: &[&str] = &[
    "agriculteur",
    "commerçante",
    "couturière",
    "chauffeur",
    "élève",
    "enseignant",
    "éleveur",
    "fonctionnaire",
    "infirmière",
    "maçon",
    "mécanicien",
    "ménagère",
    "menuisier",
    "pêcheur",
    "planteur",
    "vendeuse au marché",
];
const NATIONS: &[&str] =
    &["Camerounaise", "Camerounaise", "Camerounaise", "Tchadienne", "Gabonaise", "Centrafricaine", "Nigériane"];

pub fn surname(dice: &mut Dice) -> String {
    (*dice.pick(SURNAMES)).to_owned()
}

pub fn given(dice: &mut Dice) -> String {
    let first = *dice.pick(GIVEN);
    if dice.per_mille(400) { format!("{first} {}", dice.pick(GIVEN)) } else { first.to_owned() }
}

pub fn person(dice: &mut Dice) -> String {
    format!("{} {}", surname(dice), given(dice))
}

pub fn place(dice: &mut Dice) -> String {
    (*dice.pick(PLACES)).to_owned()
}

pub fn calling(dice: &mut Dice) -> String {
    (*dice.pick(CALLINGS)).to_owned()
}

pub fn nation(dice: &mut Dice) -> String {
    (*dice.pick(NATIONS)).to_owned()
}

pub fn date(dice: &mut Dice, first_year: i64, last_year: i64) -> String {
    format!("{:04}-{:02}-{:02}", dice.between(first_year, last_year), dice.between(1, 12), dice.between(1, 28))
}

pub fn time(dice: &mut Dice) -> String {
    format!("{:02}:{:02}:00", dice.between(0, 23), dice.between(0, 11) * 5)
}
