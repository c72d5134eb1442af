# Headings of columns and names of facts

heading-id = id
heading-agency = agency
heading-matricule = matricule
heading-status = status
heading-balance = balance
heading-name = name
heading-town = town
heading-email = email
heading-telephone = telephone
heading-plan = plan
heading-credit-limit = credit limit
heading-letter-limit = letter limit
heading-cbc-allowed = CBC allowed
heading-added = added
heading-installations = installations
heading-scopes = scopes
heading-queued = queued
heading-attempts = attempts
heading-next = next
heading-address = address
heading-the-relay-said = the relay said
heading-algorithm = algorithm
heading-valid-to = valid to
heading-revoked = revoked
heading-sha-256-fingerprint = sha-256 fingerprint
heading-received = received
heading-sequence = sequence
heading-rows = rows
heading-flags = flags
heading-cost = cost
heading-outcome = outcome
heading-sender-domain = sender domain
heading-bytes = bytes
heading-state = state
heading-reason = reason
heading-letter-id = letter id
heading-installation = installation
heading-verdict = verdict
heading-table = table
heading-relation = relation
heading-version = version
heading-scope = scope
heading-legal-key = legal key
heading-corrections = corrections
heading-column = column
heading-type = type
heading-remarks = remarks
heading-service = service
heading-per-act = per act
heading-acts-per-day = acts per day
heading-bytes-per-day = bytes per day
heading-description = description
heading-per-started-kb = per started KB
heading-credit = credit
heading-from = from
heading-to = to
heading-payload-sha-256 = payload SHA-256
heading-attempt = attempt
heading-transport = transport
heading-mailbox = mailbox
heading-container = container
heading-clock-skew = clock skew
heading-journal-lines = journal lines
heading-detail = detail
heading-waits-for-a-decision = waits for a decision
heading-claimed-agency = claimed agency
heading-claimed-signer = claimed signer
heading-signer = signer
heading-sender = sender
heading-subject = subject
heading-container-sha-256 = container SHA-256
heading-original = original
heading-held-version = held version
heading-issuer = issuer
heading-key = key
heading-valid = valid
heading-sha-256 = SHA-256
heading-warning = WARNING
heading-letter = letter
heading-payload = payload
heading-journal = journal
heading-quarantine = quarantine
heading-receipt = receipt
heading-answer = answer
heading-entry = entry
heading-check = check
heading-trigger = trigger
heading-differs = differs
heading-server = server
heading-data-folder = data folder
heading-database = database
heading-keys = keys
heading-first-user = first user
heading-privilege = privilege
heading-commission = commission
heading-accounts = accounts
heading-asked = asked
heading-by = by
heading-decided-by = decided by
heading-what = what
heading-action = action
heading-time = time
heading-amount = amount
heading-note = note
heading-vouchers = vouchers
heading-ends = ends
heading-redeemed = redeemed
heading-made-by = made by
heading-entries = entries
heading-held = held
heading-oldest = oldest
heading-undecided = undecided
heading-filter = filter
heading-written = written
heading-locked-until = locked until
heading-text = text
heading-wrong = wrong
heading-election = election
heading-station = station
heading-stations = stations
heading-registered = registered
heading-candidate = candidate
heading-votes = votes
heading-area = area
heading-agencies = agencies
heading-active = active
heading-in-debt = in debt
heading-have-written = have written
heading-silent = silent
heading-code-open = code open
heading-code-ended = code ended
heading-enrolled = enrolled
heading-rhythm = rhythm
heading-last-letter = last letter
heading-certificate = certificate
heading-host = host
heading-settings = settings
heading-since = since
heading-leases = leases

# Small words

sentence-and-cause = { $sentence }: { $cause }
cert-holder-label = subject
init-next-label = next
word-yes = yes
word-no = no
word-true = true
word-false = false
ask-agree = { $question } Type yes or oui:
claimed = { $value } (claimed, not proven)
list-more = { $shown } of { $all }; more: { $option }, or --all
list-more-than = { $shown } of more than { $all }; more: { $option }, or --all

# Status of an agency

status-0 = suspended
status-1 = some services
status-2 = all but export, correct and import
status-3 = all services

# agency

agency-status = agency { $agency } has status { $status } ({ $word })
agency-statuses-shown = { $count ->
    [one] { $count } agency is
   *[other] { $count } agencies are
} to have status { $status } ({ $word })
agency-statuses-ask = Set it?
agency-statuses = { $count ->
    [one] { $count } agency has
   *[other] { $count } agencies have
} status { $status } ({ $word }) now, { $unchanged } had it already
kit-written = the kit of agency { $agency } is in { $file }
kit-without-mail = it has no mail: the agency has no e-mail address, or [kit] names no mail servers
kit-next = next: xmserver enrolment code { $agency } --sheet FILE.pdf makes the code, which goes to the office by another way than the kit
enrolment-sheet = the code of agency { $agency }, good until { $time }, is printed in { $file } and nowhere else
sheet-title = Enrolment of agency { $agency }
sheet-code = The code of this agency:
sheet-ends = It can be used once, until { $time }.
sheet-steps =
    On the computer of the agency, where its kit is: xmagency init FILE.kit, then type the code where it is asked for. The kit goes to the agency by another way than this sheet.
sheet-fingerprints = Before it trusts the kit, the computer shows the fingerprint of the centre's certificate. Compare it with this one, digit by digit:
sheet-secret = Whoever has this code can come as the agency. Keep the sheet until the agency is enrolled, then destroy it.
sheet-telephone = Questions, or a lost sheet: telephone { $telephone }
area-none = (none)
rhythm-days = { $days } days
rhythm-unknown = not known yet
silent-none = every agency was heard within its rhythm
import-opening = balance brought forward
import-added = line { $line }: agency { $agency } is added
import-changed = line { $line }: agency { $agency } is changed: { $columns }
import-same = line { $line }: agency { $agency } is as the row says
import-refused = line { $line }: agency { $agency } is left out: { $reason }
import-balance-kept = { $sentence } (its balance stays: an import gives one to new agencies only)
import-would = read as { $encoding }; { $added } would be added, { $changed } changed, { $same } stay as they are, { $refused } left out
import-done = read as { $encoding }; { $added } added, { $changed } changed, { $same } as they were, { $refused } left out
agency-installed = installation { $name } of agency { $agency } added
agency-recharged = agency { $agency } credited with { $amount }; balance { $balance }
agency-granted = { $count ->
    [one] { $count } code of { $column }
   *[other] { $count } codes of { $column }
} granted to agency { $agency }, { $unchanged } as before
agency-withdrawn = { $count ->
    [one] { $count } code of { $column }
   *[other] { $count } codes of { $column }
} withdrawn from agency { $agency }, { $unchanged } as before
agency-added = agency { $agency } added, installation { $installations }
agency-added-next = next: xmserver cert register { $agency } CERTIFICATE; xmserver agency grant { $agency } COLUMN CODE …
agency-unchanged = agency { $agency } is as it was
agency-changed = agency { $agency } changed
agency-change = { $name }: { $before } → { $after }
agency-retry-next = next: xmserver answer retry --agency { $agency } sends what waits to the new address
statement-of = account of agency { $agency }, from { $from } to { $to }
statement-newest = the newest { $entries } of { $total ->
    [one] { $total } entry
   *[other] { $total } entries
}
statement-opening = balance before: { $balance }
statement-empty = no entry
statement-closing = balance after: { $balance }; credit limit { $limit }
entry-letter = letter
entry-recharge = recharge
entry-voucher = voucher
entry-manual = bill
entry-reversal = reversal
agency-none = no agency
agency-none-such = no such agency
agency-installation = { $name } (highest sequence { $sequence })
agency-no-email = none
agency-credit-limit = { $amount } (for services that are not owed)
agency-bytes = { $bytes } bytes

# answer, letter

answer-none = no answer waits
answer-none-such = no such answer waits
answer-sent-now = { $count ->
    [one] { $count } answer is sent now
   *[other] { $count } answers are sent now
}
answer-unproven = nobody is answered whose signature is not proven
answer-subject = letter { $letter } of agency { $agency }
answer-resent = the receipt of letter { $letter } goes to agency { $agency } again
answer-given-up = given up
answer-folder = the transfer folder
answer-http = the office, which collects it over HTTPS
answer-no-address = no address
answer-sent = sent { $time }
answer-not-sent = none waits, and none was sent
answer-waiting = queued { $queued } for { $address }, { $attempts ->
    [one] { $attempts } attempt
   *[other] { $attempts } attempts
}, { $next }
answer-waiting-said = queued { $queued } for { $address }, { $attempts ->
    [one] { $attempts } attempt
   *[other] { $attempts } attempts
}, { $next }; the relay said: { $reason }
answer-next-given-up = given up: `xmserver answer resend` sends it after all
answer-next-attempt = next attempt { $time }
letter-stranger = of a sender whom nobody vouches for: its content was not read
letter-agency = { $agency }, installation { $installation }
letter-sequence = { $sequence }, attempt { $attempt }
letter-journal = line { $line }: { $outcome } by { $transport } { $mailbox }, from { $domain }, { $bytes ->
    [one] { $bytes } byte
   *[other] { $bytes } bytes
}, { $time }
letter-quarantine = entry { $entry }: { $reason }, { $state }; container SHA-256 { $digest }
letter-quarantine-claimed = entry { $entry }: { $reason }, { $state }, agency { $agency } (claimed, not proven); container SHA-256 { $digest }
letter-unreadable = cannot be read by this program
outcome-accepted = accepted
outcome-duplicate = duplicate
outcome-held = held
taken-dropped = dropped
taken-decided = decided before
taken-incomplete = not kept whole
taken-gone = not there any more
taken-not-opened = not opened: the entry itself says why
taken-deferred = its table takes no rows now
taken-accepted-before = accepted before
transport-mail = mail
transport-folder = folder
transport-http = over HTTPS
letter-entry = { $entry } of kind { $kind }: { $amount }, balance after it { $balance }, { $time }
letter-none = no letter
letter-none-such = no such letter in the journal

# cert

cert-file-holds = the file holds { $count } certificates:
cert-ask-which = Which one is that of agency { $agency } itself? Type its number:
cert-ask-register = Register it all the same?
cert-ask-told = Did agency { $agency } tell you this fingerprint over another channel?
cert-ask-revoke = Revoke this key, at once and for good?
cert-registered = certificate of agency { $agency } registered: { $algorithm }, valid from { $from } to { $to }
cert-itself = itself
cert-valid = from { $from } to { $to }
cert-key = { $algorithm }, with { $count } of its certificates
cert-revoked = certificate { $name } is revoked
cert-sends-another = it has another key with a valid certificate, and can send with it
cert-sends-no-more = it cannot send any more, until a certificate of another key is registered for it
cert-has-another = The agency has another key with a valid certificate, and can send with it.
cert-only-one = this is its only one: it cannot send any more
cert-no-letters = no letter of the agency since then
cert-none = no certificate
cert-none-such = no such certificate

# journal, quarantine

journal-kept = kept
journal-in-quarantine = in quarantine as entry { $entry }
journal-not-kept = not kept any more
journal-container = { $bytes ->
    [one] { $bytes } byte
   *[other] { $bytes } bytes
}, { $kept }
quarantine-dropped = quarantine entry { $entry } dropped
quarantine-original = { $bytes ->
    [one] { $bytes } byte
   *[other] { $bytes } bytes
}, { $kept } kept
quarantine-state-open = open
quarantine-state-held = held
quarantine-state-dropped = dropped
quarantine-state-retried = retried
quarantine-empty = the quarantine is empty
quarantine-none-such = no entry of the quarantine is such a one
quarantine-none-such-hint = no entry of the quarantine is such a one; --with-decided lists those that were decided, too
quarantine-accepted = letter { $letter } is accepted by attempt { $attempt }; its office is told
quarantine-refused-again = letter { $letter } is refused by attempt { $attempt } too, { $refusal }; its office is told
quarantine-held = letter { $letter } is held by attempt { $attempt }, by { $checks }; its office is told
quarantine-no-attempt = no attempt is made, { $refusal }
quarantine-no-certificate = no certificate of this key is registered; `xmserver quarantine show { $entry }` says how one is
quarantine-stranger = What to do: if an agency confirms the certificate as its own, `xmserver cert register MATRICULE FILE`, then `xmserver quarantine retry { $entry } --reason …`. The key id of a certificate: `openssl x509 -in FILE -noout -ext subjectKeyIdentifier`.
quarantine-stranger-of = What to do: if agency { $agency } confirms the certificate, `xmserver cert register { $again } FILE`, then `xmserver quarantine retry { $entry } --reason …`. The key id of a certificate: `openssl x509 -in FILE -noout -ext subjectKeyIdentifier`.
quarantine-accepted-before = letter { $letter } was accepted before: `xmserver letter show { $letter }` tells when
quarantine-waits = a table of the letter's takes no rows now: `xmserver check` names it
quarantine-groups-none = no entry of the quarantine is open
selection-made = selection { $selection }: { $entries ->
    [one] one entry
   *[other] { $entries } entries
}; `xmserver quarantine retry --selection { $selection } --reason …` tries them again, `xmserver quarantine drop --selection { $selection } --reason …` drops them
selection-is = selection { $selection }, made by { $user } on { $time }: { $entries ->
    [one] one entry
   *[other] { $entries } entries
}, { $undecided } without an outcome
selection-later = { $entries ->
    [one] one more entry of this group came
   *[other] { $entries } more entries of this group came
} since: `xmserver quarantine select` chooses anew
selection-item = entry { $entry }: { $outcome }
selection-done = selection { $selection }: { $entries ->
    [0] no entry has got an outcome
    [one] one entry has its outcome
   *[other] { $entries } entries have their outcomes
}, { $left } left without one; `xmserver quarantine selection { $selection }` shows them
manual-written = { $pages ->
    [one] one page
   *[other] { $pages } pages
} written into { $folder }
selection-none = no selection was made yet
selection-nothing-left = no entry is left
held-none = no letter is held
held-none-such = no letter that is held is such a one
held-none-such-hint = no letter that is held is such a one; --with-decided lists those that were decided, too
held-state-open = waits
held-state-released = released
held-state-refused = refused
held-by-approval = its corrections wait for approval
held-decided = { $state } by { $user } on { $time }: { $reason }
held-row = row { $row } of { $table }, number { $numero }
held-refused-silently = held letter { $id } is refused; its key is revoked, so nobody is told
flag-none = no flag waits for an explanation
flag-none-ever = no letter was ever flagged
flag-explained = flag { $id } is explained
flag-broken = does not hold
flag-unjudged = cannot be judged
election-none = no station is in the list: `xmserver table load election.BureauVote FILE`
election-none-area = no station of the list lies there
election-none-missing = every station of the list has sent its result, or is held
election-more-missing = { $shown ->
    [one] the first is shown
   *[other] the first { $shown } are shown
}; --all shows everything, --csv writes it for a spreadsheet
election-totals = { $election }: { $counted } of { $stations ->
    [one] { $stations } station
   *[other] { $stations } stations
} counted; { $signatures ->
    [one] { $signatures } signature
   *[other] { $signatures } signatures
} of { $registered } registered there; { $ballots ->
    [one] { $ballots } ballot
   *[other] { $ballots } ballots
}, { $void } void, { $blank } blank, { $valid } valid
station-state-held = held
station-state-contested = contested
station-state-correcting = correcting
station-state-flagged = flagged
station-state-counted = counted
station-state-missing = missing

# table, tariff

table-adopted = table { $table } adopted, version { $version }
table-new-version = table { $table } has a new version, version { $version }
table-changed = table { $table } changed, version { $version }
table-unchanged = table { $table } is as it was, version { $version }
table-warning = warning: { $warning }
table-none = no table is adopted: `xmserver table adopt FILE`, or `xmserver sample restore ecr`
table-given-up = table { $table } is given up: letters for it are refused table_unknown
table-shown = table { $table }, version { $version }, kept in { $relation }
table-may-send = { $plan } may send, reads { $reads }, certifies { $certifies } ({ $gives })
table-may-not-send = { $plan } may not send, reads { $reads }, certifies { $certifies } ({ $gives })
table-needed = needed
table-legal-key = legal key
table-scope = scope
table-several-lines = several lines
table-default = has a default
table-no-column = no column
table-problem = table { $table }: { $problem }
table-all-as-adopted = all adopted tables are as they were adopted
table-loaded = { $table }: { $new } new, { $changed } changed, { $same } as they were; { $beside ->
    [one] { $beside } that the file does not name stays
   *[other] { $beside } that the file does not name stay
}
table-would-load = { $table }: { $new } would be new, { $changed } changed, { $same } as they were; { $beside } that the file does not name would stay; nothing was done
tariff-set = tariff { $id }: { $service } costs { $act } per act and { $kb } per started KB, from { $from } on; { $what }
tariff-owed = an agency without credit owes it
tariff-refused = an agency without credit is refused
tariff-now = now
tariff-cancelled = tariff { $id } of { $service } is taken back: it would have begun { $from }
tariff-none = no tariff: every service is free
tariff-none-ever = no tariff was ever set: every service is free

# message

message-sent = message { $number } to agency { $agency } is on its way
message-from = { $number }  from agency { $agency } { $name }, installation { $installation }, { $time }
message-to = { $number }  to agency { $agency } { $name }, by { $user }, { $time }, { $seen }
message-unread = unread
message-read = read
message-seen = seen
message-unseen = not seen yet
message-none = no messages yet
message-none-unread = every message of an office has been read
broadcast-shown = { $count ->
    [one] { $count } agency is to be told
   *[other] { $count } agencies are to be told
}
broadcast-ask = Send it?
broadcast-sent = { $count ->
    [one] { $count } agency is told
   *[other] { $count } agencies are told
}
message-asked-again = { $count ->
    [one] { $count } installation of agency { $agency } is asked to send its letters
   *[other] { $count } installations of agency { $agency } are asked to send their letters
} again from number { $from } on
# profile

profile-change = { $member }: { $former } → { $value }
profile-shown = change { $change }, asked on { $time } by installation { $installation } of agency { $agency } { $name }, telephone { $telephone }
profile-ask-confirm = Make it?
profile-confirmed = change { $change } of agency { $agency } is made; its office is told
profile-refused = change { $change } of agency { $agency } is refused; its office is told
profile-none = no change of a profile waits
profile-none-ever = no office has asked for a change yet
profile-state-waiting = waits
profile-state-made = made at once
profile-state-confirmed = confirmed
profile-state-refused = refused
profile-state-replaced = taken up by a later one
# voucher

voucher-made = batch { $batch } of vouchers is made
voucher-written = the codes of batch { $batch } are in { $file }, and nowhere else
voucher-revoked = { $count ->
    [one] { $count } voucher of batch { $batch } is revoked
   *[other] { $count } vouchers of batch { $batch } are revoked
}
voucher-none = no batch of vouchers was made yet
voucher-none-locked = the recharging of no agency is locked
voucher-unlocked = agency { $agency } may recharge again

# enrolment

enrolment-code = the code of agency { $agency } is { $code }, until { $time }: tell it to the office, since it is shown this once
enrolment-none = no code was made yet
enrolment-state-open = open
enrolment-state-permitted = not told yet
enrolment-state-locked = locked
enrolment-state-used = used
enrolment-state-replaced = replaced
enrolment-state-expired = expired

# login, logout, passwd

login-password = Password of { $user }:
login-done = { $user } is signed in at this terminal, until { $minutes } minutes without a command have passed, { $hours } hours at most; `xmserver logout` ends it
logout-done = { $user } is signed out
logout-nobody = nobody was signed in at this terminal
passwd-former = Present password of { $user }:
passwd-new = New password:
passwd-again = The same again:
passwd-done = the password of { $user } is changed, and every other session has ended

# audit

audit-verified = { $lines ->
    [one] the audit log is whole: { $lines } line
   *[other] the audit log is whole: { $lines } lines
}
audit-write-down = write down: { $head }
audit-exported = { $count ->
    [one] { $count } line exported to { $file }
   *[other] { $count } lines exported to { $file }
}
audit-none = no line of the audit log is like this

# approval, user

approval-done = approval { $approval } confirmed and done: { $what }
approval-refused = approval { $approval } is refused: nothing was done
approval-withdrawn = approval { $approval } is withdrawn: nothing was done
approval-limit = one person alone recharges up to { $amount }
approval-limit-set = one person alone recharges up to { $amount } now
approval-needed = nothing is done yet: { $what } needs a second person
approval-asked = asked as approval { $approval }; another user of privilege 3 confirms it with `xmserver approval confirm { $approval }` until { $time }
approval-asked-held = asked as approval { $approval }; another user confirms it with `xmserver approval confirm { $approval }` until { $time }
approval-asked-load = asked as approval { $approval }; another user of privilege 3 confirms it with `xmserver table load { $table } FILE --approval { $approval }` until { $time }
approval-shown = approval { $approval }
approval-shown-asked = asked    by { $user } on { $time }
approval-shown-what = what     { $what }
approval-shown-agency = agency   { $agency } { $name }
approval-ask-confirm = Confirm it?
approval-none = nothing waits for a second person
approval-none-ever = nothing was ever asked
approval-state-waiting = waiting
approval-state-expired = expired
approval-state-confirmed = confirmed
approval-state-refused = refused
approval-state-changed = changed
approval-state-withdrawn = withdrawn
act-certificate = a further certificate for agency { $agency }, { $algorithm }, SHA-256 { $fingerprint }
act-status-of-many = setting the status of { $count ->
    [one] { $count } agency
   *[other] { $count } agencies
} to { $status } ({ $word })
act-recharge = recharging agency { $agency } with { $amount }
act-recharge-note = recharging agency { $agency } with { $amount } ({ $note })
act-vouchers = making { $count ->
    [one] { $count } voucher of { $amount }
   *[other] { $count } vouchers of { $amount } each
}, until { $time }
act-enrolment = a code for a further installation of agency { $agency }, with a key of its own
act-limit = letting one person alone recharge up to { $amount }
act-add = adding user { $user } of privilege { $privilege } ({ $title })
act-add-commission = adding user { $user } of privilege { $privilege } ({ $title }), a member of the election commission
act-add-account = { $added }, by account { $account }
act-privilege = giving user { $user } privilege { $privilege } ({ $title })
act-commission = making user { $user } a member of the election commission
act-no-commission = ending that user { $user } is a member of the election commission
act-map = making account { $account } (uid { $uid }) that of user { $user }
act-unmap = ending that account { $account } is a user's
act-release = releasing held letter { $id }, with { $checks } waived ({ $reason })
act-refuse-held = refusing held letter { $id } ({ $reason })
act-load = loading { $table } from a file of SHA-256 { $sha256 }: { $new } new, { $changed } changed
user-locked = user { $user } is locked, and every session has ended
user-unlocked = user { $user } is unlocked
user-first-password = the first password of { $user } is { $password }, shown this once: `xmserver login { $again }` changes it
user-first-part = first part of the password of { $user }: { $part }, shown this once
user-second-part = second part of the password of { $user }: { $part }, shown this once; it is written behind the first part
user-state-locked = locked
user-state-waits = waits until { $time }
act-lock = locking user { $user } ({ $reason })
act-unlock = unlocking user { $user }
act-password = giving user { $user } a first password, in two parts
user-own-account = this account is that of user { $user }
user-mapped = account { $account } (uid { $uid }) is now that of user { $user }
user-unmapped = account { $account } is no longer that of user { $user }
user-privilege = user { $user } has privilege { $privilege } ({ $title })
user-commission = user { $user } is a member of the election commission
user-no-commission = user { $user } is not a member of the election commission
user-added = user { $user } added, privilege { $privilege } ({ $title })
user-added-account = signs in to commands by account { $account }
user-added-next = next: xmserver user map { $user } ACCOUNT
user-none = no user

# init

init-progress-database = the database is made
init-progress-closed = the database is closed
init-progress-keys = the centre's keys are made
init-server = { $name }, mode { $mode }
init-database-private = a private PostgreSQL in the data folder
init-database-configured = as configured
init-keys = { $folder }/keys ({ $state }); back them up: without them no letter can be opened
init-keys-made = made
init-there-already = there already, untouched
init-agencies-need = give offices keys/centre-p256.crt, and centre-rsa.crt to those whose software knows RSA alone; nothing else of keys/
init-first-user = { $user }, password { $password } (shown this once)
init-next = write { $folder }/xmserver.toml (`xmserver sample configuration` shows one), then `xmserver check`

# sample

office-made = { $folder } is an office of agency { $agency }: key, certificate, and a letter with one act of birth. At the centre:
office-there = At the office, in { $folder }:
office-then = Then receipt.json says what became of the letter. FORMAT.md makes such a letter by hand.
office-second = Agency { $agency } has a certificate already: this one is of another key, and to register it needs a second person (OPERATIONS.md, People).
office-send = mail letter.sdc from { $email } to { $centre }, as an attachment or pasted into the text
office-save = save the answer that comes to { $email } as receipt.eml
post-serves = POP3 at { $pop3 }, SMTP at { $smtp }: every address has a mailbox, any password opens it; what they hold ends with this program

# replica

replica-none = no process has served this centre since yesterday
replica-runs = runs
replica-drains = is stopping
replica-silent = silent for { $seconds } s
replica-gone = ended { $at }
replica-differ = The replicas are not configured alike: compare mailboxes, folder, relay and limits in their files. While a new version is rolled out this may be so for minutes.

# carrier

carrier-stream = the stream { $stream } is kept by { $replicas } servers: { $servers }
carrier-waiting = { $parcels ->
    [one] { $parcels } parcel in it is not settled
   *[other] { $parcels } parcels in it are not settled
}
carrier-durable = what is acknowledged is on the disks of a majority of them
carrier-volatile = what is acknowledged may be lost where servers lose power together: { $reason }
carrier-volatile-is-enough = the contract settled needs no more: senders keep their letters until the commit

# plan

plan-none = no plan
plan-unbounded = no bound
plan-named = plan { $plan }: { $description }
plan-per-day = in a day an agency may be given { $acts } records and keys, { $bytes } bytes
plan-sends = sends
plan-sends-not = does not send
plan-whose-none = nothing
plan-whose-own = its own records
plan-whose-all = all records
plan-gives-verdict = the verdict alone
plan-gives-record = the record itself
plan-right = { $table }: { $sends }, reads { $reads }, certifies { $certifies }, is given { $gives }
plan-quota-unread = a quota is a whole number, or none: found { $text }
