# What each refusal means: for whoever operates the centre, and for FORMAT.md, whose table is this one.

refusal-over_size = The mail or file is larger than any letter may be; only its first 16 KiB are kept.
refusal-mail_malformed = The mail has more documents, parts, nesting or header than the limits allow.
refusal-no_container = The mail holds no container, and its mailbox's rule says quarantine.
refusal-document_malformed = The text is no SDC document: armour, base64 or limits.
refusal-envelope_malformed = The outer CMS structure is not the one of this format.
refusal-envelope_forbidden = The outer CMS structure has algorithms, recipients or attributes that are refused.
refusal-not_for_this_centre = The envelope is for none of the centre's keys.
refusal-undecryptable = The envelope does not open. One code for every cause: a finer one would be an oracle.
refusal-signature_malformed = The inner CMS structure is not the one of this format.
refusal-signature_forbidden = The inner CMS structure has algorithms, signers or attributes that are refused.
refusal-unknown_signer = No registered certificate belongs to the signer.
refusal-signature_invalid = The signature is not that of the registered key.
refusal-certificate_revoked = The signer's certificate has been revoked: the key may be in other hands, so nobody is told.
refusal-poison = The letter made the centre fail three times, alone.
refusal-certificate_expired = The signer's certificate has expired, or is not valid yet.
refusal-cipher_not_allowed = The agency may not use AES-256-CBC.
refusal-letter_too_large = The container is larger than this agency's limit.
refusal-compression_malformed = The signed payload does not decompress within its limits, or asks for an unknown dictionary.
refusal-payload_malformed = The signed payload is not the JSON of this format.
refusal-version_unsupported = The format version is none that this centre reads.
refusal-sender_mismatch = The signed sender is not the agency whose key signed.
refusal-wrong_server = The letter is addressed to another server.
refusal-wrong_mode = A test letter came to a live server, or the reverse.
refusal-installation_unknown = The installation is not enrolled for this agency.
refusal-letter_conflict = The same letter id came before with other content.
refusal-sequence_conflict = The same sequence number came before with other content.
refusal-sequence_expired = The sequence number is older than what the centre still knows.
refusal-agency_suspended = The agency is suspended.
refusal-service_unknown = The centre does not offer this service.
refusal-service_not_allowed = The agency's status does not admit this service.
refusal-table_unknown = The application or table is not adopted by this centre.
refusal-table_not_granted = The agency's plan gives no right to this table.
refusal-columns_mismatch = Columns are unknown, missing or named twice.
refusal-rows_invalid = Values break a rule of their column.
refusal-out_of_scope = Rows lie outside the codes granted to the agency.
refusal-conflict = The same record is held with other content.
refusal-check_failed = Rows break a check of their table.
refusal-select_refused = The selection has what the centre does not read: `reason` says what, `found` its name.
refusal-read_too_large = The selection has more rows or octets than one answer may have.
refusal-parts_unknown = The centre keeps none of these parts: it never wrote them, or has forgotten them after fourteen days.
refusal-quota_exceeded = What the agency's plan allows to be read in a day is used up.
refusal-insufficient_credit = The account does not bear the price, and this service is not given on credit.

# The same in a few words, before people who do not know the codes.

refusal-over_size-short = a mail larger than any letter may be
refusal-mail_malformed-short = a mail of too many parts
refusal-no_container-short = a person's mail with no letter in it
refusal-document_malformed-short = a document damaged on its way
refusal-envelope_malformed-short = noise where the envelope should be
refusal-envelope_forbidden-short = an envelope of a forbidden kind
refusal-not_for_this_centre-short = encrypted for another centre
refusal-undecryptable-short = an envelope tampered with on its way
refusal-signature_malformed-short = noise where the signature should be
refusal-signature_forbidden-short = a signature of a forbidden kind
refusal-unknown_signer-short = signed with a stranger's key
refusal-signature_invalid-short = a forged signature or a changed text
refusal-certificate_revoked-short = signed with a revoked certificate
refusal-poison-short = a letter that made the centre fail
refusal-certificate_expired-short = signed with an expired certificate
refusal-cipher_not_allowed-short = a cipher that the office may not use
refusal-letter_too_large-short = larger than the office's limit
refusal-compression_malformed-short = a compressed text that is damaged
refusal-payload_malformed-short = a text that is not of the format
refusal-version_unsupported-short = a version that the centre does not read
refusal-sender_mismatch-short = signed in another office's name
refusal-wrong_server-short = addressed to another server
refusal-wrong_mode-short = a live letter sent to a rehearsal
refusal-installation_unknown-short = from a computer that is not enrolled
refusal-letter_conflict-short = a former letter's id, other content
refusal-sequence_conflict-short = a former letter's number, other content
refusal-sequence_expired-short = a letter's number far too old
refusal-agency_suspended-short = from a suspended office
refusal-service_unknown-short = asks for a service that there is not
refusal-service_not_allowed-short = asks for a service not open to it
refusal-table_unknown-short = for a table that the centre has not
refusal-table_not_granted-short = for a table not open to the office
refusal-columns_mismatch-short = a column missing or unknown
refusal-rows_invalid-short = a date that is no date, and the like
refusal-out_of_scope-short = a record in another office's name
refusal-conflict-short = a record sent before, changed
refusal-check_failed-short = votes whose sums are wrong
refusal-select_refused-short = asks for records in words not read here
refusal-read_too_large-short = asks for more than one answer may have
refusal-parts_unknown-short = asks for parts of an answer not kept
refusal-quota_exceeded-short = more than a day's reading allows
refusal-insufficient_credit-short = no credit for what it costs

# How many rows are wrong, behind the parameters of a refusal.

refusal-faulty-rows = { $count } faulty rows

# What the office does about it.

remedy-mend = the officer mends it and sends the records in a new letter
remedy-wait = the office waits until it is told or has paid, then sends the records again
