//! One try of each operation, in the centre that the matrix makes.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use sdc::letter::Mode;
use sdc::request::{Period, VoucherCode};
use uuid::Uuid;

use super::of_shop;
use crate::agencies::import::{self, ImportFile};
use crate::agencies::{self, AgencyChange, enrolments, installations, profiles, scopes};
use crate::approvals;
use crate::centre;
use crate::centre::server::{self, Server};
use crate::certificates::{self, CertificateFields};
use crate::error::AdministrationError;
use crate::ledger::{recharges, statement, tariffs, vouchers};
use crate::letters::{answers, flags, held, journal, messages, quarantine, resending};
use crate::people::act::{Act, HeldDecision};
use crate::people::tests::{account, agency, certificate, number, register, tariff, user};
use crate::people::{
    AuditFilter, Inspection, NewUser, Operation, Operator, Privilege, inspection, locks, mapping, resets, users,
};
use crate::plans::{self, PlanEdit};
use crate::settle::tests::vouchers::keys;
use crate::settle::{Settler, SettlingSettings};
use crate::tables;
use crate::testing::TestCluster;

/// Id of the letter of agency 1.
const LETTER: Uuid = Uuid::from_u128(0x7000_8000_0000_0000_0001);

/// Makes what one operation alone must not find: a centre that `init` has not made yet.
pub(super) async fn prepare(connection: &mut AsyncPgConnection, operation: Operation) {
    if operation == Operation::ServerInit {
        connection.batch_execute("DELETE FROM xm.server").await.unwrap();
    }
}

/// Tries an operation. If it needs two people in some cases, `needs_two` says whether this is such a case.
pub(super) async fn attempt(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    operation: Operation,
    needs_two: bool,
) -> Result<(), AdministrationError> {
    let one = number(1);
    match operation {
        Operation::AnswerResend => answers::resend(connection, operator, one, LETTER).await,
        Operation::AnswerRetry => answers::retry(connection, operator, None).await.map(drop),
        Operation::LetterOriginal => journal::original(connection, operator, 1).await.map(drop),
        Operation::QuarantineShow => quarantine::show(connection, operator, 1).await.map(drop),
        Operation::QuarantineDrop => quarantine::drop(connection, operator, 1, "spam").await,
        Operation::QuarantineRetry => quarantine::retry::take_up(connection, operator, 1).await.map(drop),
        Operation::QuarantineSelect => {
            let everything = quarantine::selections::Group::default();
            quarantine::selections::select(connection, operator, &everything).await.map(drop)
        }
        Operation::HeldShow => held::show(connection, operator, 1).await.map(drop),
        Operation::HeldDecide => held::decision::take_up(connection, operator, 1).await.map(drop),
        Operation::CorrectionDecide => {
            let settler = Settler::new(TestCluster::shared().await.database().await, SettlingSettings::default());
            let act = Act::HeldDecide(HeldDecision { held: 1, waived: None, reason: "x".to_owned() });
            held::decision::decide_alone(&settler, connection, operator, &act, crate::testing::centre::nobody())
                .await
                .map(drop)
        }
        Operation::FlagExplain => flags::explain(connection, operator, 1, "counted twice").await,
        Operation::LetterAskAgain => resending::ask(connection, operator, one, None, 1).await.map(drop),
        Operation::StatementSend => {
            let period = Period { from: None, to: None };
            statement::send(connection, operator, one, period).await.map(drop)
        }
        Operation::MessageShow => messages::show(connection, operator, 1).await.map(drop),
        Operation::MessageSend => messages::send(connection, operator, one, None, "x").await.map(drop),
        Operation::MessageBroadcast => {
            messages::broadcast(connection, operator, &messages::Audience::default(), "x").await.map(drop)
        }
        other => of_agencies(connection, operator, other, needs_two).await,
    }
}

/// Tries the operations on agencies, their certificates and their money.
async fn of_agencies(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    operation: Operation,
    needs_two: bool,
) -> Result<(), AdministrationError> {
    let (one, code) = (number(1), |code: &str| [code.to_owned()]);
    match operation {
        Operation::CertificateRegister => register(connection, operator, 2, &certificate(9)).await.map(drop),
        Operation::CertificateReplace if needs_two => {
            register(connection, operator, 1, &certificate(9)).await.map(drop)
        }
        Operation::CertificateReplace => {
            let of_same_key = CertificateFields { fingerprint: vec![8; 32], serial: vec![8], ..certificate(7) };
            register(connection, operator, 1, &of_same_key).await.map(drop)
        }
        Operation::CertificateRevoke => certificates::revoke(connection, operator, "#1", "lost", None).await.map(drop),
        Operation::EnrolmentCode => {
            enrolments::code(connection, operator, number(if needs_two { 1 } else { 2 })).await.map(drop)
        }
        Operation::AgencyAdd => agencies::add(connection, operator, &agency(30)).await.map(drop),
        Operation::AgencyEdit => {
            let change = AgencyChange { cbc_allowed: Some(true), ..AgencyChange::default() };
            agencies::edit(connection, operator, one, &change).await.map(drop)
        }
        Operation::AgencyProfile => {
            let change = AgencyChange { town: Some("Édéa".to_owned()), ..AgencyChange::default() };
            agencies::edit(connection, operator, one, &change).await.map(drop)
        }
        Operation::AgencyImport => {
            let file = ImportFile::parse(b"matricule,name\n30,Bureau\n", 0)?;
            import::run(connection, operator, &file, "", |_| Ok(())).await
        }
        Operation::AgencyStatus if needs_two => {
            let many: Vec<_> = (1..=11).map(number).collect();
            agencies::set_status_of_many(connection, operator, &many, 0).await.map(drop)
        }
        Operation::AgencyStatus => agencies::set_status(connection, operator, one, 0).await,
        Operation::AgencyGrant => scopes::grant(connection, operator, one, "CentreCode", &code("C02")).await.map(drop),
        Operation::AgencyWithdraw => {
            scopes::withdraw(connection, operator, one, "CentreCode", &code("C01")).await.map(drop)
        }
        Operation::InstallationAdd => installations::add(connection, operator, one, "pc1").await,
        Operation::ProfileConfirm => profiles::confirm(connection, operator, 1).await.map(drop),
        Operation::ProfileRefuse => profiles::refuse(connection, operator, 1, "unknown").await.map(drop),
        Operation::AgencyRecharge => {
            let amount = if needs_two { 2_000_000 } else { 1 };
            recharges::recharge(connection, operator, one, amount, "").await.map(drop)
        }
        Operation::RechargeLimit => {
            recharges::set_limit(connection, operator, if needs_two { 5_000_000 } else { 1 }).await
        }
        Operation::VoucherBatch => {
            let end = chrono::Utc::now() + chrono::Duration::days(1);
            vouchers::make(connection, operator, 1, 1, end).await.map(drop)
        }
        Operation::VoucherWrite => {
            let keep = |_: &vouchers::Batch, _: &[VoucherCode]| Ok(());
            vouchers::write(connection, operator, &keys(), 1, keep).await
        }
        Operation::VoucherRevoke => vouchers::revoke(connection, operator, 2, None, "lost").await.map(drop),
        Operation::VoucherUnlock => vouchers::unlock(connection, operator, one, "explained").await,
        other => of_centre(connection, operator, other, needs_two).await,
    }
}

/// Tries the operations on tables, prices, people and the centre itself.
async fn of_centre(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    operation: Operation,
    needs_two: bool,
) -> Result<(), AdministrationError> {
    let whom = |of_weight: &'static str, other: &'static str| if needs_two { of_weight } else { other };
    match operation {
        Operation::TableAdopt => tables::adopt(connection, operator, &of_shop("Thing")).await.map(drop),
        Operation::TableAbandon => tables::abandon(connection, operator, "shop.Gone").await.map(drop),
        Operation::RecordShow => {
            let key = ["PR26", "B1"].map(str::to_owned);
            tables::records::show(connection, operator, "election.BureauVote", &key).await.map(drop)
        }
        Operation::TableLoad => {
            let file = tables::load::LoadFile::parse(b"ElectionCode,CandidatCode,Nom,Ordre\nPR26,C1,A,1\n")?;
            let act = tables::load::act(connection, operator, "election.CandidatElection", &file).await?;
            Err(AdministrationError::ApprovalNeeded(Box::new(act)))
        }
        Operation::PlanEdit => {
            let edit = PlanEdit { read_acts_per_day: Some(Some(1)), ..PlanEdit::default() };
            plans::edit(connection, operator, "standard", &edit).await.map(drop)
        }
        Operation::TariffSet => {
            let of_account = tariffs::NewTariff { service: "import".to_owned(), ..tariff() };
            tariffs::set(connection, operator, &of_account).await.map(drop)
        }
        Operation::TariffCancel => tariffs::cancel(connection, operator, 1).await.map(drop),
        Operation::ServerInit => {
            server::initialise(connection, operator, &Server::new("centre", Mode::Test)).await.map(drop)
        }
        Operation::CentreKeys => centre::keys::record(connection, operator, &[]).await,
        Operation::UserAdd => {
            let privilege = if needs_two { Privilege::ChefDAgence } else { Privilege::Operateur };
            let new = NewUser { account: None, ..user("zoe", privilege) };
            users::add(connection, operator, &new).await.map(drop)
        }
        Operation::UserPrivilege if needs_two => {
            users::set_privilege(connection, operator, "clerk", Privilege::Superviseur).await
        }
        Operation::UserPrivilege => users::set_privilege(connection, operator, "chief", Privilege::Operateur).await,
        Operation::UserCommission => {
            users::set_commission(connection, operator, whom("clerk", "member"), needs_two).await
        }
        Operation::UserMap => {
            mapping::map(connection, operator, whom("chief", "clerk"), account("zoe").account()).await
        }
        Operation::UserUnmap => mapping::unmap(connection, operator, whom("mbome", "clerk")).await.map(drop),
        Operation::UserLock => locks::lock(connection, operator, whom("mbome", "clerk"), "has left").await,
        Operation::UserUnlock => locks::unlock(connection, operator, whom("locked", "clerk")).await,
        Operation::UserPassword => resets::reset_password(connection, operator, whom("chief", "clerk")).await.map(drop),
        Operation::ApprovalConfirm => approvals::confirm(connection, operator, 1).await.map(drop),
        Operation::AuditShow => Inspection::begin(connection, operator, AuditFilter::default()).await.map(drop),
        Operation::AuditVerify => inspection::verify(connection, operator, None).await.map(drop),
        Operation::AuditExport => inspection::Export::begin(connection, operator, 0).await.map(drop),
        other => unreachable!("nobody tries {other:?}"),
    }
}
