//! Faults of letters and of agencies, which the alarms must notice.

use std::time::{Duration, Instant};

use scenarios::town::{CENTRE_ADDRESS, address};
use sdc::refusal::RefusalCode;
use simulation::dice::Dice;
use simulation::forgery;
use simulation::records::Register;

use crate::world::{OFFICE, World};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Number of mails from strangers. Each uses at most [`RUBBISH_BYTES_MAX`] bytes of quarantine. Quarantine stores only so many bytes for
/// each reason of refusal, and these mails nearly use up the bytes for theirs.
const RUBBISH: usize = 130;
const RUBBISH_BYTES_MAX: usize = 640;
/// Number of letters that are refused. Each states a time that is a day in the future, so that the alarm about wrong clocks fires too.
const REFUSED: usize = 30;
/// Number of letters that ask for records and are refused, because the quota of the day is used up.
const OVER_QUOTA: usize = 25;

/// Inserts two agencies, one without a certificate and one whose only certificate ends soon, and for the second everything that waits for
/// an operator: an unexplained flag, locked recharging, a change of profile, an unread message, a locked enrolment code, an open voucher
/// and an approval.
pub const AGENCIES: &str = "
    INSERT INTO xm.agencies (matricule, name, email) VALUES (901, 'a', 'a@example.org'), (902, 'b', 'b@example.org');
    INSERT INTO xm.agency_keys (spki_sha256, agency) VALUES (decode(repeat('90', 32), 'hex'), 902);
    INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
    VALUES (902, decode(repeat('90', 32), 'hex'), 'k', 'i', 's', 'd', decode(repeat('90', 32), 'hex'), 'P-256',
            now() - interval '1 day', now() + interval '5 days');
    INSERT INTO xm.flags (agency, letter_id, table_id, check_code, unjudged, rows, rows_total, flagged_at)
    VALUES (902, gen_random_uuid(), 1, 'votes', false, '[]', 1, now());
    INSERT INTO xm.recharge_tries (agency, wrong, since, locked_until) VALUES (902, 0, now(), now() + interval '1 year');
    INSERT INTO xm.profile_changes (agency, installation, letter_id, change, former, asked_at, state)
    VALUES (902, 'pc1', gen_random_uuid(), '{\"town\": \"x\"}', '{}', now(), 'waiting');
    INSERT INTO xm.messages (agency, id, thread, installation, text, written_at)
    VALUES (902, gen_random_uuid(), gen_random_uuid(), 'pc1', 'x', now());
    INSERT INTO xm.enrolment_codes (agency, is_further, made_by, expires_at, failures, locked_at)
    VALUES (902, true, 'x', now() + interval '1 year', 5, now());
    INSERT INTO xm.voucher_batches (vouchers, amount, expires_at, made_by, written_by, written_at)
    VALUES (1, 500, now() + interval '1 year', 'x', 'x', now());
    INSERT INTO xm.vouchers (mac, batch, number) SELECT decode(repeat('90', 32), 'hex'), max(id), 1 FROM xm.voucher_batches;
    INSERT INTO xm.approvals (operation, parameters, seen, needs_commission, asked_by, asker_is_commission, expires_at)
    SELECT 'agency.recharge', '{}', '{}', false, min(name), false, now() + interval '1 year' FROM xm.users";

/// Returns how many bytes quarantine may store of strangers' containers. The centre divides them into equal shares: one for each reason of
/// refusal, and two for mails in which, beside the stranger's letter, there is one that a registered key has signed. Each share suffices
/// for [`RUBBISH`] mails.
pub fn quarantine_bytes_max() -> usize {
    (RefusalCode::ALL.iter().filter(|code| !code.is_answered()).count() + 2) * RUBBISH * RUBBISH_BYTES_MAX
}

pub fn rubbish(number: usize) -> Vec<u8> {
    format!("From: x@example.org\r\nSubject: offre\r\n\r\nBonjour {number}\r\n").into_bytes()
}

impl World {
    fn deliver(&self, mail: &[u8]) {
        self.dovecot.deliver(CENTRE_ADDRESS, mail).unwrap();
    }

    /// Sends a letter that the centre accepts.
    pub fn write(&mut self) {
        let (_, mail) = self.resident.write().unwrap();
        self.deliver(&mail.render().unwrap());
    }

    /// Sends two letters: one imports the births that the office has sent, the other asks to certify a birth record.
    pub fn read_back(&mut self) {
        let mails = [self.resident.import().unwrap(), self.resident.certify().unwrap()];
        for mail in mails {
            self.deliver(&mail.render().unwrap());
        }
    }

    pub fn wait_until_answered(&mut self) {
        let mut flushed = Instant::now();
        self.wait("every letter is answered and every mail gone", |world| {
            // After a failed delivery the relay keeps a mail for minutes before it tries once more. The test cannot wait so long, and makes
            // it try every ten seconds.
            if flushed.elapsed() > Duration::from_secs(10) {
                flushed = Instant::now();
                world.postfix.flush()?;
            }
            world.resident.read(world.dovecot.mails(&address(OFFICE))?)?;
            Ok(world.resident.is_answered() && world.dovecot.count(CENTRE_ADDRESS) == 0)
        });
    }

    /// Sends everything that must make the alarms about letters fire: refused letters dated a day ahead, imports beyond the quota of the
    /// day, a forged letter, a letter whose answer cannot be delivered, mails of strangers, and a panic of the decoder. Returns when the
    /// undeliverable answer has been given up.
    pub fn receive_what_is_wrong(&mut self) {
        for engine in &mut self.engines {
            engine.tell("panic sdc_decoder::decode 1");
        }
        let office = &mut self.resident.office;
        let births = |scope: &str| Register::new(scope).births(1, &mut Dice::of(9, 9));
        let (_, homeless) = self.homeless.write().unwrap();
        let mut mails = vec![homeless];
        for _ in 0..REFUSED {
            let mut letter = office.compose(births("C8")).unwrap();
            letter.time += DAY;
            let packed = office.seal(&letter).unwrap();
            office.remember(&packed).unwrap();
            self.resident.letters.insert(packed.digest, None);
            mails.push(office.mail(&packed));
        }
        let letter = office.compose(births("C7")).unwrap();
        let impostor = forgery::impersonating(office.identity().certificate()).unwrap();
        mails.push(office.mail_of("forged", &forgery::sealed(office, &letter, &impostor).unwrap()));
        self.run("UPDATE xm.plans SET read_acts_per_day = 0");
        mails.extend((0..OVER_QUOTA).map(|_| self.resident.import().unwrap()));
        for mail in mails {
            self.deliver(&mail.render().unwrap());
        }
        for number in 0..RUBBISH {
            self.deliver(&rubbish(number));
        }
        self.wait("an answer was given up", |world| Ok(world.engines[0].metric("xm_outbox_failed") > 0.0));
    }
}
