//! Properties of the ledger on a real PostgreSQL: for any recharges, credit limits and tariffs, entries and balances agree.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::world::World;
use crate::settle::arrival::Outcome;

const AGENCIES: [u32; 2] = [42, 43];
/// Number of cases. It is small because each case settles real batches.
const CASES: u32 = 24;

/// An event that changes accounts.
#[derive(Clone, Debug)]
enum Event {
    Recharge {
        agency: u32,
        amount: i64,
    },
    CreditLimit {
        agency: u32,
        amount: i64,
    },
    Tariff {
        per_act: i64,
        per_started_kb: i64,
        refuses: bool,
    },
    /// One batch of letters: for each letter, its agency and its number of acts.
    Batch(Vec<(u32, u64)>),
}

fn event() -> impl Strategy<Value = Event> {
    let agency = || prop::sample::select(AGENCIES.to_vec());
    prop_oneof![
        2 => (agency(), 1..2000_i64).prop_map(|(agency, amount)| Event::Recharge { agency, amount }),
        1 => (agency(), 0..500_i64).prop_map(|(agency, amount)| Event::CreditLimit { agency, amount }),
        1 => (0..300_i64, 0..50_i64, any::<bool>())
            .prop_map(|(per_act, per_started_kb, refuses)| Event::Tariff { per_act, per_started_kb, refuses }),
        4 => vec((agency(), 1..4_u64), 1..6).prop_map(Event::Batch),
    ]
}

/// The expected state of the accounts, computed by plain arithmetic.
struct Books {
    balances: BTreeMap<u32, i64>,
    limits: BTreeMap<u32, i64>,
    price: (i64, i64),
    refuses: bool,
    next_sequence: u64,
    next_act: u64,
    charged: i64,
}

impl Books {
    /// Starts a case with the balances at the end of the case before it, without credit limits and prices.
    async fn open(world: &World, next: u64) -> Books {
        world.sql("DELETE FROM xm.tariffs; UPDATE xm.accounts SET credit_limit = 0").await;
        let mut balances = BTreeMap::new();
        for agency in AGENCIES {
            balances.insert(agency, balance(world, agency).await);
        }
        let (limits, charged) = (AGENCIES.map(|agency| (agency, 0)).into(), charged(world).await);
        Books { balances, limits, price: (0, 0), refuses: false, next_sequence: next, next_act: next, charged }
    }

    /// Charges a letter of one started kilobyte, or returns that it is refused.
    fn charge(&mut self, agency: u32, acts: u64) -> Outcome {
        let price = self.price.0 * i64::try_from(acts).unwrap() + self.price.1;
        let balance = self.balances.get_mut(&agency).unwrap();
        if self.refuses && price > 0 && *balance - price < -self.limits[&agency] {
            return Outcome::Refused(sdc::refusal::RefusalCode::InsufficientCredit);
        }
        *balance -= price;
        self.charged += price;
        Outcome::Accepted
    }
}

async fn happen(world: &World, books: &mut Books, event: &Event) -> Result<(), TestCaseError> {
    match event {
        Event::Recharge { agency, amount } => {
            world.recharge(i64::from(*agency).try_into().unwrap(), *amount).await;
            *books.balances.get_mut(agency).unwrap() += amount;
        }
        Event::CreditLimit { agency, amount } => {
            world.sql(&format!("UPDATE xm.accounts SET credit_limit = {amount} WHERE agency = {agency}")).await;
            books.limits.insert(*agency, *amount);
        }
        Event::Tariff { per_act, per_started_kb, refuses } => {
            world.sql("DELETE FROM xm.tariffs").await;
            world.tariff(*per_act, *per_started_kb, if *refuses { "refuse" } else { "owe" }).await;
            (books.price, books.refuses) = ((*per_act, *per_started_kb), *refuses);
        }
        Event::Batch(letters) => {
            let (mut batch, mut order) = (Vec::new(), Vec::new());
            for (agency, acts) in letters {
                let centre = format!("CE-{agency:03}");
                let births: Vec<(&str, u64)> =
                    (books.next_act..books.next_act + acts).map(|act| (centre.as_str(), act)).collect();
                batch.push(world.arrival(&world.births(*agency, books.next_sequence, &births)).await);
                order.push((*agency, *acts));
                books.next_act += acts;
                books.next_sequence += 1;
            }
            let expected: Vec<Outcome> = order.iter().map(|(agency, acts)| books.charge(*agency, *acts)).collect();
            prop_assert_eq!(world.settle(batch).await, expected);
        }
    }
    check(world, books).await
}

async fn balance(world: &World, agency: u32) -> i64 {
    world.count(&format!("SELECT balance FROM xm.accounts WHERE agency = {agency}")).await
}

async fn charged(world: &World) -> i64 {
    world.count("SELECT sum(amount) FROM xm.entries WHERE kind = 'letter'").await
}

async fn check(world: &World, books: &Books) -> Result<(), TestCaseError> {
    prop_assert_eq!(world.ledger_difference().await, 0, "entries sum to balances");
    for (agency, expected) in &books.balances {
        prop_assert_eq!(balance(world, *agency).await, *expected, "agency {}", agency);
    }
    prop_assert_eq!(charged(world).await, books.charged, "charges are acts by price");
    Ok(())
}

#[test]
fn entries_balances_and_charges_agree_whatever_happens() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let next = Cell::new(1);
    let config =
        ProptestConfig { cases: CASES, failure_persistence: None, max_shrink_iters: 100, ..Default::default() };
    let outcome = TestRunner::new(config).run(&vec(event(), 1..8), |events| {
        // Each case uses its own sequence numbers and acts.
        next.set(next.get() + 1000);
        runtime.block_on(async {
            let mut books = Books::open(&world, next.get()).await;
            for event in &events {
                happen(&world, &mut books, event).await?;
            }
            Ok(())
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
