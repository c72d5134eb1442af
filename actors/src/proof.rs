//! Records what the letters of one mail prove about the agency that the mail claims.
//!
//! A letter that another agency has signed makes the claim fail. Otherwise a stranger could replay that letter in mails that claim an
//! office, and so use the fast lane and the permits of that office as long as he likes. The claim does not fail if the same mail also holds
//! a letter of the claimed agency. The subject of a mail states one agency, its claim, but a gateway, or an office with several matricules,
//! may send letters of other agencies in the same mail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sdc::letter::Matricule;

use crate::claims::Claims;
use crate::trial::Trial;

/// The outcomes, so far, of the letters of one mail, which all share this value. The claim is judged only when every letter has an outcome:
/// a letter without an outcome is fetched again, and may still prove the claim.
pub struct Proof {
    claims: Arc<Claims>,
    claim: Option<Matricule>,
    /// The trial of the claim, if there is one. It is dropped with the proof, and so after the claim has been judged: the mails that wait
    /// for the trial must see whether the claim has failed.
    trial: Option<Trial>,
    letters_without_outcome: AtomicUsize,
    is_from_claimed: AtomicBool,
    is_from_another: AtomicBool,
}

impl Proof {
    /// Begins to record what the letters of a mail prove about the claim of the mail. `letters` is the number of letters in the mail.
    pub fn new(claims: Arc<Claims>, claim: Option<Matricule>, trial: Option<Trial>, letters: usize) -> Proof {
        Proof {
            claims,
            claim,
            trial,
            letters_without_outcome: AtomicUsize::new(letters),
            is_from_claimed: AtomicBool::new(false),
            is_from_another: AtomicBool::new(false),
        }
    }

    /// Records the outcome of one letter: the agency that signed it, or `None` where no known agency signed it. Must be called once per
    /// letter.
    pub fn conclude(&self, signer: Option<Matricule>) {
        if let Some(signer) = signer {
            let is_from = if self.claim == Some(signer) { &self.is_from_claimed } else { &self.is_from_another };
            is_from.store(true, Ordering::Relaxed);
        }
        if self.letters_without_outcome.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        if self.is_from_another.load(Ordering::Relaxed) && !self.is_from_claimed.load(Ordering::Relaxed) {
            self.claims.failed(self.claim);
        }
        self.trial.iter().for_each(Trial::conclude);
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;
    use crate::claims::Lane;
    use crate::trial::Concluded;

    fn matricule(number: u32) -> Matricule {
        Matricule::try_from(number).unwrap()
    }

    struct Decoder(Arc<Claims>, UnboundedSender<(Concluded, Lane)>);

    impl Actor for Decoder {
        type Context = Context<Decoder>;
    }

    impl Handler<Concluded> for Decoder {
        type Result = ();

        fn handle(&mut self, concluded: Concluded, _: &mut Context<Decoder>) {
            let lane = self.0.lane(Some(concluded.claim));
            self.1.send((concluded, lane)).unwrap();
        }
    }

    #[test]
    fn a_trial_is_void_unless_every_letter_of_its_mail_has_an_outcome() {
        actix::System::new().block_on(async {
            let (sender, mut received) = unbounded_channel();
            let claims = Arc::new(Claims::default());
            claims.set_known([matricule(42)]);
            let decoder = Decoder(Arc::clone(&claims), sender).start().recipient();
            let mut of = async |letters: usize, signers: &[Option<u32>]| {
                let trial = Trial::new(matricule(42), decoder.clone());
                let proof = Arc::new(Proof::new(Arc::clone(&claims), Some(matricule(42)), Some(trial), letters));
                for signer in signers {
                    Arc::clone(&proof).conclude(signer.map(matricule));
                }
                assert!(received.try_recv().is_err(), "it is not concluded while a letter of the mail is in hand");
                drop(proof);
                let (concluded, lane) = received.recv().await.unwrap();
                assert_eq!(concluded.claim, matricule(42));
                (concluded.is_void, lane)
            };
            assert_eq!(of(1, &[]).await, (true, Lane::Fast));
            assert_eq!(of(1, &[Some(42)]).await, (false, Lane::Fast));
            let one_goes_back = of(3, &[Some(42), Some(44)]).await;
            assert_eq!(one_goes_back, (true, Lane::Fast), "what came behind it must wait");
            assert_eq!(of(3, &[Some(42), None, Some(42)]).await, (false, Lane::Fast));
            assert_eq!(of(1, &[Some(44)]).await, (false, Lane::Slow), "the mails behind find that it has failed");
        });
    }

    #[test]
    fn a_claim_fails_by_letters_of_others_alone() {
        for (letters, signers, lane) in [
            (1, vec![Some(44)], Lane::Slow),
            (2, vec![Some(44), Some(45)], Lane::Slow),
            (2, vec![None, Some(44)], Lane::Slow),
            (2, vec![Some(44), Some(43)], Lane::Fast),
            (2, vec![Some(43), Some(44)], Lane::Fast),
            // No letter has a known signer, so the proof does not change the claim. If the container could not be opened, the decoder has
            // already made the claim fail.
            (1, vec![None], Lane::Fast),
            // The third letter has no outcome yet, and may come from the claimed agency.
            (3, vec![Some(44), Some(44)], Lane::Fast),
        ] {
            let claims = Arc::new(Claims::default());
            claims.set_known([matricule(43), matricule(44)]);
            let proof = Proof::new(Arc::clone(&claims), Some(matricule(43)), None, letters);
            signers.iter().for_each(|signer| proof.conclude(signer.map(matricule)));
            assert_eq!(claims.lane(Some(matricule(43))), lane, "{letters} {signers:?}");
            assert_eq!(claims.lane(Some(matricule(44))), Lane::Fast);
        }
    }
}
