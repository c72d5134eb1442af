//! The promises of every transport, one function each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use actors::stop::stop;
use store::database::fault::Fault;
use store::letters::in_hand::ATTEMPTS_MAX;

use super::Way;
use super::case::{Case, PATIENCE, ensure, letter};

/// Each mail is lent, octet for octet.
pub fn lends(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(0)?;
    ensure(first.mail == letter(1), || format!("another mail is lent: {:?}", String::from_utf8_lossy(&first.mail)))?;
    ensure(first.over_size_bytes.is_none() && !first.is_poison, || "it is lent as something else".to_owned())?;
    case.put(2);
    let second = case.next(0)?;
    ensure(second.mail == letter(2), || "the second mail is another".to_owned())
}

/// A mail is kept by its source until it is settled, even if later mails are settled before it. It is not kept longer.
pub fn settles(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    case.put(2);
    let second = case.next(2)?;
    second.share.settle();
    case.until_held(1, &mut Vec::new())?;
    case.put(3);
    let third = case.next(2)?;
    third.share.settle();
    case.until_held(1, &mut Vec::new())?;
    first.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// A mail of several letters is kept by its source until the last letter is settled.
pub fn waits_for_every_share(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    let other = first.share.another();
    first.share.settle();
    for number in 2..5 {
        case.put(number);
        case.next(2)?.share.settle();
        case.until_held(1, &mut Vec::new())?;
    }
    other.settle();
    case.until_held(0, &mut Vec::new())
}

/// If a fault outside a mail prevents its settlement, the mail is lent again. So is a mail of which only one letter was settled.
pub fn returns(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    for is_settled_in_part in [false, true, false] {
        let fetched = case.next(1)?;
        ensure(fetched.mail == letter(1), || "another mail comes again".to_owned())?;
        if is_settled_in_part {
            fetched.share.another().settle();
        }
        drop(fetched.share);
    }
    case.next(1)?.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// A mail that is deferred or withheld is lent again.
pub fn defers(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    case.next(1)?.share.defer();
    case.next(1)?.share.withhold();
    let again = case.next(1)?;
    ensure(again.mail == letter(1), || "another mail comes again".to_owned())?;
    again.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// A mail with the fate `Left` stays in its source, and prevents no other mail from being lent. A pushed source has no place where a mail
/// could stay.
pub fn leaves(case: &mut Case<'_>) -> Result<(), String> {
    if let Way::Pushed(_) = case.stand.way() {
        return Ok(());
    }
    case.put(1);
    case.start();
    case.next(1)?.share.leave();
    for number in 2..5 {
        case.put(number);
        let next = case.next(2)?;
        ensure(next.mail == letter(number), || "what is left is lent again".to_owned())?;
        next.share.settle();
        case.until_held(1, &mut Vec::new())?;
    }
    Ok(())
}

/// A mail over which code panics is tried alone, and after three failures it is lent as poison. Other mail is settled meanwhile.
pub fn sets_poison_aside(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    for attempt in 0..=i32::from(ATTEMPTS_MAX) {
        let fetched = case.next(1)?;
        ensure(!fetched.is_poison, || format!("it is poison after {attempt} failures"))?;
        let share = fetched.share;
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = share;
            panic!("planted");
        }));
        ensure(unwound.is_err(), || "nothing failed".to_owned())?;
    }
    let poison = case.next(1)?;
    ensure(poison.is_poison && poison.mail == letter(1), || "it is lent as if nothing had happened".to_owned())?;
    poison.share.settle();
    case.until_held(0, &mut Vec::new())?;
    case.put(2);
    let next = case.next(1)?;
    ensure(!next.is_poison, || "another mail is taken for poison".to_owned())?;
    next.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// An actor that panics is rebuilt for the same source. The mail that it had lent is settled or lent again. Where each mail has a task of
/// its own, a panic over one ends that task, and neither the actor nor other mail notices.
pub fn survives_a_panic(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    for place in ["mailbox_poller::retrieved", "push_intake::lend"] {
        fail::cfg(place, "1*panic(planted)->off").unwrap();
    }
    (2..5).for_each(|number| case.put(number));
    let began = Instant::now();
    while !case.stand.has_tasks() && !case.is_rebuilt() {
        case.holds(4)?;
        ensure(began.elapsed() < PATIENCE, || "the actor is not rebuilt".to_owned())?;
        std::thread::yield_now();
    }
    first.share.settle();
    case.settle_all(2..=4, Vec::new())
}

/// Mail that was lent when the process was killed is lent again, whatever its fate was: the process received no report of it.
pub fn survives_a_kill(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.put(2);
    case.start();
    let (first, second) = (case.next(2)?, case.next(2)?);
    case.kill();
    case.holds(2)?;
    first.share.settle();
    drop(second.share);
    case.holds(2)?;
    case.start();
    case.settle_all(1..=2, Vec::new())
}

/// Mail that is settled while the source cannot be reached is deleted once it can be reached. Mail that arrived meanwhile is lent.
pub fn survives_a_cut(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.put(2);
    case.start();
    let (first, second) = (case.next(2)?, case.next(2)?);
    case.stand.cut();
    first.share.settle();
    case.put(3);
    case.holds(2)?;
    case.stand.mend();
    second.share.settle();
    case.settle_all(3..=3, Vec::new())
}

/// While the database cannot be reached, or its disk is full, nothing is lent and nothing is lost. Afterwards all mail is settled.
pub fn survives_a_database_without_room(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    case.gate.fault(&Fault::Away("no space left on device".to_owned()));
    drop(first.share);
    case.put(2);
    case.holds(2)?;
    ensure(case.received.try_recv().is_err(), || "mail is lent while nothing can be settled".to_owned())?;
    let (gate, database, metrics) = (case.gate.clone(), case.database.clone(), Arc::clone(&case.metrics));
    let (end, ending) = stop();
    case.world.runtime.spawn(async move { gate.keep(&database, &metrics, &ending).await });
    let outcome = case.settle_all(1..=2, Vec::new());
    end.tell();
    outcome
}

/// Two processes with one source lose no mail. A lease ensures that only one of them polls the source.
pub fn two_with_one_lease(case: &mut Case<'_>) -> Result<(), String> {
    two(case, "source")
}

/// Two processes may serve one source without a common lease, for example two machines that call one folder by different names. Even then
/// no mail is lost: mail that both have fetched is settled by both.
pub fn two_at_once(case: &mut Case<'_>) -> Result<(), String> {
    two(case, "the same source")
}

fn two(case: &mut Case<'_>, key_of_the_other: &'static str) -> Result<(), String> {
    (1..=6).for_each(|number| case.put(number));
    case.start();
    case.start_another(key_of_the_other);
    let mut seen = Vec::new();
    case.until_held(0, &mut seen)?;
    (7..=12).for_each(|number| case.put(number));
    case.settle_all(1..=12, seen)
}

/// A process that drains fetches no more mail. The mail that it has lent is still settled and deleted from the source.
pub fn drains(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    let running = &case.running[0];
    running.drain.tell();
    case.put(2);
    first.share.settle();
    let polling = Arc::clone(&running.polling);
    let ended = case.world.runtime.block_on(async { tokio::time::timeout(PATIENCE, polling.write()).await.is_ok() });
    ensure(ended, || "it does not end".to_owned())?;
    ensure(case.received.try_recv().is_err(), || "mail is taken while the process drains".to_owned())?;
    ensure(case.held() == 1, || format!("{} mails are held where one is not settled", case.held()))
}
