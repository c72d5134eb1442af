//! Tests of lists: pages of every order put together are the whole list, conditions select what they say, and a hundred thousand agencies
//! are found by indexes.

use std::time::Instant;

use crate::agencies;
use crate::agencies::NewAgency;
use crate::database::Connection;
use crate::database::statement::Statement;
use crate::testing::centre::*;

use super::*;

const ORDERS: [AgencyOrder; 14] = [
    AgencyOrder::Matricule,
    AgencyOrder::Name,
    AgencyOrder::Town,
    AgencyOrder::Area,
    AgencyOrder::Telephone,
    AgencyOrder::Email,
    AgencyOrder::Plan,
    AgencyOrder::Status,
    AgencyOrder::Balance,
    AgencyOrder::CreditLimit,
    AgencyOrder::LetterLimit,
    AgencyOrder::Added,
    AgencyOrder::Heard,
    AgencyOrder::CertificateEnd,
];

async fn numbers(connection: &mut Connection, filter: &AgencyFilter, page: AgencyPage) -> Vec<u32> {
    let found = list(connection, filter, &page).await.unwrap();
    found.into_iter().map(|listed| listed.agency.matricule.into()).collect()
}

/// Writes agencies with the matricules from 10 on, directly into the tables. Many of them share a name, a town and an area.
async fn with_many(connection: &mut Connection, agencies: u32) {
    let text = format!(
        "INSERT INTO xm.agencies (matricule, name, town, area, email, status)
         SELECT m, 'Mairie de Ville ' || m % 5000, 'Ville ' || m % 1000, 'Region ' || m % 10 || '/Departement ' || m % 60,
                CASE WHEN m % 10 > 0 THEN 'office' || m || '@example.cm' ELSE '' END, m % 4
           FROM generate_series(10, 9 + {agencies}) m;
         INSERT INTO xm.accounts (kind, agency, balance) SELECT 'agency', m, m % 700 - 30 FROM generate_series(10, 9 + {agencies}) m;
         INSERT INTO xm.installations (agency, name, heard_at)
         SELECT m, 'main', CASE WHEN m % 3 > 0 THEN now() - make_interval(mins => m) END FROM generate_series(10, 9 + {agencies}) m;
         INSERT INTO xm.agency_keys (spki_sha256, agency)
         SELECT sha256((m || ' ' || k)::bytea), m FROM generate_series(10, 9 + {agencies}) m, generate_series(1, 3) k;
         INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
         SELECT agency, spki_sha256, spki_sha256, '', spki_sha256, spki_sha256, spki_sha256, 'P-256', now(),
                now() + make_interval(days => agency % 800)
           FROM xm.agency_keys"
    );
    run(connection, &text).await;
    run(connection, "ANALYZE").await;
}

#[tokio::test]
async fn pages_of_every_order_put_together_are_the_whole_list() {
    let (_database, mut connection) = centre().await;
    with_many(&mut connection, 40).await;
    run(&mut connection, "UPDATE xm.agencies SET name = 'Édéa', town = '', area = '' WHERE matricule % 7 = 0").await;
    for (order, is_descending) in ORDERS.into_iter().flat_map(|order| [(order, false), (order, true)]) {
        let whole = AgencyPage { order, is_descending, ..AgencyPage::default() };
        let all = numbers(&mut connection, &AgencyFilter::default(), whole).await;
        assert_eq!(all.len(), 42, "{order:?}");
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = AgencyPage { after, limit: Some(5), ..whole };
            let some = numbers(&mut connection, &AgencyFilter::default(), page).await;
            let Some(last) = some.last() else { break };
            after = Some(number(*last));
            paged.extend(some);
        }
        assert_eq!(paged, all, "{order:?}, descending: {is_descending}");
    }
    let page = AgencyPage { order: AgencyOrder::Name, after: Some(number(999)), ..AgencyPage::default() };
    let unknown = list(&mut connection, &AgencyFilter::default(), &page).await.unwrap_err();
    assert!(matches!(unknown, AdministrationError::AgencyUnknown(agency) if agency == number(999)), "{unknown}");
}

#[tokio::test]
async fn a_list_has_the_order_that_is_asked_for() {
    let (_database, mut connection) = centre().await;
    for (matricule, name, area) in
        [(10, "Zoétélé", "Sud"), (11, "Édéa", "Littoral/Sanaga"), (12, "ebolowa", "Littoral")]
    {
        let new = NewAgency { name: name.into(), area: area.into(), ..agency(matricule) };
        agencies::add(&mut connection, &OPERATOR, &new).await.unwrap();
    }
    run(&mut connection, "UPDATE xm.accounts SET balance = -agency WHERE agency > 10").await;
    let mut sorted = async |order, is_descending| {
        let page = AgencyPage { order, is_descending, ..AgencyPage::default() };
        numbers(&mut connection, &AgencyFilter::default(), page).await
    };
    assert_eq!(sorted(AgencyOrder::Name, false).await, [1, 2, 12, 11, 10]);
    assert_eq!(sorted(AgencyOrder::Area, false).await, [1, 2, 12, 11, 10]);
    assert_eq!(sorted(AgencyOrder::Balance, false).await, [12, 11, 1, 2, 10]);
    assert_eq!(sorted(AgencyOrder::Balance, true).await, [10, 2, 1, 11, 12]);
}

#[tokio::test]
async fn conditions_select_what_they_say() {
    let (_database, mut connection) = centre().await;
    for (matricule, town, area) in
        [(10, "Édéa", "Littoral/Sanaga"), (11, "EDEA", "Littoral"), (12, "Loum", "Littoral Nord")]
    {
        let new = NewAgency { town: town.into(), area: area.into(), telephone: "+237 699".into(), ..agency(matricule) };
        agencies::add(&mut connection, &OPERATOR, &new).await.unwrap();
    }
    run(
        &mut connection,
        "INSERT INTO xm.installations (agency, name, heard_at) VALUES (10, 'main', now());
         UPDATE xm.accounts SET balance = -1 WHERE agency = 12;
         INSERT INTO xm.agency_keys (spki_sha256, agency) VALUES (sha256('k'), 11);
         INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
         VALUES (11, sha256('k'), '', '', '', '', sha256('c'), 'P-256', now() - interval '1 day', now() + interval '9 days')",
    )
    .await;
    let mut found = async |filter: AgencyFilter| {
        let numbers = numbers(&mut connection, &filter, AgencyPage::default()).await;
        assert_eq!(count(&mut connection, &filter).await.unwrap(), i64::try_from(numbers.len()).unwrap(), "{filter:?}");
        numbers
    };
    let all = AgencyFilter::default;
    assert_eq!(found(AgencyFilter { town: Some("edéa".into()), ..all() }).await, [10, 11]);
    assert_eq!(found(AgencyFilter { area: Some("LITTORAL".into()), ..all() }).await, [10, 11]);
    assert_eq!(found(AgencyFilter { area: Some("Littoral/sanaga".into()), ..all() }).await, [10]);
    assert_eq!(found(AgencyFilter { text: Some("237 699".into()), ..all() }).await, [10, 11, 12]);
    assert_eq!(found(AgencyFilter { text: Some("toral n".into()), ..all() }).await, [12]);
    assert_eq!(
        found(AgencyFilter { matricules: Some(vec![number(2), number(12), number(99)]), ..all() }).await,
        [2, 12]
    );
    assert_eq!(found(AgencyFilter { matricules: Some(Vec::new()), ..all() }).await, [] as [u32; 0]);
    assert_eq!(found(AgencyFilter { in_debt: true, ..all() }).await, [12]);
    assert_eq!(found(AgencyFilter { without_certificate: true, ..all() }).await, [1, 2, 10, 12]);
    assert_eq!(found(AgencyFilter { never_heard: true, status: Some(3), ..all() }).await, [1, 2, 11, 12]);
    let filter = AgencyFilter { text: Some("000010".into()), ..all() };
    let listed = list(&mut connection, &filter, &AgencyPage::default()).await.unwrap().remove(0);
    assert!(listed.heard_at.is_some() && listed.certificate_ends.is_none(), "{listed:?}");
}

/// Returns PostgreSQL's plan for a list.
async fn plan(connection: &mut Connection, filter: &AgencyFilter, page: &AgencyPage) -> String {
    let (text, binds) = statement(filter, page);
    let lines: Vec<String> =
        Statement::<Text>::of_columns(&format!("EXPLAIN {text}"), &binds).load(connection).await.unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn lists_and_searches_follow_indexes() {
    let (_database, mut connection) = centre().await;
    with_many(&mut connection, 20_000).await;
    let has_trigrams = value(&mut connection, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'").await == 1;
    let all = AgencyFilter::default;
    let by = |order| AgencyPage { order, ..AgencyPage::default() };
    let after = |order| AgencyPage { after: Some(number(5000)), is_descending: true, ..by(order) };
    let mut cases = vec![
        (all(), by(AgencyOrder::Matricule), "agencies_pkey"),
        (all(), after(AgencyOrder::Matricule), "agencies_pkey"),
        (all(), by(AgencyOrder::Name), "agencies_by_name"),
        (all(), after(AgencyOrder::Name), "agencies_by_name"),
        (all(), by(AgencyOrder::Town), "agencies_by_town"),
        (all(), after(AgencyOrder::Area), "agencies_by_area"),
        (AgencyFilter { town: Some("Ville 17".into()), ..all() }, by(AgencyOrder::Matricule), "agencies_by_town"),
        (
            AgencyFilter { area: Some("Region 7/Departement 7".into()), ..all() },
            by(AgencyOrder::Matricule),
            "agencies_by_area",
        ),
    ];
    // A server without the extension searches by reading all agencies.
    if has_trigrams {
        cases.push((
            AgencyFilter { text: Some("office7001".into()), ..all() },
            by(AgencyOrder::Name),
            "agencies_searched",
        ));
    }
    for (filter, page, index) in cases {
        let plan = plan(&mut connection, &filter, &page).await;
        assert!(plan.contains(index), "{filter:?} {page:?} does not use {index}:\n{plan}");
        assert!(!plan.contains("Seq Scan on agencies"), "{filter:?} {page:?} reads all agencies:\n{plan}");
    }
}

/// Measures lists of a hundred thousand agencies with three certificates each, and prints the figures:
/// `cargo test --release --package store -- --ignored --nocapture a_hundred_thousand_agencies_are_listed`
#[tokio::test]
#[ignore = "it measures, and judges nothing"]
async fn a_hundred_thousand_agencies_are_listed() {
    let (_database, mut connection) = centre().await;
    with_many(&mut connection, 100_000).await;
    let mut measure = async |what: String, filter: AgencyFilter, page: AgencyPage| {
        let mut milliseconds = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            list(&mut connection, &filter, &page).await.unwrap();
            milliseconds.push(begun.elapsed().as_millis());
        }
        milliseconds.sort_unstable();
        println!("{what}: {milliseconds:?} ms");
    };
    for order in ORDERS {
        let page = AgencyPage { order, ..AgencyPage::default() };
        measure(format!("{order:?}"), AgencyFilter::default(), page).await;
        let page = AgencyPage { after: Some(number(50_000)), is_descending: true, ..page };
        measure(format!("{order:?} from the middle, descending"), AgencyFilter::default(), page).await;
    }
    for text in ["office70001", "ville", "no such text", "zz"] {
        let filter = AgencyFilter { text: Some(text.into()), ..AgencyFilter::default() };
        measure(format!("text {text:?}"), filter, AgencyPage::default()).await;
    }
    let without = AgencyFilter { without_certificate: true, in_debt: true, ..AgencyFilter::default() };
    measure("without certificate and in debt".into(), without, AgencyPage::default()).await;
}
