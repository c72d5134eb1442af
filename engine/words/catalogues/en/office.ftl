# What the office's program says: `xmagency`.

office-ask-passphrase = Pass-phrase of { $user }:
office-ask-new-passphrase = Choose a pass-phrase for { $user } (10 characters or more):
office-ask-again = The same once more:
office-ask-mail-password = Password of the mailbox { $mailbox }:
office-ask-needed = needed
office-ask-may-be-empty = may be empty

office-set-up = The office of agency { $agency } at { $centre } is in { $folder }.
    User { $user } is its first officer; the installation is called { $installation }.
    Without the pass-phrase nobody can open the office's records: keep it where only the officer finds it.
office-centre-fingerprint = Certificate of the centre: { $fingerprint }
office-next-enrol = Next: compare { $count ->
    [one] this fingerprint
   *[other] these fingerprints
} with the centre by telephone ({ $telephone }), ask for a code, and run `xmagency enrol CODE`, then `xmagency transmit`.
office-registered = The centre knows this office by the certificate { $fingerprint }. Next: `xmagency transmit`.
office-enrolment-packed = The enrolment is packed. Next: `xmagency transmit`, and again after a minute; a wrong code is not answered, and is sent three times at most: after a typing error run `xmagency enrol CODE` again.
office-enrolment-withdrawn = The enrolment of letter { $letter } is withdrawn: it is not sent again.
office-user-added = { $user } is a user of this office: { $role }.
office-user-removed = { $user } is no user of this office any more.
office-passphrase-changed = { $user } has another pass-phrase.
office-role-clerk = clerk
office-role-officer = officer
office-mail-password = The password of { $mailbox } is stored.

office-no-tables = The centre has sent no table yet: run `xmagency transmit`, and again after a while.
office-column-key = legal key
office-column-needed = needed
office-column-default = filled by the centre where it is left out

office-record-added = Record { $record } of { $table } is written, with status 1. An officer validates it with `xmagency record validate { $record }`.
office-record-lacks = Before it can be validated:
office-record-edited = Record { $record } is changed.
office-record-cancelled = Record { $record } is given up.
office-record-not-ready = Record { $record } cannot be validated yet:
office-records-validated = { $count ->
    [one] One record is validated. Next: `xmagency export`.
   *[other] { $count } records are validated. Next: `xmagency export`.
}
office-records-reopened = { $count ->
    [one] One record is new again.
   *[other] { $count } records are new again.
}
office-record-head = Record { $record } of { $table }, status { $status }
office-record-made = written by { $user } on { $time }
office-record-validated = validated by { $user } on { $time }
office-record-letter = packed in letter { $letter }
office-remark-refused = refused in letter { $letter }: { $meaning } ({ $code })
office-remark-accepted = The centre has accepted letter { $letter } after all, with what the record said then. What was changed since is not there. If it is right: `xmagency correct { $record } { $changes } --reason TEXT --reference TEXT`
office-remark-accepted-cancelled = The centre has accepted letter { $letter } after all, and has the record that was given up here. If it is to go: `xmagency correct { $record } --cancel --reason TEXT --reference TEXT`
office-has-remark = see `xmagency record show`
office-no-records = There are no such records.
office-values-faulty = these values cannot be taken:
office-fault = { $column }: rule { $rule }, expected { $expected }
office-line = line { $line }:
office-duplicates = { $count ->
    [one] one line has a legal key that the office has already, and is left out
   *[other] { $count } lines have a legal key that the office has already, and are left out
}
office-nothing-loaded = { $count ->
    [one] one line is faulty: nothing is added
   *[other] { $count } lines are faulty: nothing is added
}
office-would-load = { $count ->
    [one] one record would be added
   *[other] { $count } records would be added
}
office-loaded = { $count ->
    [one] one record is added, with status 1
   *[other] { $count } records are added, with status 1
}
office-saved = { $count ->
    [one] one record is in { $file }
   *[other] { $count } records are in { $file }
}
office-status-cancelled = given up
office-status-new = new
office-status-validated = validated
office-status-packed = packed
office-status-exported = exported

office-packed = Letter { $letter } is packed: { $count ->
    [one] one record
   *[other] { $count } records
}, { $bytes } bytes.
office-nothing-to-pack = No validated record waits to be packed.
office-not-packed = { $count ->
    [one] One record does not fit its table any more and stays validated
   *[other] { $count } records do not fit their table any more and stay validated
}: { $records }
office-carried = { $count ->
    [one] one letter
   *[other] { $count } letters
} sent, { $bytes } bytes
office-received = { $count ->
    [one] one answer
   *[other] { $count } answers
} received, { $bytes } bytes
office-news-part = part { $part } of what the centre has read for the office
office-news-notice = notice { $notice }: { $kind }
office-foreign = { $count ->
    [one] One document that came is not for this office, or nobody vouches for it. It stays where it is, and changes nothing.
   *[other] { $count } documents that came are not for this office, or nobody vouches for them. They stay where they are, and change nothing.
}
office-awaited = { $count ->
    [one] One letter waits for its answer: run `xmagency transmit` again after a while.
   *[other] { $count } letters wait for their answers: run `xmagency transmit` again after a while.
}
office-no-letters = There are no letters yet.
office-letter-made = packed by { $user } on { $time }
office-letter-sent = sent on { $time }; { $count ->
    [one] once
   *[other] { $count } times
}
office-letter-unsent = letter { $letter } ({ $service }): packed, not sent yet
office-letter-unanswered = letter { $letter } ({ $service }): sent, no answer yet
office-letter-answered = letter { $letter } ({ $service }): { $verdict }
office-verdict-accepted = accepted
office-verdict-refused = refused; see `xmagency letter show`
office-verdict-held = held until the centre decides
office-amount = { $amount } { $currency } (smallest units)
office-notice-certificate-ends = the office's certificate ends soon
office-notice-centre-certificate = the next certificate of the centre
office-notice-definitions = a table
office-notice-message = a message; read it with `xmagency message`
office-notice-profile = what became of a change of the profile
office-notice-resend = the centre asks for letters again; `xmagency transmit` sends them
office-notice-statement = a statement of the account

office-status-head = Agency { $agency }, installation { $installation }, at { $centre }, mode { $mode }
office-status-records = { $count ->
    [one] one record: { $status }
   *[other] { $count } records: { $status }
}
office-status-balance = balance of the account: { $amount }
office-status-carried = letters were last carried on { $time }
office-status-traffic = { $month }: { $sent } bytes sent, { $received } bytes received
office-do-enrol = To do: ask the centre for a code, and run `xmagency enrol CODE`.
office-do-certificate = To do: the certificate of this office ends on { $time }; speak with the centre ({ $telephone }).
office-do-clock = To do: set the clock of this machine; it is { $seconds } s { $side ->
    [fast] ahead of
   *[slow] behind
} that of the centre.
office-do-refused = To do: { $count ->
    [one] one letter was refused
   *[other] { $count } letters were refused
}; see `xmagency letter show` and `xmagency record show`. An officer reopens what must change.
office-do-validate = To do: { $count ->
    [one] one new record waits
   *[other] { $count } new records wait
} for an officer (`xmagency record validate`).
office-do-export = To do: { $count ->
    [one] one validated record waits
   *[other] { $count } validated records wait
} to be packed (`xmagency export`).
office-do-transmit = To do: { $count ->
    [one] one letter waits
   *[other] { $count } letters wait
} to be carried (`xmagency transmit`).
office-do-nothing = Nothing is to be done.

office-asked = Letter { $letter } is packed, { $bytes } bytes. Next: `xmagency transmit`.
office-no-statement = No statement has come yet: ask for one with `xmagency account`, then `xmagency transmit`.
office-no-entries = The account has no entries in these days.
office-no-messages = There are no messages of the centre.
office-message-head = { $time }, thread { $thread }

heading-kind = kind
heading-made = made
heading-number = number
heading-role = role
heading-sent = sent

expected-office-server-name = the server's name, 1 to 63 octets
expected-office-short-line = a text on one line, at most 200 characters
expected-office-e-mail = an e-mail address
expected-office-letter-bytes = 4096 to 4194304 bytes
expected-office-host = a host name
expected-office-mailbox-name = the mailbox's name
expected-office-name-or-none = a name, or none
expected-office-https = an address that begins with https://
expected-office-a-certificate = at least one certificate
expected-office-new-record = 1, a new record
expected-office-new-or-reopened = 1, a new record; an officer reopens a validated one
expected-office-validated-record = 2, a validated record that no letter has packed
expected-office-not-at-centre = 1 or 2; what the centre has is cancelled by `xmagency correct`
error-key-made = the office's key could not be made: { $cause }
error-key-unusable = the office's key cannot be used: { $cause }
error-kit-unreadable = the kit cannot be read: expected the file as the centre made it, found at line { $line }, column { $column }: { $what }
error-kit-large = the kit cannot be read: expected at most { $bound } bytes, found { $size }
error-kit-version = the kit has version { $version }, but this program reads version { $known }: use the program that came with the kit
error-kit-member = the kit's { $member } is not valid: expected { $expected }
error-kit-certificate = certificate { $number } of the kit cannot be used: { $cause }
error-kit-ended = the certificates of the kit ended on { $time }: look at the clock of this machine, or ask the centre for a new kit
error-letter-unreadable = the letter could not be read at the centre: { $cause }
error-answer-unopenable = the answer cannot be opened: { $cause }
error-answer-signer = the answer names a signer who is not the centre
error-answer-unreadable = the answer cannot be read: { $cause }
error-answer-misdirected = the answer's { $member } is { $value }, but { $wanted } was expected
error-answer-notice = this is notice { $number } of the centre, and answers no letter
error-answer-part = this is part { $number } of an answer, without its receipt
error-answer-letter = the answer is to a letter { $digest } that this office has not sent
error-office-register = the office's register cannot be used: { $cause }
error-voucher-no-code = this is no code of a voucher: expected 16 digits, the last of which fits the others
error-message-unsendable = the message cannot be sent: expected 1 to 4000 characters, of lines without other controls
error-office-no-network = the program cannot reach the network
error-kit-file = could not read the kit { $file }
error-office-folder-create = could not create the folder { $folder }
error-installation-name = { $text } is no name of an installation: expected 1 to 32 of a-z 0-9 -, not beginning with -
error-office-enrolled = the centre knows this office already
error-office-no-code = this is no enrolment code: expected { $count } of 0-9 and A-Z, in groups of four
error-office-no-letter = there is no letter { $number }
error-office-input-ended = the input ended: nothing was added
error-office-file-faulty = the file has faulty lines: nothing was added
error-office-file-there = { $file } is there already: name another file
error-office-no-folder = no folder of one's own data is known here: name the office folder with --office
error-passphrases-differ = the two pass-phrases differ: nothing was changed
error-secret-unread = could not read the secret in { $file }
error-secret-empty = the secret in { $file } is empty: expected it in the first line
error-no-terminal-secret = there is no terminal to ask for a secret: name a file that has it, such as with --passphrase-file
error-user-self-removed = nobody removes themselves: let another officer do it
error-office-in-use = the office in { $folder } is in use by another xmagency: wait until it has ended
error-office-not-ours = { $file } is not the database that belongs to this vault, or is damaged: restore both from one backup
error-office-newer = the office's database has version { $version }, this program knows { $known }: install the newer xmagency that made it
error-disk-full = the disk is full: nothing was changed; make room and try again
error-office-database = the office's database cannot be used: { $cause }
error-office-not-enrolled = the centre does not know this office yet: run `xmagency enrol CODE` with the code that the centre has told you
error-office-other-key = the centre answered with a certificate of another key: tell the centre, by telephone
error-record-too-large = record { $number } makes a letter of { $bytes } bytes, but the centre takes { $bound }: shorten it, or ask the centre for a higher limit
error-officer-needed = { $name } is a clerk, and this needs an officer: one of { $officers }
error-user-name = { $text } is no name of a user: expected 1 to { $count } characters on one line
error-record-duplicate = another live record of { $table } has this legal key: see `xmagency record search`
error-record-status = record { $number } has status { $status }, expected { $expected }
error-record-imported = record { $number } was imported: it belongs to the office that sent it
error-record-none = there is no record { $number }
error-csv-unreadable = { $file } cannot be read as comma-separated values in UTF-8: { $cause }
error-office-setting = the office's database lacks the setting { $name }: restore the office from a backup
error-office-no-tables = the centre has sent no table yet: run `xmagency transmit`, and again after a while
error-table-not-named = { $text } names no table: expected one of { $tables }
error-office-away = letters cannot be carried now, and stay packed
error-office-no-mail = this office has no mail: carry letters on a stick with --folder FOLDER
error-office-no-password = the password of the mailbox is not known: run `xmagency mail password`
error-stick-missing = there is no folder { $folder }: is the stick in its place?
error-office-missing = there is no office in { $folder }: run `xmagency init KIT` first, or name its folder with --office
error-office-exists = { $folder } has an office already: name another folder with --office
error-vault-unusable = the vault { $file } cannot be used: { $cause }
error-vault-damaged = the vault { $file } is damaged: restore it from a backup
error-user-none = { $user } is no user of this office: expected one of { $users }
error-user-which = this office has several users: say which one with --user, one of { $users }
error-user-there = { $user } is a user of this office already
error-passphrase-wrong = the pass-phrase of { $user } is wrong: without it nobody can open the office's records; another user may, or a backup
error-passphrase-short = the pass-phrase is too short: expected at least { $count } characters
error-vault-seal = the database's key could not be sealed: { $cause }
error-pair = expected COLUMN=VALUE, found { $found }
help-office-the-program-of-an-office-keeps-its = The program of an office: keeps its records, sends them to the centre, and shows what the centre answered
help-office-office-folder-by-default-xmagency-in-the = Office folder; by default xmagency in the folder of one's own data
help-office-who-works-with-the-program-needed-where = Who works with the program; needed where the office has several users
help-office-file-whose-first-line-is-the-pass = File whose first line is the pass-phrase; without it the program asks
help-office-folder-of-further-languages-by-default-words = Folder of further languages; by default words in the office folder
help-office-set-the-office-up-with-the-kit = Set the office up with the kit of the centre: database, key, first officer
help-office-ask-the-centre-to-admit-this-office = Ask the centre to admit this office, with the one-time code that it has told you
help-office-what-waits-since-when-what-was-refused = What waits, since when, what was refused and why, and what to do
help-office-records-of-the-office = Records of the office
help-office-tables-of-the-centre = Tables of the centre
help-office-pack-validated-records-into-letters = Pack validated records into letters
help-office-carry-letters-to-the-centre-and-answers = Carry letters to the centre and answers home, by mail or on a stick
help-office-letters-of-the-office-and-their-receipts = Letters of the office, and their receipts
help-office-ask-the-centre-for-the-statement-of = Ask the centre for the statement of the office's account
help-office-recharge-the-account-with-the-code-of = Recharge the account with the code of a voucher
help-office-write-to-the-operators-of-the-centre = Write to the operators of the centre, and read what they write
help-office-mailbox-and-relay = Mailbox and relay
help-office-local-users-clerks-and-officers = Local users: clerks and officers
help-office-the-kit-that-the-centre-has-made = The kit that the centre has made for this agency
help-office-name-of-this-installation-different-from-every = Name of this installation, different from every other one of the agency; by default one is made up
help-office-file-whose-first-line-is-the-password = File whose first line is the password of the mailbox; without it the program asks
help-office-the-code-with-or-without-hyphens = The code, with or without hyphens
help-office-without-a-code-the-centre-has-registered = Without a code: the centre has registered the certificate of this office by its fingerprint
help-office-add-a-user-who-chooses-a-pass = Add a user, who chooses a pass-phrase here and now
help-office-name-of-the-new-user = Name of the new user
help-office-what-the-user-may-do = What the user may do
help-office-file-whose-first-line-is-the-new = File whose first line is the new user's pass-phrase; without it the program asks
help-office-list-the-users = List the users
help-office-choose-another-pass-phrase-for-oneself = Choose another pass-phrase for oneself
help-office-file-whose-first-line-is-the-new-2 = File whose first line is the new pass-phrase; without it the program asks
help-office-remove-a-user-what-the-user-did = Remove a user; what the user did keeps the name
help-office-name-of-the-user = Name of the user
help-office-writes-records-and-carries-letters = Writes records, and carries letters
help-office-also-validates-records-and-speaks-for-the = Also validates records, and speaks for the office to the centre
help-office-store-the-password-of-the-mailbox-which = Store the password of the mailbox, which the relay takes too; it is encrypted with everything else
help-office-file-whose-first-line-is-the-password-2 = File whose first line is the password; without it the program asks
help-office-list-the-tables = List the tables
help-office-show-the-columns-of-a-table = Show the columns of a table
help-office-name-of-the-table = Name of the table
help-office-write-a-new-record-at-a-terminal = Write a new record; at a terminal, without values, the program asks for each column
help-office-values-each-as-column-value = Values, each as COLUMN=VALUE
help-office-change-a-new-record = Change a new record
help-office-number-of-the-record = Number of the record
help-office-values-each-as-column-value-an-empty = Values, each as COLUMN=VALUE; an empty value takes the former one away
help-office-show-a-record-its-columns-its-status = Show a record: its columns, its status, and why the centre refused it
help-office-list-records-newest-first = List records, newest first
help-office-only-those-of-this-table = Only those of this table
help-office-only-those-with-this-status = Only those with this status
help-office-list-records-with-a-text-in-one = List records with a text in one of their columns, newest first
help-office-the-text-capital-and-small-letters-are = The text; capital and small letters are the same
help-office-validate-new-records-the-officer-has-read = Validate new records: the officer has read them, and they are locked
help-office-numbers-of-the-records = Numbers of the records
help-office-make-validated-records-new-again-so-that = Make validated records new again, so that they can be changed
help-office-give-up-a-record-that-the-centre = Give up a record that the centre does not have
help-office-add-records-from-a-file-of-comma = Add records from a file of comma-separated values, all or none; its first line names the columns
help-office-the-file = The file
help-office-only-say-what-would-be-added-and = Only say what would be added, and what is faulty
help-office-write-the-records-of-a-table-to = Write the records of a table to a file of comma-separated values
help-office-the-file-it-must-not-be-there = The file; it must not be there yet
help-office-0-given-up-or-cancelled = 0: given up, or cancelled
help-office-1-a-clerk-may-change-it = 1: a clerk may change it
help-office-2-an-officer-has-validated-it-it = 2: an officer has validated it; it is locked
help-office-3-in-a-letter-that-the-centre = 3: in a letter that the centre has not decided
help-office-4-the-centre-s-verified-receipt-says = 4: the centre's verified receipt says that it has the record
help-office-also-those-whose-letter-was-refused-until = Also those whose letter was refused until the centre is paid, or lifts a suspension
help-office-on-a-stick-the-folder-on-it = On a stick: the folder on it that has, or gets, the folders in and out
help-office-look-again-for-answers-for-so-many = Look again for answers, for so many seconds at most, until every letter has one
help-office-show-a-letter-and-its-receipt = Show a letter and its receipt
help-office-number-of-the-letter = Number of the letter
help-office-first-day-yyyy-mm-dd-by-default = First day, YYYY-MM-DD; by default the first of the month
help-office-last-day-yyyy-mm-dd-by-default = Last day, YYYY-MM-DD; by default today
help-office-do-not-ask-show-the-newest-statement = Do not ask: show the newest statement that came
help-office-the-16-digits-of-the-voucher-with = The 16 digits of the voucher, with or without blanks
help-office-the-text-without-it-the-messages-of = The text; without it the messages of the centre are shown
help-office-goes-on-with-this-thread-as-shown = Goes on with this thread, as shown beside a message
value-column-value = COLUMN=VALUE
value-role = ROLE
value-kit = KIT
value-user = USER
value-seconds = SECONDS
value-thread = THREAD

office-estimate = { $count ->
    [one] that would be one record
   *[other] that would be { $count } records
}, { $bytes } bytes, for { $amount }
office-part-records = { $count ->
    [one] one record came; see `xmagency record list`
   *[other] { $count } records came; see `xmagency record list`
}
office-paper-match = paper { $paper }: the centre has the record, and it says the same
office-paper-differs = paper { $paper }: the centre has the record, but it says something else in { $columns }
office-paper-cancelled = paper { $paper }: the record was cancelled
office-paper-not-found = paper { $paper }: the centre has no such record, or none that this office may know of

error-office-nothing-corrected = record { $number } says this already: nothing was packed
error-office-not-sent = record { $number } has status { $status }, expected 4, a record that the centre has
error-renewal-early-office = the certificate cannot be renewed yet: the centre takes a renewal from { $days } days before its end
error-next-key = the next key was not stored
error-position-damaged = the position of the last import is damaged: import without --changed
error-key-parts = the key { $key } is not valid: expected { $parts }
error-papers = found { $count } papers, expected 1 to { $bound } in a letter
error-no-column = { $text } is no column of { $table }
error-column-expected = in column { $column }, expected { $expected }
help-office-correct-or-cancel-a-record-that-the-centre = Correct or cancel a record that the centre has
help-office-read-records-back-from-the-centre = Read records back from the centre
help-office-have-papers-certified-does-the-centre-have-the = Have papers certified: does the centre have the record, and does it say the same?
help-office-ask-what-the-centre-knows-of-the-agency = Ask what the centre knows of the agency, or for a change of it
help-office-ask-for-a-new-certificate-from-60-days = Ask for a new certificate, from 60 days before the present one ends; `transmit` does it by itself
help-office-the-record-is-no-longer-valid = The record is no longer valid
help-office-what-proves-it-such-as-the-number-of = What proves it, such as the number of the minutes
help-office-new-name-of-the-agency = New name of the agency
help-office-new-town-of-the-agency = New town of the agency
help-office-new-telephone-number-of-the-agency = New telephone number of the agency
help-office-new-e-mail-address-of-the-agency = New e-mail address of the agency
help-office-only-those-that-this-condition-selects-such-as = Only those that this condition selects, such as "NomEnfant LIKE 'MB%'"
help-office-only-those-that-were-written-or-changed-since = Only those that were written or changed since the last import of this table
help-office-only-ask-how-many-records-that-would-be = Only ask how many records that would be, and what they would cost; this is free
help-office-legal-keys-as-papers-show-them-the-columns = Legal keys as papers show them, the columns of each separated by slashes, such as C01/2026/118
help-office-a-file-of-comma-separated-values-the-columns = A file of comma-separated values: the columns of the legal key, and what else the papers show
value-condition = CONDITION
value-address = ADDRESS
error-could-not-rename = could not rename { $file }
