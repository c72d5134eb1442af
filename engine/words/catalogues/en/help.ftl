# What `--help` says of commands and options. The English is that of the code, to the letter: a test compares them.

help-program = Collects signed and encrypted records of remote agencies from mailboxes into PostgreSQL
help-config = Configuration file; by default xmserver.toml in the data folder, else in /etc/xmserver
help-data-folder = Data folder; by default what the configuration says, else /var/lib/xmserver
help-json = For programs: the result, or why there is none, as JSON
help-lang = Language that people are spoken to in, such as fr; by default that of the locale (LC_ALL, LC_MESSAGES, LANG), else English
help-words = Folder of further languages; by default /etc/xmserver/words

# Commands

help-init = Make a new centre: database, authority, keys, first Superviseur
help-run = Run the centre until it is told to stop
help-check = Look at everything that the centre needs, and say what to do where it is not well
help-demo = See it work, with nothing configured: agencies send good and bad letters, and everything is checked
help-agency = Agencies: the registered remote offices
help-cert = Certificates of agencies
help-table = Tables that agencies may write to
help-record = Records of these tables
help-plan = Plans: rights and quotas that many agencies share
help-tariff = Prices
help-message = Messages: what offices and operators write to each other
help-profile = Profiles: what offices asked to have changed of their own data
help-voucher = Vouchers: codes that offices recharge with
help-enrolment = Enrolment: one-time codes by which new installations come
help-journal = Letters received
help-letter = One letter: all that the centre knows of it
help-answer = Answers: what a letter was told, and those not sent yet
help-quarantine = Containers not accepted
help-held-letters = Letters that are held until two people decide
help-correction = Corrections of records that wait for the centre's approval
help-replica = Replicas: the processes that serve this centre together
help-flag = Flags: what was accepted and wants an explanation
help-election = Elections: stations by state, sums, and who is missing
help-approval = What one person asked and another one decides
help-audit = The audit log: what operators did and looked at
help-user = People: who may do what, and by which account of this machine
help-login = Sign in at this terminal by a password, where no account of this machine is yours
help-logout = Sign out at this terminal
help-passwd = Change your password
help-mail = Mailboxes and relay
help-sample = Sample databases and configurations; a mail server and an office for a trial

# init, check, demo

help-init-name = Name that letters are addressed to: 1 to 63 of a-z, 0-9, point and hyphen
help-init-mode = Rehearsal or in earnest; it can never be changed
help-init-currency = ISO 4217 code of the currency that every amount is in
help-init-digits = Digits of the currency's minor unit; by default those of ISO 4217
help-init-zone = Zone that times are shown in, such as Africa/Douala
help-init-superviseur = Name of the first Superviseur
help-check-online = Also reach out to every mailbox and the relay
help-demo-agencies = Agencies
help-demo-letters = Letters that they send in all
help-demo-exit = End when everything is answered, instead of staying up
help-demo-figures = Write the figures into this file as well
help-demo-page = Write the page of the night here: verdict, curve and sheet, for a browser; by default into the centre's data, where that stays
help-demo-seed = The same number is the same demo
help-demo-data = Keep the centre's data in this new folder; by default it is thrown away
help-demo-kills = Kill the centre so many times on the way, at random moments, without warning

# agency

help-agency-add = Add an agency with its account
help-agency-list = List agencies by matricule
help-agency-show = Show one agency: data, account, scopes, installations
help-agency-edit = Change its data: address, name, plan, limits. What is not named stays
help-agency-status = Set its status: 0 suspended, 1 some services, 2 all but export, correct and import, 3 all
help-agency-grant = Grant codes of a scope column: what the agency may write about
help-agency-install = Add an installation: one set-up of an office program
help-agency-statement = Show the statement of its account over some days, newest entries last
help-agency-recharge = Credit its account
help-its-number = Its number
help-the-agency = The agency
help-status-range = 0 to 3
help-installation-name = 1 to 32 of a-z, 0-9 and hyphen
help-amount = In the main unit of the currency
help-note = Stands in the ledger, such as the number of a bank slip
help-next-number = Its number; the next free one by default
help-its-name = Its name
help-its-town = Its town
help-its-telephone = Its telephone
help-its-email = Where its answers by mail go
help-its-email-or-none = Where its answers by mail go; without it, it has no e-mail
help-no-email = It has no e-mail any more
help-its-plan = Its plan: rights, quotas and prices that many agencies share
help-status-words = 0 suspended, 1 some services, 2 all but export, correct and import, 3 all
help-credit-limit = How far its account may fall below zero where credit is refused, in the main unit of the currency
help-installations = Its installations; may be given several times
help-letter-limit = Largest container that it may send, in bytes: what its link bears
help-cbc = Whether it may use AES-256-CBC, for older software
help-yes = It is
help-no = It is not
help-text = Found in name, town, e-mail or matricule; case and accents do not matter
help-of-status = Of this status
help-of-plan = Of this plan
help-statement-from = Its first day, such as 2026-11-01; by default the first of the month of the last one
help-statement-to = Its last day; by default today
help-statement-send = Send it to the office, too
help-in-debt = Whose account is below zero
help-behind-matricule = Behind this matricule
help-scope-column = The scope column, such as CentreCode
help-codes = The codes
help-withdraw = Take them away instead

# answer, cert, journal, letter, quarantine

help-answer-list = List those that have not been sent, oldest first
help-answer-show = Show what a letter was told, in words, and what became of its receipt
help-answer-resend = Send the receipt of a letter again, now, to the agency's address
help-answer-retry = Send them now: those given up, once the address or the relay is put right, and those that wait for their next attempt
help-those-for-agency = Those for this agency
help-for-agency = For this agency
help-given-up = Those given up
help-behind-this = Behind this one
help-cert-register = Register a certificate after its fingerprint was compared with what the agency told over another channel
help-cert-list = List certificates
help-cert-revoke = Revoke the key of a certificate, with every certificate of it, at once and for good
help-cert-file = The certificate, PEM or DER
help-cert-fingerprint = SHA-256 fingerprint that the agency told; asked for where it is not given
help-cert-yes = Register it although it is not valid yet, or no longer, or an authority's, without asking
help-cert-named = Its SHA-256 fingerprint, the beginning of it, or its number in `cert list`
help-why = Why
help-revoke-yes = Revoke it without asking
help-revoke-since = Also list the agency's letters from this day or time on, to be looked over
help-of-agency = Of this agency
help-with-revoked = Revoked ones too
help-ending-within = Ending within so many days
help-behind-number = Behind this number
help-journal-list = List letters, newest first
help-journal-show = Show one line; `xmserver letter show` tells all of its letter
help-journal-container = Also write the container's original bytes into this file
help-outcome = accepted, duplicate, held, or the code of a refusal
help-of-letter = Of this letter
help-flagged = Of letters with flags only: accepted, and a check wants an explanation
help-since = From this day or time of the centre on
help-until = Before this day or time of the centre
help-older-line = Older than this line
help-letter-show = Tell its story: when it came, what was decided and why, what it cost, what became of its receipt
help-wanted = Its id, its digest, or the number of a line of the journal
help-wanted-agency = Of this agency, where two have given their letters the same id
help-limit = At most so many; by default 100 for people and everything for programs
help-all = Everything
help-mail-test = Try every mailbox, the transfer folder and the relay, step by step; exit code 1 where one fails
help-this-mailbox = This mailbox or folder only
help-quarantine-list = List entries, newest first
help-quarantine-show = Show one entry; that is put on record
help-quarantine-container = Also write the original bytes into this file
help-quarantine-retry = Try an entry again, once what was wrong is mended: the letter gets another attempt
help-mended = What was mended
help-quarantine-drop = Drop an entry: its bytes go, its line stays
help-quarantine-reason = With this reason: the code of a refusal
help-held = Those that wait for a decision
help-with-decided = Those decided already, too
help-older-entry = Older than this entry
help-held-list = List the letters that wait, oldest first
help-held-show = Show one with its rows and the arithmetic that holds it; that is put on record
help-held-release = Ask that a letter be released: another person confirms it
help-held-refuse = Ask that a letter be refused: another person confirms it
help-held-waive = Waive this check, such as ResultatBureau.within_reference; by default every check that holds it
help-held-code = Held for this: check or approval
help-correction-list = List the letters of corrections that wait, oldest first
help-correction-show = Show one: each record as it is and as it would be, with reason and reference; that is put on record
help-correction-confirm = Approve one: it is done at once, or of results once another person confirms it
help-correction-refuse = Refuse one: at once, or of results once another person confirms it
help-flag-list = List flags that nobody has explained, newest first
help-flag-explain = Explain a flag
help-flag-check = Of this check
help-with-explained = Those that were explained, too
help-older-flag = Older than this flag
help-explanation = What there is to say of it
help-election-show = Show how many stations are in which state, the sums and the votes of each candidate
help-election-missing = List the stations that have not sent their result, those with most registered voters first, with whom to call
help-election-code = This election alone
help-election-area = In this area, of whatever level
help-election-csv = All of them, as CSV for a spreadsheet

# sample, table, tariff

help-sample-restore = Make a sample's tables and adopt them
help-sample-name = Which sample
help-sample-configuration = Print a sample configuration with every key
help-sample-trial = Print one for a trial instead, whose mail server is `xmserver sample post` on these ports of this machine
help-sample-tables = Print a definition file for `table adopt`, with every key explained
help-sample-post = Run the mail server of a trial until told to stop: every address has a mailbox, any password opens it
help-sample-office = Make an office of an agency for a trial: its key, its certificate and a letter that the centre will accept
help-new-folder = A folder that is not there yet
help-table-adopt = Adopt the tables of a definition file, all or none; again after ALTER TABLE
help-table-file = TOML or JSON; - for standard input
help-table-list = List adopted tables
help-table-show = Show a table: columns, types, scope, legal key, checks, rights and triggers
help-table-application = The application, or application and table as ecr.ActeNaissance
help-table-name = The table, in any case
help-table-abandon = Give up a table that was dropped from the database: its registration ends, its history stays
help-such-as-table = Such as ecr.ActeNaissance
help-table-check = Compare adopted tables with their definitions; exit code 1 where they differ
help-table-load = Load reference data from a CSV file: asks for it, and another person confirms it with the same file
help-table-csv = CSV: its first line names the columns
help-load-dry-run = Tell what it would do, and do nothing
help-load-approval = Confirm what another person asked under this number
help-plan-list = List plans
help-plan-show = Show a plan: its rights by table, and what a day allows to be read
help-plan-name = The plan
help-plan-edit = Change rights and quotas of a plan, or make one. What is not named stays
help-plan-create = Make the plan, with what it is for
help-plan-acts = Records and keys that an agency may be given in a day; none for no bound
help-plan-bytes = Bytes that an agency may be given in a day; none for no bound
help-plan-table = The table whose rights change, such as ecr.ActeNaissance
help-plan-may-export = Whether records may be sent: yes or no
help-plan-may-read = Whose records may be read: none, own or all
help-plan-may-certify = Whose records may be certified: none, own or all
help-plan-certify-gives = What certifying gives: verdict or record
help-tariff-set = Set a price; the one that it follows ends where it begins
help-tariff-cancel = Take back a price that has not begun
help-tariff-list = List prices
help-with-ended = Those that have ended, too
help-tariff-service = export, correct, import or certify; all other services are free
help-tariff-table = For this table only, such as ecr.ActeNaissance
help-tariff-plan = For agencies of this plan only
help-per-act = Price of an act, in the main unit of the currency
help-per-kb = Price of each started 1 024 bytes of the container, in the main unit of the currency
help-credit = Without enough credit: owe or refuse; by default owe for export and correct, refuse for import and certify
help-tariff-from = Day or time of the centre at which it begins; now by default

# message

help-message-list = List messages, newest first
help-message-show = Show the thread of a message; what its office wrote counts as read from then on
help-message-send = Write to an agency: each of its installations is told
help-message-broadcast = Write to many agencies; how many is shown first
help-message-number = The message's number
help-message-text = What it says
help-message-reply = In the thread of this message, by its number
help-message-unread = Of offices, which nobody has looked at
help-message-area = That may write about a code which begins so
help-message-town = Of this town
help-message-yes = Send it without asking
help-message-ask-again = Ask an agency to send its letters again that the centre has lost
help-message-first = The number of the first letter
help-message-installation = This installation alone
# profile

help-profile-list = List changes that wait, newest first
help-profile-confirm = Make a change that waits, and have its office told
help-profile-refuse = Refuse a change that waits, and have its office told
help-profile-yes = Make it without asking
help-profile-decided = Those that were made at once or are decided, too
help-profile-reason = Why: its office is told
# voucher

help-voucher-make = Make a batch of vouchers: another person confirms it
help-voucher-write = Make the codes of a batch and write them into a file, once
help-replica-list = List the processes that serve this centre, and those of the last day that ended
help-voucher-list = List batches, newest first
help-voucher-revoke = Revoke the vouchers of a batch that have not been redeemed
help-voucher-locked = List agencies whose recharging is locked for a day after five wrong codes
help-voucher-unlock = End the lock of an agency
help-voucher-batch = The batch
help-voucher-file = A file that is not there yet: one line for each voucher
help-voucher-number = This one alone: its number in the file, behind the hyphen
help-voucher-count = How many
help-voucher-amount = What each gives, in the main unit of the currency
help-voucher-until = The last day on which they can be redeemed, such as 2027-12-31; by default in a year

# enrolment

help-enrolment-code = Make a code for a new installation of an agency; it is shown once
help-enrolment-list = List codes, newest first: which are open, used or locked after wrong ones

# record

help-record-show = Show a record by its legal key; that is put on record
help-record-table = Its table, such as ecr.ActeNaissance
help-record-key = The values of its legal key, in the order of `xmserver table show`

# audit

help-audit-list = List what operators did, the newest first
help-audit-show = Show one line with all that it says
help-audit-verify = Verify that no line was changed, removed or put in between, and show the last one, to be written down
help-audit-written = The line and its hash that were written down: it must still be there
help-audit-export = Export the lines, the oldest first, each as a JSON object on a line of its own
help-audit-file = A new file to write; by default standard output
help-audit-after = Newer than this line
help-audit-by = Of this user, or of `account NAME`
help-audit-action = Of this action, such as agency.edit
help-audit-subject = About this subject, such as "agency 000042"
help-audit-looks = Looks at the content of records alone
help-audit-record = Who looked at this record, or at a letter that brought it: its table, such as ecr.ActeNaissance, and the values of its legal key

# approval, user

help-approval-list = List what was asked and waits
help-approval-confirm = Confirm what another person asked: it is done at once, if what it concerns is still as it was then
help-approval-yes = Confirm it without asking
help-approval-refuse = Refuse what another person asked, or take back what you asked
help-approval-limit = Show the most that one person recharges alone, or set it: a higher one is asked, too
help-with-expired = Those that are decided or have expired, too
help-older-approval = Older than this one
help-user-add = Add a user
help-user-list = List users with their accounts
help-user-map = Make an account of this machine a user's: by it he signs in to commands
help-the-user = The user
help-account-default = The account; by default the one that runs this command, which becomes the first where no account is anybody's yet
help-user-unmap = End that an account is a user's
help-the-account = The account
help-user-lock = Lock a user: he cannot sign in any more, by account nor by password
help-user-unlock = Unlock a user, also one who has to wait after wrong passwords
help-user-password = Give a user a first password, which he changes when he signs in
help-user-privilege = Change what a user may do: 1 Opérateur, 2 Chef d'Agence, 3 Superviseur
help-privilege-range = 1 to 3
help-user-commission = Mark a user as a member of the election commission, or no longer
help-user-mark = Whether he is
help-user-name = 2 to 32 of a-z, 0-9, point, underscore and hyphen
help-privilege-words = 1 Opérateur, 2 Chef d'Agence, 3 Superviseur
help-member = He is a member of the election commission
help-user-account = The account of this machine by which he signs in to commands
help-has = He has
help-has-not = He has not

# What stands for a value

value-file = FILE
value-folder = FOLDER
value-whose = WHOSE
value-what = WHAT
value-language = LANGUAGE
value-command = COMMAND
value-name = NAME
value-mode = MODE
value-currency = CURRENCY
value-currency-digits = CURRENCY_DIGITS
value-zone = ZONE
value-superviseur = SUPERVISEUR
value-agencies = AGENCIES
value-letters = LETTERS
value-seed = SEED
value-kills = KILLS
value-matricule = MATRICULE
value-status = STATUS
value-amount = AMOUNT
value-note = NOTE
value-email = EMAIL
value-town = TOWN
value-telephone = TELEPHONE
value-plan = PLAN
value-credit-limit = CREDIT_LIMIT
value-installations = INSTALLATIONS
value-bytes = BYTES
value-yes-or-no = YES|NO
value-text = TEXT
value-after = AFTER
value-column = COLUMN
value-batch = BATCH
value-count = COUNT
value-number = NUMBER
value-code = CODE
value-codes = CODES
value-agency = AGENCY
value-fingerprint = FINGERPRINT
value-certificate = CERTIFICATE
value-reason = REASON
value-since = SINCE
value-ending-within-days = ENDING_WITHIN_DAYS
value-outcome = OUTCOME
value-letter-id = LETTER_ID
value-approval = APPROVAL
value-line-hash = LINE:HASH
value-line = LINE
value-key = KEY
value-action = ACTION
value-subject = SUBJECT
value-area = AREA
value-check = CHECK
value-election = ELECTION
value-explanation = EXPLANATION
value-until = UNTIL
value-before = BEFORE
value-id = ID
value-id-or-digest-or-line = ID|DIGEST|LINE
value-lines = LINES
value-mailbox = MAILBOX
value-pop3-port = POP3_PORT
value-smtp-port = SMTP_PORT
value-application = APPLICATION
value-table = TABLE
value-service = SERVICE
value-per-act = PER_ACT
value-per-started-kb = PER_STARTED_KB
value-credit = CREDIT
value-from = FROM
value-day = DAY
value-account = ACCOUNT
value-privilege = PRIVILEGE
