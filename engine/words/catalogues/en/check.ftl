# What `xmserver check` finds. Programs get these sentences in English; for people they are read back from here.

verdict-ok = ok
verdict-warn = warn
verdict-fail = fail

# What was looked at

check-subject-configuration = configuration
check-subject-environment = environment
check-subject-mailboxes = mailboxes
check-subject-folder = folder { $name }
check-subject-intake = intake { $name }
check-subject-passwords = passwords
check-subject-disk = disk
check-subject-data-folder = data folder
check-subject-keys = keys
check-subject-database = database
check-subject-backup = backup
check-subject-server = server
check-subject-centre-keys = centre's keys
check-subject-tables = tables
check-subject-tariffs = tariffs
check-subject-agencies = agencies
check-subject-people = people
check-subject-reading = reading
check-subject-agency = agency { $agency }
check-subject-reach = reach { $what }
check-subject-words = words

# Machine and configuration

check-no-file = no file: defaults and environment
check-no-keys = no keys of the configuration, though they look like some: { $names }; a key has two underscores between its levels, as in XMSERVER_SERVER__LOG_LEVEL
check-no-mailbox = none is configured: add a [[mailbox]], an [[intake]], [https] or a [folder] to the configuration file
check-no-relay = none is configured: add [relay], or no answer can leave
check-folder = { $reason }: make it, or mount it, and let this program read, write and remove files there; it goes on by itself
check-folder-silent = the disk has not answered for { $seconds } s
check-folder-itself = the folder
check-folder-in-closed = in is not writable
check-folder-out-closed = out is not writable
check-peer = { $host } as { $name }
check-http-open = { $address } is open to other machines and has no sign-in: let only the monitoring reach it
check-http-running = { $address }, of the centre that runs
check-http-free = { $address } is free
check-http-taken = { $address } cannot be listened on ({ $reason }): end the program that has it, or choose another server.http_address
check-http-in-use = address in use
check-http-not-available = address not available
check-http-denied = permission denied
check-passwords-closed-one = 1 file, closed to others
check-passwords-closed = { $count } files, closed to others
check-disk-full = { $free } MB are free of { $size }: no letter can be committed; make room, and mail flows again by itself
check-disk-elsewhere = { $free } MB are free of { $size }; the database has a disk of its own, which is not looked at here
check-disk-low = { $free } MB are free of { $size }: less than { $percent } %
check-disk-free = { $free } MB are free of { $size }
check-certificate-valid = { $algorithm }, valid from { $from } to { $to }
check-reached = every step passed
check-words-line = { $file }, line { $line }: { $reason }; what is right in it is said all the same
check-words-file = { $file } is not read: { $reason }

# Database

check-postgres = PostgreSQL { $version }
check-reading-missing = there is no login xm_reader, so import and certify are not offered: OPERATIONS.md, Reading, says what to make
check-reading-unnamed = the login xm_reader is there and is not named, so import and certify are not offered: set database.reader_url_file
check-reading-away = the login xm_reader cannot sign in: { $reason }
check-reading-excess = the login xm_reader may more than read its views: { $what }; OPERATIONS.md, Reading, says how to take it
check-reading-bound = the login xm_reader may read its views, and nothing else
check-postgres-old = PostgreSQL { $version } is too old: 15 or newer is needed
check-fsync = fsync is off: a power cut loses letters whose mail is already deleted; set fsync = on
check-full-page-writes = full_page_writes is off: a power cut can ruin tables; set full_page_writes = on
check-synchronous-commit = synchronous_commit is { $value } in our sessions: it must be on
check-encoding = the database's encoding is { $encoding }: it must be UTF8
check-standby = the database is a standby, which cannot be written: name the primary
check-standbys-none = several hosts are configured, and no commit waits for a standby: a failover loses letters that were answered; set synchronous_standby_names on the primary
check-standbys-hidden = several hosts are configured, and this login may not see whether commits wait for a standby: GRANT pg_read_all_stats to it
check-checksums = data checksums are off: rotten pages go unnoticed; see pg_checksums --enable
check-shared-user = the private PostgreSQL runs as { $user }, as other programs may: whoever can become { $again } can read the records; make a system user before `init` (useradd --system --no-create-home xmserver)
check-backup-none = none is known: the database archives no WAL, so what is newer than the last copy is lost with its disk; OPERATIONS.md, Backup, says what to copy
check-backup-failed = WAL is not archived: archive_command failed { $failures } times, last on { $failed }, and has succeeded { $succeeded }; its words are in PostgreSQL's log
check-never = never
check-last-on = last on { $time }
check-backup-not-yet = archive_mode is on, and no WAL was archived yet
check-backup-ok = WAL is archived, last on { $time }; whether a base backup goes with it, its tool tells
check-server = { $name }, mode { $mode }, currency { $currency }
check-keys-unknown = the database does not know its centre's keys yet: the next `xmserver run` or `init` has it take these
check-keys-known = { $count } known to the database, all at hand and no others
check-key-of-agency = the centre's own key is registered for it: `xmserver cert revoke "#{ $id }" --reason "key of the centre"`
check-address-of-agency = { $address } is the centre's own address: its answers come back as letters; give it another one
check-no-table = none is adopted, so every letter is refused: `xmserver table adopt FILE`
check-tables-one = 1 adopted, as it was adopted
check-tables = { $count } adopted, as they were adopted
check-no-tariff = no tariff, so free: { $services }; `xmserver tariff set` sets a price
check-tariff-unknown = tariff { $id } is for { $service }, which is no service of this program: it prices nothing
check-tariffs = every service that has a price and is offered has one
check-no-agency = none is there that is not suspended, so every letter is refused: `xmserver agency add`
check-no-certificate-one = 1 has no valid certificate, so nobody answers its letters: `xmserver cert register`
check-no-certificate = { $count } have no valid certificate, so nobody answers their letters: `xmserver cert register`
check-no-grant-one = 1 is granted no code of any scope, so its records are out of scope: `xmserver agency grant`
check-no-grant = { $count } are granted no code of any scope, so their records are out of scope: `xmserver agency grant`
check-no-address-one = 1 writes by mail and has no e-mail address, so its answers are given up: `xmserver agency edit`
check-no-address = { $count } write by mail and have no e-mail address, so their answers are given up: `xmserver agency edit`
check-agencies-one = 1 not suspended, with a certificate and a code of some scope
check-agencies = { $count } not suspended, each with a certificate and a code of some scope
check-people-none = no account is a user's yet, so no command works: `xmserver user map { $user }` makes the one that runs it the first
check-people-one = one user of privilege 3 can sign in, so nobody confirms what needs two: `xmserver user add NAME --privilege 3 --account ACCOUNT`
check-people = { $users } users can sign in, { $superviseurs } of privilege 3
