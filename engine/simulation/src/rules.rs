//! The rules of a simulated centre: who decides on corrections, what agencies may read under their plans, and what services cost.
//!
//! The sample tables are adopted again with rules under which every service can be used in one night. They are not the rules of a real
//! registry, in which nobody may change an act.

use diesel_async::AsyncPgConnection;
use store::error::AdministrationError;
use store::ledger::tariffs;
use store::people::Operator;
use store::plans::{self, PlanEdit, RightEdit};
use store::samples;
use store::tables;
use store::tables::definition::Corrections;
use store::tables::rights::{CertifyGives, Whose};
use store::testing::fixture;

/// The name of the installation that each agency has.
pub const INSTALLATION: &str = "pc-1";
/// The credit that a voucher gives, in minor units of money.
pub const VOUCHER: i64 = 5_000;

/// The plan of agencies that may read other agencies' registers.
pub const PREFECTURE: &str = "prefecture";
/// The plan of all other agencies.
const STANDARD: &str = "standard";

/// The table of births. Nobody may correct its records; every agency may have papers compared with all of them.
pub const BIRTHS: &str = "ecr.ActeNaissance";
/// The table of deaths. Agencies may correct their records without an operator.
pub const DEATHS: &str = "ecr.ActeDeces";
/// The table of marriages. An operator must approve corrections, and no agency may read it.
pub const MARRIAGES: &str = "ecr.ActeMariage";

/// One price: the plan (none for all plans), the service, the table, the price of one act in minor units of money, and what happens where
/// credit is missing.
type Tariff = (Option<&'static str>, &'static str, &'static str, i64, &'static str);

/// The services and tables that have a price; all others are free.
const TARIFFS: [Tariff; 9] = [
    (None, "export", BIRTHS, 100, "owe"),
    (None, "export", DEATHS, 100, "owe"),
    (None, "export", MARRIAGES, 500, "refuse"),
    (None, "export", "election.ResultatBureau", 100, "owe"),
    (None, "correct", DEATHS, 50, "owe"),
    (None, "correct", MARRIAGES, 70, "owe"),
    (None, "certify", BIRTHS, 20, "refuse"),
    (None, "import", BIRTHS, 10, "refuse"),
    // The number of other agencies' records that a read gives depends on timing. Such reads are free, so that a demo with the same seed
    // always costs the same.
    (Some(PREFECTURE), "import", BIRTHS, 0, "refuse"),
];

/// Returns the price of one act, in minor units of money, for an agency with this plan that uses the service with the table.
pub fn price(plan: &str, service: &str, table: &str) -> i64 {
    let of = |plan: Option<&str>| {
        TARIFFS.iter().find(|tariff| (tariff.0, tariff.1, tariff.2) == (plan, service, table)).map(|tariff| tariff.3)
    };
    of(Some(plan)).or_else(|| of(None)).unwrap_or_default()
}

/// Sets corrections, plans and prices at a new centre, into which the sample tables were restored before.
///
/// # Errors
/// The database cannot be reached.
pub async fn set(connection: &mut AsyncPgConnection, operator: &Operator) -> Result<(), AdministrationError> {
    let mut file = samples::definitions("ecr")?;
    for table in &mut file.tables {
        table.corrections = match table.name.as_str() {
            "ActeDeces" => Corrections::ByAgency,
            "ActeMariage" => Corrections::AfterApproval,
            _ => Corrections::Never,
        };
    }
    tables::adopt(connection, operator, &file).await?;
    let create = PlanEdit { create: Some("looks into other registers".to_owned()), ..PlanEdit::default() };
    plans::edit(connection, operator, PREFECTURE, &create).await?;
    for (plan, right) in rights() {
        let edit = PlanEdit { right: Some(right), ..PlanEdit::default() };
        plans::edit(connection, operator, plan, &edit).await?;
    }
    for (plan, service, table, per_act, credit) in TARIFFS {
        let mut tariff = fixture::tariff(Some(table), per_act, credit);
        (tariff.service, tariff.plan) = (service.to_owned(), plan.map(str::to_owned));
        tariffs::set(connection, operator, &tariff).await?;
    }
    Ok(())
}

/// Returns for each plan and table what agencies may read and have compared.
fn rights() -> Vec<(&'static str, RightEdit)> {
    let right = |table: &str, may_read, may_certify, certify_gives| RightEdit {
        table: table.to_owned(),
        may_export: Some(true),
        may_read: Some(may_read),
        may_certify: Some(may_certify),
        certify_gives: Some(certify_gives),
    };
    let none = |table| right(table, Whose::None, Whose::None, CertifyGives::Verdict);
    let mut rights = vec![
        (STANDARD, right(BIRTHS, Whose::Own, Whose::All, CertifyGives::Verdict)),
        (PREFECTURE, right(BIRTHS, Whose::All, Whose::All, CertifyGives::Record)),
    ];
    for plan in [STANDARD, PREFECTURE] {
        rights.push((plan, right(DEATHS, Whose::Own, Whose::Own, CertifyGives::Verdict)));
        rights.push((plan, none(MARRIAGES)));
    }
    rights.extend(["election.ResultatBureau", "election.VoixCandidat"].map(|table| (PREFECTURE, none(table))));
    rights
}
