# A receipt in words: what an officer on the telephone is read.

receipt-accepted = accepted: every record is in the tables
receipt-refused = refused
receipt-refused-because = refused { $code }: { $meaning }
receipt-held-check = held: nothing of it is in the tables, until the centre decides; another receipt follows
receipt-held-approval = held: its corrections wait for the centre's approval; another receipt follows
receipt-to-do = to do: { $remedy }
receipt-parameter = { $name }: { $value }
receipt-rows = { $table }: { $new } new, { $duplicate } held already
receipt-replaced = { $table }: { $count } replaced
receipt-cancelled = { $table }: { $count } cancelled
receipt-superseded = { $table }: { $count } older than what is held, kept in the history alone
receipt-waiting = { $table }: { $count } waiting for approval
receipt-account = cost { $cost }, balance after it { $balance }; highest sequence held { $sequence }
receipt-skew = the office's clock less the centre's: { $seconds } s, the letter's way included
receipt-fault = { $table } row { $row }: rule { $rule }
receipt-fault-expected = { $table } row { $row }: rule { $rule }, expected { $expected }
receipt-fault-column = { $table } row { $row }, { $column }: rule { $rule }
receipt-fault-column-expected = { $table } row { $row }, { $column }: rule { $rule }, expected { $expected }
receipt-faults-more = and { $count ->
    [one] { $count } more faulty row
   *[other] { $count } more faulty rows
}

# Flags are told in both languages of the offices, whichever the operator reads.

receipt-flag-broken = to explain: check { $check } of { $table } does not hold, in { $rows ->
    [one] { $rows } row
   *[other] { $rows } rows
}; accepted all the same
receipt-flag-unjudged = to explain: check { $check } of { $table } cannot be judged, as a value is missing, in { $rows ->
    [one] { $rows } row
   *[other] { $rows } rows
}; accepted all the same
receipt-hold-broken = held by check { $check } of { $table }, which does not hold, in { $rows ->
    [one] { $rows } row
   *[other] { $rows } rows
}
receipt-hold-unjudged = held by check { $check } of { $table }, which cannot be judged, as a value is missing, in { $rows ->
    [one] { $rows } row
   *[other] { $rows } rows
}
receipt-flag-row = row
receipt-flag-more = and { $count ->
    [one] { $count } more row
   *[other] { $count } more rows
}

# Rules that a row may break. A check has the name that its table gave it.

rule-type = type
rule-length = length
rule-range = range
rule-precision = precision
rule-characters = characters
rule-not_null = not_null
rule-scope = scope
rule-conflict = conflict
rule-unknown = unknown
rule-cancelled = cancelled
rule-database = database

# Names of the parameters of a refusal, as they stand in the receipt.

parameter-acts = acts
parameter-acts_max = acts_max
parameter-acts_used = acts_used
parameter-agency = agency
parameter-application = application
parameter-balance = balance
parameter-bytes = bytes
parameter-bytes_max = bytes_max
parameter-bytes_used = bytes_used
parameter-column = column
parameter-definition_version = definition_version
parameter-dictionary = dictionary
parameter-expected = expected
parameter-found = found
parameter-granted = granted
parameter-installation = installation
parameter-letter = letter
parameter-limit = limit
parameter-line = line
parameter-missing = missing
parameter-not_after = not_after
parameter-not_before = not_before
parameter-path = path
parameter-price = price
parameter-plan = plan
# What receipts before called it.
parameter-profile = plan
parameter-reason = reason
parameter-rule = rule
parameter-sequence = sequence
parameter-sequence_floor = sequence_floor
parameter-service = service
parameter-status = status
parameter-status_needed = status_needed
parameter-table = table
parameter-until = until
parameter-from = from
parameter-thread = thread
parameter-unknown = unknown

# Phrases that a receipt has in English, signed as they are: read back from these messages and said in the reader's language.
# Each must say the English phrase to the letter.

expected-value = a value
expected-boolean = true or false
expected-base64 = base64 text
expected-text = text
expected-integer = a whole number
expected-decimal = a decimal number as text
expected-smallint = -32768 to 32767
expected-int = -2147483648 to 2147483647
expected-bigint = -9223372036854775808 to 9223372036854775807
expected-scale = at most { $digits } digits after the point
expected-zeros = a whole number that ends in { $zeros } zeros
expected-precision = at most { $digits } digits, { $scale } of them after the point
expected-magnitude = a number below 10 to the power of { $power }
expected-length = at most { $characters } characters
expected-lines = text whose lines end with LF or CR LF
expected-one-line = text of one line
expected-no-overrides = text without U+202D and U+202E
expected-no-controls = text without control characters
expected-date = a date YYYY-MM-DD
expected-time = a time HH:MM or HH:MM:SS
expected-whole-seconds = a time of whole seconds
expected-fraction = a time with at most { $digits } digits of a second's fraction
expected-uuid = a hyphenated UUID
expected-granted = a code granted to the agency
expected-held = the content that the centre holds
expected-none = none
expected-codes = { $count } codes
expected-not-kept = a trigger or rule of the table keeps this row out
expected-raised = a rule of the database

# Why a SELECT is refused, after the parameter `reason`.

select-too_long = longer than a SELECT may be
select-too_deep = too many brackets or NOT within one another
select-too_many_terms = too many terms
select-syntax = no SELECT that can be read
select-statement = another statement, or several
select-comment = a comment
select-function = a function
select-cast = a change of type
select-subquery = a query within the query
select-set_operation = UNION, INTERSECT or EXCEPT
select-common_table = WITH
select-join = several tables
select-grouping = DISTINCT, GROUP BY, HAVING or a window
select-alias = another name for a column or a table
select-limit = a limit that is no whole number, or OFFSET
select-locking = FOR UPDATE or its kin
select-into = INTO
select-placeholder = a place for a parameter
select-operator = an operator that is not read
select-text = a text that is not simply in single quotes
select-number = a number that is not simply of digits
select-character = a character that no SELECT has
select-word = a word of SQL that is not read
select-expression = something else than a column compared with a value
select-name = a name in several parts, or too long
select-unknown_table = an unknown table
select-unknown_column = an unknown column
select-column_twice = a column named twice
select-value = a value that the column cannot have
select-null_compared = NULL compared: IS NULL asks for it
select-pattern = LIKE on what is no text, or an unfinished pattern
