//! What `check` finds of the login that reads for agencies: whether it is there, and what it may beside reading.

use diesel_async::AsyncPgConnection;
use store::database::fault::Fault;
use store::reading::login;

use super::findings::{Findings, Verdict};

/// Looks at the login.
pub async fn reading(connection: &mut AsyncPgConnection, findings: &mut Findings) -> Result<(), Fault> {
    if !login::is_prepared(connection).await? {
        let text = "there is no login xm_reader, so import and certify are not offered: OPERATIONS.md, Reading, says what to make";
        findings.add(Verdict::Warn, "reading", text);
        return Ok(());
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
