//! Checks the database login that reads records for agencies: whether it exists, can sign in, and has no right beyond reading its views.

use diesel_async::AsyncPgConnection;
use store::database::Database;
use store::database::fault::Fault;
use store::reading::login;

use super::findings::{Findings, Verdict};

/// Checks the role `xm_reader`, and tries to sign in with `login`, which `xmserver run` uses for reading.
pub async fn reading(
    connection: &mut AsyncPgConnection,
    login: Option<Database>,
    findings: &mut Findings,
) -> Result<(), Fault> {
    if !login::is_prepared(connection).await? {
        let text = "there is no login xm_reader, so import and certify are not offered: OPERATIONS.md, Reading, says what to make";
        findings.add(Verdict::Warn, "reading", text);
        return Ok(());
    }
    match login {
        None => {
            let text = "the login xm_reader is there and is not named, so import and certify are not offered: \
                        set database.reader_url_file";
            findings.add(Verdict::Warn, "reading", text);
        }
        Some(login) => {
            if let Err(fault) = login.connect_alone().await {
                findings.add(Verdict::Fail, "reading", format!("the login xm_reader cannot sign in: {fault}"));
            }
        }
    }
    let excess = login::excess(connection).await?;
    let problems = excess
        .into_iter()
        .map(|what| {
            format!(
                "the login xm_reader may more than read its views: {what}; OPERATIONS.md, Reading, says how to take it"
            )
        })
        .collect();
    findings.judge("reading", Verdict::Warn, problems, "the login xm_reader may read its views, and nothing else");
    Ok(())
}
