//! Errands that operators read and decide: changes of the agency's own data, and messages.

use agency::office::PackError;
use sdc::request::{Message, ProfileChange, ProfileRequest, Request};
use sdc::service::Service;

use super::{Desk, Errand, On};
use crate::dice::Dice;
use crate::memory::{Effect, Expected, ProfileAsked};
use crate::operators;

impl Desk {
    /// Asks the centre for the agency's own data, or for a change of these data. An operator approves some changes and refuses others.
    pub(super) fn profile(&mut self, dice: &mut Dice) -> Result<Errand, PackError> {
        let times = self.errands.times(Service::Profile);
        let mut told = self.errands.profile.clone();
        let change = match times % 3 {
            0 => None,
            1 => Some(ProfileChange {
                telephone: Some(format!("+237 2{:08}", dice.below(100_000_000))),
                ..ProfileChange::default()
            }),
            _ => Some(ProfileChange { town: Some(operators::moving_to(times)), ..ProfileChange::default() }),
        };
        told.waiting.clone_from(&change);
        let asked = change.clone().map(|change| ProfileAsked { is_made: operators::makes(&change), change });
        if let Some(ProfileAsked { change, is_made: true }) = &asked {
            self.errands.profile.make(change);
        }
        let expected = Expected::Accepted { effect: Effect::Profile { told, asked }, cost: 0 };
        let has_change = change.is_some();
        let errand = self.ask(Request::Profile(ProfileRequest { set: change }), expected)?;
        let letter = errand.packed.letter_id;
        self.errands.wait(Service::Profile, letter, if has_change { On::Notice(letter) } else { On::Receipt });
        Ok(errand)
    }

    /// Writes a message to the operators, who answer questions. The message starts a new thread, or continues the last thread that was
    /// answered.
    pub(super) fn message(&mut self, dice: &mut Dice) -> Result<Errand, PackError> {
        let times = self.errands.times(Service::Message);
        let number = dice.below(10_000);
        let (thread, text) = match (times % 3, self.errands.thread) {
            (1, _) => (None, format!("Nous avons reçu le matériel no {number}.\nMerci.")),
            (2, Some(thread)) => (Some(thread), operators::question(number)),
            _ => (None, operators::question(number)),
        };
        let reply = operators::reply(&text);
        let is_answered = reply.is_some();
        let effect = Effect::Message { thread, text: text.clone(), reply };
        let errand = self.ask(Request::Message(Message { thread, text }), Expected::Accepted { effect, cost: 0 })?;
        let letter = errand.packed.letter_id;
        let thread = thread.unwrap_or(letter);
        if is_answered {
            self.errands.thread = Some(thread);
        }
        self.errands.wait(Service::Message, letter, if is_answered { On::Notice(thread) } else { On::Receipt });
        Ok(errand)
    }
}
