//! Property tests of how the centre decides letters. The properties hold for any letters, in any batches and in any order, however often
//! each letter is delivered.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use proptest::collection::vec;
use proptest::prelude::*;
use rcgen::{CertificateParams, IsCa, KeyPair};
use sdc::cms::ContentCipher;
use sdc::digest::Digest;
use sdc::keys::RegisteredCertificate;
use sdc::payload::{PayloadForm, Unreadable};
use sdc::refusal::{Refusal, RefusalCode};
use sdc::service::Credit;
use uuid::Builder;

use crate::certificates::signers::Signer;
use crate::database::fault::Fault;
use crate::settle::account::Account;
use crate::settle::arrival::{Arrival, Content, Outcome};
use crate::settle::batch::{Batch, Case, order_of_effect};
use crate::settle::decide::{Knowledge, decide};
use crate::settle::decision::Decision;
use crate::settle::judge::{Judged, Key};
use crate::settle::standing::Standing;
use crate::settle::work::Work;
use crate::tables::catalogue::Catalogue;
use crate::tables::definition::{Corrections, Definition};
use crate::tables::examine::{Flags, TableRows};
use crate::testing::fixture::arrival;

const AGENCIES: [u32; 2] = [42, 43];
const PER_ACT: i64 = 150;
const PER_STARTED_KB: i64 = 10;

/// The fields of a letter that deciding looks at. Two values with equal fields stand for one letter that is delivered twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sent {
    agency: u32,
    installation: &'static str,
    sequence: i64,
    id: u8,
    content: u8,
}

impl Sent {
    fn digest(&self) -> Digest {
        Digest::of(format!("{self:?}").as_bytes())
    }

    fn key(&self) -> Key {
        let letter_id = Builder::from_unix_timestamp_millis(u64::from(self.id), &[0; 10]).into_uuid();
        Key::new(letter_id, self.installation, self.sequence.unsigned_abs())
    }

    /// Returns the letter's price if it is accepted, in minor units.
    fn price(&self) -> i64 {
        i64::from(self.content) * PER_ACT + PER_STARTED_KB
    }

    fn arrival(&self) -> Arrival {
        let unreadable = Unreadable { refusal: Refusal::new(RefusalCode::PayloadMalformed), key: None };
        let (digest, cipher, form) = (self.digest(), ContentCipher::Aes256Gcm, PayloadForm::Json);
        let content = Content::Signed { signer: signer(self.agency), digest, cipher, form, letter: Err(unreadable) };
        Arrival { rendered_bytes: 900, ..arrival(Vec::new(), content) }
    }

    /// Judges the letter by its content. Content 0 is refused. Content 1 is refused and cannot use its own number. Any other content is the
    /// number of rows that the letter brings.
    fn judged(&self) -> Judged {
        let refusal = Refusal::new(RefusalCode::RowsInvalid);
        match self.content {
            0 => Judged::Refused { key: self.key(), refusal },
            1 => Judged::Refused { key: Key::of_digest(&self.digest(), self.installation), refusal },
            rows => Judged::Sound {
                key: self.key(),
                work: Work::Records(Arc::new([TableRows {
                    definition: Arc::clone(&DEFINITION),
                    columns: Vec::new(),
                    values: Vec::new(),
                    numeros: (0..i64::from(rows)).collect(),
                    flags: Flags::default(),
                }])),
            },
        }
    }
}

static DEFINITION: LazyLock<Arc<Definition>> = LazyLock::new(|| {
    Arc::new(Definition {
        table_id: 1,
        application: "registry".to_owned(),
        name: "Births".to_owned(),
        schema_name: "registry".to_owned(),
        relation_name: "births".to_owned(),
        version: 1,
        scope_column: None,
        legal_key: Vec::new(),
        corrections: Corrections::Never,
        results: false,
        notes: None,
        checks: Vec::new(),
        columns: Vec::new(),
    })
});

fn signer(agency: u32) -> Arc<Signer> {
    static CERTIFICATE: LazyLock<RegisteredCertificate> = LazyLock::new(|| {
        let mut parameters = CertificateParams::new(vec![]).unwrap();
        parameters.is_ca = IsCa::ExplicitNoCa;
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        RegisteredCertificate::from_der(certificate.der()).unwrap()
    });
    Arc::new(Signer {
        certificate_id: 1,
        certificate: CERTIFICATE.clone(),
        revoked_at: None,
        validity: vec![CERTIFICATE.validity()],
        has_every_validity: true,
        matricule: agency.try_into().unwrap(),
        revision: 1,
        status: 3,
        plan: "standard".to_owned(),
        letter_bytes_max: 1 << 20,
        cbc_allowed: false,
        installations: vec!["pc1".to_owned(), "pc2".to_owned()],
        scopes: HashMap::new(),
    })
}

/// A verdict with everything that its receipt contains.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Duplicate(Key),
    Accepted { key: Key, price: i64, balance: i64, highest: i64 },
    Refused { key: Key, code: RefusalCode, balance: i64, highest: i64 },
}

impl Verdict {
    fn of(decision: &Decision) -> Verdict {
        match decision {
            Decision::Stranger(refusal) => panic!("every letter here has a signer: {refusal}"),
            Decision::Deferred => panic!("no table is withheld here"),
            Decision::Held { .. } => panic!("no table has a check here"),
            Decision::Duplicate(key) => Verdict::Duplicate(key.clone()),
            Decision::Accepted { key, acceptance, account, highest_sequence } => Verdict::Accepted {
                key: key.clone(),
                price: acceptance.price.amount,
                balance: account.balance,
                highest: *highest_sequence,
            },
            Decision::Refused { key, refusal, account, highest_sequence, .. } => Verdict::Refused {
                key: key.clone(),
                code: refusal.code,
                balance: account.balance,
                highest: *highest_sequence,
            },
        }
    }

    /// Returns the key that a new verdict uses; `None` for a duplicate.
    fn new_key(&self) -> Option<&Key> {
        match self {
            Verdict::Duplicate(_) => None,
            Verdict::Accepted { key, .. } | Verdict::Refused { key, .. } => Some(key),
        }
    }
}

/// The terms of the agencies: credit policy, balance and credit limit in minor units.
#[derive(Clone, Copy, Debug)]
struct Terms {
    credit: Credit,
    balance: i64,
    credit_limit: i64,
}

/// A centre without a database. It consists of the standing and the catalogue, by which letters are decided.
struct Centre {
    standing: Standing,
    catalogue: Catalogue,
}

impl Centre {
    fn new(Terms { credit, balance, credit_limit }: Terms) -> Centre {
        let account = |agency: u32| {
            (agency.try_into().unwrap(), Account { id: i32::try_from(agency).unwrap(), balance, credit_limit })
        };
        Centre {
            standing: Standing::of_accounts(AGENCIES.map(account)),
            catalogue: Catalogue::of_one_tariff(PER_ACT, PER_STARTED_KB, credit),
        }
    }

    fn settle(&mut self, sent: &[Sent]) -> Vec<Verdict> {
        let mut batch = batch(sent);
        let decisions = decide(&batch, &self.standing, &self.catalogue, &Knowledge::default());
        let mut places: Vec<usize> = decisions.iter().map(|(place, _)| *place).collect();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..batch.len()), "one decision for each letter");
        batch.take_decisions(decisions);
        self.standing.commit(&batch);
        batch.iter().map(|case| Verdict::of(&case.decision)).collect()
    }

    fn balances(&self) -> [i64; 2] {
        AGENCIES.map(|agency| self.standing.account(agency.try_into().unwrap()).unwrap().balance)
    }
}

fn batch(sent: &[Sent]) -> Batch {
    let cases: Vec<Case> = sent.iter().map(|sent| Case::new(sent.arrival(), sent.judged())).collect();
    Batch::from(cases)
}

fn in_order_of_effect(sent: &[Sent]) -> Vec<Sent> {
    order_of_effect(&batch(sent)).into_iter().map(|at| sent[at].clone()).collect()
}

#[test]
fn a_batch_takes_as_many_keys_of_the_journal_as_it_has_letters() {
    let letter = |sequence| Sent { agency: 42, installation: "pc1", sequence, id: 1, content: 2 };
    let mut batch = batch(&[letter(1), letter(2)]);
    for journal_ids in [vec![], vec![7], vec![7, 8, 9]] {
        assert!(matches!(batch.number(journal_ids), Err(Fault::Bug(_))));
        assert!(batch.iter().all(|case| case.journal_id.is_none()), "no letter has another's line");
    }
    batch.number(vec![8, 7]).unwrap();
    assert_eq!(batch.iter().map(|case| case.journal_id).collect::<Vec<_>>(), [Some(8), Some(7)]);
}

#[test]
fn a_letter_that_is_not_decided_on_is_deferred() {
    let sent = [Sent { agency: 42, installation: "pc1", sequence: 1, id: 1, content: 2 }];
    let centre = Centre::new(Terms { credit: Credit::Owe, balance: 0, credit_limit: 0 });
    let mut batch = batch(&sent);
    assert_eq!(batch[0].outcome(), Outcome::Deferred);
    batch.take_decisions(decide(&batch, &centre.standing, &centre.catalogue, &Knowledge::default()));
    assert_eq!(batch[0].outcome(), Outcome::Accepted);
    batch.take_decisions(Vec::new());
    assert_eq!(batch[0].outcome(), Outcome::Deferred, "what was decided before is not left");
}

/// Removes letters that use the same id or number as another letter with other content. Repeated deliveries of the same letter are kept.
fn without_contest(sent: Vec<Sent>) -> Vec<Sent> {
    let (mut ids, mut numbers) = (HashMap::new(), HashMap::new());
    let is_first = |letter: &Sent| {
        let id = ids.entry((letter.agency, letter.id)).or_insert_with(|| letter.clone());
        let number =
            numbers.entry((letter.agency, letter.installation, letter.sequence)).or_insert_with(|| letter.clone());
        id == letter && number == letter
    };
    sent.into_iter().filter(is_first).collect()
}

fn post() -> impl Strategy<Value = Vec<Sent>> {
    let agency = prop::sample::select(AGENCIES.to_vec());
    let installation = prop::sample::select(vec!["pc1", "pc2"]);
    let sent = (agency, installation, 1..8_i64, 0..12_u8, 0..5_u8);
    let sent = sent.prop_map(|(agency, installation, sequence, id, content)| Sent {
        agency,
        installation,
        sequence,
        id,
        content,
    });
    // Up to five deliveries repeat a letter of the list.
    (vec(sent, 1..16), vec(any::<prop::sample::Index>(), 0..6)).prop_map(|(mut sent, again)| {
        let copies: Vec<Sent> = again.into_iter().map(|at| sent[at.index(sent.len())].clone()).collect();
        sent.extend(copies);
        sent
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let credit = prop_oneof![Just(Credit::Owe), Just(Credit::Refuse)];
    (credit, 0..1500_i64, 0..300_i64).prop_map(|(credit, balance, credit_limit)| Terms {
        credit,
        balance,
        credit_limit,
    })
}

/// Returns the verdicts by letter, without duplicates. Balance and highest number are left out, because they depend on the order of
/// arrival.
fn by_letter(sent: &[Sent], verdicts: &[Verdict]) -> HashMap<Digest, (Key, Option<RefusalCode>)> {
    let outcome = |verdict: &Verdict| match verdict {
        Verdict::Duplicate(_) => None,
        Verdict::Accepted { key, .. } => Some((key.clone(), None)),
        Verdict::Refused { key, code, .. } => Some((key.clone(), Some(*code))),
    };
    sent.iter().zip(verdicts).filter_map(|(sent, verdict)| Some((sent.digest(), outcome(verdict)?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_letter_has_one_verdict_and_no_number_is_used_twice(sent in post(), terms in terms()) {
        let mut centre = Centre::new(terms);
        let verdicts = centre.settle(&sent);
        prop_assert_eq!(verdicts.len(), sent.len());
        let letters: HashSet<(u32, Digest)> = sent.iter().map(|sent| (sent.agency, sent.digest())).collect();
        let new: Vec<(u32, &Key)> =
            sent.iter().zip(&verdicts).filter_map(|(sent, verdict)| Some((sent.agency, verdict.new_key()?))).collect();
        prop_assert_eq!(new.len(), letters.len(), "one verdict for each letter, the others are duplicates");
        let ids: HashSet<_> = new.iter().map(|(agency, key)| (agency, key.letter_id)).collect();
        prop_assert_eq!(ids.len(), new.len(), "no id twice");
        let numbered: Vec<_> = new.iter().filter(|(_, key)| key.sequence.is_some()).collect();
        let numbers: HashSet<_> = numbered.iter().map(|(agency, key)| (agency, &key.installation, key.sequence)).collect();
        prop_assert_eq!(numbers.len(), numbered.len(), "no number twice");
        for verdict in centre.settle(&sent) {
            prop_assert!(matches!(verdict, Verdict::Duplicate(_)), "delivered again, nothing changes: {:?}", verdict);
        }
    }

    #[test]
    fn letters_of_an_installation_take_effect_by_number(sent in post(), terms in terms()) {
        let verdicts = Centre::new(terms).settle(&sent);
        let mut installations: HashMap<(u32, &str), Vec<(i64, i64)>> = HashMap::new();
        let mut balances: HashMap<u32, Vec<(i64, i64)>> = HashMap::new();
        for (sent, verdict) in sent.iter().zip(&verdicts) {
            if let Verdict::Accepted { key, price, balance, highest } = verdict {
                let place = installations.entry((sent.agency, sent.installation)).or_default();
                place.push((key.sequence.unwrap(), *highest));
                balances.entry(sent.agency).or_default().push((*balance, *price));
                prop_assert!(*highest >= sent.sequence, "a receipt counts its own letter");
                prop_assert_eq!(*price, sent.price());
            }
            if let Verdict::Refused { code: RefusalCode::InsufficientCredit, balance, .. } = verdict {
                let is_short = balance - sent.price() < -terms.credit_limit;
                prop_assert!(terms.credit == Credit::Refuse && is_short, "refused though the account bears it");
            }
        }
        for (_, mut letters) in installations {
            letters.sort_unstable();
            prop_assert!(letters.is_sorted_by_key(|(_, highest)| *highest), "the highest number rises with the number");
        }
        for (_, mut charged) in balances {
            charged.sort_unstable_by(|a, b| b.cmp(a));
            let mut balance = terms.balance;
            for (after, price) in charged {
                balance -= price;
                prop_assert_eq!(after, balance, "each receipt tells the balance after its own charge");
                prop_assert!(terms.credit == Credit::Owe || after >= -terms.credit_limit, "no credit beyond the limit");
            }
        }
    }

    #[test]
    fn a_batch_cut_in_two_gives_the_same_verdicts(sent in post(), terms in terms(), at in any::<prop::sample::Index>()) {
        let sent = in_order_of_effect(&sent);
        let (mut whole, mut cut) = (Centre::new(terms), Centre::new(terms));
        let (first, second) = sent.split_at(at.index(sent.len() + 1));
        let verdicts = [cut.settle(first), cut.settle(second)].concat();
        prop_assert_eq!(whole.settle(&sent), verdicts);
        prop_assert_eq!(whole.balances(), cut.balances());
    }

    #[test]
    fn the_order_of_arrival_changes_no_verdict(
        (sent, shuffled) in post().prop_map(without_contest).prop_flat_map(|sent| (Just(sent.clone()), Just(sent).prop_shuffle())),
        at in any::<prop::sample::Index>(),
        terms in terms().prop_map(|terms| Terms { credit: Credit::Owe, ..terms }),
    ) {
        let (mut whole, mut cut) = (Centre::new(terms), Centre::new(terms));
        let expected = by_letter(&sent, &whole.settle(&sent));
        let (first, second) = shuffled.split_at(at.index(shuffled.len() + 1));
        let verdicts = [cut.settle(first), cut.settle(second)].concat();
        prop_assert_eq!(by_letter(&shuffled, &verdicts), expected);
        prop_assert_eq!(whole.balances(), cut.balances());
    }
}
