//! Proves who signed a letter. Verifies the letter with the certificate registered for the signing key that the letter states, then reads
//! the payload.
//!
//! Certificates that are not cached are looked up together. Under load, letters wait for a moment so that one query can serve them, and
//! while that query runs the next letters gather. So in a night in which every letter comes from another office, there is one query per
//! batch and not one per letter.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, ContextFutureSpawner, Handler, Message, WrapFuture};
use sdc::cms::{ContentCipher, SignerId};
use sdc::enrolment::Enrolment;
use sdc::letter::Matricule;
use sdc::payload::PayloadLimits;
use sdc::refusal::Refusal;
use store::certificates::signers::{Signer, Signers};
use store::database::fault::Fault;
use store::planted::point;
use store::settle::Content;

use crate::at_work::AtWork;
use crate::claims::Claims;
use crate::database_tasks::DatabaseTasks;
use crate::enrolment_lane::EnrolmentLane;
use crate::messages::{Carried, OpenedContainer, VerifiedLetters};
use crate::metrics::Metrics;
use crate::payload_room::Unpacked;
use crate::provenance::{Original, Settleable};
use crate::record_reader::RecordReader;
use crate::room::{Gathered, Hands, LOOK_AGAIN};
use crate::supervision::{Guard, Guarded, Heartbeat, Link};
use crate::table_writer::TableWriters;

/// Largest number of identifiers of signers in one query.
const LOOK_UP_MAX: usize = 500;
/// Number of waiting letters at which a look-up begins at once.
const LOOK_UP_ENOUGH: usize = 250;
/// Longest wait of a letter for a look-up while mail that is being processed may still bring more letters.
const LOOK_UP_WAIT: Duration = Duration::from_millis(50);
/// Largest number of letters that are handed on together. Letters handed on one by one would each wake the writers' thread, which would
/// take a core from the decoders.
const READY_MAX: usize = 32;

/// Parts that a verifier is built from.
#[derive(Clone)]
pub struct SignatureVerifierParts {
    /// Registered certificates.
    pub signers: Arc<Signers>,
    /// The database, for certificates that are not cached.
    pub tasks: DatabaseTasks,
    /// Limits of a payload.
    pub payload_limits: PayloadLimits,
    /// The known agencies, and the claims that failed lately.
    pub claims: Arc<Claims>,
    /// Record of the mail that the thread works on.
    pub at_work: AtWork,
    /// The limit for the bytes of payloads that are read at a time.
    pub hands: Hands,
    /// Counts the skews of clocks, and the refused signatures.
    pub metrics: Arc<Metrics>,
    /// The record reader, which gets the letters that request records.
    pub reader: Link<RecordReader>,
    /// The table writers, for all other letters.
    pub writers: TableWriters,
}

/// The verifier of one crypto thread. It proves who signed a letter.
pub struct SignatureVerifier {
    parts: SignatureVerifierParts,
    guard: Guard,
    /// Letters that wait for their signers to be looked up.
    waiting: Vec<ToLookUp>,
    /// Moment at which the oldest of `waiting` arrived.
    waiting_since: Instant,
    is_looking_up: bool,
    is_timer_set: bool,
    /// Letters that wait for room in memory, by agency. Only the first letter of each agency has requested room. Further letters of the
    /// agency wait behind it and keep their order, while letters of other agencies may overtake them.
    unread: HashMap<Matricule, VecDeque<Unread>>,
    /// Limits the letters of unknown keys that request enrolment.
    enrolments: EnrolmentLane,
    /// Letters whose payload has been read. They are handed on when the verifier has nothing else to do, or when [`READY_MAX`] are ready.
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
    /// Returns the most bytes that the unpacked payload can take.
    fn bytes(&self, limits: &PayloadLimits) -> usize {
        self.verified.unpacked_bytes(limits)
    }
}

/// A letter that waits for its signer, counted as such.
type ToLookUp = (OpenedContainer, Gathered);
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
            waiting_since: Instant::now(),
            is_looking_up: false,
            is_timer_set: false,
            unread: HashMap::new(),
            enrolments: EnrolmentLane::default(),
            ready: Vec::new(),
        }
    }

    fn take(&mut self, container: OpenedContainer, context: &mut Context<SignatureVerifier>) {
        match self.parts.signers.cached(container.opened.signer()) {
            Some(signer) => self.verify(container, signer, context),
            None => {
                if self.waiting.is_empty() {
                    self.waiting_since = Instant::now();
                }
                self.waiting.push((container, self.parts.hands.gather_at_look_up()));
                self.look_up_if_due(context);
            }
        }
    }

    fn look_up_if_due(&mut self, context: &mut Context<SignatureVerifier>) {
        let waiting = self.waiting.len();
        let to_wait = LOOK_UP_WAIT.saturating_sub(self.waiting_since.elapsed());
        if waiting >= LOOK_UP_ENOUGH || to_wait.is_zero() || !self.parts.hands.expects_at_look_up() {
            self.look_up(context);
        } else if waiting > 0 && !self.is_timer_set {
            self.is_timer_set = true;
            context.notify_later(LookUp, to_wait.min(LOOK_AGAIN));
        }
    }

    fn look_up(&mut self, context: &mut Context<SignatureVerifier>) {
        if self.is_looking_up || self.waiting.is_empty() {
            return;
        }
        self.is_looking_up = true;
        let take = self.waiting.len().min(LOOK_UP_MAX);
        let batch: Vec<ToLookUp> = self.waiting.drain(..take).collect();
        let ids: Vec<SignerId> = batch.iter().map(|(container, _)| container.opened.signer().clone()).collect();
        let (signers, database) = (Arc::clone(&self.parts.signers), self.parts.tasks.database.clone());
        let query = async move {
            let mut connection = database.get().await?;
            signers.look_up(&mut connection, &ids).await
        };
        // If the query panics, the shares of the batch are dropped here, which returns its mail to the source.
        self.parts.tasks.run(self, context, query, |actor, found, context| actor.looked_up(batch, found, context));
    }

    fn looked_up(&mut self, batch: Vec<ToLookUp>, found: LookedUp, context: &mut Context<SignatureVerifier>) {
        point("signature_verifier::looked_up");
        self.is_looking_up = false;
        match found {
            Ok(found) => {
                for (container, gathered) in batch {
                    drop(gathered);
                    let named = container.opened.signer();
                    match found.get(named).cloned() {
                        Some(signer) => self.verify(container, signer, context),
                        // The signer's certificate is registered but cannot be read now, so the mail stays until the certificate can be
                        // read.
                        None if self.parts.signers.is_unreadable(named) => container.carried.share.withhold(),
                        None => self.meet(container),
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

    /// Handles a letter whose key is not registered: the first letter of an installation, or a stranger's.
    fn meet(&mut self, container: OpenedContainer) {
        let at_work = self.parts.at_work.clone();
        let _at_work = at_work.begin(self.guard.metrics.name(), &container.carried.provenance.name);
        let OpenedContainer { opened, rendered_bytes, mut carried } = container;
        let named = opened.signer().words();
        match Enrolment::read(opened) {
            Ok(_) if !self.enrolments.admits(Instant::now()) => carried.share.withhold(),
            Ok(enrolment) => {
                carried.provenance.source.claimed.signer = Some(named);
                self.parts.claims.failed(carried.provenance.claim());
                self.parts.writers.conclude(&mut carried, None);
                self.parts.writers.enrol(carried, rendered_bytes, enrolment);
            }
            Err(refusal) => self.reject(carried, named, refusal),
        }
    }

    fn verify(&mut self, container: OpenedContainer, signer: Arc<Signer>, context: &mut Context<SignatureVerifier>) {
        let at_work = self.parts.at_work.clone();
        let _at_work = at_work.begin(self.guard.metrics.name(), &container.carried.provenance.name);
        point("signature_verifier::verify");
        let OpenedContainer { opened, rendered_bytes, mut carried } = container;
        let (cipher, named) = (opened.cipher(), opened.signer().clone());
        let verified = match opened.verify(&signer.certificate) {
            Ok(verified) => verified,
            Err(refusal) => {
                self.parts.metrics.signatures_refused.with_label_values(&[refusal.code.as_str()]).inc();
                return self.reject(carried, named.words(), refusal);
            }
        };
        self.parts.claims.heard(signer.matricule);
        // Anybody may have a revoked key. So its signature does not prove that the mail comes from the agency, and the claim fails.
        let vouches = signer.revoked_at.is_none().then_some(signer.matricule);
        if vouches.is_none() {
            self.parts.claims.failed(carried.provenance.claim());
        }
        self.parts.writers.conclude(&mut carried, vouches);
        let matricule = signer.matricule;
        let letter = Unread { verified, cipher, signer, rendered_bytes, carried };
        if let Some(waiting) = self.unread.get_mut(&matricule) {
            return waiting.push_back(letter);
        }
        match self.parts.hands.payloads().try_take(matricule, letter.bytes(&self.parts.payload_limits)) {
            Some(unpacked) => self.read(letter, unpacked, context),
            None => {
                // No memory is free for this letter's payload. Letters that are ready are handed on first, because their memory becomes
                // free once they are settled.
                self.hand_on();
                self.unread.insert(matricule, VecDeque::from([letter]));
                self.wait_for_room(matricule, context);
            }
        }
    }

    /// Requests memory for the payload of the first of an agency's waiting letters.
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
        let _at_work = at_work.begin(self.guard.metrics.name(), &letter.carried.provenance.name);
        point("signature_verifier::read");
        let Unread { verified, cipher, signer, rendered_bytes, carried } = letter;
        let Carried { provenance, container: octets, share, .. } = carried;
        let matricule = signer.matricule;
        let form = verified.form();
        let letter = verified.letter(&self.parts.payload_limits);
        if let Ok(letter) = &letter {
            self.parts.metrics.skew_seconds.observe((letter.time - provenance.received_at).as_seconds_f64());
        }
        let content = Content::Signed { digest: verified.digest(), cipher, form, letter, signer };
        let original = Original { rendered_bytes, ..Original::of(octets) };
        let settleable = provenance.settleable(original, content, (unpacked, share));
        if self.ready.is_empty() {
            // The actor handles this message to itself after the messages that already wait. So it first verifies the letters that have
            // arrived.
            context.notify(HandOn);
        }
        self.ready.push((matricule, settleable));
        if self.ready.len() >= READY_MAX {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        let (asking, others): (Vec<_>, Vec<_>) =
            ready.into_iter().partition(|(_, letter)| letter.arrival.asks_to_read());
        if !asking.is_empty() {
            self.parts.reader.hand_on(VerifiedLetters(asking.into_iter().map(|(_, letter)| letter).collect()));
        }
        self.parts.writers.send_verified(others);
    }

    /// Rejects a container. `signer` describes the certificate to which the signature refers.
    fn reject(&self, mut carried: Carried, signer: String, refusal: Refusal) {
        carried.provenance.source.claimed.signer = Some(signer);
        carried.share.refused();
        self.parts.claims.failed(carried.provenance.claim());
        self.parts.writers.conclude(&mut carried, None);
        self.parts.writers.reject(carried, refusal);
    }
}

impl Guarded for SignatureVerifier {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Actor for SignatureVerifier {
    type Context = Context<SignatureVerifier>;

    fn started(&mut self, context: &mut Context<SignatureVerifier>) {
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }

    /// Hands on the letters that are ready, even after a panic. These letters did not cause the panic. If they returned to their source,
    /// later mail of their agencies would overtake them.
    fn stopped(&mut self, _: &mut Context<SignatureVerifier>) {
        self.hand_on();
    }
}

impl Handler<OpenedContainer> for SignatureVerifier {
    type Result = ();

    fn handle(&mut self, container: OpenedContainer, context: &mut Context<SignatureVerifier>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.take(container, context));
    }
}

impl Handler<LookUp> for SignatureVerifier {
    type Result = ();

    fn handle(&mut self, _: LookUp, context: &mut Context<SignatureVerifier>) {
        let guard = self.guard.clone();
        guard.run(context, |context| {
            self.is_timer_set = false;
            self.look_up_if_due(context);
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
