//! Tests that connections to a database over a network are encrypted, and that the server's certificate is verified.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cluster::{Port, testing};
use diesel_async::RunQueryDsl;

use super::super::{Database, DatabaseSettings};

/// Makes a certificate for localhost with its key; returns the paths of both files.
fn certificate_for_localhost(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    (certificate, key)
}

#[tokio::test]
async fn tls_to_the_database_is_verified_and_never_given_up() {
    let mut cluster = testing::own().await;
    cluster.stop().await;
    let data = testing::data_folder(&cluster);
    let (certificate, key) = certificate_for_localhost(&data, "server");
    let (stranger, _) = certificate_for_localhost(&data, "stranger");
    let port = Port::hold().unwrap();
    let reach = async |ca_file: &Path| {
        let mut settings = DatabaseSettings::new(format!("{}?sslmode=require", testing::url_on_network(port.number())));
        settings.ca_file = Some(ca_file.to_path_buf());
        let mut connection = Database::new(settings).unwrap().get().await.map_err(|fault| fault.to_string())?;
        #[derive(diesel::QueryableByName)]
        struct Encrypted {
            #[diesel(sql_type = diesel::sql_types::Bool)]
            ssl: bool,
        }
        let row: Encrypted = diesel::sql_query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .get_result(&mut connection)
            .await
            .unwrap();
        Ok::<bool, String>(row.ssl)
    };

    testing::restart_on_network(&mut cluster, port.number(), Some((&certificate, &key))).await;
    assert_eq!(reach(&certificate).await, Ok(true));
    let error = reach(&stranger).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    cluster.stop().await;
    testing::restart_on_network(&mut cluster, port.number(), None).await;
    let error = reach(&certificate).await.unwrap_err();
    assert!(error.contains("TLS"), "{error}");
    cluster.stop().await;
}
