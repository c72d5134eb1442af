//! The columns that a file of agencies may have, and their names in English and French.

/// A column of a file of agencies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Number of the agency.
    Matricule,
    /// Name of the agency.
    Name,
    /// Town of the agency.
    Town,
    /// Areas of the agency, from the largest to the smallest, separated by `/`.
    Area,
    /// Telephone of the agency.
    Telephone,
    /// E-mail address for answers by mail.
    Email,
    /// Name of the plan.
    Plan,
    /// Status, 0 to 3.
    Status,
    /// Credit limit, in the main unit of the currency.
    CreditLimit,
    /// Size of the largest container that the agency may send, in bytes.
    LetterLimit,
    /// Whether the agency may use AES-256-CBC: yes or no.
    Cbc,
    /// Balance with which the account of a new agency is opened, in the main unit of the currency.
    Balance,
    /// Names of installations, separated by `|`.
    Installation,
    /// Certificates, each as PEM or as the base64 of its DER, separated by blanks.
    Certificate,
    /// SHA-256 fingerprints of the certificates, in their order, separated by blanks.
    Fingerprint,
    /// Codes of a scope column that are granted to the agency, separated by `|`. The column is called `scope:CentreCode`.
    Scope(String),
}

/// Columns with their names. The first name of each is the one that an export writes.
pub const NAMED: [(Column, &[&str]); 15] = [
    (Column::Matricule, &["matricule"]),
    (Column::Name, &["name", "nom"]),
    (Column::Town, &["town", "ville"]),
    (Column::Area, &["area", "zone"]),
    (Column::Telephone, &["telephone", "téléphone"]),
    (Column::Email, &["email", "e-mail", "courriel"]),
    (Column::Plan, &["plan"]),
    (Column::Status, &["status", "statut"]),
    (Column::CreditLimit, &["credit_limit", "limite_credit"]),
    (Column::LetterLimit, &["letter_limit", "limite_lettre"]),
    (Column::Cbc, &["cbc"]),
    (Column::Balance, &["balance", "solde"]),
    (Column::Installation, &["installation"]),
    (Column::Certificate, &["certificate", "certificat"]),
    (Column::Fingerprint, &["fingerprint", "empreinte"]),
];
/// Beginning of the name of a column with codes of a scope column.
pub const SCOPE: &str = "scope:";
/// What separates names of installations, and codes, in a cell.
pub const SEPARATOR: char = '|';
/// A cell that empties what the agency has: town, area, telephone or e-mail. An empty cell leaves it as it is.
pub const EMPTIES: &str = "-";

impl Column {
    /// Finds a column by its name, of which case does not matter.
    pub fn named(name: &str) -> Option<Column> {
        let small = name.to_lowercase();
        if let Some(scope) = name.get(..SCOPE.len()).filter(|start| start.eq_ignore_ascii_case(SCOPE)) {
            let column = name[scope.len()..].trim();
            return (!column.is_empty()).then(|| Column::Scope(column.to_owned()));
        }
        NAMED.iter().find(|(_, names)| names.contains(&small.as_str())).map(|(column, _)| column.clone())
    }

    /// Returns the name that an export writes.
    pub fn name(&self) -> &'static str {
        let named = NAMED.iter().find(|(column, _)| column == self);
        named.and_then(|(_, names)| names.first()).copied().unwrap_or("scope")
    }
}

/// Returns the names that a file may have.
pub fn known() -> Vec<&'static str> {
    NAMED.iter().filter_map(|(_, names)| names.first()).copied().chain(["scope:COLUMN"]).collect()
}
