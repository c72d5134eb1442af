//! Reads an English text back into its message and parameters, so that it can be said in another language.
//!
//! Three kinds of text are English where they arise: errors and findings, which logs and programs read as well, made in crates
//! that know no language; what a receipt expected, signed as it is; and what clap says of a command line. Each of them has its
//! message, whose English is the text to the letter. A text that is no message, as a server's own words are, is said as it came.

use std::sync::LazyLock;

use fluent_bundle::FluentResource;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, PatternElement};

use crate::value::plain;
use crate::{BUILT_IN, Value, Words};

/// Beginnings of the names of messages that are whole sentences.
const SENTENCES: [&str; 4] = ["error-", "check-", "usage-", "expected-"];
/// Parameters that are sentences themselves. All others are names, numbers or others' words, which nobody may translate.
const NESTED: [&str; 8] = ["cause", "decimals", "expected", "found", "reason", "step", "succeeded", "what"];
/// Parameters that are one word.
const SINGLE: [&str; 2] = ["agency", "name"];
/// Parameters that hold numbers, so that `-5 to 7` is a range, and `sent to Douala` is none.
const NUMBERS: [&str; 2] = ["least", "most"];
/// How deep sentences within sentences are read.
const DEPTH_MAX: usize = 4;
/// A phrase with fewer letters of its own is so short that only single words, or sentences, are taken for its parameters.
const LETTERS_MIN: usize = 5;
/// A phrase with at least so many letters of its own is recognised even where a parameter is empty, as a list of nothing is.
const LETTERS_OF_EMPTY_MIN: usize = 10;

/// One phrase of English: what stands between its parameters, and their names.
struct Phrase {
    name: String,
    /// The texts between the parameters: one more than there are parameters.
    texts: Vec<String>,
    parameters: Vec<String>,
    /// Orders phrases that fit the same text. One that begins with a text of its own goes first, then the one with the longest texts.
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
            // A message that chooses between words cannot be read back.
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

    /// Reads a text; each parameter ends where the next piece of the phrase begins, and the last one with the text.
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

    /// Counts the letters of the phrase itself, without those of its parameters.
    fn letters(&self) -> usize {
        self.texts.iter().flat_map(|text| text.chars()).filter(|letter| letter.is_alphabetic()).count()
    }
}

/// Finds the phrase of some families that a text is, and its parameters.
fn find<'a>(families: &[&str], text: &'a str) -> Option<(&'static Phrase, Vec<&'a str>)> {
    let of_family = PHRASES.iter().filter(|phrase| families.iter().any(|family| phrase.is_of(family)));
    of_family.filter_map(|phrase| Some((phrase, phrase.read(text)?))).max_by_key(|(phrase, _)| phrase.rank)
}

impl Words {
    /// Says sentences that are English where they arise, one a line: errors, findings, what clap says of a command line.
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

    /// Says what was expected, as a receipt has it in English.
    pub fn expected(&self, english: &str) -> String {
        if self.is_plain_english() { english.to_owned() } else { self.phrase(&["expected-"], english, 1) }
    }

    /// Says a short text of the code, such as the heading of a column or the help of an option, that is a message of a family.
    pub fn short(&self, family: &str, english: &str) -> String {
        if self.is_plain_english() { english.to_owned() } else { self.phrase(&[family], english, 1) }
    }

    /// Says whether a text is a message of a family: a test asks that, of every text of the code.
    pub fn is_known(family: &str, english: &str) -> bool {
        find(&[family], english).is_some()
    }

    /// Says whether a text is a sentence that is said in every language: a test asks that, of every sentence of the code.
    pub fn is_sentence(english: &str) -> bool {
        let Some((phrase, found)) = find(&SENTENCES, english) else { return false };
        // A phrase without letters of its own only puts sentences together: it is a sentence where its parts are.
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
            None if depth > 0 && NESTED.contains(&name) => Value::from(self.phrase(families, found, depth - 1)),
            None => Value::from(found),
        };
        let parameters = phrase.parameters.iter().zip(found).map(|(name, found)| (name.clone(), value(name, found)));
        self.text_of(&phrase.name, parameters)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Catalogues, Words};

    fn french() -> Words {
        Catalogues::built_in().words(&"fr".parse().unwrap()).unwrap()
    }

    #[test]
    fn phrases_of_receipts_are_said_in_french_and_others_as_they_came() {
        for (english, expected) in [
            ("a date YYYY-MM-DD", "une date AAAA-MM-JJ"),
            ("at most 12 characters", "12 caractères au plus"),
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
                "check c: severity hold is not offered by this release: use refuse or flag",
                "contrôle c : la gravité hold n'est pas offerte par cette version : utilisez refuse ou flag",
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
            assert_eq!(french().sentences(english), expected);
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
            assert_eq!(french().sentences(english), expected);
            assert_eq!(Words::english().sentences(english), english, "English is what it was");
        }
    }

    #[test]
    fn others_words_and_names_are_left_alone() {
        for english in ["sent to Douala as ordered", "FATAL", "--all", "  --limit <LINES>", "", "a mailbox of keys"] {
            assert_eq!(french().sentences(english), english);
        }
        // A mailbox may be called like anything.
        assert_eq!(french().sentences("mailbox none"), "boîte aux lettres none");
    }
}
