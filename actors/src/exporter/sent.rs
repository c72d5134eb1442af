//! The result of a round of mails, and the log lines about it. An unreachable courier is logged separately from a courier's refusals of
//! single mails, since it is not caused by an answer. A mail is a group of answers that travel together; with the transfer folder it is a
//! file.

use std::time::Instant;

use store::letters::outbox::LeasedAnswer;

use crate::courier::NotTaken;
use crate::outage::Outage;

/// Whether a mail has shown that the courier can be reached.
#[derive(Debug, Default)]
pub enum Asked {
    /// The courier was not used: an earlier mail of the round could not reach it, or this mail had no answer to send.
    #[default]
    Not,
    /// The courier was reached. It may have taken or refused the mail.
    Reached,
    /// The courier was not reached.
    Away(Failure),
}

/// The result of one mail.
#[derive(Debug, Default)]
pub struct Mailed {
    /// Answers that the courier took.
    pub sent: Vec<LeasedAnswer>,
    /// Answers that were not tried, because this mail or an earlier one could not reach the courier.
    pub untried: Vec<LeasedAnswer>,
    /// Whether the mail has reached the courier.
    pub courier: Asked,
    /// Why the courier did not take the mail.
    pub refused: Option<Failure>,
}

/// Why answers were not sent.
#[derive(Debug)]
pub struct Failure {
    /// Why the first answer was not taken.
    pub words: NotTaken,
    /// How many answers were not sent.
    pub answers: usize,
    /// Agency of the first answer.
    pub agency: Option<i32>,
}

impl Failure {
    fn and(first: Option<Failure>, next: Option<Failure>) -> Option<Failure> {
        match (first, next) {
            (Some(first), Some(next)) => Some(Failure { answers: first.answers + next.answers, ..first }),
            (first, next) => first.or(next),
        }
    }
}

/// The result of a round.
#[derive(Debug, Default)]
pub struct Sent {
    /// Number of answers at the beginning of the round.
    pub answers: usize,
    /// Answers that the courier took.
    pub sent: Vec<LeasedAnswer>,
    /// Answers of mails that were not tried.
    pub untried: Vec<LeasedAnswer>,
    was_reached: bool,
    away: Option<Failure>,
    refused: Option<Failure>,
}

impl Sent {
    /// Begins a round of `answers` answers.
    pub fn of(answers: usize) -> Sent {
        Sent { answers, ..Sent::default() }
    }

    /// Adds the result of a mail.
    pub fn add(&mut self, mailed: Mailed) {
        self.sent.extend(mailed.sent);
        self.untried.extend(mailed.untried);
        self.refused = Failure::and(self.refused.take(), mailed.refused);
        match mailed.courier {
            Asked::Not => {}
            Asked::Reached => self.was_reached = true,
            Asked::Away(failure) => self.away = Failure::and(self.away.take(), Some(failure)),
        }
    }

    /// Says whether the courier is away: a mail could not reach it, and it took no mail. A courier that accepts only some of the
    /// connections is not away: it takes some mails, and the next round begins without a pause.
    pub fn is_away(&self) -> bool {
        self.away.is_some() && self.sent.is_empty()
    }

    /// Says whether some mail of the round reached the courier, and no mail failed to reach it.
    pub fn is_reached(&self) -> bool {
        self.was_reached && self.away.is_none()
    }

    /// Logs an unreachable courier: when the outage begins, at intervals during it, and when it ends. Logs refused mails in one line per
    /// round, however many answers wait.
    pub fn tell(&self, courier: &str, outage: &mut Outage, now: Instant) {
        let waiting = self.untried.len();
        if let Some(Failure { words: failure, answers, .. }) = &self.away
            && let Some(rounds) = outage.failed(&failure.to_string(), now)
        {
            tracing::warn!(%failure, answers, waiting, rounds, "the {courier} cannot be reached: answers wait");
        }
        if let Some(Failure { words: failure, answers, agency }) = &self.refused {
            tracing::warn!(%failure, answers, agency, "the {courier} did not take answers: `xmserver answer list` has each");
        }
        if self.is_reached()
            && let Some(rounds) = outage.end()
        {
            tracing::info!(rounds, "the {courier} is reached again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mail::smtp::{FailureKind, SendFailure};
    use sdc::cms::ContentCipher;
    use simulation::log::LogLines;
    use tracing_subscriber::fmt;
    use uuid::Uuid;

    use super::*;

    fn failure(reply: &str, is_before_mail: bool) -> Failure {
        let words = SendFailure { kind: FailureKind::Transient, step: None, reply: reply.to_owned(), is_before_mail };
        Failure { words: words.into(), answers: 1, agency: Some(42) }
    }

    fn answer(id: i64) -> LeasedAnswer {
        LeasedAnswer {
            id,
            agency: 42,
            letter_id: None,
            attempt: 1,
            part: 0,
            payload: Vec::new(),
            certificate: None,
            cipher: ContentCipher::Aes256Gcm,
            email: String::new(),
            of_letter: None,
            notice: None,
            attempts: 1,
            process: Uuid::nil(),
            is_sent_again: false,
        }
    }

    fn away(reply: &str) -> Mailed {
        Mailed { untried: vec![answer(1)], courier: Asked::Away(failure(reply, true)), ..Mailed::default() }
    }

    fn refused() -> Mailed {
        Mailed { courier: Asked::Reached, refused: Some(failure("mailbox full", false)), ..Mailed::default() }
    }

    fn taken() -> Mailed {
        Mailed { sent: vec![answer(2)], courier: Asked::Reached, ..Mailed::default() }
    }

    /// Returns the log lines of successive rounds.
    fn told(rounds: Vec<Vec<Mailed>>) -> Vec<String> {
        let lines = LogLines::default();
        let (mut outage, mut now) = (Outage::default(), Instant::now());
        tracing::subscriber::with_default(fmt().with_ansi(false).with_writer(lines.writer()).finish(), || {
            for mails in rounds {
                let mut sent = Sent::of(mails.len());
                mails.into_iter().for_each(|mailed| sent.add(mailed));
                sent.tell("relay", &mut outage, now);
                now += Duration::from_secs(1);
            }
        });
        lines.text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_round_that_does_not_ask_the_relay_ends_no_outage() {
        let not_asked = || vec![Mailed::default(), Mailed { untried: vec![answer(3)], ..Mailed::default() }];
        let lines = told(vec![vec![away("refused")], not_asked(), vec![], vec![away("refused")], not_asked()]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let lines = told(vec![vec![away("refused")], not_asked(), vec![taken()]]);
        assert!(lines.len() == 2 && lines[1].contains("the relay is reached again"), "{lines:?}");
        let lines = told(vec![vec![away("refused")], vec![refused()]]);
        assert!(lines.len() == 3 && lines[2].contains("the relay is reached again"), "it has spoken: {lines:?}");
    }

    #[test]
    fn what_the_relay_says_of_a_mail_is_not_why_it_cannot_be_reached() {
        for mails in [vec![refused(), away("refused")], vec![away("refused"), refused()]] {
            let lines = told(vec![mails, vec![away("refused")]]);
            assert_eq!(lines.len(), 2, "the same outage: {lines:?}");
            let [unreached, not_taken] = [&lines[0], &lines[1]];
            assert!(unreached.contains("cannot be reached") && unreached.contains("mail: refused"), "{unreached}");
            assert!(not_taken.contains("did not take answers") && not_taken.contains("mailbox full"), "{not_taken}");
        }
    }

    #[test]
    fn a_relay_that_takes_some_mails_of_a_round_and_not_others_is_not_away_and_not_back() {
        let mut sent = Sent::of(2);
        sent.add(taken());
        sent.add(away("too many connections"));
        assert!(!sent.is_away() && !sent.is_reached());
        let lines = told(vec![vec![taken(), away("too many")], vec![taken(), away("too many")], vec![taken()]]);
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}
