//! Seven supervised actors, the messages between them, and what keeps them alive.
//!
//! The flow of a letter, one file per actor: [`mailbox_poller`] (or [`push_intake`], [`carrier_poller`]) → [`sdc_decoder`] →
//! [`signature_verifier`] → [`table_writer`] → [`billing_ledger`] → [`exporter`], with [`record_reader`] beside it for letters that ask for
//! records; [`messages`] lists the arrows. [`pipeline`] builds them, last actor first, and drains them in order.
//!
//! # Words
//!
//! What is in a mail, and what becomes of it:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | document, container | one signed and encrypted letter, as text; a mail may have several | `sdc::document` |
//! | agency, office | who sends letters, known by its matricule; an *installation* is one set-up of its program | `sdc::letter` |
//! | stranger | who sent a container that no registered key has signed; a stranger gets no answer | [`messages::Rejected`] |
//! | settle | to commit a letter's verdict, and all that follows from it, in one transaction | `store::settle` |
//! | verdict, refusal | accepted, held or refused; a refusal says what is wrong with a letter or container | `store::settle` |
//! | held | a letter's rows are in no table until operators decide; *withheld* and *held up* (below) are other things | `store::settle` |
//! | answer, notice | the centre's reply to one letter; what the centre writes first; both wait in the *outbox* | [`exporter`] |
//! | fault | something outside the letter is wrong: nothing is committed, and the mail stays in its source | [`gate`] |
//! | drain, stop | to take no more mail, and end when what is in hand is settled and deleted | [`pipeline`] |
//! | replica | one of several processes that serve the centre together; it is known by its *process*, a UUID | [`replicas`] |
//!
//! Where mail comes from:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | source | a mailbox, the transfer folder, or an address that is pushed to; a *transport* reaches it | [`transport`] |
//! | candidate, token | a mail or file as a source lists it, and its name across sessions (UIDL, file name) | [`transport::Candidate`] |
//! | hint | a token, or what stands for a missing one: several mails may have the same hint | [`transport::Candidate::hint`] |
//! | session, window | one connection to a source; the candidates asked for at a time | `mailbox_poller::session` |
//! | gate | closed while the database is away: no mail is fetched | [`gate`] |
//! | courier | a way by which answers leave: the relay, or the transfer folder | [`courier`] |
//! | carrier | takes pushed mail from the process that received it to the one that settles it | [`carrier_poller`], crate `carrier` |
//! | reception | where the pushed mail of a source goes: to the actors here, to the carrier, or both | [`admission::lender`] |
//! | lease | for a while, only one process polls a mailbox, or sends an answer of the outbox | `admission::records`, [`exporter`] |
//!
//! Who has a mail:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | in hand, lent | the actors have a mail, whose only copy that counts stays in its source | [`custody`] |
//! | share | the duty to report what became of one container of a lent mail | [`custody::Share`] |
//! | fate | what became of a lent mail: settled, left, deferred, withheld, returned, suspect | [`custody::Fate`] |
//! | provenance | where a mail came from and when; every message carries it whole | [`provenance`] |
//! | stay | a letter with one actor, counted when it comes and by its outcome when it goes | [`metrics::Stay`] |
//! | hands, permit | hands bound how much is in hand at once; a permit stands for a mail or a kilobyte in hand | [`room`] |
//! | holding | the part of the room that the mails of one claim take | `room::holdings` |
//! | life | one actor from its start to its end; the actor rebuilt after a panic has another | [`supervision`] |
//!
//! In which order mail is taken:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | claim | the matricule that a mail mentions; never believed, it picks the lane | `Provenance::claim` |
//! | failed claim | in the last 60 s, a mail that named the agency proved not to come from it | [`claims`] |
//! | heard | a letter of the agency was verified in the last 60 s | [`claims`] |
//! | lane | fast: a known agency, no failed claim; slow: it failed, agency not *heard*; last: all else | [`claims::Lane`], [`lane_queue`] |
//! | trial | of several mails with one claim one is opened and verified, while the others wait | [`trial`] |
//! | deferred | a mail stays in its source unopened, until mail of better lanes has been taken | `admission::memory` |
//! | held up | an agency's mail was left for want of room, so later mail of that agency must not overtake it | `admission::windows` |
//! | carried over | a mail that was still in hand when its session ended | `admission::lending` |
//! | breaker | a mail over which sessions break; a breaker gets sessions of its own | `admission::breakers` |
//! | withheld | a sound letter waits, since its table takes no rows now, or a fault not of its own stopped it | `admission::withheld` |
//! | suspect, alone | code panicked or hung over the mail; a suspect is fetched with nothing else in hand | `admission::suspects` |
//! | poison | a suspect that failed three times alone; poison goes to quarantine unopened | `admission::alone` |
//! | proof, remainder | what the letters of one mail prove about its claim; the part of a mail beyond a limit | [`proof`], [`remainder`] |
//! | writer time | each agency's part of a writer's time, as a bucket that refills | [`writer_time`] |

pub mod admission;
pub mod answer_desk;
pub mod at_work;
pub mod billing_ledger;
pub mod carrier_poller;
pub mod claims;
pub mod courier;
pub mod custody;
pub mod database_tasks;
pub mod enrolment_lane;
pub mod exporter;
pub mod gate;
pub mod http_server;
pub mod lane_queue;
mod lifelong;
pub mod mailbox_poller;
pub mod messages;
pub mod metrics;
mod outage;
pub mod payload_room;
pub mod pipeline;
pub mod proof;
pub mod provenance;
pub mod push_intake;
pub mod record_reader;
mod refusal_log;
pub mod remainder;
pub mod replicas;
pub mod room;
pub mod sdc_decoder;
pub mod sealing;
pub mod signature_verifier;
pub mod stop;
pub mod supervision;
pub mod table_writer;
mod tally;
pub mod transfer_folder;
pub mod transport;
pub mod trial;
pub mod writer_time;

/// Capacity of an actor's mailbox, in messages. The number of lent mails is bounded by permits, and there are fewer permits than this, so a
/// mailbox never fills.
pub(crate) const MAILBOX_CAPACITY: usize = 1 << 16;
