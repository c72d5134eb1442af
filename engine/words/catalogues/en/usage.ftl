# How the command line is explained and refused. The shapes are those of clap, whose own texts cannot be set.

usage-heading = Usage:
usage-line = Usage: { $usage }
usage-commands = Commands:
usage-arguments = Arguments:
usage-options = Options:
usage-any-options = { "[" }OPTIONS]
usage-default = { "[" }default: { $value }]
usage-possible = { "[" }possible values: { $values }]
usage-possible-heading = Possible values:
usage-help = Print help
usage-help-more = Print help (see more with '--help')
usage-help-summary = Print help (see a summary with '-h')
usage-version = Print version
usage-help-command = Print this message or the help of the given subcommand(s)
usage-help-of-command = Print help for the subcommand(s)
usage-error = error: { $what }
usage-tip = tip: { $what }
usage-try = For more information, try '{ $flag }'.

# What is wrong

usage-conflict = the argument '{ $argument }' cannot be used with
usage-conflict-one = the argument '{ $argument }' cannot be used with '{ $other }'
usage-conflict-several = the argument '{ $argument }' cannot be used with:
usage-twice = the argument '{ $argument }' cannot be used multiple times
usage-no-equals = equal sign is needed when assigning values to '{ $argument }'
usage-value-missing = a value is required for '{ $argument }' but none was supplied
usage-value-invalid = invalid value '{ $value }' for '{ $argument }'
usage-value-invalid-because = invalid value '{ $value }' for '{ $argument }': { $reason }
usage-unknown-command = unrecognized subcommand '{ $command }'
usage-missing = the following required arguments were not provided:
usage-no-command = '{ $command }' requires a subcommand but one was not provided
usage-subcommands = { "[" }subcommands: { $commands }]
usage-too-many = unexpected value '{ $value }' for '{ $argument }' found; no more were expected
usage-too-few-one = { $needed } values required by '{ $argument }'; only { $given } was provided
usage-too-few = { $needed } values required by '{ $argument }'; only { $given } were provided
usage-wrong-number-one = { $needed } values required for '{ $argument }' but { $given } was provided
usage-wrong-number = { $needed } values required for '{ $argument }' but { $given } were provided
usage-unexpected = unexpected argument '{ $argument }' found
usage-utf8 = invalid UTF-8 was detected in one or more arguments

# What may have been meant

usage-similar-command = a similar subcommand exists: { $names }
usage-similar-commands = some similar subcommands exist: { $names }
usage-similar-argument = a similar argument exists: { $names }
usage-similar-arguments = some similar arguments exist: { $names }
usage-similar-value = a similar value exists: { $names }
usage-similar-values = some similar values exist: { $names }
usage-escape = to pass '{ $argument }' as a value, use '{ $written }'
usage-exists = '{ $argument }' exists
usage-is-command = subcommand '{ $command }' exists; to use it, remove the '--' before it

# Why a value is not valid

usage-matricule = expected a matricule of 1 to 999999, such as 000042, found { $found }
usage-range = { $value } is not in { $range }
usage-digit = invalid digit found in string
usage-empty = cannot parse integer from empty string
usage-large = number too large to fit in target type
usage-small = number too small to fit in target type
usage-privilege = expected 1 Opérateur, 2 Chef d'Agence or 3 Superviseur, found { $found }
usage-letter-named = expected a letter's id, its digest (64 hexadecimal digits) or the number of a line of the journal, found { $found }
usage-head = expected a line and its hash as `xmserver audit verify` shows them, 7:1ac5…, found { $found }
usage-uuid-length = invalid length: found { $found }
usage-uuid-character = invalid character: found { $found } at { $at }
usage-uuid-groups = invalid group count: expected 5, found { $found }
usage-uuid-group = invalid group length in group { $group }: expected { $expected }, found { $found }
