//! Finds the containers in a mail and opens their envelopes. One per core, on a thread of its own.
//!
//! Cheap before dear: size, MIME, armour and the strict pre-scan before the private key is used. Whatever
//! fails here has no verified sender, so nobody is told why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use mail::extract::{MailLimits, extract};
use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::CentreKeys;
use sdc::refusal::{Refusal, RefusalCode};
use store::failure::point;
use store::settle::{Arrival, Content, Source};

use crate::delivery::Unpacked;
use crate::lanes::{Claims, LaneQueue};
use crate::messages::{Carried, Fetched, NoContainer, Opened, Rejected, Settleable};
use crate::metrics::Metrics;
use crate::signature_verifier::SignatureVerifier;
use crate::supervision::{Guard, Heartbeat, Link};
use crate::table_writer::TableWriters;

/// How long the decoder works before it lets its thread answer heartbeats and take new mail.
const SLICE: Duration = Duration::from_millis(5);

/// What a decoder is built with.
#[derive(Clone)]
pub struct SdcDecoderParts {
    /// The centre's keys.
    pub keys: Arc<CentreKeys>,
    /// Limits of a mail.
    pub mail_limits: MailLimits,
    /// Limits of a document.
    pub document_limits: DocumentLimits,
    /// Known and failed claims.
    pub claims: Arc<Claims>,
    /// Where mails without a container are counted.
    pub metrics: Metrics,
    /// Where opened containers go.
    pub verifier: Link<SignatureVerifier>,
    /// Where rejected ones go.
    pub writers: TableWriters,
}

/// See the module.
pub struct SdcDecoder {
    parts: SdcDecoderParts,
    guard: Guard,
    queue: LaneQueue<Fetched>,
    is_working: bool,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Work;

impl SdcDecoder {
    /// Makes a decoder.
    pub fn new(parts: SdcDecoderParts, guard: Guard) -> SdcDecoder {
        SdcDecoder { parts, guard, queue: LaneQueue::default(), is_working: false }
    }

    fn work(&mut self, context: &mut Context<SdcDecoder>) {
        let slice = Instant::now();
        while slice.elapsed() < SLICE {
            let Some((lane, mail)) = self.queue.pop() else {
                self.is_working = false;
                break;
            };
            let started = Instant::now();
            self.decode(mail);
            self.queue.spent(lane, started.elapsed());
        }
        self.guard.metrics.mailbox_depth.set(i64::try_from(self.queue.len()).unwrap_or(i64::MAX));
        if self.is_working {
            context.notify(Work);
        }
    }

    fn decode(&self, fetched: Fetched) {
        if fetched.is_poison {
            return self.reject_mail(fetched, Refusal::new(RefusalCode::Poison));
        }
        point("sdc_decoder::decode");
        if let Some(bytes) = fetched.over_size_bytes {
            return self.reject_mail(fetched, Refusal::new(RefusalCode::OverSize).with("bytes", bytes));
        }
        let extracted = match extract(&fetched.mail, &self.parts.mail_limits) {
            Ok(extracted) => extracted,
            Err(refused) => {
                let refusal = Refusal::new(RefusalCode::MailMalformed).with("limit", refused);
                return self.reject_mail(fetched, refusal);
            }
        };
        let source = Source { sender_domain: extracted.sender_domain, ..fetched.source.clone() };
        if extracted.containers.is_empty() {
            return self.without_container(Fetched { source, ..fetched }, extracted.is_automatic);
        }
        for container in extracted.containers {
            let carried = Carried {
                source: source.clone(),
                received_at: fetched.received_at,
                taken_at: fetched.taken_at,
                claim: fetched.claim,
                container,
                share: fetched.share.another(),
            };
            self.open(carried);
        }
        // Every container has a share of its own by now; the mail's first one has done its duty.
        fetched.share.settle();
    }

    fn open(&self, carried: Carried) {
        let opened = Document::parse(&carried.container, &self.parts.document_limits)
            .and_then(|document| cms::open(&document, &self.parts.keys));
        match opened {
            Ok(opened) => {
                point("sdc_decoder::opened");
                self.parts.verifier.send(Opened { opened, carried });
            }
            Err(refusal) => {
                self.guard.metrics.handled("refused");
                self.parts.claims.failed(carried.claim);
                self.parts.writers.reject(carried, refusal);
            }
        }
    }

    /// Automatic mail is told apart only to be counted. It has no rule of its own, because anybody can write that header:
    /// what keeps programs from answering each other is that only a letter with a verified signer is answered.
    fn without_container(&self, fetched: Fetched, is_automatic: bool) {
        let labels = [&*fetched.source.mailbox, fetched.no_container.as_str(), if is_automatic { "yes" } else { "no" }];
        self.parts.metrics.without_container.with_label_values(&labels).inc();
        match fetched.no_container {
            NoContainer::Leave => {
                self.parts.claims.failed(fetched.claim);
                fetched.share.leave();
            }
            NoContainer::Drop => {
                self.parts.claims.failed(fetched.claim);
                fetched.share.settle();
            }
            NoContainer::Quarantine => self.reject_mail(fetched, Refusal::new(RefusalCode::NoContainer)),
        }
    }

    /// Rejects a mail as a whole.
    fn reject_mail(&self, fetched: Fetched, refusal: Refusal) {
        self.guard.metrics.handled("refused");
        self.parts.claims.failed(fetched.claim);
        let mail_bytes = fetched.mail.len();
        let whole = fetched.over_size_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(mail_bytes);
        let arrival = Arrival {
            received_at: fetched.received_at,
            source: fetched.source,
            container: fetched.mail,
            container_bytes: whole,
            content: Content::Stranger(refusal),
        };
        let (taken_at, share) = (fetched.taken_at, fetched.share);
        let settleable = Settleable { arrival, taken_at, unpacked: Unpacked::default(), share };
        self.parts.writers.send_rejected(Rejected(settleable));
    }
}

impl Actor for SdcDecoder {
    type Context = Context<SdcDecoder>;

    fn started(&mut self, context: &mut Context<SdcDecoder>) {
        // The permits bound what can come; the mailbox itself must never be the one to refuse.
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }
}

impl Handler<Fetched> for SdcDecoder {
    type Result = ();

    fn handle(&mut self, mail: Fetched, context: &mut Context<SdcDecoder>) {
        let guard = self.guard.clone();
        guard.run(context, |context| {
            self.queue.push(mail.lane, mail);
            if !self.is_working {
                self.is_working = true;
                context.notify(Work);
            }
        });
    }
}

impl Handler<Work> for SdcDecoder {
    type Result = ();

    fn handle(&mut self, _: Work, context: &mut Context<SdcDecoder>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.work(context));
    }
}

impl Handler<Heartbeat> for SdcDecoder {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<SdcDecoder>) {}
}
