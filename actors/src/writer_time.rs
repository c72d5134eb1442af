//! Chooses which letters are written next, so that no agency can make other agencies wait.
//!
//! Each agency has a bucket of writer time (SPEC 7, Share of time). Each second adds a tenth of a second to the bucket, which holds two
//! seconds at most. The time that a writer and its ledger spend on a batch is booked to the agencies of its letters, in proportion to their
//! work. Letters of an agency with an empty bucket come after those of all other agencies. They are taken when no others wait, and are
//! never refused. In a burst, the queue is empty for a moment again and again. A batch that takes a second would then begin, and the
//! letters that come a moment later would wait for its end. So such a batch begins only when no letter of another agency has come for a
//! part of the time that the batch will take.
//!
//! A batch holds no more than some tenths of a second's work. A letter with more work than a batch may have is written alone, in turn with
//! letters of other agencies. All writers take their letters from one queue. So letters need not wait behind a long batch of another
//! writer. Of several writers, one at least works on no long batch.
//!
//! Letters of one agency are taken in the order of their arrival, and never by two writers at once: the second would only wait for the
//! locks of the first.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sdc::letter::Matricule;

use crate::tally::Tally;

/// Number of seconds in which one second of writer time is added to a bucket.
const REFILL_SECONDS: u32 = 10;
/// Largest amount of time in a bucket.
const BURST: Duration = Duration::from_secs(2);
/// Largest debt of a bucket. Because of this limit, an agency does not wait long for time that it used when no other agency wanted it.
const DEBT_MAX: Duration = Duration::from_secs(2);
/// Largest amount of work in one batch, in rows. Such a batch takes some tenths of a second.
const BATCH_WORK_MAX: usize = 10_000;
/// Divisor for the part of a batch's work that one agency may have before letters of other agencies have had their turn.
const AGENCY_PARTS: usize = 4;
/// Divisor for the part of a batch's expected time for which no letter of another agency must have come, before a batch of agencies with
/// empty buckets begins.
const PAUSE_PARTS: u32 = 4;
/// Number of buckets above which full buckets are forgotten.
const BUCKETS_KEPT: usize = 1024;

/// The buckets of all agencies, and what is being written.
#[derive(Debug, Default)]
pub struct Buckets {
    /// The bucket of each agency. A full bucket need not be stored.
    of_agencies: HashMap<Matricule, Bucket>,
    forget_from: usize,
    /// The agencies of the batches that are being written.
    in_batches: Tally<Matricule>,
    /// Number of long batches that are being written: those of a letter that exceeds a batch, or of agencies with empty buckets.
    long_batches: usize,
}

/// The writer time of one agency.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Moment at which the bucket will be full again.
    full_at: Instant,
    /// Time that the agency's part of its next batch is expected to take: the longest time of its former batches, halved with every later
    /// batch.
    expected: Duration,
}

impl Buckets {
    /// Returns how much time is missing from an agency's bucket.
    fn missing(&self, agency: Matricule, now: Instant) -> Duration {
        let full_at = self.of_agencies.get(&agency).map_or(now, |bucket| bucket.full_at);
        full_at.saturating_duration_since(now) / REFILL_SECONDS
    }

    /// Says whether an agency has time left. Strangers always have.
    fn has_time(&self, agency: Option<Matricule>, now: Instant) -> bool {
        agency.is_none_or(|agency| !self.is_empty(agency, now))
    }

    /// Says whether no writer is writing letters of an agency. Strangers always are free.
    fn is_free(&self, agency: Option<Matricule>) -> bool {
        agency.is_none_or(|agency| !self.in_batches.has(&agency))
    }

    /// Returns the time that the agency's part of its next batch is expected to take.
    fn expected(&self, agency: Matricule) -> Duration {
        self.of_agencies.get(&agency).map_or(Duration::ZERO, |bucket| bucket.expected)
    }

    /// Says whether an agency has no time left.
    pub fn is_empty(&self, agency: Matricule, now: Instant) -> bool {
        self.missing(agency, now) >= BURST
    }

    /// Takes time out of an agency's bucket.
    pub fn book(&mut self, agency: Matricule, time: Duration, now: Instant) {
        let missing = (self.missing(agency, now) + time).min(BURST + DEBT_MAX);
        let expected = time.max(self.expected(agency) / 2);
        self.of_agencies.insert(agency, Bucket { full_at: now + missing * REFILL_SECONDS, expected });
        if self.of_agencies.len() > self.forget_from.max(BUCKETS_KEPT) {
            self.of_agencies.retain(|_, bucket| bucket.full_at > now);
            self.forget_from = 2 * self.of_agencies.len();
        }
    }
}

/// A letter that waits for a writer.
#[derive(Debug)]
pub struct Waiting<T> {
    /// Agency that signed the letter; `None` for a container of a stranger.
    pub agency: Option<Matricule>,
    /// Work of the letter for the database, in rows.
    pub work: usize,
    /// The letter itself.
    pub item: T,
}

/// The letters that wait for the writers.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: VecDeque<Waiting<T>>,
    buckets: Arc<Mutex<Buckets>>,
    /// Whether the first letter was too large for the last batch. If so, it is taken for the next batch before all other letters.
    is_first_due: bool,
    /// Moment at which a letter last arrived whose agency had time left.
    last_arrival: Option<Instant>,
    /// Moment at which a letter last arrived while none waited.
    waits_since: Option<Instant>,
    /// Largest number of long batches that may be written at a time.
    long_batches_max: usize,
}

/// A batch for a writer.
#[derive(Debug)]
pub struct Batch<T> {
    /// The letters of the batch; none where no letter that waits may be written now.
    pub letters: Vec<Waiting<T>>,
    /// Books the time that the batch takes.
    pub booking: Booking,
    /// Keeps other writers from taking letters of the same agencies.
    pub being_written: BeingWritten,
}

/// Marks the agencies of a batch as being written, and counts the batch if it is long, until this value is dropped.
#[derive(Debug)]
pub struct BeingWritten {
    buckets: Arc<Mutex<Buckets>>,
    agencies: Vec<Matricule>,
    is_long: bool,
}

impl BeingWritten {
    fn begin(buckets: &Arc<Mutex<Buckets>>, agencies: Vec<Matricule>, is_long: bool) -> BeingWritten {
        let mut inner = locked(buckets);
        agencies.iter().for_each(|agency| inner.in_batches.add(*agency));
        inner.long_batches += usize::from(is_long);
        BeingWritten { buckets: Arc::clone(buckets), agencies, is_long }
    }
}

impl Drop for BeingWritten {
    fn drop(&mut self) {
        let mut inner = locked(&self.buckets);
        self.agencies.iter().for_each(|agency| inner.in_batches.remove(agency));
        inner.long_batches -= usize::from(self.is_long);
    }
}

impl<T> Queue<T> {
    /// Makes the queue of so many writers. At least one of several writers is always free for short batches.
    pub fn of_writers(writers: usize) -> Queue<T> {
        Queue {
            waiting: VecDeque::new(),
            buckets: Arc::default(),
            is_first_due: false,
            last_arrival: None,
            waits_since: None,
            long_batches_max: writers.saturating_sub(1).max(1),
        }
    }

    /// Adds letters in the order of their arrival.
    pub fn extend(&mut self, letters: impl IntoIterator<Item = Waiting<T>>, now: Instant) {
        let before = self.waiting.len();
        self.waiting.extend(letters);
        if before == 0 {
            self.waits_since = Some(now);
        }
        if self.have_time(self.waiting.range(before..), now) {
            self.last_arrival = Some(now);
        }
    }

    /// Returns for how long letters have waited. The queue was empty before.
    pub fn waited(&self, now: Instant) -> Duration {
        self.waits_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Returns how long the next batch should wait for letters of other agencies. Only a batch of agencies that have used up their time
    /// waits, and only while letters of other agencies have come a short time ago.
    pub fn pause(&self, now: Instant) -> Duration {
        let Some(last_arrival) = self.last_arrival else { return Duration::ZERO };
        let buckets = locked(&self.buckets);
        let mut free = self.waiting.iter().filter(|letter| buckets.is_free(letter.agency));
        if free.any(|letter| buckets.has_time(letter.agency, now)) {
            return Duration::ZERO;
        }
        let expected = self.next_without_time(&buckets, now).map_or(Duration::ZERO, |agency| buckets.expected(agency));
        (expected / PAUSE_PARTS).saturating_sub(now.saturating_duration_since(last_arrival))
    }

    /// Says whether one of the letters is of an agency that has time left, or of a stranger.
    fn have_time<'a>(&self, mut letters: impl Iterator<Item = &'a Waiting<T>>, now: Instant) -> bool
    where
        T: 'a,
    {
        let buckets = locked(&self.buckets);
        letters.any(|letter| buckets.has_time(letter.agency, now))
    }

    /// Returns the agency that is taken when all agencies have used up their time: the one that has used the least, of those that no other
    /// writer is writing.
    fn next_without_time(&self, buckets: &Buckets, now: Instant) -> Option<Matricule> {
        let free =
            self.waiting.iter().filter_map(|letter| letter.agency).filter(|agency| buckets.is_free(Some(*agency)));
        free.min_by_key(|agency| buckets.missing(*agency, now))
    }

    /// Returns how many letters wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Says whether no letter waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the next batch: at most `letters_max` letters, and no more work than a batch may have, unless a letter is written alone.
    /// The batch is empty where only letters wait that must not be written now: their agencies are being written by other writers, or as
    /// many long batches as allowed are being written.
    pub fn take(&mut self, letters_max: usize, now: Instant) -> Batch<T> {
        let letters_left = letters_max.max(1);
        let letter_work_min = (BATCH_WORK_MAX / letters_left).max(1);
        let mut choice = Choice { chosen: vec![false; self.waiting.len()], letters_left, letter_work_min, work: 0 };
        let buckets = locked(&self.buckets);
        let may_be_long = buckets.long_batches < self.long_batches_max;
        // The sets are made once; to ask the buckets for each letter would cost more.
        let is_not_ready = |agency: &Matricule| !buckets.is_free(Some(*agency)) || buckets.is_empty(*agency, now);
        let not_now: HashSet<Matricule> =
            self.waiting.iter().filter_map(|letter| letter.agency).filter(is_not_ready).collect();
        let is_ready = |agency: Option<Matricule>| agency.is_none_or(|agency| !not_now.contains(&agency));
        let large = if self.is_first_due && may_be_long { Large::Alone } else { Large::Waits };
        choice.choose(&self.waiting, BATCH_WORK_MAX / AGENCY_PARTS, large, is_ready);
        choice.choose(&self.waiting, BATCH_WORK_MAX, Large::Waits, is_ready);
        let mut is_long = choice.work > BATCH_WORK_MAX;
        if choice.work == 0 && may_be_long {
            // Only large letters wait, or letters of agencies that have used up their time.
            let least = self.next_without_time(&buckets, now);
            choice.choose(&self.waiting, BATCH_WORK_MAX, Large::Alone, |agency| agency == least);
            is_long = true;
        }
        drop(buckets);
        let first_is_ready = self.waiting.front().is_some_and(|first| is_ready(first.agency));
        self.is_first_due = first_is_ready && !choice.chosen.first().copied().unwrap_or_default();
        let mut chosen = choice.chosen.into_iter();
        let (letters, left): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|_| chosen.next().unwrap_or_default());
        self.waiting.extend(left);
        let booking = self.booking(&letters);
        let agencies = booking.of_agencies.iter().map(|(agency, _)| *agency).collect();
        let being_written = BeingWritten::begin(&self.buckets, agencies, is_long && !letters.is_empty());
        Batch { letters, booking, being_written }
    }

    /// Returns the value that takes the time spent on a batch out of the buckets of its agencies. It stays valid after the batch has left
    /// its writer.
    fn booking(&self, batch: &[Waiting<T>]) -> Booking {
        let mut of_agencies: HashMap<Matricule, usize> = HashMap::new();
        for letter in batch {
            if let Some(agency) = letter.agency {
                *of_agencies.entry(agency).or_default() += letter.work;
            }
        }
        let work = batch.iter().map(|letter| letter.work).sum();
        Booking { buckets: Arc::clone(&self.buckets), of_agencies: of_agencies.into_iter().collect(), work }
    }
}

/// Takes the time that is spent on a batch out of the buckets of its agencies. The time is divided by the work of their letters. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Booking {
    buckets: Arc<Mutex<Buckets>>,
    of_agencies: Arc<[(Matricule, usize)]>,
    work: usize,
}

impl Booking {
    /// Books time that was spent on the batch.
    pub fn book(&self, time: Duration, now: Instant) {
        let mut buckets = locked(&self.buckets);
        for (agency, own) in &*self.of_agencies {
            let nanoseconds = time.as_nanos() * *own as u128 / self.work.max(1) as u128;
            buckets.book(*agency, Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)), now);
        }
    }
}

/// Measures the time that is spent on a batch: from the creation of this value until it is dropped. The time is booked then, even if a
/// panic drops the value.
#[derive(Debug)]
pub struct WorkedTime {
    booking: Booking,
    began: Instant,
}

impl WorkedTime {
    /// Begins to measure the time now.
    pub fn of(booking: &Booking) -> WorkedTime {
        WorkedTime { booking: booking.clone(), began: Instant::now() }
    }
}

impl Drop for WorkedTime {
    fn drop(&mut self) {
        self.booking.book(self.began.elapsed(), Instant::now());
    }
}

fn locked(buckets: &Mutex<Buckets>) -> MutexGuard<'_, Buckets> {
    // Each operation leaves the buckets valid, so they can be used even if a thread has panicked while it held the lock.
    buckets.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What happens to a letter whose work exceeds what is left of the batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Large {
    /// The letter waits for another batch.
    Waits,
    /// The letter is taken if no other letter has been chosen yet.
    Alone,
}

/// A batch while its letters are chosen.
struct Choice {
    chosen: Vec<bool>,
    letters_left: usize,
    /// Least work that a letter counts as. Without this minimum, many small letters of one agency would fill the batch.
    letter_work_min: usize,
    work: usize,
}

impl Choice {
    /// Chooses letters of wanted agencies. The letters of one agency may have no more than `agency_work_max` work together; strangers count
    /// as one agency. If a letter is skipped, no later letter of its agency is chosen.
    fn choose<T>(
        &mut self,
        waiting: &VecDeque<Waiting<T>>,
        agency_work_max: usize,
        large: Large,
        is_wanted: impl Fn(Option<Matricule>) -> bool,
    ) {
        let mut of_agencies: HashMap<Option<Matricule>, usize> = HashMap::new();
        for (at, letter) in waiting.iter().enumerate() {
            if self.letters_left == 0 || self.work >= BATCH_WORK_MAX {
                return;
            }
            let own = of_agencies.entry(letter.agency).or_default();
            let work = letter.work.max(self.letter_work_min);
            if self.chosen[at] {
                *own += work;
                continue;
            }
            let fits = self.work + work <= BATCH_WORK_MAX && own.saturating_add(work) <= agency_work_max;
            let goes_alone = large == Large::Alone && self.work == 0;
            if !is_wanted(letter.agency) || !(fits || goes_alone) {
                // A skipped letter uses up its agency's part, so that no later letter of the agency is chosen.
                *own = usize::MAX;
                continue;
            }
            *own += work;
            self.chosen[at] = true;
            self.letters_left -= 1;
            self.work += work;
        }
    }
}
