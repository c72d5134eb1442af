//! Proves who signed: verifies each letter with the one certificate registered for the key it names, then reads it.
//!
//! Certificates not in the cache are looked up together: under load they gather for a moment, and while one query is under
//! way the next ones gather, so that a night on which every letter comes from another office costs a query per batch, not
//! one per letter.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, ContextFutureSpawner, Handler, Message, WrapFuture};
use sdc::cms::{ContentCipher, SignerId};
use sdc::letter::Matricule;
use sdc::payload::PayloadLimits;
use sdc::refusal::{Refusal, RefusalCode};
use store::certificates::signers::{Signer, Signers};
use store::database::Database;
use store::database::fault::Fault;
use store::planted::point;
use store::settle::{Arrival, Content};
use tokio::runtime::Handle;

use crate::admission::lanes::Claims;
use crate::at_work::AtWork;
use crate::messages::{Carried, Opened, Settleable};
use crate::metrics::Metrics;
use crate::payload_room::Unpacked;
use crate::room::Hands;
use crate::supervision::{Guard, Heartbeat};
use crate::table_writer::TableWriters;

/// Most identifiers in one query.
const LOOK_UP_MAX: usize = 500;
/// Letters whose certificates are looked up at once, and longest wait of the first for others while more are on their way:
/// each query has a cost of its own.
const LOOK_UP_ENOUGH: usize = 250;
const LOOK_UP_WAIT: Duration = Duration::from_millis(50);
/// Letters that are handed on together at most. One by one, each would wake the writers' thread, which then takes the core
/// from whatever is at work on it.
const READY_MAX: usize = 32;

/// What a verifier is built with.
#[derive(Clone)]
pub struct SignatureVerifierParts {
    /// Registered certificates.
    pub signers: Arc<Signers>,
    /// Where those not cached are.
    pub database: Database,
    /// The runtime of the database's connections, which outlives every actor.
    pub database_runtime: Handle,
    /// Limits of a payload.
    pub payload_limits: PayloadLimits,
    /// Known and failed claims.
    pub claims: Arc<Claims>,
    /// What the thread has in its hands.
    pub at_work: AtWork,
    /// Where there is room for what letters say.
    pub hands: Hands,
    /// Where the skew of clocks is shown, and signatures that are refused.
    pub metrics: Arc<Metrics>,
    /// Where letters go.
    pub writers: TableWriters,
}

/// See the module.
pub struct SignatureVerifier {
    parts: SignatureVerifierParts,
    guard: Guard,
    waiting: Vec<Opened>,
    is_looking_up: bool,
    is_timer_set: bool,
    /// Letters that wait for room, by agency; for the first of each room has been asked. Behind one that waits, those of its
    /// agency wait and keep their order; those of others do not.
    unread: HashMap<Matricule, VecDeque<Unread>>,
    /// Read, to be handed on when there is nothing else to do, or when they are many.
    ready: Vec<(Matricule, Settleable)>,
}

/// A verified letter whose payload is still packed.
struct Unread {
    verified: sdc::cms::Verified,
    cipher: ContentCipher,
    signer: Arc<Signer>,
    rendered_bytes: usize,
    carried: Carried,
}

impl Unread {
    /// Returns how much room what it says takes at most.
    fn bytes(&self, limits: &PayloadLimits) -> usize {
        self.verified.unpacked_bytes(limits)
    }
}

type LookedUp = Result<HashMap<SignerId, Arc<Signer>>, Fault>;

#[derive(Message)]
#[rtype(result = "()")]
struct LookUp;

#[derive(Message)]
#[rtype(result = "()")]
struct HandOn;

impl SignatureVerifier {
    /// Makes a verifier.
    pub fn new(parts: SignatureVerifierParts, guard: Guard) -> SignatureVerifier {
        SignatureVerifier {
            parts,
            guard,
            waiting: Vec::new(),
            is_looking_up: false,
            is_timer_set: false,
            unread: HashMap::new(),
            ready: Vec::new(),
        }
    }

    fn take(&mut self, opened: Opened, context: &mut Context<SignatureVerifier>) {
        match self.parts.signers.cached(opened.opened.signer()) {
            Some(signer) => self.verify(opened, signer, context),
            None => {
                self.waiting.push(opened);
                self.look_up_if_due(context);
            }
        }
    }

    fn look_up_if_due(&mut self, context: &mut Context<SignatureVerifier>) {
        let waiting = self.waiting.len();
        if waiting >= LOOK_UP_ENOUGH || !self.parts.hands.expects_more_than(waiting) {
            self.look_up(context);
        } else if waiting > 0 && !self.is_timer_set {
            self.is_timer_set = true;
            context.notify_later(LookUp, LOOK_UP_WAIT);
        }
    }

    fn look_up(&mut self, context: &mut Context<SignatureVerifier>) {
        if self.is_looking_up || self.waiting.is_empty() {
            return;
        }
        self.is_looking_up = true;
        let take = self.waiting.len().min(LOOK_UP_MAX);
        let batch: Vec<Opened> = self.waiting.drain(..take).collect();
        let ids: Vec<SignerId> = batch.iter().map(|opened| opened.opened.signer().clone()).collect();
        let (signers, database) = (Arc::clone(&self.parts.signers), self.parts.database.clone());
        let began = Instant::now();
        let query = self.parts.database_runtime.spawn(async move {
            let mut connection = database.get().await?;
            signers.look_up(&mut connection, &ids).await
        });
        query
            .into_actor(self)
            .map(move |found, actor, context| {
                let guard = actor.guard.clone();
                guard.metrics.waited(began.elapsed());
                match found {
                    Ok(found) => guard.run(context, |context| actor.looked_up(batch, found, context)),
                    Err(failed) => {
                        // The batch goes back to its transport with the shares dropped here.
                        if failed.is_panic() {
                            guard.end_after_panic(context, failed.into_panic().as_ref());
                        }
                    }
                }
            })
            .spawn(context);
    }

    fn looked_up(&mut self, batch: Vec<Opened>, found: LookedUp, context: &mut Context<SignatureVerifier>) {
        point("signature_verifier::looked_up");
        self.is_looking_up = false;
        match found {
            Ok(found) => {
                for opened in batch {
                    match found.get(opened.opened.signer()).cloned() {
                        Some(signer) => self.verify(opened, signer, context),
                        // Whoever it is, it is no stranger: its mail stays until the certificate can be read again.
                        None if self.parts.signers.is_unreadable(opened.opened.signer()) => {
                            opened.carried.share.withhold();
                        }
                        None => {
                            let signer = opened.opened.signer().words();
                            self.reject(opened.carried, signer, Refusal::new(RefusalCode::UnknownSigner));
                        }
                    }
                }
            }
            Err(fault) => {
                if !fault.is_away() {
                    tracing::warn!(%fault, letters = batch.len(), "certificates could not be looked up; the letters go back");
                }
                self.guard.metrics.fault();
            }
        }
        self.look_up_if_due(context);
    }

    fn verify(&mut self, opened: Opened, signer: Arc<Signer>, context: &mut Context<SignatureVerifier>) {
        let at_work = self.parts.at_work.clone();
        let _at_work = at_work.begin(self.guard.metrics.name(), &opened.carried.name);
        point("signature_verifier::verify");
        let Opened { opened, rendered_bytes, mut carried } = opened;
        let (cipher, named) = (opened.cipher(), opened.signer().clone());
        let verified = match opened.verify(&signer.certificate) {
            Ok(verified) => verified,
            Err(refusal) => {
                self.parts.metrics.signatures_refused.with_label_values(&[refusal.code.as_str()]).inc();
                return self.reject(carried, named.words(), refusal);
            }
        };
        self.parts.claims.heard(signer.matricule);
        // A revoked key may be in anybody's hands: it vouches for nothing, and proves no claim.
        let vouches = signer.revoked_at.is_none().then_some(signer.matricule);
        if vouches.is_none() {
            self.parts.claims.failed(carried.claim);
        }
        carried.conclude(vouches, &self.parts.writers);
        let matricule = signer.matricule;
        let letter = Unread { verified, cipher, signer, rendered_bytes, carried };
        if let Some(waiting) = self.unread.get_mut(&matricule) {
            return waiting.push_back(letter);
        }
        match self.parts.hands.payloads().try_take(matricule, letter.bytes(&self.parts.payload_limits)) {
            Some(unpacked) => self.read(letter, unpacked, context),
            None => {
                // Those that are ready give their room back once they are settled.
                self.hand_on();
                self.unread.insert(matricule, VecDeque::from([letter]));
                self.wait_for_room(matricule, context);
            }
        }
    }

    /// Asks for room for the first of an agency's letters.
    fn wait_for_room(&mut self, matricule: Matricule, context: &mut Context<SignatureVerifier>) {
        let Some(first) = self.unread.get(&matricule).and_then(VecDeque::front) else {
            self.unread.remove(&matricule);
            return;
        };
        let bytes = first.bytes(&self.parts.payload_limits);
        let room = self.parts.hands.payloads().clone();
        async move { room.take(matricule, bytes).await }
            .into_actor(self)
            .map(move |unpacked, actor, context| {
                let guard = actor.guard.clone();
                guard.run(context, |context| {
                    let first = actor.unread.get_mut(&matricule).and_then(VecDeque::pop_front);
                    if let Some(letter) = first {
                        actor.read(letter, unpacked, context);
                    }
                    actor.wait_for_room(matricule, context);
                });
            })
            .spawn(context);
    }

    fn read(&mut self, letter: Unread, unpacked: Unpacked, context: &mut Context<SignatureVerifier>) {
        let at_work = self.parts.at_work.clone();
        let _at_work = at_work.begin(self.guard.metrics.name(), &letter.carried.name);
        point("signature_verifier::read");
        let Unread { verified, cipher, signer, rendered_bytes, carried } = letter;
        let matricule = signer.matricule;
        let form = verified.form();
        let letter = verified.letter(&self.parts.payload_limits);
        if let Ok(letter) = &letter {
            self.parts.metrics.skew_seconds.observe((letter.time - carried.received_at).as_seconds_f64());
        }
        let content = Content::Signed { digest: verified.digest(), cipher, form, letter, signer };
        let arrival = Arrival {
            received_at: carried.received_at,
            source: carried.source,
            container_bytes: carried.container.len(),
            rendered_bytes,
            container: carried.container,
            content,
        };
        let settleable = Settleable { arrival, taken_at: carried.taken_at, unpacked, share: carried.share };
        if self.ready.is_empty() {
            // A message to ourselves is handled behind those that wait already.
            context.notify(HandOn);
        }
        self.ready.push((matricule, settleable));
        if self.ready.len() >= READY_MAX {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        self.parts.writers.send_verified(std::mem::take(&mut self.ready));
    }

    /// `signer` is the certificate that the signature names, in words.
    fn reject(&self, mut carried: Carried, signer: String, refusal: Refusal) {
        carried.source.claimed.signer = Some(signer);
        carried.share.refused();
        self.parts.claims.failed(carried.claim);
        carried.conclude(None, &self.parts.writers);
        self.parts.writers.reject(carried, refusal);
    }
}

impl Actor for SignatureVerifier {
    type Context = Context<SignatureVerifier>;

    fn started(&mut self, context: &mut Context<SignatureVerifier>) {
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }

    /// Also after a panic: those that are ready have nothing to do with it, and later mail of their agencies would overtake
    /// them if they went back.
    fn stopped(&mut self, _: &mut Context<SignatureVerifier>) {
        self.hand_on();
    }
}

impl Handler<Opened> for SignatureVerifier {
    type Result = ();

    fn handle(&mut self, opened: Opened, context: &mut Context<SignatureVerifier>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.take(opened, context));
    }
}

impl Handler<LookUp> for SignatureVerifier {
    type Result = ();

    fn handle(&mut self, _: LookUp, context: &mut Context<SignatureVerifier>) {
        let guard = self.guard.clone();
        guard.run(context, |context| {
            self.is_timer_set = false;
            self.look_up(context);
        });
    }
}

impl Handler<HandOn> for SignatureVerifier {
    type Result = ();

    fn handle(&mut self, _: HandOn, context: &mut Context<SignatureVerifier>) {
        let guard = self.guard.clone();
        guard.run(context, |_| self.hand_on());
    }
}

impl Handler<Heartbeat> for SignatureVerifier {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<SignatureVerifier>) {}
}
