//! Tests of what the program advises where something prevents a trial of the centre.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::centre::{Centre, INIT};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_or_missing_is_told_with_what_to_do() {
    let centre = Centre::on_a_database_of_its_own().await;
    centre.done(&INIT);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let configuration = centre.done(&["sample", "configuration", "--trial", &port, "2525"]);
    std::fs::write(centre.data_folder().join("xmserver.toml"), configuration).unwrap();
    let refused = centre.refused(&["sample", "post"]);
    assert!(refused.contains(&format!("port {port} of 127.0.0.1: Address already in use")), "{refused}");
    assert!(
        refused.contains("; end the program that has this port, perhaps another `xmserver sample post`"),
        "{refused}"
    );
    let french = centre.refused(&["--lang", "fr", "sample", "post"]);
    assert!(french.contains("adresse déjà utilisée") && french.contains("mettez fin au programme"), "{french}");

    centre.done(&["sample", "restore", "ecr"]);
    centre.done(&["agency", "add", "--name", "Mairie", "--email", "mairie@example.org", "--matricule", "42"]);
    centre.done(&["agency", "grant", "42", "CentreCode", "C01"]);
    let folder = centre.place.path().to_str().unwrap();
    let refused = centre.refused(&["sample", "office", "42", folder]);
    assert_eq!(refused, format!("xmserver: {folder} is there already: name a folder that is not there yet\n"));

    let password = centre.data_folder().join("mailbox-password");
    let file = password.display();
    let told = centre.say(&["check"]).out;
    let how = format!("password_file: there is no file {file}: make it by `(umask 077; cat > {file})`");
    assert!(told.contains(&how), "{told}");
    std::fs::write(&password, "trial\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = centre.say(&["check"]).out;
    assert!(told.contains(&format!("{file} has mode 644: run chmod 600 {file}")), "{told}");
    // A password file may be readable by a group: `check` accepts mode 640.
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o640)).unwrap();
    let told = centre.say(&["check"]).out;
    assert!(told.contains("1 file, closed to others"), "{told}");
}
