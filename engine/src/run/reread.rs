//! What is read again at SIGHUP: the certificates that listeners show, and the log's filter. Passwords need no signal, because they are
//! read for each sign-in. All else holds from the next start.

use std::sync::Arc;

use mail::intake::tls::Certificate;

use crate::configuration::{Configuration, Sources};
use crate::logging;

/// A certificate, under the name of the intake that shows it.
pub(super) type Named = (String, Arc<Certificate>);

/// Reads certificates and configuration again, and logs what came of it. What cannot be read stays as it was, so a mistake in a file never
/// ends a running centre.
pub(super) fn reread(configuration: &Configuration, certificates: &[Named]) {
    for (intake, certificate) in certificates {
        match certificate.read() {
            Ok(()) => tracing::info!(intake, "the certificate was read again"),
            Err(problem) => tracing::error!(intake, problem, "the certificate stays as it was"),
        }
    }
    let data_folder = Some(configuration.server.data_folder.clone());
    match Configuration::load(&Sources { file: configuration.file.clone(), data_folder }) {
        Ok(read) => exchange(&read.server.log_level),
        Err(error) => tracing::error!(%error, "the configuration stays as it was"),
    }
}

fn exchange(log_level: &str) {
    match logging::filter(log_level) {
        Ok(()) => tracing::info!(
            log_level,
            "the configuration was read again: its log_level holds now, whatever else has changed from the next start"
        ),
        Err(error) => tracing::error!(%error, "the log's filter stays as it was"),
    }
}
