//! What letters cost: the tariffs that hold, as judging a letter needs them.

use chrono::{DateTime, Utc};
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Untyped};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::service::{Credit, Service};

use crate::database::fault::Fault;
use crate::database::statement::Statement;

/// What a letter costs and how it may be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Integer minor units.
    pub amount: i64,
    /// What happens without credit.
    pub credit: Credit,
}

/// A tariff's rule for letters.
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

/// The rules of all tariffs that hold now, held until a day ago, or will hold.
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
    /// Reads the rule; `None` for a service that this program does not know. No letter that it accepts asks for that one: a newer
    /// program set it, or somebody mistyped, and `check` tells of it.
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
    /// Reads them.
    ///
    /// # Errors
    /// A fault of the database, or a rule there that this program cannot read.
    pub async fn load(connection: &mut AsyncPgConnection) -> Result<Prices, Fault> {
        let text = "SELECT plan, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to
                      FROM xm.tariffs WHERE valid_to IS NULL OR valid_to > now() - interval '1 day'";
        let rows: Vec<Row> = Statement::<Untyped>::new(text, &[]).load(connection).await?;
        Ok(Prices(rows.into_iter().map(Row::read).filter_map(Result::transpose).collect::<Result<_, _>>()?))
    }

    /// Prices a letter by its acts and by how many units of 1 024 bytes its container begins, and those that it is answered with. All
    /// are known before anything is written.
    ///
    /// Of the tariffs valid at `at`, the one that names plan and table goes before the one that names only the
    /// table, only the plan, or neither. The volume of a letter is priced once, at the dearest of its tables. Any
    /// table whose tariff refuses credit makes the letter refuse credit. No tariff means free, and so does a service that has no
    /// price.
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
    /// Makes one rule that prices every export.
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
