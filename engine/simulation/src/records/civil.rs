//! Makes acts of birth, marriage and death.

use serde_json::{Value, json};

use super::names::{calling, date, given, nation, person, place, surname, time};
use super::{Act, Row, STATUS_VALIDATED};
use crate::dice::Dice;

/// The year of all registers in the simulation.
pub const YEAR: i64 = 2026;
const CAUSES: &[&str] = &["Paludisme", "Accident de la voie publique", "Vieillesse", "Maladie", "Non déclarée"];

/// Returns the columns with which the acts of every table begin.
fn head(act: &Act) -> Row {
    vec![
        ("Numero", json!(act.numero)),
        ("Status", json!(STATUS_VALIDATED)),
        ("NumeroActe", json!(act.number)),
        ("AnneeRegistre", json!(YEAR)),
        ("CentreCode", json!(act.centre_code)),
    ]
}

fn sex(dice: &mut Dice) -> Value {
    json!(if dice.per_mille(510) { "M" } else { "F" })
}

pub fn birth(act: &Act, dice: &mut Dice) -> Row {
    let father = surname(dice);
    let born = date(dice, YEAR, YEAR);
    let mut row = head(act);
    row.extend([
        ("DateActe", json!(born)),
        ("NomEnfant", json!(father)),
        ("PrenomsEnfant", json!(given(dice))),
        ("Sexe", sex(dice)),
        ("DateNaissance", json!(born)),
        ("HeureNaissance", json!(time(dice))),
        ("LieuNaissance", json!(place(dice))),
        ("NomPere", json!(father)),
        ("PrenomsPere", json!(given(dice))),
        ("ProfessionPere", json!(calling(dice))),
        ("NomMere", json!(surname(dice))),
        ("PrenomsMere", json!(given(dice))),
        ("ProfessionMere", json!(calling(dice))),
        ("NomDeclarant", json!(person(dice))),
        ("Officier", json!(person(dice))),
        ("ActeUid", json!(dice.uuid())),
    ]);
    row
}

pub fn marriage(act: &Act, dice: &mut Dice) -> Row {
    let mut row = head(act);
    row.extend([
        ("DateMariage", json!(date(dice, YEAR, YEAR))),
        ("LieuMariage", json!(place(dice))),
        ("RegimeMatrimonial", json!(dice.pick(&["mono", "poly"]))),
        ("NomEpoux", json!(surname(dice))),
        ("PrenomsEpoux", json!(given(dice))),
        ("DateNaissanceEpoux", json!(date(dice, 1960, 2002))),
        ("NationaliteEpoux", json!(nation(dice))),
        ("ProfessionEpoux", json!(calling(dice))),
        ("NomEpouse", json!(surname(dice))),
        ("PrenomsEpouse", json!(given(dice))),
        ("DateNaissanceEpouse", json!(date(dice, 1960, 2004))),
        ("NationaliteEpouse", json!(nation(dice))),
        ("ProfessionEpouse", json!(calling(dice))),
        ("Temoin1", json!(person(dice))),
        ("Temoin2", json!(person(dice))),
        ("Officier", json!(person(dice))),
        ("ActeUid", json!(dice.uuid())),
    ]);
    row
}

pub fn death(act: &Act, dice: &mut Dice) -> Row {
    // In one death of five, the date of birth of the deceased is unknown.
    let born = if dice.per_mille(800) { json!(date(dice, 1930, 2020)) } else { Value::Null };
    let mut row = head(act);
    row.extend([
        ("DateDeces", json!(date(dice, YEAR, YEAR))),
        ("HeureDeces", json!(time(dice))),
        ("LieuDeces", json!(place(dice))),
        ("NomDefunt", json!(surname(dice))),
        ("PrenomsDefunt", json!(given(dice))),
        ("Sexe", sex(dice)),
        ("DateNaissance", born),
        ("Profession", json!(calling(dice))),
        ("CauseDeces", json!(dice.pick(CAUSES))),
        ("NomDeclarant", json!(person(dice))),
        ("Officier", json!(person(dice))),
        ("ActeUid", json!(dice.uuid())),
    ]);
    row
}
