//! Tests of admission with polled sources that leave mails out of a listing or refuse to delete them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use store::letters::in_hand::ATTEMPTS_MAX;

use super::case::{Case, LOOK, PATIENCE, ensure, letter};
use super::{Stand, World};

/// A suspect that a listing leaves out does not count as deleted. It stays a suspect, and becomes poison when its attempts are used up.
pub fn suspects_what_is_left_out(world: &World, stand: Box<dyn Stand>, hides: &AtomicBool) -> Result<(), String> {
    let mut case = Case::new(world, stand);
    case.put(1);
    case.start();
    for attempt in 0..=ATTEMPTS_MAX {
        let share = case.next(1)?.share;
        // The mail is listed in the session that lends it. After the last attempt, the next session does not list it.
        hides.store(attempt == ATTEMPTS_MAX, Ordering::Relaxed);
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = share;
            panic!("planted");
        }));
        ensure(unwound.is_err(), || "nothing failed".to_owned())?;
    }
    let polls = case.metrics.polls.with_label_values(&["source", "ok"]);
    let (polled, began) = (polls.get(), Instant::now());
    while polls.get() <= polled + 5 {
        ensure(case.received.recv_timeout(LOOK).is_err(), || "it is lent and not listed".to_owned())?;
        ensure(began.elapsed() < PATIENCE, || "no further polls".to_owned())?;
    }
    hides.store(false, Ordering::Relaxed);
    let poison = case.next(1)?;
    ensure(poison.is_poison, || "it is innocent, since it was not listed".to_owned())?;
    poison.share.settle();
    case.until_held(0, &mut Vec::new())?;
    case.kill();
    Ok(())
}

/// A mail that its source refuses to delete is settled once and counted as unfetchable. It is deleted as soon as the source allows it.
pub fn settles_once(world: &World, stand: Box<dyn Stand>, refuses: &AtomicBool) -> Result<(), String> {
    let mut case = Case::new(world, stand);
    case.put(1);
    case.start();
    case.next(1)?.share.settle();
    let told = case.metrics.unfetchable.with_label_values(&["source"]);
    let polls = case.metrics.polls.with_label_values(&["source", "ok"]);
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_so() {
            let again = case.received.recv_timeout(LOOK);
            ensure(again.is_err(), || format!("{what}: a mail is lent again that was settled"))?;
            ensure(began.elapsed() < PATIENCE, || format!("never: {what}"))?;
        }
        Ok::<(), String>(())
    };
    until("it is told of", &|| told.get() == 1)?;
    let polled = polls.get();
    until("further polls", &|| polls.get() > polled + 5)?;
    case.put(2);
    let next = case.next(2)?;
    ensure(next.mail == letter(2), || "the first is lent again".to_owned())?;
    next.share.settle();
    until("both are told of", &|| told.get() == 2)?;
    refuses.store(false, Ordering::Relaxed);
    until("both are gone", &|| case.held() == 0)?;
    until("nothing is told of any more", &|| told.get() == 0)?;
    case.kill();
    Ok(())
}
