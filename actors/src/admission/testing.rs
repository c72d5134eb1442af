//! A pushed source for tests, with a real database. The test takes the place of the decoders.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agency::identity::{Algorithm, Identity};
use diesel_async::SimpleAsyncConnection;
use prometheus::Registry;
use sdc::letter::Matricule;
use store::certificates::signers::Signers;
use store::database::Database;
use store::testing::TestCluster;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::decoders::{Decoder, Decoders};
use super::lender::here::HereLender;
use super::lender::{Lender, Patience, PushedMail, Reception};
use super::source::Admission;
use crate::answer_desk::{AnswerDesk, AnswerDeskParts};
use crate::claims::Claims;
use crate::database_tasks::DatabaseTasks;
use crate::gate::Gate;
use crate::messages::Fetched;
use crate::metrics::Metrics;
use crate::replicas::Replicas;
use crate::room::Hands;
use crate::sealing::Sealer;
use crate::stop::{StopTeller, stop};
use crate::transport::{Form, NoContainer, TransportFacts};

/// Longest wait for any event, far more than a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two checks of a condition.
const LOOK: Duration = Duration::from_millis(10);

/// Makes the mail of a letter that contains its number.
pub(crate) fn letter(number: usize) -> PushedMail {
    let mail = format!("Subject: SDC 1 agency=000042\r\n\r\nletter {number}\r\n").into_bytes();
    PushedMail { mail, over_size_bytes: None, answer: None, origin: None }
}

/// A source that mail is pushed to. The test receives the mail that is lent.
pub(crate) struct Source {
    pub(crate) database: Database,
    pub(crate) admission: Admission,
    registry: Registry,
    /// Tells the source that the process drains.
    pub(crate) drain: StopTeller,
    lent: UnboundedReceiver<Fetched>,
}

impl Source {
    pub(crate) async fn new() -> Source {
        let database = TestCluster::shared().await.database().await;
        let (sender, lent) = unbounded_channel();
        // Once the test is over, the channel has no receiver. A mail that is sent is then dropped, and returns to its source.
        let decoder: Decoder = Box::new(move |fetched| drop(sender.send(fetched)));
        let claims = Claims::default();
        claims.set_known([Matricule::try_from(42).unwrap()]);
        let (drain, draining) = stop();
        let (process, registry) = (Uuid::now_v7(), Registry::new());
        let admission = Admission {
            name: "lmtp".into(),
            key: "lmtp".into(),
            facts: TransportFacts { answers_by: "mail", noun: "intake", form: Form::Mail },
            mail_bytes_max: 1 << 20,
            no_container: NoContainer::Quarantine,
            tasks: DatabaseTasks { database: database.clone(), runtime: Handle::current() },
            process,
            replicas: Replicas::alone(process),
            gives_up: Arc::default(),
            decoders: Decoders::new([decoder]),
            hands: Hands::new(64, 1024, 64, 1 << 20),
            claims: Arc::new(claims),
            gate: Gate::default(),
            drain: draining,
            metrics: Arc::new(Metrics::new(&registry).unwrap()),
        };
        Source { database, admission, registry, drain, lent }
    }

    /// Makes an answer desk that has no answers to hand out.
    pub(crate) fn desk(&self) -> AnswerDesk {
        let key = Identity::generate("centre", Algorithm::P256).unwrap().key().clone();
        let sealer = Sealer { key: Arc::new(key), signers: Arc::new(Signers::new(1)) };
        let Admission { tasks, process, metrics, .. } = self.admission.clone();
        AnswerDesk::open(AnswerDeskParts { tasks, process, sealer, metrics })
    }

    /// Starts a lender for the source.
    pub(crate) async fn lender(&self, patience: Patience) -> HereLender {
        let metrics = self.admission.metrics.actor("push_intake");
        HereLender::begin(self.admission.clone(), patience, metrics).await.unwrap()
    }

    /// Starts what a transport lends its mail to.
    pub(crate) async fn reception(&self, patience: Patience) -> Lender {
        let metrics = self.admission.metrics.actor("push_intake");
        Lender::begin(&Reception::here(self.admission.clone(), patience), metrics).await.unwrap()
    }

    /// Waits for the next mail that is lent.
    pub(crate) async fn next(&mut self) -> Fetched {
        timeout(PATIENCE, self.lent.recv()).await.expect("a mail is lent").unwrap()
    }

    /// Waits until `work` ends, and fails if a mail is lent before that.
    pub(crate) async fn unlent<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            lent = self.lent.recv() => panic!("it is lent: {:?}", lent.map(|fetched| fetched.mail)),
            ended = timeout(PATIENCE, work) => ended.expect("it ends"),
        }
    }

    /// Runs statements in the source's database.
    pub(crate) async fn sql(&self, statements: &str) {
        self.database.get().await.unwrap().batch_execute(statements).await.unwrap();
    }

    /// Makes the database refuse an operation, for example `DELETE ON xm.in_hand`, with this SQLSTATE.
    pub(crate) async fn refuse(&self, when: &str, sqlstate: &str) {
        // The sequence counts the refused statements, because a rollback does not undo `nextval`.
        let refuses = "BEGIN PERFORM nextval('public.refused'); RAISE EXCEPTION 'planted' USING ERRCODE =";
        self.sql(&format!(
            "CREATE SEQUENCE public.refused MINVALUE 0;
             SELECT nextval('public.refused');
             CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $${refuses} '{sqlstate}'; END$$;
             CREATE TRIGGER planted BEFORE {when} FOR EACH STATEMENT EXECUTE FUNCTION public.refuse()"
        ))
        .await;
    }

    /// Waits until the database has refused at least this many statements.
    pub(crate) async fn until_refused(&self, count: u32) {
        self.until(&format!("(SELECT last_value FROM public.refused) >= {count}")).await;
    }

    /// Makes the database accept all operations again.
    pub(crate) async fn mend(&self) {
        self.sql("DROP FUNCTION public.refuse() CASCADE; DROP SEQUENCE public.refused").await;
    }

    /// Returns the number of faults that the source's lenders met.
    pub(crate) fn faults(&self) -> f64 {
        let families = self.registry.gather();
        let faults = families.iter().filter(|family| family.name() == "xm_faults_total");
        faults.flat_map(|family| family.get_metric()).map(|metric| metric.get_counter().get_value()).sum()
    }

    /// Says whether a condition holds in the source's database.
    pub(crate) async fn holds(&self, condition: &str) -> bool {
        let text = format!("DO $$ BEGIN ASSERT ({condition}); END $$");
        self.database.get().await.unwrap().batch_execute(&text).await.is_ok()
    }

    /// Waits until a condition holds in the source's database.
    pub(crate) async fn until(&self, condition: &str) {
        eventually(condition, async || self.holds(condition).await).await;
    }
}

/// Waits until `is_so` returns `true`. `what` names the condition in the message of a failure.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "it does not come that {what}");
        sleep(LOOK).await;
    }
}
