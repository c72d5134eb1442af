//! Which settings are accepted, and which sentence reports the mistake in each refused setting.

use super::*;

#[test]
fn the_least_settings_are_valid_and_protected() {
    let text = r#"{"host": "mail.example.org", "username": "centre", "password_env": "MAIL_PASSWORD"}"#;
    let settings: MailboxSettings = serde_json::from_str(text).unwrap();
    settings.validate().unwrap();
    assert_eq!((settings.port(), settings.security), (995, Security::Tls));
}

#[test]
fn a_password_in_the_file_is_an_unknown_key() {
    let text = r#"{"host": "mail.example.org", "username": "centre", "password": "secret"}"#;
    let error = serde_json::from_str::<MailboxSettings>(text).unwrap_err().to_string();
    assert!(error.contains("unknown field `password`"), "{error}");
}

#[test]
fn every_mistake_is_named_at_once() {
    let mut settings = MailboxSettings::new("", "a\r\nb");
    settings.port = Some(0);
    settings.window_mails = 0;
    let problems = settings.validate().unwrap_err().problems;
    let keys: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(keys, ["host", "port", "username", "password_file", "window_mails"]);
}

#[test]
fn plain_text_is_for_this_machine_only() {
    let mut settings = RelaySettings::new("relay.example.org");
    settings.security = Security::None;
    assert!(settings.validate().unwrap_err().to_string().contains("relay.example.org is elsewhere"));
    for host in ["localhost", "127.0.0.1", "::1", "[::1]"] {
        settings.host = host.into();
        settings.validate().unwrap();
    }
}

#[test]
fn a_relay_password_needs_a_name_and_a_name_a_password() {
    let mut settings = RelaySettings::new("relay.example.org");
    settings.password_env = Some("X".into());
    assert!(settings.validate().unwrap_err().to_string().starts_with("username"));
    settings.password_env = None;
    settings.username = Some("centre".into());
    assert!(settings.validate().unwrap_err().to_string().starts_with("password_file"));
}

#[test]
fn secrets_come_from_the_first_line_of_a_file_and_print_redacted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cr3t \r\nsecond line\n").unwrap();
    let mut settings = MailboxSettings::new("mail.example.org", "centre");
    settings.password_file = Some(file.path().into());
    let credential = settings.credential().unwrap();
    assert!(matches!(&credential, Credential::Password(_, secret) if secret.expose() == "s3cr3t "));
    assert_eq!(format!("{credential:?}"), r#"Password("centre", Secret(redacted))"#);
    std::fs::write(file.path(), "\n").unwrap();
    assert!(settings.credential().unwrap_err().to_string().contains("is empty"));
}
