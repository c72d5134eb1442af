# Comments of the sample files, each to the letter as it stands there: `sample configuration`, `sample tables`.

sample-configuration-head = Configuration of xmserver. Lies in /etc/xmserver/ or in the data folder. What is commented out shows the default. Keys of [server], [database], [relay] and [limits] can be set by the environment instead, with two underscores between the levels: XMSERVER_SERVER__LOG_LEVEL=debug, XMSERVER_RELAY__SMTP__PORT=587. Mailboxes stand in this file only. Other variables that begin with XMSERVER_ are no keys. The command line is above the environment, and the environment above this file. No secret stands here: passwords lie in files that only the server may read, or in the environment. `xmserver check` explains what is wrong; `xmserver check --online` also tries mailboxes and relay.
sample-configuration-data-folder = Keys, process identity and the private PostgreSQL. By default the folder of this file where it lies in a data folder.
sample-configuration-keys-folder = The centre's keys, where they lie elsewhere than in keys/ of the data folder: a read-only mount that replicas share.
sample-configuration-process-name = Name of this process among several that serve one centre. Without it, the data folder keeps the identity.
sample-configuration-http-address = Serves /live, /ready and /metrics. Bind it to an address that only your monitoring reaches.
sample-configuration-log-format = text or json.
sample-configuration-log-level = error, warn, info, debug or trace; or directives such as "info,actors=debug".
sample-configuration-drain-notice = How long a stopping program still takes pushed letters, while /accept sends balancers elsewhere. Only with [[intake]] or https.
sample-configuration-shutdown = How long a shutdown waits for letters in hand; what is not settled by then stays in its mailbox.
sample-configuration-metrics-kept = How old a metric that is read from the database may be: a few cost more the more agencies there are.
sample-configuration-database = Without url and url_file, xmserver runs a private PostgreSQL in the data folder.
sample-configuration-url = Without a password; one with a password goes into url_file or into XMSERVER_DATABASE__URL.
sample-configuration-database-reader = The same database under the login that reads for agencies (OPERATIONS.md, Reading); without it import and certify are not offered.
sample-configuration-database-ca = Certificates to trust instead of the system's; another machine is reached by verified TLS only.
sample-configuration-binaries = Where postgres and initdb of the private PostgreSQL are, if they are not found by themselves. A build without LZ4 cannot read the log of one with it: stop xmserver cleanly before you change from one to the other.
sample-configuration-mailbox = One block per mailbox that agencies write to.
sample-configuration-no-container = Mail that holds no container: leave, quarantine or drop.
sample-configuration-pop3-port = 995 with tls, 110 otherwise.
sample-configuration-security = tls, starttls, or none (only for a server on this machine).
sample-configuration-secret = One of these three names the secret.
sample-configuration-mail-ca = Certificates to trust besides the system's: of a signer, or the mail server's own (also as `openssl req -x509` makes it).
sample-configuration-mail-size = Of larger mail only the first 16 KB are fetched, into quarantine.
sample-configuration-folder = The transfer folder, for memory sticks and gateways that carry files: letters are taken out of its `in`, answers put into its `out`. Both must be there, and are never made: without them the medium is away. To have one, take the blanks away:
sample-configuration-folder-name = Its name in logs, metrics and journal; no mailbox has the same.
sample-configuration-quiet = How long a file must have been left alone by whoever writes it.
sample-configuration-file-size = Of larger files only the first 16 KB are taken, into quarantine.
sample-configuration-intake = One block per address at which other mail servers push letters, instead of or beside mailboxes (OPERATIONS.md, Pushed mail). A sender is answered once its mail is committed. To have one, take the blanks away:
sample-configuration-intake-no-container = Mail that holds no container: quarantine or drop.
sample-configuration-intake-hold = How long a sender waits while the database cannot be reached, before it is asked to send the mail again: less than its own patience, which is 600 seconds of Postfix' lmtp, and 100 of its smtpd_proxy_filter.
sample-configuration-intake-protocol = lmtp for a server that has queued the mail, smtp for one that asks before it does.
sample-configuration-intake-certificate = For tls and starttls, certificate_file and key_file name the server's certificate and its key.
sample-configuration-intake-addresses = Addresses whose mail is taken; by default those of mailboxes and relay.
sample-configuration-intake-connections = Where all are taken, the connection that has gone longest without a mail gives its place up.
sample-configuration-intake-mail-size = Of larger mail only the first 16 KB are kept, in quarantine.
sample-configuration-https = The address at which offices post letters over HTTPS and collect the answers (OPERATIONS.md, Letters over HTTPS). To have one, take the blanks away:
sample-configuration-https-name = Its name in logs, metrics and journal; no mailbox, folder or intake has the same.
sample-configuration-https-security = tls, with certificate_file and key_file; or none on this machine, behind a proxy that has the certificate.
sample-configuration-https-proxies = Addresses of such proxies: only what they say in X-Forwarded-For is believed.
sample-configuration-https-connections = Where all are taken, the connection that has gone longest without a letter gives its place up.
sample-configuration-https-hold = How long a letter is held while the database cannot be reached, before its sender is asked to send it again.
sample-configuration-https-requests = Of one address; of IPv6, of one network of 64 bits. Many offices may share one address.
sample-configuration-kit = What offices are told in their kits, `xmserver enrolment kit` (OPERATIONS.md, Enrolment). To have one, take the blanks away:
sample-configuration-kit-telephone = Whom offices call.
sample-configuration-kit-address = The address that they write to; without it, that of the first mailbox, or of the relay.
sample-configuration-kit-mail = Their own mail: each signs in with the e-mail address of its agency.
sample-configuration-relay = Who takes the answers. Not needed where no letter comes by e-mail.
sample-configuration-relay-address = The centre's own address.
sample-configuration-smtp-port = 465 with tls, 587 with starttls, 25 with none.
sample-configuration-limits = What bounds memory, disk and load. The defaults suit a machine of two processors and 2 GB.
sample-configuration-crypto-threads = Threads that decrypt and verify; 0 means one per processor.
sample-configuration-writers = Batches settled side by side.
sample-configuration-readers = Letters read for side by side, by connections of their own.
sample-configuration-in-hand = Mail fetched and not yet settled.
sample-configuration-slow-mails = The same for mail that no known agency claims.
sample-configuration-unpacked = Bytes of letters that have been read and are not settled; in memory they are some ten times as large.
sample-configuration-batch = Letters per transaction, and how long the first waits for others.
sample-configuration-document = Largest container that is opened, and largest letter once it is decompressed.
sample-configuration-rows = Most rows of a letter. It is written whole, and letters of others wait meanwhile: with 20000, no longer than two seconds.
sample-configuration-quarantine = Kept of containers that no known key signed, shared by reason; an eighth of it is for mails beyond a limit with a letter that one signed. What is beyond is counted only.

sample-tables-head = A definition file: what `xmserver table adopt FILE` is told of the tables of one application. Make the tables first, with any SQL tool; each needs "Numero" (an integer that PostgreSQL numbers) and "Status" (smallint NOT NULL). Adoption adds the columns xm_… and two unique indexes, nothing else. After ALTER TABLE, or a change of this file, adopt again: offices get the next version.
sample-tables-application = The family of tables, as letters name it: 1 to 31 of a-z, 0-9 and _, beginning with a letter.
sample-tables-schema = The PostgreSQL schema; left out, that of the application's name.
sample-tables-table = One [[tables]] for each table.
sample-tables-name = The name in letters; they may write it in any case.
sample-tables-relation = The PostgreSQL table, where it has another name.
sample-tables-scope = The column whose codes must be granted to an agency (`xmserver agency grant MATRICULE COLUMN CODE …`). Left out, every agency with rights to the table writes about everything.
sample-tables-legal-key = The columns that together name a record in law, unique among live records. None may be NULL.
sample-tables-corrections = How a record is corrected: "never", "after_approval" (an operator decides each; the default) or "by_agency".
sample-tables-results = Whether it has results: held letters are released, and records corrected, by two people, one of them of the election commission.
sample-tables-areas = The columns that name the areas a row lies in, from the largest to the smallest.
sample-tables-multiline = Text columns that may have several lines. In all others a line end refuses the letter, as other control characters do everywhere.
sample-tables-checks = Checks: arithmetic that every row must satisfy. The terms of a side are added up.
sample-tables-code = Named in receipts; once in a table.
sample-tables-severity = "refuse": the letter is refused. "hold": it is kept whole, and in no table, until two people release or refuse it. "flag": it is accepted and the operators are told. A row with a figure that is missing cannot be judged: under "hold" the letter is held, else it is accepted and the operators are told.
sample-tables-left = A term is an integer column of the row, a whole number, …
sample-tables-comparison = "=" or "<=".
sample-tables-right = … the sum of an integer column over those rows of a table that agree with the row in the columns `on`, which have the same names in both tables; over no rows it is 0. They are the rows of the letter, or with `held = true` all that the table holds, the letter's among them: `on` is then the beginning of that table's legal key, or has all of it. { "{" } table, count = "letter", on { "}" } and { "{" } table, count = "held", on { "}" } count them: that a referenced row exists is a count of 1. { "{" } table, column, on { "}" } is a column of the one row that `on`, the table's legal key, names.
sample-tables-allowance = By how much the sides may differ: a fixed number, or a percentage of a term, the larger of which counts.
sample-tables-rights = What agencies of a plan may do. Without any [tables.rights.…] those of "standard" may send and not read.
sample-tables-may-export = Whether they may send records.
sample-tables-may-read = Whose records they may read back: "none" (the default), "own" (sent by the agency, within its codes) or "all".
sample-tables-may-certify = Whose records they may certify by their legal key, and what that gives: "verdict" (the default) or "record".

sample-trial-head = A centre for a trial: its mail server is `xmserver sample post`, on this machine alone. `xmserver sample configuration` shows every key, and what a real mail server needs.
