# What the demo says on its way

demo-making = the centre's database and keys are made
demo-starting = the centre starts
demo-comparing = everything sent is held against the database, row by row
demo-ending = the centre ends: what it has in hand is finished first
demo-so-far = { $what }: { $seconds } s so far
demo-bar = { $done } of { $all }
demo-bar-offices = offices set up
demo-bar-sent = letters sent
demo-bar-verified = receipts verified
demo-offices = { $offices ->
    [one] { $offices } office gets keys
   *[other] { $offices } offices get keys
}, certificates and credit
demo-offices-done = { $seconds } s: { $done } of { $all ->
    [one] { $all } office
   *[other] { $all } offices
} set up
demo-sending = the offices send { $letters ->
    [one] { $letters } letter
   *[other] { $letters } letters
}, good and bad, and verify their receipts
demo-sent = { $seconds } s: { $sent } of { $letters ->
    [one] { $letters } letter
   *[other] { $letters } letters
} sent, { $verified } of { $due ->
    [one] { $due } receipt
   *[other] { $due } receipts
} due verified
demo-press-k = Press k to kill the centre as a power cut would: the offices go on, and it comes back.
demo-killed = The centre was killed by the key k, and is started again.
demo-night = The night as a page, for a browser:
demo-night-gone = (gone with the demo; `--page FILE` keeps it)
demo-page-title = xmserver demo: the night
demo-page-caption = Letters a second: sent by the offices, and settled by the centre, each with its verdict.
demo-page-caption-killed = Where a dashed line stands, it was killed without warning.
demo-page-picture = letters a second
demo-page-settled = settled
demo-page-sent = sent
demo-page-killed = the centre is killed
demo-size = { $letters ->
    [one] { $letters } letter
   *[other] { $letters } letters
} of { $offices ->
    [one] { $offices } office
   *[other] { $offices } offices
} on one machine, seed { $seed }

# What it found

demo-kept = Every promise was kept: each letter has exactly one effect, and each sender knows it.
demo-broken = A promise was broken: see what is not 0 below.
demo-lost = lost: a letter without its effect or its receipt
demo-doubled = doubled: an effect there more than once
demo-wrong = wrong: an effect that nobody asked for
demo-difference = XAF of difference in the books
demo-innocent = innocent letters in quarantine
demo-receipts-missing = receipts missing
demo-receipts-wrong = receipts wrong
demo-reads-wrong = answers wrong: another record, result or balance than there was to tell
demo-letters-sent = letters sent
demo-service-export = sent records
demo-service-correct = corrected records
demo-service-import = read records back
demo-service-certify = had papers compared with the register
demo-service-account = asked for their statement
demo-service-profile = read or changed the agency's own data
demo-service-recharge = brought the code of a voucher
demo-service-message = wrote to the operators
demo-service-renew = brought the key of the next years
demo-service-enrol = came with a one-time code
demo-service-notice = letters that the centre wrote first, verified by their offices
demo-accepted = accepted: { $rows ->
    [one] { $rows } record
   *[other] { $rows } records
}, { $charged } XAF charged for them
demo-duplicates = came again and changed nothing
demo-recognised = attacks and mistakes sent on purpose, { $refused } recognised:
demo-other-reason = refused for another reason
demo-verified = of { $due ->
    [one] { $due } receipt
   *[other] { $due } receipts
} due, opened and verified by their offices; { $again } that came again and { $nobody } that nobody vouches for get none
demo-rate = letters a second: all offices at once, settled and answered in { $seconds } s
demo-half = from mail to commit for half of the letters, { $p99 } ms for 99 in 100: all offices send at once, so letters wait in a queue for those before them
demo-alone = from mail to commit for one letter sent alone, when all was quiet: up to 1000 ms of it is the wait until the centre looks into its mailbox, once a second
demo-memory = of memory at most in the centre
demo-memory-share = of memory at most in the centre, { $percent } % of the machine's { $machine } MB
demo-megabytes = { $megabytes } MB
demo-kills = { $kills ->
    [one] time
   *[other] times
} the centre was killed without warning; it came back each time
demo-kills-by-hand = { $kills ->
    [one] time
   *[other] times
} the centre was killed without warning ({ $by_hand } by the key k); it came back each time

# What a visitor is offered

demo-stays = The centre stays up. Look at it, and press Ctrl-C when you have seen enough.
demo-counters = counters, as Prometheus reads them
demo-shows-journal = every letter that came, and what became of it
demo-shows-quarantine = what was not accepted, and why
demo-shows-agencies = the offices and their accounts: prices are in XAF, per record
demo-shows-check = everything that the centre needs
demo-own-letter = A letter of your own: type the name of a child and press Enter (Enter alone: no more).
demo-own-key = A P-256 key was made for you: you are agency { $agency }, and certificate { $fingerprint }… is registered at the centre.
demo-own-sent = The birth of "{ $name }" was signed, encrypted and mailed; the receipt came after { $milliseconds } ms.
demo-own-changed = The same letter with one bit changed was mailed too, and is in quarantine: { $meaning } [{ $reason }].
demo-own-open = Open the receipt yourself:
demo-own-no-openssl = (Here it is not opened: the command openssl is not installed.)
demo-own-opened = openssl has just opened and verified it. receipt.json says: { $said }.
demo-own-accepted = accepted, records new in the tables { $rows }, cost { $cost } XAF
demo-own-refused = refused, records new in the tables { $rows }, cost { $cost } XAF
demo-own-refused-because = refused, { $meaning } [{ $code }], records new in the tables { $rows }, cost { $cost } XAF

# What the oracle says of a promise that was broken, to the letter as it stands in the simulation

error-promise-letter = letter { $letter } of agency { $agency }: { $what }
error-promise-stranger = letter { $letter } of nobody known: { $what }
error-promise-no-verdict = no verdict
error-promise-no-row = a row is missing
error-promise-not-charged = not charged
error-promise-not-in-quarantine = not in quarantine as { $code }
error-promise-not-in-journal = not in the journal
error-promise-no-copy = a copy is not in the journal
error-promise-no-receipt = no receipt
error-promise-told-settled = letter { $letter }: its sender was told that it is settled
error-promise-doubled = there more than once: { $what }
error-promise-the-verdict = the verdict of letter { $letter }
error-promise-the-entry = the entry of letter { $letter }
error-promise-the-container = the container of letter { $letter }
error-promise-the-line = the journal's line of letter { $letter }
error-promise-row = row { $row } of { $table } by agency { $agency }
error-promise-verdict = letter { $letter }: verdict { $code }, expected { $other }
error-promise-verdict-unasked = a verdict on a letter that agency { $agency } did not send
error-promise-content = { $what }: other content than was sent
error-promise-origin = { $what }: another origin than its letter's
error-promise-row-unasked = { $what }: nobody sent it to be accepted
error-promise-charged = letter { $letter }: charged { $amount }, expected { $price }
error-promise-charged-unasked = agency { $agency } is charged for letter { $letter }, which is not to be charged
error-promise-kept-otherwise = a container in quarantine as { $code } is not kept as it came
error-promise-innocent = in quarantine without being bad: { $code }
error-promise-original = letter { $letter }: its container is not kept as it came
error-promise-unbelieved = an answer is not believed: { $reason }
error-promise-receipt = letter { $letter }: its receipt says { $found }
error-promise-books = the books differ by { $amount }
error-promise-history-unasked = a line of history by letter { $letter } of agency { $agency }, which corrects nothing
error-promise-the-notice = a notice of { $what }, to agency { $agency }
error-promise-no-part = a part of its answer is missing
error-promise-key-unasked = agency { $agency } has a key that nobody brought
error-promise-broadcast = agency { $agency } has { $found } times what was written to all
error-promise-credited-unasked = agency { $agency } is credited with voucher { $voucher }, which it did not bring
error-promise-profile = agency { $agency } is held to be { $found }
error-promise-seen = agency { $agency } is held to have seen { $found } notices, and said { $said } of { $all }
error-promise-message-to-nobody = agency { $agency } is written to, and nobody did: { $found }
error-promise-redeemed-unasked = agency { $agency }: letter { $letter } redeemed a voucher that it did not bring
error-promise-message-unasked = agency { $agency }: message { $message }, which it did not write
error-promise-no-key = its key is not registered
error-promise-no-message = its message is not there
error-promise-no-reply = its question is not answered
error-promise-no-credit = its voucher is not credited
error-promise-not-redeemed = its voucher is not redeemed
error-promise-part-not-again = letter { $letter }: a part that it asked for has not come again
error-promise-given-unasked = letter { $letter }: asked for nothing, and is given it
error-promise-given-other-table = letter { $letter }: is given records of another table
error-promise-given-refused = letter { $letter }: is refused, and given something
error-promise-read-number = letter { $letter }: its receipt tells of another number of records
error-promise-results-order = letter { $letter }: results are not in their order
error-promise-profile-told = letter { $letter }: the agency's own data is told otherwise
error-promise-message-otherwise = message { $message }: another text or thread
error-promise-no-statement = no statement
error-promise-no-history = nothing in the history
error-promise-notice-other = notice { $notice } of agency { $agency } is another
error-promise-notice-not-verified = notice { $notice } of agency { $agency } was never verified
error-promise-notice-unasked = notice { $notice } to agency { $agency }, which the centre has not written
error-promise-notices-numbered = notices to { $installation } of agency { $agency } are not numbered in a row: { $found }
error-promise-record = record { $record } by agency { $agency }
error-promise-the-reply = the answer to question { $letter }
error-promise-the-certificate = the certificate of a key of agency { $agency }
error-promise-the-history = the history of what letter { $letter } corrected
error-promise-not-told = the office was not told { $what }
error-promise-statement = the statement of letter { $letter }: { $what }
error-promise-the-voucher = the voucher of letter { $letter }
error-promise-read = what letter { $letter } read: { $what }
error-promise-history-other = { $what }: another record or act
error-promise-credited = { $what }: credited { $amount }, expected { $price }
error-promise-history-late = { $what }: marked as come too late, or not
error-promise-history-before = { $what }: not the version before
error-promise-estimate = the estimate of letter { $letter }: { $found }, expected { $from } to { $to } records
error-promise-certificate-given = letter { $letter }: the certificate that it was given is not in the register
error-promise-told = letter { $letter }: act { $act } of agency { $agency } is told as { $found }
error-promise-results = letter { $letter }: { $found } results of { $papers } papers
