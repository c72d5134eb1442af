//! Makes results of polling stations, with the votes for each candidate.

use sdc::digest::Digest;
use serde_json::json;

use super::names::{person, time};
use super::{Row, STATUS_VALIDATED};
use crate::dice::Dice;

/// The number of registered voters of each station; the centre's list of stations has the same number.
pub const REGISTERED: i64 = 700;

/// The result that one station counted.
pub struct Counted {
    registered: i64,
    signatures: i64,
    void: i64,
    blank: i64,
    /// The votes for each candidate.
    pub voices: Vec<i64>,
}

pub fn count(candidates: usize, dice: &mut Dice) -> Counted {
    let registered = REGISTERED;
    let signatures = registered * dice.between(40, 95) / 100;
    let (void, blank) = (dice.between(0, 6), dice.between(0, 6));
    let mut left = signatures - void - blank;
    let mut voices: Vec<i64> = (1..candidates)
        .map(|_| {
            let share = dice.between(0, left);
            left -= share;
            share
        })
        .collect();
    voices.push(left);
    Counted { registered, signatures, void, blank, voices }
}

pub fn result(numero: i64, election: &str, bureau: &str, counted: &Counted, dice: &mut Dice) -> Row {
    vec![
        ("Numero", json!(numero)),
        ("Status", json!(STATUS_VALIDATED)),
        ("ElectionCode", json!(election)),
        ("BureauCode", json!(bureau)),
        ("Inscrits", json!(counted.registered)),
        ("Emargements", json!(counted.signatures)),
        ("BulletinsTrouves", json!(counted.signatures)),
        ("Nuls", json!(counted.void)),
        ("Blancs", json!(counted.blank)),
        ("Exprimes", json!(counted.voices.iter().sum::<i64>())),
        ("HeureCloture", json!(time(dice))),
        ("President", json!(person(dice))),
        ("Delegues", json!(dice.between(0, 5))),
        ("PvSha256", json!(Digest::of(&dice.bits().to_be_bytes()).to_string())),
    ]
}

pub fn voices(numero: i64, election: &str, bureau: &str, candidate: usize, voices: i64) -> Row {
    vec![
        ("Numero", json!(numero)),
        ("Status", json!(STATUS_VALIDATED)),
        ("ElectionCode", json!(election)),
        ("BureauCode", json!(bureau)),
        ("CandidatCode", json!(format!("CAND-{}", candidate + 1))),
        ("Voix", json!(voices)),
    ]
}
