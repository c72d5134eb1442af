//! Requests for the services other than `export` (which takes records): in a burst, the letters of some agencies use these services in
//! turn.

use agency::identity::{Algorithm, Identity};
use anyhow::Result;
use sdc::letter::Matricule;
use sdc::request::{
    Certified, Correction, CorrectionAction, Corrections, Enrol, EnrolmentCode, Import, Message, Period,
    ProfileRequest, Recharge, RecordName, Renew, Request, VoucherCode,
};
use sdc::service::Service;
use serde_json::json;
use simulation::office::Office;

/// The services in the order in which letters use them.
pub const ASKED: [Service; 9] = [
    Service::Account,
    Service::Certify,
    Service::Import,
    Service::Correct,
    Service::Message,
    Service::Profile,
    Service::Recharge,
    Service::Renew,
    Service::Enrol,
];

/// A request to the centre, with its expected outcome and its number of answers.
pub struct Asked {
    /// The request that the letter makes.
    pub request: Request,
    /// The expected outcome: `accepted`, or the code of a refusal.
    pub outcome: &'static str,
    /// Number of mails that answer the request: one receipt, and the parts of the records read for it.
    pub answers: u64,
}

/// Makes an agency's request to `service`. The agency has not yet sent the result of its polling station `bureau`, and the expected outcome
/// takes that into account.
///
/// # Errors
/// A key cannot be made.
pub fn ask(service: Service, office: &Office, election: &str, bureau: &str) -> Result<Asked> {
    let number = office.matricule();
    let certificate = |identity: &Identity| identity.certificate().der().to_vec();
    let (request, outcome) = match service {
        Service::Account | Service::Export => (Request::Account(Period { from: None, to: None }), "accepted"),
        Service::Certify => (Request::Certify(papers(number)), "accepted"),
        Service::Import => {
            let select = format!("SELECT * FROM election.CandidatElection WHERE ElectionCode = '{election}'");
            (Request::Import(Import::Select { select, estimate: false }), "accepted")
        }
        Service::Correct => (Request::Correct(correction(election, bureau)), "record_unknown"),
        Service::Message => {
            let text = "Le matériel est arrivé.".to_owned();
            (Request::Message(Message { thread: None, text }), "accepted")
        }
        Service::Profile => (Request::Profile(ProfileRequest { set: None }), "accepted"),
        Service::Recharge => {
            let code = VoucherCode::with_check_digit("401288888888188");
            (Request::Recharge(Recharge { code }), "voucher_invalid")
        }
        Service::Renew => {
            let next = Identity::generate("next", Algorithm::P256)?;
            (Request::Renew(Renew { certificate: certificate(&next) }), "renewal_early")
        }
        Service::Enrol => {
            let (code, certificate) = (EnrolmentCode::typed("0000"), certificate(office.identity()));
            (Request::Enrol(Enrol { code, certificate }), "accepted")
        }
    };
    let answers = if service.facts().needs_reader() { 2 } else { 1 };
    Ok(Asked { request, outcome, answers })
}

fn papers(number: Matricule) -> Certified {
    Certified {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        key: ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec(),
        keys: vec![vec![json!(format!("C{number}")); 3], vec![json!(2026); 3], vec![json!(1), json!(2), json!(3)]],
        columns: Vec::new(),
        values: Vec::new(),
    }
}

fn correction(election: &str, bureau: &str) -> Corrections {
    let key = [("ElectionCode", json!(election)), ("BureauCode", json!(bureau))];
    let correction = Correction {
        table: "ResultatBureau".to_owned(),
        record: RecordName::Key { key: key.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() },
        action: CorrectionAction::Replace,
        columns: vec!["President".to_owned()],
        values: vec![json!("ABENA")],
        reason: "erreur de plume".to_owned(),
        reference: "PV 1".to_owned(),
    };
    Corrections { application: "election".to_owned(), corrections: vec![correction] }
}
