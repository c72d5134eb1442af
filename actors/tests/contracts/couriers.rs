//! Tests of the contract of couriers. An answer that a courier reports as taken reaches its office whole, whatever happens next. An answer
//! that the courier did not take may be carried again, and then the office has it once.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::courier::smtp::SmtpCourier;
use actors::courier::{Again, Courier, NotTaken};
use actors::sealing::Sealed;
use actors::transfer_folder::{IN, OUT, SUFFIX, TransferFolder};
use futures_util::FutureExt;
use mail::settings::{RelaySettings, Security};
use mail::smtp::Relay;
use sdc::cms::ContentCipher;
use simulation::post_office::{Fault, PostOffice, PostOfficeSettings, When};
use store::letters::outbox::LeasedAnswer;
use tempfile::TempDir;
use uuid::Uuid;

use super::transports::{Breach, World};

const OFFICE: &str = "office42@example.org";

/// The office's view of what arrives, and the faults between the courier and the office.
pub trait CourierStand {
    fn courier(&self) -> Arc<dyn Courier>;
    /// Returns every answer that has arrived, whole or not, by the key with which the office distinguishes answers.
    fn arrived(&self) -> BTreeMap<String, String>;
    fn cut(&self);
    fn mend(&self);
    /// Fills the disk on which answers are stored.
    fn fill(&self);
    /// Frees room on the disk.
    fn make_room(&self);
    /// Breaks the next try in the middle, when a part of the answer is written: ends the courier, or cuts its connection.
    fn end_the_next_in_the_midst(&self);
    /// Returns the names of the files that an unfinished try has left.
    fn begun(&self) -> Vec<String>;
}

/// The check of one promise of a courier.
type Clause = fn(&World, &dyn CourierStand) -> Result<(), String>;

const CLAUSES: [(&str, Clause); 6] = [
    ("takes", takes),
    ("again", again),
    ("cut", cut),
    ("full", full),
    ("left in the middle", left_in_the_middle),
    ("two at once", two_at_once),
];

/// Checks that a courier keeps its contract. Each clause is checked with a new courier.
pub fn hold(world: &World, stand: &dyn Fn() -> Box<dyn CourierStand>) -> Result<(), Breach> {
    CLAUSES.iter().try_for_each(|(clause, _)| hold_to(clause, world, stand))
}

/// Checks one clause of a courier's contract.
pub fn hold_to(clause: &'static str, world: &World, stand: &dyn Fn() -> Box<dyn CourierStand>) -> Result<(), Breach> {
    let (_, check) = CLAUSES.into_iter().find(|(name, _)| *name == clause).unwrap();
    let stand = stand();
    let outcome = check(world, &*stand);
    stand.make_room();
    outcome.map_err(|how| Breach { clause, how })
}

/// Makes an answer whose document contains its number.
fn answer(number: i64) -> Sealed {
    let answer = LeasedAnswer {
        id: number,
        agency: 42,
        letter_id: Some(Uuid::from_u128(u128::from(number.unsigned_abs()))),
        attempt: 1,
        part: 0,
        payload: Vec::new(),
        certificate: None,
        cipher: ContentCipher::Aes256Gcm,
        email: OFFICE.to_owned(),
        of_letter: Some(("pc1".to_owned(), number)),
        notice: None,
        attempts: 1,
        process: Uuid::from_u128(7),
        is_sent_again: false,
    };
    Sealed { answer, document: document(number).into_bytes() }
}

fn document(number: i64) -> String {
    format!("-----BEGIN CMS-----\r\nanswer{number}{}\r\n-----END CMS-----\r\n", "x".repeat(40))
}

fn ensure(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise()) }
}

fn carry(world: &World, courier: &Arc<dyn Courier>, number: i64) -> Result<(), NotTaken> {
    let (courier, answers) = (Arc::clone(courier), [answer(number)]);
    world.runtime.block_on(async move { courier.carry(&answers).await })
}

/// Says whether exactly these answers have arrived, each of them whole.
fn has_arrived(stand: &dyn CourierStand, numbers: &[i64]) -> Result<(), String> {
    let arrived = stand.arrived();
    let whole =
        numbers.iter().all(|number| arrived.values().filter(|one| one.contains(&document(*number))).count() == 1);
    ensure(whole && arrived.len() == numbers.len(), || {
        format!("{numbers:?} are expected whole, and arrived has {arrived:?}")
    })
}

fn takes(world: &World, stand: &dyn CourierStand) -> Result<(), String> {
    let courier = stand.courier();
    for number in 1..=3 {
        carry(world, &courier, number).map_err(|refused| refused.to_string())?;
    }
    has_arrived(stand, &[1, 2, 3])
}

/// If an answer is carried twice, its office has it once.
fn again(world: &World, stand: &dyn CourierStand) -> Result<(), String> {
    let courier = stand.courier();
    for _ in 0..2 {
        carry(world, &courier, 1).map_err(|refused| refused.to_string())?;
    }
    has_arrived(stand, &[1])
}

/// While its way is cut, a courier takes no answer and reports this. Once the way is mended, it takes every answer.
fn cut(world: &World, stand: &dyn CourierStand) -> Result<(), String> {
    let courier = stand.courier();
    stand.cut();
    for number in 1..=2 {
        let refused = carry(world, &courier, number).err().ok_or("it takes answers while its way is cut")?;
        ensure(refused.again == Again::OnceBack, || format!("answers need not wait for it: {refused}"))?;
    }
    stand.mend();
    has_arrived(stand, &[])?;
    for number in 1..=2 {
        carry(world, &courier, number).map_err(|refused| refused.to_string())?;
    }
    has_arrived(stand, &[1, 2])
}

/// If the disk is full, an answer is carried later. It is not given up, no part of it is stored, and it arrives once there is room.
fn full(world: &World, stand: &dyn CourierStand) -> Result<(), String> {
    let courier = stand.courier();
    carry(world, &courier, 1).map_err(|refused| refused.to_string())?;
    stand.fill();
    let refused = carry(world, &courier, 2).err().ok_or("it takes an answer for which there is no room")?;
    ensure(refused.again != Again::Never, || format!("it gives the answer up: {refused}"))?;
    has_arrived(stand, &[1])?;
    let begun = stand.begun();
    ensure(begun.is_empty(), || format!("what it began takes room on a full disk: {begun:?}"))?;
    stand.make_room();
    carry(world, &courier, 2).map_err(|refused| refused.to_string())?;
    has_arrived(stand, &[1, 2])
}

/// If a `carry` is dropped or ended in the middle, the answer is stored whole or not at all, and can be carried again.
fn left_in_the_middle(world: &World, stand: &dyn CourierStand) -> Result<(), String> {
    let courier = stand.courier();
    {
        let answers = [answer(1)];
        // The future is polled once and then dropped.
        let _is_done = world.runtime.block_on(async { courier.carry(&answers).now_or_never() });
    }
    let arrived = stand.arrived();
    let is_whole = arrived.values().all(|one| one.contains(&document(1)));
    ensure(is_whole, || format!("something stands there that is not whole: {arrived:?}"))?;
    carry(world, &courier, 1).map_err(|refused| refused.to_string())?;
    has_arrived(stand, &[1])?;

    stand.end_the_next_in_the_midst();
    let ended = catch_unwind(AssertUnwindSafe(|| carry(world, &courier, 2)));
    ensure(!matches!(ended, Ok(Ok(()))), || "it takes an answer of which it was kept from writing the end".to_owned())?;
    has_arrived(stand, &[1])?;
    // Another process replaces the one that ended.
    let courier = stand.courier();
    carry(world, &courier, 2).map_err(|refused| refused.to_string())?;
    has_arrived(stand, &[1, 2])
}

/// Two couriers in two processes carry answers, and both carry some of the same answers.
fn two_at_once(world: &World, stand: &dyn CourierStand) -> Result<(), String> {
    let carriers: Vec<_> = (0..2u128)
        .map(|process| {
            let courier = stand.courier();
            world.runtime.spawn(async move {
                for number in [1, 2, 3, 4, 5 + i64::try_from(process).unwrap_or_default()] {
                    let mut one = answer(number);
                    one.answer.process = Uuid::from_u128(process);
                    courier.carry(&[one]).await.map_err(|refused| refused.to_string())?;
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    for carrier in carriers {
        world.runtime.block_on(carrier).map_err(|failed| failed.to_string())??;
    }
    has_arrived(stand, &[1, 2, 3, 4, 5, 6])
}

/// A courier that uses the relay of the in-memory post office.
pub struct SmtpCourierStand {
    post_office: PostOffice,
    courier: Arc<SmtpCourier>,
    arrived: std::sync::Mutex<BTreeMap<String, String>>,
}

impl SmtpCourierStand {
    pub fn new(world: &World) -> SmtpCourierStand {
        let post_office = PostOffice::start(PostOfficeSettings::default()).unwrap();
        let mut relay = RelaySettings::new("127.0.0.1");
        relay.port = Some(post_office.smtp_address().port());
        relay.security = Security::None;
        let relay = world.runtime.block_on(async { Relay::new(&relay).unwrap() });
        let courier = SmtpCourier {
            relay: Arc::new(relay),
            address: "centre@example.org".to_owned(),
            server_name: "centre".to_owned(),
        };
        SmtpCourierStand { post_office, courier: Arc::new(courier), arrived: std::sync::Mutex::default() }
    }
}

impl CourierStand for SmtpCourierStand {
    fn courier(&self) -> Arc<dyn Courier> {
        Arc::clone(&self.courier) as Arc<dyn Courier>
    }

    fn arrived(&self) -> BTreeMap<String, String> {
        let mut arrived = self.arrived.lock().unwrap();
        for mail in self.post_office.take(OFFICE) {
            let text = String::from_utf8(mail.bytes.to_vec()).unwrap();
            let id = text.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
            arrived.insert(id, text);
        }
        arrived.clone()
    }

    fn cut(&self) {
        self.post_office.go_away();
    }

    fn mend(&self) {
        self.post_office.come_back();
    }

    fn fill(&self) {
        self.post_office.faults().set(Fault::DeferData, When::Always);
    }

    fn end_the_next_in_the_midst(&self) {
        self.post_office.faults().set(Fault::CutData, When::Times(1));
    }

    fn begun(&self) -> Vec<String> {
        Vec::new()
    }

    fn make_room(&self) {
        self.post_office.faults().clear(&Fault::DeferData);
    }
}

/// A courier to a transfer folder, or a bad courier to one. Each process has a courier of its own, made by `process`.
pub struct FolderCourierStand {
    place: TempDir,
    process: Box<dyn Fn() -> Arc<dyn Courier>>,
}

impl FolderCourierStand {
    pub fn new<C: Courier>(world: &World, make: impl Fn(TransferFolder) -> Arc<C> + 'static) -> FolderCourierStand {
        let place = tempfile::tempdir().unwrap();
        [IN, OUT].iter().for_each(|name| fs::create_dir(place.path().join(name)).unwrap());
        let (path, runtime) = (place.path().to_owned(), world.runtime.handle().clone());
        let process =
            move || -> Arc<dyn Courier> { make(TransferFolder::new(path.clone(), runtime.clone(), Duration::ZERO)) };
        FolderCourierStand { place, process: Box::new(process) }
    }

    fn out(&self) -> PathBuf {
        [OUT, "away"].map(|name| self.place.path().join(name)).into_iter().find(|path| path.exists()).unwrap()
    }
}

/// Returns every file below a folder.
fn files(place: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(place).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// Says whether an office reads a file with this name. A file that is still being written has another name.
fn is_answer(path: &str) -> bool {
    path.ends_with(SUFFIX)
}

impl CourierStand for FolderCourierStand {
    fn courier(&self) -> Arc<dyn Courier> {
        (self.process)()
    }

    fn arrived(&self) -> BTreeMap<String, String> {
        let mut arrived = files(&self.out());
        arrived.retain(|path, _| is_answer(path));
        arrived
    }

    fn begun(&self) -> Vec<String> {
        files(&self.out()).into_keys().filter(|path| !is_answer(path)).collect()
    }

    fn cut(&self) {
        fs::rename(self.out(), self.place.path().join("away")).unwrap();
    }

    fn mend(&self) {
        fs::rename(self.out(), self.place.path().join(OUT)).unwrap();
    }

    fn fill(&self) {
        // The full disk is only simulated: to make a small file system needs rights that not everybody has who runs tests.
        fail::cfg("exporter::write", "return").unwrap();
    }

    fn end_the_next_in_the_midst(&self) {
        fail::cfg("exporter::write", "1*panic(planted)->off").unwrap();
    }

    fn make_room(&self) {
        fail::remove("exporter::write");
    }
}
