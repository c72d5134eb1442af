//! Prices of letters: the valid tariffs, in the form that settling needs.

use chrono::{DateTime, Utc};
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Untyped};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::service::{Credit, Service};

use crate::database::fault::Fault;
use crate::database::statement::Statement;

/// Price of a letter, and the rule for an account without enough credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Amount in integer minor units.
    pub amount: i64,
    /// Credit rule for an account without enough credit: the agency owes the amount, or the letter is refused.
    pub credit: Credit,
}

/// A tariff, reduced to the members that determine prices.
#[derive(Clone, Debug)]
struct Rule {
    plan: Option<String>,
    service: Service,
    table_id: Option<i32>,
    per_act: i64,
    per_started_kb: i64,
    credit: Credit,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
}

/// The tariffs that are valid now, ended at most a day ago, or begin later. A letter is priced by the tariff at its arrival, which may be
/// up to a day ago.
#[derive(Clone, Debug)]
pub struct Prices(Vec<Rule>);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    plan: Option<String>,
    #[diesel(sql_type = Text)]
    service: String,
    #[diesel(sql_type = Nullable<Integer>)]
    table_id: Option<i32>,
    #[diesel(sql_type = BigInt)]
    per_act: i64,
    #[diesel(sql_type = BigInt)]
    per_started_kb: i64,
    #[diesel(sql_type = Text)]
    credit: String,
    #[diesel(sql_type = Timestamptz)]
    valid_from: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    valid_to: Option<DateTime<Utc>>,
}

impl Row {
    /// Reads the tariff. Returns `None` for a service that this program does not know: a newer program may have added it, or somebody may
    /// have mistyped it. `check` reports such a tariff. The tariff prices nothing, since this program accepts no letter for an unknown
    /// service.
    fn read(self) -> Result<Option<Rule>, Fault> {
        let Row { plan, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to } = self;
        let Ok(service) = service.parse() else { return Ok(None) };
        let Ok(credit) = credit.parse() else {
            let (what, subject) = ("the rule of credit", "a tariff in xm.tariffs".to_owned());
            return Err(Fault::Unreadable { what, subject, expected: "expected owe or refuse" });
        };
        Ok(Some(Rule { plan, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to }))
    }
}

impl Prices {
    /// Reads the tariffs.
    ///
    /// # Errors
    /// A fault of the database, or a tariff that this program cannot read.
    pub async fn load(connection: &mut AsyncPgConnection) -> Result<Prices, Fault> {
        let text = "SELECT plan, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to
                      FROM xm.tariffs WHERE valid_to IS NULL OR valid_to > now() - interval '1 day'";
        let rows: Vec<Row> = Statement::<Untyped>::new(text, &[]).load(connection).await?;
        Ok(Prices(rows.into_iter().map(Row::read).filter_map(Result::transpose).collect::<Result<_, _>>()?))
    }

    /// Returns the price of a letter from its acts and from the started units of 1 024 bytes of its container and of the containers of its
    /// answer. All these numbers are known before anything is written.
    ///
    /// Several tariffs may be valid at `at`. A tariff with plan and table takes precedence, then a tariff with only the table, then one
    /// with only the plan, and last one with neither. A letter to several tables has one container, so its units are charged once, at the
    /// highest price per unit among these tables. If the account lacks credit, the letter is refused if the tariff of any of its tables has
    /// the credit rule `refuse`. A letter is free if no tariff fits it, or if its service never has a price.
    pub fn price(
        &self,
        plan: &str,
        service: Service,
        acts_by_table: &[(i32, usize)],
        started_kb: usize,
        at: DateTime<Utc>,
    ) -> Price {
        if service.facts().priced.is_none() {
            return Price { amount: 0, credit: Credit::Owe };
        }
        let mut acts_price: i64 = 0;
        let mut per_started_kb: i64 = 0;
        let mut credit = Credit::Owe;
        for &(table_id, acts) in acts_by_table {
            let Some(rule) = self.rule(plan, service, table_id, at) else { continue };
            acts_price = acts_price.saturating_add(rule.per_act.saturating_mul(count(acts)));
            per_started_kb = per_started_kb.max(rule.per_started_kb);
            if rule.credit == Credit::Refuse {
                credit = Credit::Refuse;
            }
        }
        Price { amount: acts_price.saturating_add(per_started_kb.saturating_mul(count(started_kb))), credit }
    }

    fn rule(&self, plan: &str, service: Service, table_id: i32, at: DateTime<Utc>) -> Option<&Rule> {
        let applies = |rule: &&Rule| {
            rule.service == service
                && rule.plan.as_deref().is_none_or(|named| named == plan)
                && rule.table_id.is_none_or(|named| named == table_id)
                && rule.valid_from <= at
                && rule.valid_to.is_none_or(|end| at < end)
        };
        let exactness = |rule: &&Rule| (rule.table_id.is_some(), rule.plan.is_some(), rule.valid_from);
        self.0.iter().filter(applies).max_by_key(exactness)
    }
}

#[cfg(test)]
impl Prices {
    /// Makes prices with one tariff, which applies to every export.
    pub(crate) fn of_one_rule(per_act: i64, per_started_kb: i64, credit: Credit) -> Prices {
        Prices(vec![Rule {
            plan: None,
            service: Service::Export,
            table_id: None,
            per_act,
            per_started_kb,
            credit,
            valid_from: DateTime::UNIX_EPOCH,
            valid_to: None,
        }])
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
