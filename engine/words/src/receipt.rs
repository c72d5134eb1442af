//! Words for the codes that a receipt carries: refusals, what to do about them, rules, names of parameters.

use sdc::refusal::{RefusalCode, Remedy};

use crate::Words;

impl Words {
    /// Says what a refusal means.
    pub fn refusal(&self, code: RefusalCode) -> String {
        self.text(&format!("refusal-{code}"), [])
    }

    /// Names a refusal in a few words, before people who do not know the codes.
    pub fn refusal_short(&self, code: RefusalCode) -> String {
        self.text(&format!("refusal-{code}-short"), [])
    }

    /// Says what the office does about a refusal.
    pub fn remedy(&self, remedy: Remedy) -> String {
        let name = match remedy {
            Remedy::Mend => "remedy-mend",
            Remedy::Wait => "remedy-wait",
        };
        self.text(name, [])
    }

    /// Names a rule that a row breaks; a check has the name that its table gave it.
    pub fn rule(&self, code: &str) -> String {
        self.named("rule", code)
    }

    /// Names a parameter of a refusal.
    pub fn parameter(&self, name: &str) -> String {
        self.named("parameter", name)
    }

    /// Says the word for a code of a family; for one that it does not have, the code.
    pub fn named(&self, family: &str, code: &str) -> String {
        let name = format!("{family}-{code}");
        if self.has(&name) || Words::english().has(&name) { self.text(&name, []) } else { code.to_owned() }
    }
}
