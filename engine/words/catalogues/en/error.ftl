# Errors arise in English, in whatever crate; here they are read back and said in the reader's language. The English of each must be
# the sentence of the code to the letter: a test looks through the sources for sentences that have no words here.

# What the operating system says

error-os-1 = Operation not permitted (os error 1)
error-os-2 = No such file or directory (os error 2)
error-os-5 = Input/output error (os error 5)
error-os-11 = Resource temporarily unavailable (os error 11)
error-os-12 = Cannot allocate memory (os error 12)
error-os-13 = Permission denied (os error 13)
error-os-17 = File exists (os error 17)
error-os-20 = Not a directory (os error 20)
error-os-21 = Is a directory (os error 21)
error-os-22 = Invalid argument (os error 22)
error-os-24 = Too many open files (os error 24)
error-os-28 = No space left on device (os error 28)
error-os-30 = Read-only file system (os error 30)
error-os-36 = File name too long (os error 36)
error-os-40 = Too many levels of symbolic links (os error 40)
error-os-98 = Address already in use (os error 98)
error-os-99 = Cannot assign requested address (os error 99)
error-os-101 = Network is unreachable (os error 101)
error-os-104 = Connection reset by peer (os error 104)
error-os-110 = Connection timed out (os error 110)
error-os-111 = Connection refused (os error 111)
error-os-113 = No route to host (os error 113)
error-os-utf8 = stream did not contain valid UTF-8

# Times of operators

error-time-unread = expected a day (2026-11-30), a time of the centre ("2026-11-30 18:00"), one of RFC 3339 (2026-11-30T17:00:00Z), today, yesterday, or so long ago (2h, 3d); found { $found }
error-time-absent = { $time } does not exist in { $zone }: clocks are put forward there at that time; write a time before or after
error-time-twice = { $time } comes twice in { $zone }, as clocks are put back: write "{ $earlier }" or "{ $later }"
error-time-other-zone = the centre's clock shows { $expected }, not { $found }: write it so, or as RFC 3339
error-zone-unknown = the zone { $zone } is not known: expected a name such as Africa/Douala, or UTC

# Data folder, keys, database

error-folder-in-use = data folder { $folder } is in use by another xmserver (process id { $process }): stop that one, or give this one a data folder of its own
error-folder-missing = there is no data folder { $folder }: run `xmserver init` first
error-folder-missing-beside-database = there is no data folder { $folder }: make the folder and copy the centre's keys/ into it (`cp -a`); only a centre that nobody has made yet begins with `xmserver init`
error-could-not = could not { $what } { $path }: { $reason }
error-do-create = create
error-do-protect = protect
error-do-open = open
error-do-read = read
error-do-write = write
error-do-lock = lock
error-do-remove = remove
error-do-rename = rename
error-do-sync = sync
error-do-find = find
error-do-run = run
error-exposed = { $path } has mode { $mode }: run chmod { $allowed } { $again }
error-keys-unreadable = could not read { $path }: { $reason }; a centre's keys are made once, with it: copy its keys/ folder here, from a backup or from a program that serves it
error-key-unfit = the key in { $path } cannot be used: { $reason }
error-key-unreadable = { $what } cannot be read ({ $reason })
error-key-not-der = the certificate is not in strict DER with names of bounded length ({ $reason }): have it issued again
error-key-not-admitted = a key of kind { $kind } is not admitted: P-256, P-384 or RSA of 2048 to 4096 bits is expected
error-key-encrypted = the private key is encrypted: store it unencrypted, readable by its owner alone
error-key-no-pair = the private key is not the one of the certificate: give the two that were made together
error-openssl-old = OpenSSL { $found } is older than 3.0.22, which fixes known attacks on CMS: install the distribution's security updates
error-what-certificate = the certificate
error-what-private-key = the private key
error-url-file-unreadable = database.url_file: cannot read { $file }: { $reason }
error-url-missing = database.url_file: expected the URL in the first line of { $file }, found nothing
error-no-server = there is no server in { $folder }: run `xmserver init` first, or name another --data-folder or --config
error-database-not-answering = the private PostgreSQL in { $folder } has not answered for { $seconds } s: the xmserver that runs there starts it again whenever it ends; { $log } says why it does not
error-command-runs = a command of xmserver has used the private PostgreSQL in { $folder } for { $seconds } s: let it end, or end it
error-could-not-lock = could not lock { $file }: { $reason }
error-binaries-missing = no PostgreSQL programs found in { $looked }: install the package postgresql, or name their folder in the configuration
error-binaries-old = PostgreSQL { $found } in { $folder } is too old: { $needed } or newer is needed
error-version-mismatch = the data folder was made by PostgreSQL { $data }, but { $folder } is PostgreSQL { $found }: install version { $wanted } or move the data with pg_upgrade
error-database-in-use = the database folder { $folder } is in use by another process: stop that one, or choose another folder
error-barred = user { $user }, whom PostgreSQL runs as, may not enter { $folder }: allow it (chmod o+x), or choose another folder
error-user-missing = PostgreSQL must not run as root, and there is no user xmserver or postgres: create one (useradd --system --no-create-home xmserver)
error-owner-unfit = the data folder { $folder } belongs to user id { $uid }, who is root or not in passwd: give it to an unprivileged user
error-setting-fixed = setting { $name } of the private PostgreSQL cannot be changed: use a database of your own for that
error-path-long = the database folder { $folder } has too long a path for a unix socket: choose one at least { $excess } bytes shorter
error-initdb = initdb failed: { $reason }
error-start = PostgreSQL ended while starting; its log says: { $reason }
error-start-timeout = PostgreSQL did not answer within { $seconds } s of starting; its log says: { $reason }
error-leftover = PostgreSQL process { $process } of a former run still holds { $folder } and does not shut down: end it
error-keeper-gone = the thread that starts PostgreSQL ended early
error-database-not-created = the private database could not be created: { $reason }
error-postgres-old = the database is PostgreSQL { $found }: { $needed } or newer is needed
error-database-newer = the database has migration { $found }, which this program does not know: install the newer xmserver that made it, or restore a backup
error-database-older = the database lacks { $missing } of this program's migrations: start `xmserver run` of this version, which runs them, and try again
error-migration-failed = a migration failed, and those before it stay: { $reason }
error-migration-interrupted = the migration was interrupted: { $reason }
error-url-unreadable = the database URL cannot be read ({ $reason }): expected postgresql://user:password@host/database
error-host-missing = the database URL names no host: expected postgresql://user:password@host/database, or a socket's folder as host
error-database-clear = database host { $host } is another machine and sslmode is disable: records would travel in clear; remove sslmode=disable
error-no-authorities = no certificate authority to verify the database host with: name a PEM file as ca_file, or install ca-certificates
error-ca-file = ca_file { $file } is no PEM file of certificates: { $reason }
error-tls-setup = TLS could not be set up: { $reason }
error-database-away = the database is away: { $reason }
error-not-admitted = PostgreSQL does not admit this program ({ $sqlstate }): { $reason }: look at user, password and name of the database in database.url_file or database.url, and at pg_hba.conf; a private PostgreSQL admits root and the user of the program
error-database-busy = the database could not do this beside its other work ({ $sqlstate }): { $reason }
error-constraint = constraint { $constraint } of table { $table } refused the statement
error-altered = the database is not as it was adopted ({ $sqlstate }): { $reason }
error-statement-refused = the database refused a statement ({ $sqlstate }): { $reason }
error-server-empty = xm.server is empty: run `xmserver init` on this database first
error-unreadable = { $what } of { $subject } cannot be read: { $expected }
error-misused = the database could not be used as meant: { $reason }

# Mailboxes and relay

error-of = { $step }: { $cause }
error-step-settings = settings
error-step-greeting = greeting
error-step-sign-in = sign_in
error-step-sign-in-spoken = sign-in
error-step-mailbox = mailbox
error-step-retrieve = retrieve
error-step-delete = delete
error-step-compose = compose
error-step-sender = sender
error-step-recipient = recipient
error-step-content = content
error-step-acceptance = acceptance
error-mail-timeout = no answer within { $seconds } s
error-mail-closed = the server closed the connection
error-mail-refused = the server refused: { $reason }
error-mail-unsupported = the server does not offer { $what }
error-mail-protocol = the server broke the protocol: { $reason }
error-mail-plain-after-starttls = plain text after the answer to STARTTLS
error-mail-after-dot = { $code } after the final dot
error-mail-status-line = a status line is longer than { $octets } octets
error-mail-no-reply = expected a reply beginning with +OK or -ERR, found { $found }
error-mail-pop3-line-feed = the server ends its lines with LF alone, and RFC 1939, 3 asks for CRLF: have it, or the gateway before it, send CRLF
error-mail-smtp-line-feed = the server ends its lines with LF alone, and RFC 5321 asks for CRLF: have it, or the gateway before it, send CRLF
error-mail-unasked = a reply came that no command asked for
error-mail-body-long = a body is longer than { $octets } octets
error-mail-ended = the connection ended with { $count } replies outstanding
error-mail-line-endless = a line without an end: more than { $octets } octets
error-mail-reply-endless = a reply without an end: more than { $octets } octets or { $lines } lines
error-relay-refused = the relay did not take the mail: { $reason }
error-mail-field = expected one line of plain ASCII, found something else
error-tls-unknown-signer = nobody that this machine trusts signed the server's certificate: name the certificate of its signer, { $signer }, in ca_file
error-tls-self-signed = the server's certificate signs itself, so nobody vouches for it: compare it with the one on the server, and name it in ca_file
error-tls-other-signer = the signer of the server's certificate has the name of one that is trusted, { $signer }, and another key: name its right certificate in ca_file
error-tls-algorithm = the server's certificate is signed by an algorithm that is not accepted, { $algorithm }: have it signed anew, with SHA-256 or better
error-tls-authority = the server shows the certificate of a signer (CA:TRUE) as its own: name this very certificate in ca_file, or have it sign one for the server
error-tls-version-1 = the server's certificate is of X.509 version 1, which names no host: have one of version 3 made, with the host as subjectAltName
error-tls-no-name = the server's certificate names no host: have one made with { $expected } as subjectAltName; a common name does not count
error-tls-wrong-name = the server's certificate is for { $found }, not for { $expected }: write the host as the certificate does
error-tls-ended = a certificate of the server ended on { $ended }, and today is { $today }: the server needs a new one
error-tls-not-begun = a certificate of the server begins on { $begins }, and today is { $today }: is the clock of this machine right?
error-tls-purpose = the server's certificate is not made for servers: have one made whose extended key usage is serverAuth, or that has none
error-tls-unreadable = the server's certificate cannot be read: it is no X.509 certificate as RFC 5280 has it
error-tls-plain-port = port { $port } speaks plain text, not TLS: set security = "starttls", or the port where TLS begins at once (995 for POP3, 465 for SMTP)
error-tls-none = the server agreed to TLS, and what came then is none
error-tls-closed = the server closed the connection instead of agreeing on TLS: does this port speak it?
error-tls-nothing-in-common = the server and this program have no version of TLS or cipher in common: it must speak TLS 1.2 or 1.3
error-tls-alert = the server refused TLS: { $alert }
error-tls-other = TLS was not agreed on: { $reason }

# Configuration

error-file-missing = there is no such configuration file
error-key-unknown = unknown key { $name }
error-key-unknown-expected = unknown key { $name }: expected one of { $known }
error-key-missing = key { $name } is missing
error-key-twice = key { $name } stands twice
error-mailbox-variable = mailboxes stand in the configuration file: no variable sets a key of theirs
error-mailbox-brackets = mailbox: write [[mailbox]], in double brackets: there may be several
error-expected-found = expected { $expected }, found { $found }
error-expected-found-twice = expected { $expected }, found { $found } twice
error-expected-one-found = expected one of { $known }, found { $found }
error-expected = expected { $expected }
error-place-variable = environment variable { $name }
error-type-address = an address and a port, such as 127.0.0.1:9464
error-type-port = a port from 1 to 65535
error-type-whole = a whole number
error-type-whole-from-0 = a whole number of 0 or more
error-type-whole-32 = a whole number from 0 to 4294967295
error-type-whole-16 = a whole number from 0 to 65535
error-type-text = text in quotes
error-type-list = a list
error-type-table-of-keys = a table of keys
error-type-table = a table
error-type-absolute = an absolute path
error-type-levels = error, warn, info, debug or trace
error-type-own-address = the centre's own address, local@domain
error-type-range = { $least } to { $most }
error-found-nothing = nothing
error-found-none = none
error-found-both = both
error-found-several = several
error-url-both = only one of url and url_file
error-url-password = database.url: expected a URL without a password: put the whole URL into a file named by database.url_file, or into the environment variable { $variable }
error-mailbox-name = 1 to 63 of a-z, 0-9, point, hyphen and _
error-own-name = a name of its own
error-name-of-no-mailbox = a name that no mailbox has
error-settings-username = the mailbox's name
error-settings-one-credential = one of password_file, password_env, oauth_token_file
error-settings-only-one-credential = only one of password_file, password_env, oauth_token_file
error-settings-user-for-password = a name to go with the password
error-settings-password = a password file or variable
error-settings-host = a host name or address
error-settings-hello = a host name
error-settings-one-line = one line of text without control characters
error-settings-variable = password_env: the environment variable { $variable } is not set or is empty
error-settings-file-empty = the first line of { $file } is empty
error-settings-security = security: `none` is for a server on this machine; { $host } is elsewhere, so expected `tls` or `starttls`
error-settings-security-expected = security: expected `tls` or `starttls`
error-settings-control = { $what } cannot carry control characters
error-no-mailbox = no mailbox is configured: add a [[mailbox]] or a [folder] to the configuration, or no letter can come
error-no-relay = no relay is configured: add [relay] to the configuration, or no answer can leave
error-nothing-to-reach = neither mailbox nor folder nor relay is configured: add [[mailbox]] and [relay], or [folder], to the configuration file
error-mailbox-not-configured = mailbox { $name } is not configured: expected one of { $names }
error-listen = server.http_address: cannot listen on { $address }
error-runtime = the database's runtime could not be made
error-signals = signals cannot be received
error-relay = relay
error-mailbox = mailbox { $name }
error-logging = logging could not be started: { $reason }
error-keys-not-made = the centre's keys could not be made
error-not-told = what was done could not be told: standard output is closed

# Commands

error-not-for-programs = { $command } has no result for programs: leave out --json
error-not-for-programs-figures = { $command } has no result for programs: leave out --json; --figures FILE writes its figures as JSON
error-matricule = matricule { $number } is outside 1 to 999999
error-amount = the amount { $written } is not valid: expected digits and { $decimals }, such as { $example }
error-amount-no-decimals = no decimals
error-amount-decimals = at most { $digits } decimals
error-plan-unknown = plan { $plan } does not exist: expected one of { $known }
error-not-answered = nobody is answered whose signature is not proven
error-letters-of-agencies = agencies { $agencies } have a letter of this id: name one with --agency
error-fingerprint-to-compare = the certificate's SHA-256 fingerprint is { $fingerprint }: compare it with what agency { $agency } told over another channel, then confirm it with --fingerprint
error-second-look = nothing was registered: the certificate needs a second look; register it all the same with --yes
error-not-registered = nothing was registered
error-not-confirmed = nothing was registered: the fingerprint was not confirmed
error-several-certificates = nothing was registered: the file holds { $count } certificates, of which that of agency { $agency } itself is to be registered; name it with --fingerprint, as the agency told it:
error-not-chosen = nothing was registered: no certificate of the file was chosen
error-revoke-yes = nothing was revoked: say --yes to revoke this key, at once and for good
error-not-revoked = nothing was revoked
error-kept-in-quarantine = what was not accepted is kept in quarantine: `xmserver quarantine show { $entry } --container { $file }`
error-quarantine-stays = quarantine entry { $entry } stays as it is: { $reason }
error-held-stays = held letter { $held } stays as it is: { $reason }
error-held-one = a held letter is one container
error-quarantine-nothing = nothing of quarantine entry { $entry } can be tried: { $reason }
error-quarantine-signer = the certificate of the signer of quarantine entry { $entry } cannot be read: `xmserver check` names it
error-not-kept = the container of journal line { $line } is not kept any more
error-cannot-write = cannot write { $file }
error-cannot-read-input = cannot read standard input
error-cannot-read = cannot read { $file }
error-cannot-read-because = cannot read { $file }: { $reason }
error-could-not-read = could not read { $file }
error-could-not-make = could not make { $file }
error-could-not-write = could not write { $file }
error-could-not-make-new = could not make { $folder }: name a folder that is not there yet
error-sample-restored = sample { $name } is restored already: `xmserver table list` shows its tables
error-two-ports = expected two ports, of POP3 and of SMTP, found { $count }
error-no-address = no relay is configured, so the centre has no address to write to: `xmserver sample configuration` shows one
error-no-registry = the centre has no civil registry: `xmserver sample restore ecr` makes the one that this letter is for
error-statement-days = a statement ends on { $to } and begins on { $from }: name days in their order
error-no-email = agency { $agency } has no e-mail address, and the office of a trial writes mails: `xmserver agency edit { $again } --email mairie@example.org` gives it one
error-answer-no-address = the agency has no e-mail address: `xmserver agency edit` gives it one, then `xmserver answer retry` sends this
error-answer-no-certificate = no valid certificate to seal the answer for
error-no-installation = agency { $agency } has no installation: `xmserver agency install { $again } main` adds one
error-no-scope = agency { $agency } may not write of any centre: `xmserver agency grant { $again } { $column } C01` lets it
error-trial-post = the trial's mail server could not start
error-no-trial = the configuration is not one of a trial: expected a mailbox and a relay at { $address } with security = "none", as `xmserver sample configuration --trial 2110 2525` prints them
error-user-account-missing = this account is that of user { $user }: name the account to be mapped
error-account-absent = account { $account } does not exist on this machine: expected one that `getent passwd` shows
error-approval-yes = nothing was done: say --yes to confirm it
error-approval-waits = nothing was done: it waits still

# Files brought as certificates

error-file-large = { $file } has { $bytes } bytes: expected a certificate, PEM or DER
error-file-unfit = the certificate in { $file } cannot be registered: { $reason }
error-file-unfit-again = the certificate in { $file } cannot be registered: { $reason }; have it issued again
error-file-unfit-text = the certificate in { $file } cannot be registered: { $reason }; a name in it holds letters that are not UTF-8, as it says they are: have it issued again
error-file-empty = { $file } is empty: ask the agency to send its certificate again
error-file-private-key = { $file } holds a PRIVATE KEY. Nothing was registered: that key is burnt, since whoever had this file in hand can sign as the agency. Delete the file; the agency makes a new key, which never leaves it, and sends the certificate alone. Is a certificate of the old key registered, revoke it: `xmserver cert revoke`
error-file-pkcs12 = { $file } is a PKCS #12 file, which mostly holds the private key too: ask the agency for the certificate alone, which it gets by `openssl pkcs12 -in { $again } -nokeys -clcerts -out office.crt`
error-file-pkcs7 = { $file } is a PKCS #7 file of certificates: `openssl pkcs7 -in { $again } -print_certs -out office.crt` takes them out (with -inform DER where it is no text)
error-file-request = { $file } is a request for a certificate, not a certificate: this release issues none; the agency makes its own by `{ $command }`
error-file-public-key = { $file } is a public key alone: the agency makes a certificate of it by `{ $command }`
error-file-trusted = { $file } is a certificate in OpenSSL's form TRUSTED: `openssl x509 -in { $again } -out office.crt` makes an ordinary one of it
error-file-revocations = { $file } is a list of revoked certificates, not a certificate
error-file-utf16 = { $file } is text in UTF-16: `iconv -f UTF-16 -t UTF-8 { $again } > office.crt` makes an ordinary one of it
error-file-bare = { $file } is a certificate in base64 without its BEGIN line: `base64 -d { $again } > office.crt` makes an ordinary one of it
error-file-damaged = { $file } holds a certificate whose base64 is damaged: ask the agency to send it again, as an attachment
error-file-letter = { $file } is a letter, not a certificate: mail it to the centre's mailbox
error-file-unknown = { $file } holds no certificate: expected one, PEM or DER

# Certificates of a file, one a line

error-presented-self = { $subject }, self-signed, { $algorithm }
error-presented-self-authority = { $subject }, self-signed, { $algorithm }, a certification authority's
error-presented = { $subject }, by { $issuer }, { $algorithm }
error-presented-authority = { $subject }, by { $issuer }, { $algorithm }, a certification authority's

# Demo

error-demo-post = the post office could not start
error-demo-stopped = stopped before the end: nothing was checked
error-demo-figures = --figures { $file }: cannot be written
error-demo-page = --page { $file }: cannot be written
error-demo-data = --data { $folder }: expected a folder that does not exist yet; the demo makes it
error-demo-exists = { $folder } exists already: begin the demo once more
error-demo-ended-early = the centre ended with { $status } before it was ready; its last lines stand above
error-demo-not-ready = the centre was not ready within { $seconds } s; its last lines stand above
error-demo-ended-lines = the centre ended by itself with { $status }; its last lines stand above
error-demo-ended = the centre ended by itself with { $status }
error-demo-ended-before = the centre has ended before it was told to
error-demo-no-stop = the centre did not stop within { $seconds } s
error-demo-stopped-with = the centre stopped with { $status }
error-demo-own-file = the program's own file
error-demo-setpriv = setpriv, of the package util-linux, could not start the centre
error-demo-no-agency = a town has at least one agency
error-demo-not-taken = the post office did not take { $message }
error-demo-still = nothing has moved for { $seconds } s: { $letters } letters sent, { $waiting } in the centre's mailbox, { $unanswered } without a receipt; what the centre said stands above
error-demo-no-number = no number is left for an agency of your own
error-demo-no-receipt = no receipt came to { $address } within { $seconds } s
error-demo-openssl = the command openssl could not be started
error-demo-openssl-closed = openssl does not open the receipt: { $reason }
error-demo-json = receipt.json holds no receipt
error-demo-no-container = the changed letter has no container
error-demo-not-in-quarantine = the changed letter is not in quarantine
