//! The server's side of signing in: SASL PLAIN (RFC 4616), LOGIN and XOAUTH2, as large providers speak them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::maildrops::folded;

/// Who may sign in and receive mail.
#[derive(Clone, Debug, Default)]
pub enum Accounts {
    /// Every address has a maildrop, every name and secret that is not empty gets in.
    #[default]
    Open,
    /// Only these addresses, each with its secret: the password, and the token of XOAUTH2.
    Listed(HashMap<String, String>),
}

impl Accounts {
    /// Lists addresses with their secrets.
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

/// One exchange of challenges and answers.
#[derive(Debug)]
pub(super) struct Exchange {
    mechanism: Mechanism,
    /// The name, once LOGIN has asked for it.
    name: Option<String>,
    /// XOAUTH2 has told why it refuses and waits for the client's empty line.
    refusing: bool,
}

/// What an exchange wants next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Send this challenge, already in base64, and bring the answer.
    Challenge(String),
    /// The client claims this: whoever judges it ends the exchange, by [`Exchange::refuse`] where it is refused.
    Claimed(Claim),
    /// The exchange is over, the sign-in refused.
    Refused,
    /// The client broke the exchange off, or its answer is no base64 or of another form.
    Malformed,
}

impl Exchange {
    /// Begins an exchange, with the initial response if the client gave one.
    pub(super) fn begin(mechanism: Mechanism, initial: Option<&str>) -> (Exchange, Turn) {
        let mut exchange = Exchange { mechanism, name: None, refusing: false };
        let turn = match (initial, mechanism) {
            // RFC 4954 4: "=" is an initial response of no octets.
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

    /// Says how a claim that does not hold is refused: XOAUTH2 first sends the reason as a challenge.
    pub(super) fn refuse(&mut self) -> Turn {
        if self.mechanism != Mechanism::Xoauth2 {
            return Turn::Refused;
        }
        self.refusing = true;
        Turn::Challenge(STANDARD.encode(r#"{"status":"401","schemes":"bearer","scope":"mail"}"#))
    }
}

/// `authorization NUL name NUL password`; acting for another name is not offered.
fn plain(answer: &str) -> Option<Claim> {
    let mut parts = answer.split('\0');
    let (authorization, name, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let own = authorization.is_empty() || authorization == name;
    (own && parts.next().is_none()).then(|| Claim::new(name, secret))
}

/// `user=NAME ^A auth=Bearer TOKEN ^A ^A`.
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
