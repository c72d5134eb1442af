//! Profiles in the settling transaction: reads the agencies' own data, and changes it as letters request. Some changes are made
//! immediately, others wait for an operator.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::sql_types::{Bool, Integer, Jsonb, Nullable, SmallInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::answer::profile::Profile;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::ProfileChange;
use serde_json::{Value, json};

use super::batch::{Case, order_of_effect};
use super::decision::Decision;
use super::effect::{Effect, ProfileEffect, ProfileStep};
use super::work::Work;
use crate::centre::addresses::FREE_AFTER_DAYS;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Lowest status of agencies whose changes wait for an operator (SPEC 4, Services).
const STATUS_WAITS: i16 = 3;

/// The profiles of the agencies whose letters read or change them.
#[derive(Debug, Default)]
pub struct Profiles {
    held: HashMap<Matricule, Held>,
    /// Addresses in letters of the batch that belong to the centre itself, spelled as in the letters.
    of_centre: HashSet<String>,
}

#[derive(Clone, Debug)]
struct Held {
    profile: Profile,
    waits: bool,
}

/// One round of decisions on profiles. It contains the profiles with the changes by the letters that are decided so far.
pub struct Changing<'a> {
    held: &'a Profiles,
    now: HashMap<Matricule, Held>,
}

impl<'a> Changing<'a> {
    pub fn new(held: &'a Profiles) -> Changing<'a> {
        Changing { held, now: HashMap::new() }
    }

    /// Returns the profile, with the change that the letter requests, if any.
    ///
    /// # Errors
    /// `profile_invalid` if the new address is one of the centre's own, because answers sent to it would come back as letters.
    pub fn change(&mut self, agency: Matricule, set: Option<&ProfileChange>) -> Result<ProfileEffect, Refusal> {
        let now = self.now.entry(agency).or_insert_with(|| self.held.of(agency));
        let Some(set) = set else {
            return Ok(ProfileEffect { told: now.profile.clone(), step: ProfileStep::Told });
        };
        if set.email.as_ref().is_some_and(|email| self.held.of_centre.contains(email)) {
            return Err(Refusal::new(RefusalCode::ProfileInvalid).with("path", "body.set.email"));
        }
        if now.waits {
            // A waiting change is kept unless the letter overrides it. A member that the letter sets to its present value is removed from
            // the waiting change.
            let waiting = now.profile.waiting.take().unwrap_or_default();
            let change = now.profile.differing(&waiting.clone().then(set));
            let former = now.profile.clone().make(&change);
            now.profile.waiting = Some(change.clone()).filter(|change| !change.is_empty());
            let step = if change == waiting { ProfileStep::Told } else { ProfileStep::Waits { change, former } };
            return Ok(ProfileEffect { told: now.profile.clone(), step });
        }
        let change = now.profile.differing(set);
        let step = if change.is_empty() {
            ProfileStep::Told
        } else {
            let former = now.profile.make(&change);
            ProfileStep::Made { change, former }
        };
        Ok(ProfileEffect { told: now.profile.clone(), step })
    }
}

impl Profiles {
    fn of(&self, agency: Matricule) -> Held {
        // Every agency has a row, so this default is never used. If it were, the change would find no row to write to, and the letter would
        // fail with a fault.
        self.held.get(&agency).cloned().unwrap_or_else(|| Held { profile: Profile::new("", "", "", ""), waits: true })
    }

    /// Reads the profiles that the letters of a batch read or change, while the agencies are locked.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(connection: &AsyncPgConnection, batch: &[Case]) -> Result<Profiles, Fault> {
        let asking = || {
            batch.iter().filter_map(|case| match case.judged.work()? {
                Work::Profile(set) => Some((case.agency()?, set.as_deref())),
                _ => None,
            })
        };
        let agencies: BTreeSet<Matricule> = asking().map(|(agency, _)| agency).collect();
        if agencies.is_empty() {
            return Ok(Profiles::default());
        }
        let addresses: Vec<&str> = asking().filter_map(|(_, set)| set?.email.as_deref()).collect();
        Ok(Profiles {
            held: read_held(connection, &agencies).await?,
            of_centre: of_centre(connection, &addresses).await?,
        })
    }

    /// Writes the changes of the accepted letters of a decided batch, in the order of effect.
    ///
    /// # Errors
    /// A fault.
    pub async fn write(&self, connection: &AsyncPgConnection, batch: &[Case]) -> Result<(), Fault> {
        if self.held.is_empty() {
            return Ok(());
        }
        for place in order_of_effect(batch) {
            let case = &batch[place];
            let Some(Effect::Profile(ProfileEffect { step, .. })) = case.acceptance().map(|one| &one.effect) else {
                continue;
            };
            match step {
                ProfileStep::Told => {}
                ProfileStep::Made { change, former } => {
                    change_agency(connection, case, change).await?;
                    keep(connection, case, "made", change, former).await?;
                }
                ProfileStep::Waits { change, former } => {
                    replace_waiting(connection, case).await?;
                    if !change.is_empty() {
                        keep(connection, case, "waiting", change, former).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

async fn read_held(
    mut connection: &AsyncPgConnection,
    agencies: &BTreeSet<Matricule>,
) -> Result<HashMap<Matricule, Held>, Fault> {
    type Row = (Integer, Text, Text, Text, Text, SmallInt, Nullable<Jsonb>);
    type Loaded = (Matricule, String, String, String, String, i16, Option<Value>);
    let text = "SELECT a.matricule, a.name, a.town, a.telephone, a.email, a.status, c.change
                  FROM xm.agencies a LEFT JOIN xm.profile_changes c ON c.agency = a.matricule AND c.state = 'waiting'
                 WHERE a.matricule = ANY(?)";
    let binds = [Bind::Matricules(agencies.iter().copied().map(Some).collect())];
    let rows: Vec<Loaded> = Statement::<Row>::new(text, &binds).load(&mut connection).await?;
    let held = |(agency, name, town, telephone, email, status, waiting): Loaded| {
        let waiting = waiting.map(read_change).transpose()?;
        let profile = Profile { waiting, ..Profile::new(&name, &town, &telephone, &email) };
        Ok((agency, Held { profile, waits: status >= STATUS_WAITS }))
    };
    rows.into_iter().map(held).collect()
}

fn read_change(change: Value) -> Result<ProfileChange, Fault> {
    serde_json::from_value(change).map_err(|_other_form| Fault::Unreadable {
        what: "the change",
        subject: "a change in xm.profile_changes".to_owned(),
        expected: "expected name, town, telephone and email, or some of them",
    })
}

/// Returns those of the given addresses that belong to the centre itself.
async fn of_centre(mut connection: &AsyncPgConnection, addresses: &[&str]) -> Result<HashSet<String>, Fault> {
    if addresses.is_empty() {
        return Ok(HashSet::new());
    }
    let text = "SELECT n.address, EXISTS (SELECT FROM xm.centre_addresses c WHERE c.address = lower(n.address)
                                             AND c.seen_at > now() - make_interval(days => ?))
                  FROM unnest(?) AS n (address)";
    let binds = [Bind::Integer(FREE_AFTER_DAYS), Bind::Texts(addresses.iter().copied().map(Some).collect())];
    let rows: Vec<(String, bool)> = Statement::<(Text, Bool)>::new(text, &binds).load(&mut connection).await?;
    Ok(rows.into_iter().filter(|(_, is_own)| *is_own).map(|(address, _)| address).collect())
}

async fn change_agency(mut connection: &AsyncPgConnection, case: &Case, change: &ProfileChange) -> Result<(), Fault> {
    let text = "UPDATE xm.agencies a
                   SET name = coalesce(n.name, a.name), town = coalesce(n.town, a.town),
                       telephone = coalesce(n.telephone, a.telephone), email = coalesce(n.email, a.email)
                  FROM unnest(?, ?, ?, ?, ?) AS n (agency, name, town, telephone, email) WHERE a.matricule = n.agency";
    let binds = [
        Bind::Matricules(vec![case.agency()]),
        Bind::Texts(vec![change.name.as_deref()]),
        Bind::Texts(vec![change.town.as_deref()]),
        Bind::Texts(vec![change.telephone.as_deref()]),
        Bind::Texts(vec![change.email.as_deref()]),
    ];
    match Statement::<()>::new(text, &binds).execute(&mut connection).await? {
        1 => Ok(()),
        _ => Err(Fault::Bug("an agency under lock was not there to be changed".to_owned())),
    }
}

async fn replace_waiting(mut connection: &AsyncPgConnection, case: &Case) -> Result<(), Fault> {
    let text = "UPDATE xm.profile_changes SET state = 'replaced' WHERE agency = ANY(?) AND state = 'waiting'";
    Statement::<()>::new(text, &[Bind::Matricules(vec![case.agency()])]).execute(&mut connection).await?;
    Ok(())
}

async fn keep(
    mut connection: &AsyncPgConnection,
    case: &Case,
    state: &str,
    change: &ProfileChange,
    former: &ProfileChange,
) -> Result<(), Fault> {
    let Decision::Accepted { key, .. } = &case.decision else { return Ok(()) };
    // The answer informs the office of a change that is made immediately, so `told_at` is set at once. A changed address must also be
    // reported to the former address, so `told_at` stays empty for it.
    let text = "INSERT INTO xm.profile_changes (state, agency, installation, letter_id, asked_at, change, former, former_email, told_at)
                SELECT n.state, n.agency, n.installation, n.letter_id, n.asked_at, n.change, n.former, n.former_email,
                       CASE WHEN n.state = 'made' AND n.former_email IS NULL THEN now() END
                  FROM unnest(?, ?, ?, ?, ?, ?, ?, ?)
                       AS n (state, agency, installation, letter_id, asked_at, change, former, former_email)";
    let (change, former_members) = (json!(change), json!(former));
    let former_email = former.email.as_deref().filter(|email| state == "made" && !email.is_empty());
    let binds = [
        Bind::Texts(vec![Some(state)]),
        Bind::Matricules(vec![case.agency()]),
        Bind::Texts(vec![Some(key.installation.as_str())]),
        Bind::Uuids(vec![Some(key.letter_id)]),
        Bind::Timestamptzs(vec![Some(case.arrival.received_at)]),
        Bind::Jsonbs(vec![Some(&change)]),
        Bind::Jsonbs(vec![Some(&former_members)]),
        Bind::Texts(vec![former_email]),
    ];
    Statement::<()>::new(text, &binds).execute(&mut connection).await?;
    Ok(())
}
