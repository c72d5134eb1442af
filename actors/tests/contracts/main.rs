//! Executes the contracts of transports and couriers: with those of the product, with a pushed source in memory, and with some that break a
//! promise on purpose. The test of a broken one passes only if the contract detects it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad;
mod couriers;
mod pushing;
mod stands;
mod transports;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actors::custody::Fate;

use bad::{BadFolder, Careless, Vice};
use couriers::{CourierStand, FolderCourierStand, SmtpCourierStand};
use pushing::PushingStand;
use stands::{FolderStand, Pop3Stand, PushedStand};
use transports::{Breach, Stand, World, listed};

fn kept(outcome: Result<(), Breach>) {
    if let Err(breach) = outcome {
        panic!("{breach}");
    }
}

fn broken(outcome: Result<(), Breach>) {
    assert!(outcome.is_err(), "a bad one keeps the promise that it breaks");
}

#[test]
fn a_mailbox_by_pop3_keeps_the_contract_of_transports() {
    kept(transports::hold(&World::new(), &|| Box::new(Pop3Stand::new())));
}

#[test]
fn the_transfer_folder_keeps_the_contract_of_transports() {
    let world = World::new();
    kept(transports::hold(&world, &|| Box::new(FolderStand::new(&world, Arc::new))));
}

#[test]
fn a_pushed_source_keeps_the_contract_of_transports() {
    kept(transports::hold(&World::new(), &|| Box::new(PushedStand::new(|fate| fate == Fate::Settled))));
}

#[test]
fn mail_pushed_by_lmtp_keeps_the_contract_of_transports() {
    let world = World::new();
    kept(transports::hold(&world, &|| Box::new(PushingStand::lmtp(&world))));
}

#[test]
fn documents_posted_over_http_keep_the_contract_of_transports() {
    let world = World::new();
    kept(transports::hold(&world, &|| Box::new(PushingStand::http(&world))));
}

#[test]
fn one_that_answers_before_the_fate_is_known_breaks_it() {
    let world = World::new();
    let stand = || -> Box<dyn Stand> { Box::new(PushingStand::hasty(&world)) };
    kept(transports::hold_to("lends", &world, &stand));
    broken(transports::hold_to("settles", &world, &stand));
    broken(transports::hold_to("returns", &world, &stand));
}

#[test]
fn one_that_deletes_what_is_not_settled_breaks_it() {
    let world = World::new();
    let is_bad = Arc::new(AtomicBool::new(true));
    let stand = || -> Box<dyn Stand> { Box::new(FolderStand::new(&world, BadFolder::with(Vice::Hasty, &is_bad))) };
    kept(transports::hold_to("lends", &world, &stand));
    broken(transports::hold_to("settles", &world, &stand));
}

#[test]
fn what_is_settled_and_cannot_be_deleted_is_not_settled_again() {
    let (world, refuses) = (World::new(), Arc::new(AtomicBool::new(true)));
    let stand = Box::new(FolderStand::new(&world, BadFolder::with(Vice::Stubborn, &refuses)));
    listed::settles_once(&world, stand, &refuses).unwrap();
}

#[test]
fn a_suspect_that_is_left_out_of_a_listing_stays_one() {
    let (world, hides) = (World::new(), Arc::new(AtomicBool::new(false)));
    let stand = Box::new(FolderStand::new(&world, BadFolder::with(Vice::Reticent, &hides)));
    listed::suspects_what_is_left_out(&world, stand, &hides).unwrap();
}

#[test]
fn one_that_tells_its_sender_that_a_returned_mail_is_settled_breaks_it() {
    let world = World::new();
    let stand = || -> Box<dyn Stand> { Box::new(PushedStand::new(|fate| fate != Fate::Suspect)) };
    kept(transports::hold_to("settles", &world, &stand));
    broken(transports::hold_to("returns", &world, &stand));
    broken(transports::hold_to("survives a database without room", &world, &stand));
}

#[test]
fn one_that_does_not_wait_for_every_share_of_a_mail_breaks_it() {
    let world = World::new();
    let stand = || -> Box<dyn Stand> { Box::new(PushedStand::impatient()) };
    kept(transports::hold_to("lends", &world, &stand));
    broken(transports::hold_to("waits for every share", &world, &stand));
}

#[test]
fn the_relay_keeps_the_contract_of_couriers() {
    let world = World::new();
    kept(couriers::hold(&world, &|| Box::new(SmtpCourierStand::new(&world))));
}

#[test]
fn the_transfer_folder_keeps_the_contract_of_couriers() {
    let world = World::new();
    kept(couriers::hold(&world, &|| Box::new(FolderCourierStand::new(&world, Arc::new))));
}

#[test]
fn one_that_loses_an_answer_on_a_full_disk_breaks_it() {
    let world = World::new();
    let careless = |folder| Arc::new(Careless::over(folder));
    let stand = || -> Box<dyn CourierStand> { Box::new(FolderCourierStand::new(&world, careless)) };
    kept(couriers::hold_to("takes", &world, &stand));
    broken(couriers::hold_to("full", &world, &stand));
}
