//! Finds the containers in a mail and opens their envelopes. Each core has one decoder, on a thread of its own.
//!
//! Cheap checks precede expensive ones: size, MIME, armour and the strict pre-scan are checked before the private key is used. A container
//! that fails here has no verified signer, so its sender gets no answer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, ContextFutureSpawner, Handler, Message, WrapFuture};
use mail::extract::{Extracted, MailLimits, MailRefused, extract};
use mail::letterhead::{self, Letterhead};
use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::CentreKeys;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};
use store::planted::point;

use crate::at_work::AtWork;
use crate::claims::{Claims, Lane};
use crate::lane_queue::LaneQueue;
use crate::messages::{Carried, Fetched, OpenedContainer, Rejected};
use crate::metrics::Metrics;
use crate::proof::Proof;
use crate::provenance::{Original, Settleable};
use crate::remainder::Remainder;
use crate::signature_verifier::SignatureVerifier;
use crate::supervision::{Guard, Heartbeat, Link};
use crate::table_writer::TableWriters;
use crate::transport::{Form, NoContainer};
use crate::trial::{Concluded, Trial};

/// How long the decoder works before it answers heartbeats and takes new mail.
const SLICE: Duration = Duration::from_millis(5);
/// How long the decoder works before it lets the verifier run, which shares its thread. The time is long because the verifier and the
/// writers need fewer queries for many letters at a time. While mail waits for the result of a trial, which the verifier must find, the
/// decoder works for one [`SLICE`] only.
const TURN: Duration = Duration::from_millis(100);

/// What a decoder is built with.
#[derive(Clone)]
pub struct SdcDecoderParts {
    /// The centre's keys.
    pub keys: Arc<CentreKeys>,
    /// Limits of a mail.
    pub mail_limits: MailLimits,
    /// Limits of a document.
    pub document_limits: DocumentLimits,
    /// The known agencies, and the claims that failed lately.
    pub claims: Arc<Claims>,
    /// Metrics that count mails without a container.
    pub metrics: Metrics,
    /// Slot in which the thread records which mail it works on.
    pub at_work: AtWork,
    /// Verifier that gets the opened containers.
    pub verifier: Link<SignatureVerifier>,
    /// Writers that get the rejected containers.
    pub writers: TableWriters,
}

/// Actor that finds containers in mail and opens them.
pub struct SdcDecoder {
    parts: SdcDecoderParts,
    guard: Guard,
    queue: LaneQueue<Fetched>,
    /// Mails of the fast lane that wait for the trial of an earlier mail with the same claim, by claim.
    behind: HashMap<Matricule, VecDeque<Fetched>>,
    is_working: bool,
    turn_began: Instant,
}

#[derive(Message)]
#[rtype(result = "()")]
struct NextSlice;

impl SdcDecoder {
    /// Makes a decoder.
    pub fn new(parts: SdcDecoderParts, guard: Guard) -> SdcDecoder {
        SdcDecoder {
            parts,
            guard,
            queue: LaneQueue::default(),
            behind: HashMap::new(),
            is_working: false,
            turn_began: Instant::now(),
        }
    }

    fn work(&mut self, context: &mut Context<SdcDecoder>) {
        let slice = Instant::now();
        while slice.elapsed() < SLICE {
            let Some((lane, mail)) = self.queue.pop() else {
                self.is_working = false;
                break;
            };
            let started = Instant::now();
            if let Some(mail) = self.admit(mail, context) {
                self.decode(mail);
            }
            self.queue.spent(lane, started.elapsed());
        }
        if !self.is_working {
            return;
        }
        if self.behind.values().all(VecDeque::is_empty) && self.turn_began.elapsed() < TURN {
            context.notify(NextSlice);
        } else {
            // The decoder yields its thread first. Otherwise it would handle the message to itself before the thread's other actors can
            // run.
            tokio::task::yield_now()
                .into_actor(self)
                .map(|(), actor, context| {
                    actor.turn_began = Instant::now();
                    context.notify(NextSlice);
                })
                .spawn(context);
        }
    }

    /// Decides whether a mail is decoded now. A mail of the fast lane waits if another mail with its claim is being tried, and otherwise
    /// begins a trial itself. A mail whose lane has become worse since it was fetched is deferred.
    fn admit(&mut self, mut mail: Fetched, context: &Context<SdcDecoder>) -> Option<Fetched> {
        let Some(claim) = mail.provenance.claim() else { return Some(mail) };
        if mail.lane == Lane::Fast
            && mail.trial.is_none()
            && let Some(behind) = self.behind.get_mut(&claim)
        {
            behind.push_back(mail);
            return None;
        }
        if mail.lane_now(&self.parts.claims, claim) > mail.lane {
            mail.conclude();
            mail.share.defer();
            return None;
        }
        if mail.lane == Lane::Fast && mail.trial.is_none() {
            self.behind.insert(claim, VecDeque::new());
            mail.trial = Some(Trial::new(claim, context.address().recipient()));
        }
        Some(mail)
    }

    fn conclude(&mut self, concluded: Concluded, context: &mut Context<SdcDecoder>) {
        let Concluded { claim, is_void } = concluded;
        let Some(mut behind) = self.behind.remove(&claim) else { return };
        if is_void {
            // The trial had no result, and its mail returns to its source. The mails that waited for the trial are dropped here, which
            // returns them too: none of them may overtake the tried mail.
            return;
        }
        let Some(mut next) = behind.pop_front() else { return };
        self.behind.insert(claim, behind);
        next.trial = Some(Trial::new(claim, context.address().recipient()));
        self.queue.push_front(next.lane, next);
        self.begin_work(context);
    }

    fn begin_work(&mut self, context: &mut Context<SdcDecoder>) {
        if !self.is_working {
            self.is_working = true;
            self.turn_began = Instant::now();
            context.notify(NextSlice);
        }
    }

    fn decode(&self, mut fetched: Fetched) {
        let _at_work = self.parts.at_work.begin(self.guard.metrics.name(), &fetched.provenance.name);
        // The letterhead is read first, before any step that may fail. So an operator who finds the mail in quarantine knows whom to ask.
        if fetched.form == Form::Mail {
            let Letterhead { sender, subject } = letterhead::read(&fetched.mail);
            let claimed = &mut fetched.provenance.source.claimed;
            (claimed.sender, claimed.subject) = (sender, subject);
        }
        if fetched.is_poison {
            return self.reject_mail(fetched, Refusal::new(RefusalCode::Poison));
        }
        point("sdc_decoder::decode");
        if let Some(bytes) = fetched.over_size_bytes {
            return self.reject_mail(fetched, Refusal::new(RefusalCode::OverSize).with("bytes", bytes));
        }
        let extracted = match self.extract(&fetched) {
            Ok(extracted) => extracted,
            Err(refused) => {
                let refusal = Refusal::new(RefusalCode::MailMalformed).with("limit", refused);
                return self.reject_mail(fetched, refusal);
            }
        };
        // Parts of a mail beyond some limits are not searched, so the mail may hold more containers than were found.
        let beyond = extracted.beyond.map(|limit| Refusal::new(RefusalCode::MailMalformed).with("limit", limit));
        fetched.provenance.source.sender_domain = extracted.sender_domain;
        if extracted.containers.is_empty() {
            return match beyond {
                Some(refusal) => self.reject_mail(fetched, refusal),
                None => self.without_container(fetched, extracted.is_automatic),
            };
        }
        let (claims, trial) = (Arc::clone(&self.parts.claims), fetched.trial.take());
        let proof = Arc::new(Proof::new(claims, fetched.provenance.claim(), trial, extracted.containers.len()));
        let carry = |container| Carried {
            provenance: fetched.provenance.clone(),
            proof: Some(Arc::clone(&proof)),
            remainder: None,
            container,
            share: fetched.share.another(),
        };
        let letters: Vec<Carried> = extracted.containers.into_iter().map(carry).collect();
        drop(proof);
        // By now every container has a share of its own. The mail's first share is settled at once, or is kept in the `Remainder` if the
        // mail was not searched to its end and is to be kept whole.
        match beyond {
            Some(refusal) => {
                fetched.share.refused();
                let remainder = Arc::new(Remainder::new(whole(fetched, refusal), letters.len()));
                let with_remainder = |letter| Carried { remainder: Some(Arc::clone(&remainder)), ..letter };
                self.open_all(letters.into_iter().map(with_remainder).collect());
            }
            None => {
                if !self.open_all(letters) {
                    fetched.share.refused();
                }
                fetched.share.settle();
            }
        }
    }

    /// Finds the containers. A file of the transfer folder is treated as one container, whatever its contents.
    fn extract(&self, fetched: &Fetched) -> Result<Extracted, MailRefused> {
        match fetched.form {
            Form::Mail => extract(&fetched.mail, &self.parts.mail_limits),
            Form::Document => Ok(Extracted { containers: vec![fetched.mail.clone()], ..Extracted::default() }),
        }
    }

    /// Opens the containers of a mail. Returns whether all could be opened.
    ///
    /// If every container is damaged, the claim fails: a mail that only states an agency must not get the fast lane. If there are other
    /// containers, a damaged one says nothing about the sender, and the others prove or disprove the claim.
    fn open_all(&self, letters: Vec<Carried>) -> bool {
        let claim = letters.first().and_then(|letter| letter.provenance.claim());
        let refused: Vec<Option<RefusalCode>> = letters.into_iter().map(|letter| self.open(letter)).collect();
        if refused.iter().all(|code| *code == Some(RefusalCode::DocumentMalformed)) {
            self.parts.claims.failed(claim);
        }
        refused.iter().all(Option::is_none)
    }

    /// Opens a container. Returns the reason if it could not be opened.
    fn open(&self, mut carried: Carried) -> Option<RefusalCode> {
        let opened = Document::parse(&carried.container, &self.parts.document_limits)
            .and_then(|document| Ok((cms::open(&document, &self.parts.keys)?, document.rendered_bytes())));
        match opened {
            Ok((opened, rendered_bytes)) => {
                point("sdc_decoder::opened");
                self.parts.verifier.hand_on(OpenedContainer { opened, rendered_bytes, carried });
                None
            }
            Err(refusal) => {
                let code = refusal.code;
                if code != RefusalCode::DocumentMalformed {
                    self.parts.claims.failed(carried.provenance.claim());
                }
                self.parts.writers.conclude(&mut carried, None);
                self.parts.writers.reject(carried, refusal);
                Some(code)
            }
        }
    }

    /// Treats a mail without a container by the rule of its source. Automatic mail is recognised only to be counted. It has no rule of its
    /// own, because anybody can write its header. Programs cannot answer each other in a loop, since only a letter with a verified signer
    /// is answered.
    fn without_container(&self, fetched: Fetched, is_automatic: bool) {
        let labels = [
            &*fetched.provenance.source.mailbox,
            fetched.no_container.as_str(),
            if is_automatic { "yes" } else { "no" },
        ];
        self.parts.metrics.without_container.with_label_values(&labels).inc();
        if fetched.no_container == NoContainer::Quarantine {
            return self.reject_mail(fetched, Refusal::new(RefusalCode::NoContainer));
        }
        self.parts.claims.failed(fetched.provenance.claim());
        fetched.conclude();
        if fetched.no_container == NoContainer::Leave {
            fetched.share.leave();
        } else {
            fetched.share.settle();
        }
    }

    /// Rejects a mail as a whole.
    fn reject_mail(&self, mut fetched: Fetched, refusal: Refusal) {
        fetched.share.refused();
        self.parts.claims.failed(fetched.provenance.claim());
        fetched.conclude();
        self.parts.writers.send_rejected(Rejected(whole(fetched, refusal)));
    }
}

/// Makes a quarantine entry of a whole mail.
fn whole(fetched: Fetched, refusal: Refusal) -> Settleable {
    let mail_bytes = fetched.mail.len();
    let bytes = fetched.over_size_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(mail_bytes);
    let original = Original { octets: fetched.mail, container_bytes: bytes, rendered_bytes: bytes };
    fetched.provenance.refused(original, refusal, fetched.share)
}

impl Actor for SdcDecoder {
    type Context = Context<SdcDecoder>;

    fn started(&mut self, context: &mut Context<SdcDecoder>) {
        // The permits bound how many messages can arrive, so the actor's mailbox must be large enough never to refuse one.
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }
}

impl Handler<Fetched> for SdcDecoder {
    type Result = ();

    fn handle(&mut self, mail: Fetched, context: &mut Context<SdcDecoder>) {
        let guard = self.guard.clone();
        guard.run(context, |context| {
            self.queue.push(mail.lane, mail);
            self.begin_work(context);
        });
    }
}

impl Handler<Concluded> for SdcDecoder {
    type Result = ();

    fn handle(&mut self, concluded: Concluded, context: &mut Context<SdcDecoder>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.conclude(concluded, context));
    }
}

impl Handler<NextSlice> for SdcDecoder {
    type Result = ();

    fn handle(&mut self, _: NextSlice, context: &mut Context<SdcDecoder>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.work(context));
    }
}

impl Handler<Heartbeat> for SdcDecoder {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<SdcDecoder>) {}
}
