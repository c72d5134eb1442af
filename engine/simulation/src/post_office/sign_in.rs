//! The server's side of signing in with the SASL mechanisms PLAIN (RFC 4616), LOGIN and XOAUTH2; the last two as large providers use them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::maildrops::folded;

/// The accounts that may sign in and receive mail.
#[derive(Clone, Debug, Default)]
pub enum Accounts {
    /// Every address has a maildrop. Every name and secret that are not empty may sign in.
    #[default]
    Open,
    /// Only these addresses have a maildrop and may sign in. Each has its secret, which serves as the password and as the token of XOAUTH2.
    Listed(HashMap<String, String>),
}

impl Accounts {
    /// Makes accounts from addresses and their secrets.
    pub fn listed<'a>(accounts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Accounts {
        Accounts::Listed(accounts.into_iter().map(|(address, secret)| (folded(address), secret.to_owned())).collect())
    }

    pub(super) fn has(&self, address: &str) -> bool {
        match self {
            Accounts::Open => !address.is_empty(),
            Accounts::Listed(accounts) => accounts.contains_key(&folded(address)),
        }
    }

    fn admits(&self, name: &str, secret: &str) -> bool {
        match self {
            Accounts::Open => !name.is_empty() && !secret.is_empty(),
            Accounts::Listed(accounts) => accounts.get(&folded(name)).is_some_and(|expected| expected == secret),
        }
    }
}

/// A name and a secret that a client has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: String,
    secret: String,
}

impl Claim {
    pub(super) fn new(name: &str, secret: &str) -> Claim {
        Claim { name: name.to_owned(), secret: secret.to_owned() }
    }

    pub(super) fn holds(&self, accounts: &Accounts) -> bool {
        accounts.admits(&self.name, &self.secret)
    }
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    Login,
    Xoauth2,
}

impl Mechanism {
    pub(super) fn named(name: &str) -> Option<Mechanism> {
        [("PLAIN", Mechanism::Plain), ("LOGIN", Mechanism::Login), ("XOAUTH2", Mechanism::Xoauth2)]
            .into_iter()
            .find_map(|(known, mechanism)| known.eq_ignore_ascii_case(name).then_some(mechanism))
    }
}

/// One SASL exchange of challenges and answers.
#[derive(Debug)]
pub(super) struct Exchange {
    mechanism: Mechanism,
    /// The user name, once the client has answered LOGIN's question for it.
    name: Option<String>,
    /// Whether XOAUTH2 has sent the reason of a refusal, and now waits for the client's empty line.
    refusing: bool,
}

/// The next step of an exchange.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The session must send this challenge, which is already in base64, and pass on the client's answer.
    Challenge(String),
    /// The client has sent this name and secret. The session must check them, and call [`Exchange::refuse`] where they are wrong.
    Claimed(Claim),
    /// The exchange is over, and the sign-in is refused.
    Refused,
    /// The client has ended the exchange, or its answer is not base64 or has a wrong form.
    Malformed,
}

impl Exchange {
    /// Begins an exchange, with the initial response if the client gave one.
    pub(super) fn begin(mechanism: Mechanism, initial: Option<&str>) -> (Exchange, Turn) {
        let mut exchange = Exchange { mechanism, name: None, refusing: false };
        let turn = match (initial, mechanism) {
            // RFC 4954 4: a "=" stands for an initial response of no octets.
            (Some("="), _) => exchange.answer(""),
            (Some(initial), _) => exchange.answer(initial),
            (None, Mechanism::Login) => Turn::Challenge(STANDARD.encode("Username:")),
            (None, Mechanism::Plain | Mechanism::Xoauth2) => Turn::Challenge(String::new()),
        };
        (exchange, turn)
    }

    /// Takes the client's answer to a challenge.
    pub(super) fn answer(&mut self, line: &str) -> Turn {
        if self.refusing {
            return Turn::Refused;
        }
        let Ok(answer) = STANDARD.decode(line) else { return Turn::Malformed };
        let Ok(answer) = String::from_utf8(answer) else { return Turn::Malformed };
        match self.mechanism {
            Mechanism::Plain => plain(&answer).map_or(Turn::Malformed, Turn::Claimed),
            Mechanism::Xoauth2 => bearer(&answer).map_or(Turn::Malformed, Turn::Claimed),
            Mechanism::Login => match self.name.take() {
                Some(name) => Turn::Claimed(Claim { name, secret: answer }),
                None => {
                    self.name = Some(answer);
                    Turn::Challenge(STANDARD.encode("Password:"))
                }
            },
        }
    }

    /// Returns the next step after a wrong secret. XOAUTH2 first sends the reason as a challenge; the other mechanisms refuse at once.
    pub(super) fn refuse(&mut self) -> Turn {
        if self.mechanism != Mechanism::Xoauth2 {
            return Turn::Refused;
        }
        self.refusing = true;
        Turn::Challenge(STANDARD.encode(r#"{"status":"401","schemes":"bearer","scope":"mail"}"#))
    }
}

/// Parses the answer of PLAIN: `authorization NUL name NUL password`. Nobody may act for another name, so the authorization must be empty
/// or the same name.
fn plain(answer: &str) -> Option<Claim> {
    let mut parts = answer.split('\0');
    let (authorization, name, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let own = authorization.is_empty() || authorization == name;
    (own && parts.next().is_none()).then(|| Claim::new(name, secret))
}

/// Parses the answer of XOAUTH2: `user=NAME ^A auth=Bearer TOKEN ^A ^A`.
fn bearer(answer: &str) -> Option<Claim> {
    let (name, rest) = answer.strip_prefix("user=")?.split_once('\u{1}')?;
    let token = rest.strip_prefix("auth=Bearer ")?.strip_suffix("\u{1}\u{1}")?;
    Some(Claim::new(name, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(mechanism: Mechanism, answer: &str) -> Turn {
        Exchange::begin(mechanism, Some(&STANDARD.encode(answer))).1
    }

    #[test]
    fn claims_are_read_in_their_exact_form() {
        let centre = || Turn::Claimed(Claim::new("centre@x", "pw"));
        assert_eq!(claim(Mechanism::Plain, "\0centre@x\0pw"), centre());
        assert_eq!(claim(Mechanism::Plain, "centre@x\0centre@x\0pw"), centre());
        assert_eq!(claim(Mechanism::Xoauth2, "user=centre@x\u{1}auth=Bearer pw\u{1}\u{1}"), centre());
        for malformed in ["centre@x\0pw", "other\0centre@x\0pw", "\0centre@x\0pw\0", ""] {
            assert_eq!(claim(Mechanism::Plain, malformed), Turn::Malformed, "{malformed:?}");
        }
        for malformed in ["user=centre@x\u{1}auth=pw\u{1}\u{1}", "user=centre@x\u{1}auth=Bearer pw\u{1}", ""] {
            assert_eq!(claim(Mechanism::Xoauth2, malformed), Turn::Malformed, "{malformed:?}");
        }
        assert_eq!(Exchange::begin(Mechanism::Plain, Some("*")).1, Turn::Malformed);
    }

    #[test]
    fn listed_accounts_admit_their_own_secret_only() {
        let accounts = Accounts::listed([("Centre@x", "pw")]);
        assert!(Claim::new("cENTRE@x", "pw").holds(&accounts));
        for (name, secret) in [("centre@x", "PW"), ("centre@x", ""), ("other@x", "pw")] {
            assert!(!Claim::new(name, secret).holds(&accounts), "{name} {secret}");
        }
        assert!(Claim::new("anyone", "anything").holds(&Accounts::Open));
        assert!(!Claim::new("anyone", "").holds(&Accounts::Open));
    }
}
