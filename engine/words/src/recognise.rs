//! Recognises an English text as a message with parameters, so that the text can be said in another language.
//!
//! Three kinds of text are made in English. The first are errors and findings, which logs and programs read too, and whose crates know no
//! language. The second is the expectation in a receipt, which is signed as it is. The third is clap's text about a command line. Each of
//! these texts has a message whose English is exactly the text. A text without a message, such as the reply of another server, stays as it
//! is.

use std::sync::LazyLock;

use fluent_bundle::FluentResource;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, PatternElement};

use crate::typography::french_quotes;
use crate::value::plain;
use crate::{BUILT_IN, Value, Words};

/// Families of messages that are whole sentences, as prefixes of the messages' names.
const SENTENCES: [&str; 4] = ["error-", "check-", "usage-", "expected-"];
/// Names of parameters that hold sentences, which are translated too. All other parameters are names, numbers or texts of other programs,
/// and stay as they are.
const NESTED: [&str; 8] = ["cause", "decimals", "expected", "found", "reason", "step", "succeeded", "what"];
/// Names of parameters that hold one word.
const SINGLE: [&str; 2] = ["agency", "name"];
/// Names of parameters that hold numbers: `-5 to 7` is recognised as a range, and `sent to Douala` is not.
const NUMBERS: [&str; 2] = ["least", "most"];
/// Greatest depth to which sentences within sentences are recognised.
const DEPTH_MAX: usize = 4;
/// Least number of letters that a phrase needs outside its parameters, if a parameter may have several words. In a shorter phrase a
/// parameter is a single word or a sentence, because the phrase would fit too many texts.
const LETTERS_MIN: usize = 5;
/// Least number of letters that a phrase needs outside its parameters, if a parameter may be empty, such as an empty list.
const LETTERS_OF_EMPTY_MIN: usize = 10;

/// The English text of a message, cut into the texts between its parameters, and the parameters' names.
struct Phrase {
    name: String,
    /// Texts before, between and after the parameters: one more than there are parameters.
    texts: Vec<String>,
    parameters: Vec<String>,
    /// Order of phrases that fit the same text: a phrase that begins with a fixed text comes first, then the phrase with the longest fixed
    /// texts.
    rank: (bool, usize),
}

static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    let english = BUILT_IN.iter().filter(|(tag, _)| *tag == "en").flat_map(|(_, files)| files.iter());
    let text: String = english.map(|(_, text)| *text).collect();
    let resource = FluentResource::try_new(text).unwrap_or_else(|(resource, _)| resource);
    resource.entries().filter_map(phrase).collect()
});

fn phrase(entry: &Entry<&str>) -> Option<Phrase> {
    let Entry::Message(message) = entry else { return None };
    let (mut texts, mut parameters) = (vec![String::new()], Vec::new());
    for element in &message.value.as_ref()?.elements {
        match element {
            PatternElement::TextElement { value } => texts.last_mut()?.push_str(value),
            PatternElement::Placeable { expression: Expression::Inline(inline) } => match inline {
                InlineExpression::VariableReference { id } => {
                    parameters.push(id.name.to_owned());
                    texts.push(String::new());
                }
                InlineExpression::StringLiteral { value } => texts.last_mut()?.push_str(value),
                _ => return None,
            },
            // A message that selects among variants has no single English text, so it is not recognised.
            PatternElement::Placeable { .. } => return None,
        }
    }
    let begins = texts.first().is_some_and(|text| !text.is_empty());
    let rank = (begins, texts.iter().map(String::len).sum());
    Some(Phrase { name: message.id.name.to_owned(), texts, parameters, rank })
}

impl Phrase {
    fn is_of(&self, family: &str) -> bool {
        self.name.starts_with(family)
    }

    /// Returns the parameters of a text that fits the phrase, else none. Each parameter ends where the phrase's next fixed text begins;
    /// for the last parameter, this is the phrase's last text.
    fn read<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let (first, further) = self.texts.split_first()?;
        let mut rest = text.strip_prefix(first.as_str())?;
        let mut found = Vec::new();
        for (at, piece) in further.iter().enumerate() {
            let is_last = at + 1 == further.len();
            let end = if is_last { rest.len().checked_sub(piece.len())? } else { rest.find(piece.as_str())? };
            let (parameter, behind) = rest.split_at_checked(end)?;
            found.push(parameter);
            rest = behind.strip_prefix(piece.as_str())?;
        }
        (rest.is_empty() && self.admits(&found)).then_some(found)
    }

    fn admits(&self, found: &[&str]) -> bool {
        let letters = self.letters();
        found.iter().zip(&self.parameters).all(|(value, parameter)| {
            let parameter = parameter.as_str();
            if value.is_empty() || NESTED.contains(&parameter) {
                return !value.is_empty() || letters >= LETTERS_OF_EMPTY_MIN;
            }
            let may_be_long = letters >= LETTERS_MIN && !SINGLE.contains(&parameter);
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            (may_be_long || !value.contains(' '))
                && !value.contains(": ")
                && (is_number || !NUMBERS.contains(&parameter))
        })
    }

    /// Counts the letters of the phrase, without its parameters.
    fn letters(&self) -> usize {
        self.texts.iter().flat_map(|text| text.chars()).filter(|letter| letter.is_alphabetic()).count()
    }
}

/// Returns the phrase of these families that fits a text best, and its parameters; none where no phrase fits.
fn find<'a>(families: &[&str], text: &'a str) -> Option<(&'static Phrase, Vec<&'a str>)> {
    let of_family = PHRASES.iter().filter(|phrase| families.iter().any(|family| phrase.is_of(family)));
    of_family.filter_map(|phrase| Some((phrase, phrase.read(text)?))).max_by_key(|(phrase, _)| phrase.rank)
}

impl Words {
    /// Translates English sentences, one on each line: errors, findings, and clap's texts about a command line.
    pub fn sentences(&self, english: &str) -> String {
        if self.is_plain_english() {
            return english.to_owned();
        }
        let line = |line: &str| {
            let begun = line.trim_start();
            let sentence = begun.strip_prefix("- ").unwrap_or(begun);
            let before = line.strip_suffix(sentence).unwrap_or_default();
            format!("{before}{}", self.phrase(&SENTENCES, sentence, DEPTH_MAX))
        };
        english.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }

    /// Translates an expectation. `english` is the text in a receipt.
    pub fn expected(&self, english: &str) -> String {
        if self.is_plain_english() { english.to_owned() } else { self.phrase(&["expected-"], english, 1) }
    }

    /// Translates a short text of the code, such as a heading or the help of an option. `family` is the prefix of its message's name.
    pub fn short(&self, family: &str, english: &str) -> String {
        if self.is_plain_english() { english.to_owned() } else { self.phrase(&[family], english, 1) }
    }

    /// Says whether a text is a message of a family. Tests ask this of every text in the code.
    pub fn is_known(family: &str, english: &str) -> bool {
        find(&[family], english).is_some()
    }

    /// Says whether a text is a sentence that the catalogues have. Tests ask this of every sentence in the code.
    pub fn is_sentence(english: &str) -> bool {
        let Some((phrase, found)) = find(&SENTENCES, english) else { return false };
        // A phrase without letters only joins sentences, so it is a sentence where its parts are sentences.
        phrase.letters() > 0 || found.iter().all(|part| !part.contains(' ') || Words::is_sentence(part))
    }

    fn phrase(&self, families: &[&str], english: &str, depth: usize) -> String {
        if families.contains(&"error-")
            && let Some(refusal) = self.refused(english)
        {
            return refusal;
        }
        let Some((phrase, found)) = find(families, english) else { return english.to_owned() };
        let value = |name: &str, found: &str| match plain(found) {
            Some(number) => number,
            None if depth > 0 && NESTED.contains(&name) => self.quoted(&self.phrase(families, found, depth - 1)),
            None => self.quoted(found),
        };
        let parameters = phrase.parameters.iter().zip(found).map(|(name, found)| (name.clone(), value(name, found)));
        self.text_of(&phrase.name, parameters)
    }

    /// Returns a text as a parameter. French quotation marks replace those that the code has put around it.
    fn quoted(&self, text: &str) -> Value {
        if self.language().is_french() { Value::from(french_quotes(text).as_ref()) } else { Value::from(text) }
    }
}

#[cfg(test)]
mod tests {
    use crate::typography::plain_blanks;
    use crate::{Catalogues, Words};

    fn french() -> Words {
        Catalogues::built_in().words(&"fr".parse().unwrap()).unwrap()
    }

    #[test]
    fn phrases_of_receipts_are_said_in_french_and_others_as_they_came() {
        for (english, expected) in [
            ("a date YYYY-MM-DD", "une date AAAA-MM-JJ"),
            ("at most 12 characters", "12 caractères au plus"),
            ("at most 1 characters", "1 caractère au plus"),
            ("at most 6 digits, 2 of them after the point", "6 chiffres au plus, dont 2 après la virgule"),
            ("-32768 to 32767", "de -32768 à 32767"),
            ("Exprimes 430 (430) = BulletinsTrouves 454 (454)", "Exprimes 430 (430) = BulletinsTrouves 454 (454)"),
            ("", ""),
        ] {
            assert_eq!(french().expected(english), expected);
            assert_eq!(Words::english().expected(english), english, "English is what it was");
        }
    }

    #[test]
    fn a_sentence_within_a_sentence_is_said_too() {
        for (english, expected) in [
            (
                "could not create /srv/centre: Permission denied (os error 13)",
                "échec de l'opération « création » sur /srv/centre : permission refusée (erreur système 13)",
            ),
            (
                "environment variable XMSERVER_LIMITS__WRITERS: limits.writers: expected 1 to 64, found 0",
                "variable d'environnement XMSERVER_LIMITS__WRITERS : limits.writers : attendu de 1 à 64, trouvé 0",
            ),
            (
                "error: unrecognized subcommand 'lst'\n\n  tip: a similar subcommand exists: 'list'\n",
                "erreur : commande inconnue : 'lst'\n\n  conseil : une commande semblable existe : 'list'\n",
            ),
            (
                "expected a day (2026-11-30), a time of the centre (\"2026-11-30 18:00\"), one of RFC 3339 (2026-11-30T17:00:00Z), today, \
                 yesterday, or so long ago (2h, 3d); found \"soon\"",
                "attendu : un jour (2026-11-30), une heure du centre (\"2026-11-30 18:00\"), une heure de la RFC 3339 \
                 (2026-11-30T17:00:00Z), aujourd'hui, hier, ou une durée écoulée (2h, 3j) ; trouvé : « soon »",
            ),
            ("1 values of the file do not fit the table:", "1 valeur du fichier ne convient pas à la table :"),
            ("mail.example:995: tcp: no answer within 20 s", "mail.example:995 : tcp : pas de réponse en 20 s"),
            (
                "/srv/transfer: out is not writable: Permission denied (os error 13): make it, or mount it, and let this program \
                 read, write and remove files there; it goes on by itself",
                "/srv/transfer : out n'est pas ouvert en écriture : permission refusée (erreur système 13) : créez-le, ou montez-le, \
                 et laissez ce programme y lire, écrire et supprimer des fichiers ; le reste reprend de lui-même",
            ),
            (
                "user clerk has privilege 1 (Opérateur): agency.status needs 2 (Chef d'Agence)",
                "l'utilisateur clerk a le privilège 1 (Opérateur) : il faut 2 (Chef d'Agence) pour fixer le statut d'une agence",
            ),
            (
                "check c: an allowance has both, `percent` and the term that it is `of`, or neither",
                "contrôle c : une tolérance a les deux, `percent` et le terme dont elle est la part (`of`), ou aucun des deux",
            ),
            (
                "nothing of quarantine entry 7 can be tried: refused: no_container",
                "rien de l'entrée 7 de la quarantaine ne peut être repris : refusée : no_container",
            ),
            (
                "the certificate is not in strict DER with names of bounded length (expected a serial number): have it issued again",
                "le certificat n'est pas en DER strict avec des noms de longueur limitée (attendu un numéro de série) : faites-le \
                 établir de nouveau",
            ),
        ] {
            assert_eq!(plain_blanks(&french().sentences(english)), expected);
            assert_eq!(Words::english().sentences(english), english, "English is what it was");
        }
    }

    #[test]
    fn a_refusal_is_said_with_its_parameters() {
        for (english, expected) in [
            ("refused: no_container", "refusée : no_container"),
            (
                "refused: envelope_forbidden, expected one recipient",
                "refusée : envelope_forbidden, attendu un seul destinataire",
            ),
            (
                "refused: payload_malformed, column 5, expected an object of table, columns, values, line 3, path body.tables[0]",
                "refusée : payload_malformed, colonne 5, attendu un objet composé de table, columns, values, ligne 3, \
                 chemin body.tables[0]",
            ),
            (
                "refused: rows_invalid, rule births_nom_check, 12 faulty rows",
                "refusée : rows_invalid, règle births_nom_check, 12 lignes fautives",
            ),
            (
                "refused: letter_too_large, bytes 5000, bytes_max 4096",
                "refusée : letter_too_large, octets 5000, octets au plus 4096",
            ),
            ("refused: by whoever it was", "refusée : by whoever it was"),
        ] {
            assert_eq!(plain_blanks(&french().sentences(english)), expected);
            assert_eq!(Words::english().sentences(english), english, "English is what it was");
        }
    }

    #[test]
    fn others_words_and_names_are_left_alone() {
        for english in ["sent to Douala as ordered", "FATAL", "--all", "  --limit <LINES>", "", "a mailbox of keys"] {
            assert_eq!(french().sentences(english), english);
        }
        // The name of a mailbox stays as it is, even where it looks like a word of the catalogue.
        assert_eq!(french().sentences("mailbox none"), "boîte aux lettres none");
    }
}
