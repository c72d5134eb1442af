# Comment la ligne de commande est expliquée et refusée.

usage-heading = Utilisation :
usage-line = Utilisation : { $usage }
usage-commands = Commandes :
usage-arguments = Arguments :
usage-options = Options :
usage-any-options = { "[" }OPTIONS]
usage-default = { "[" }par défaut : { $value }]
usage-possible = { "[" }valeurs possibles : { $values }]
usage-possible-heading = Valeurs possibles :
usage-help = Afficher l'aide
usage-help-more = Afficher l'aide (plus de détails avec '--help')
usage-help-summary = Afficher l'aide (un résumé avec '-h')
usage-version = Afficher la version
usage-help-command = Afficher ce message ou l'aide des commandes nommées
usage-help-of-command = Afficher l'aide des commandes nommées
usage-error = erreur : { $what }
usage-tip = conseil : { $what }
usage-try = Pour en savoir plus, essayez '{ $flag }'.

# Ce qui ne va pas

usage-conflict = l'argument '{ $argument }' ne va pas avec
usage-conflict-one = l'argument '{ $argument }' ne va pas avec '{ $other }'
usage-conflict-several = l'argument '{ $argument }' ne va pas avec :
usage-twice = l'argument '{ $argument }' ne peut être donné qu'une fois
usage-no-equals = il faut un signe égal pour donner une valeur à '{ $argument }'
usage-value-missing = il faut une valeur pour '{ $argument }', et aucune n'est donnée
usage-value-invalid = valeur '{ $value }' non valable pour '{ $argument }'
usage-value-invalid-because = valeur '{ $value }' non valable pour '{ $argument }' : { $reason }
usage-unknown-command = commande inconnue : '{ $command }'
usage-missing = il manque ces arguments obligatoires :
usage-no-command = '{ $command }' demande une commande, et aucune n'est donnée
usage-subcommands = { "[" }commandes : { $commands }]
usage-too-many = valeur '{ $value }' de trop pour '{ $argument }' ; il n'en fallait plus
usage-too-few-one = il faut { $needed } valeurs pour '{ $argument }' ; seule { $given } est donnée
usage-too-few = il faut { $needed } valeurs pour '{ $argument }' ; seulement { $given } sont données
usage-wrong-number-one = il faut { $needed } valeurs pour '{ $argument }', et { $given } est donnée
usage-wrong-number = il faut { $needed } valeurs pour '{ $argument }', et { $given } sont données
usage-unexpected = argument inattendu : '{ $argument }'
usage-utf8 = un ou plusieurs arguments ne sont pas de l'UTF-8

# Ce qui était peut-être voulu

usage-similar-command = une commande semblable existe : { $names }
usage-similar-commands = des commandes semblables existent : { $names }
usage-similar-argument = un argument semblable existe : { $names }
usage-similar-arguments = des arguments semblables existent : { $names }
usage-similar-value = une valeur semblable existe : { $names }
usage-similar-values = des valeurs semblables existent : { $names }
usage-escape = pour donner '{ $argument }' comme valeur, écrivez '{ $written }'
usage-exists = '{ $argument }' existe
usage-is-command = la commande '{ $command }' existe ; pour l'utiliser, enlevez le '--' devant elle

# Pourquoi une valeur n'est pas valable

usage-matricule = attendu un matricule de 1 à 999999, comme 000042, trouvé { $found }
usage-range = { $value } n'est pas dans { $range }
usage-digit = ce n'est pas un nombre entier
usage-empty = rien n'est donné, et il faut un nombre entier
usage-large = le nombre est trop grand
usage-small = le nombre est trop petit
usage-privilege = attendu 1 Opérateur, 2 Chef d'Agence ou 3 Superviseur, trouvé { $found }
usage-letter-named = attendu l'identifiant d'une lettre, son condensé (64 chiffres hexadécimaux) ou le numéro d'une ligne du journal, trouvé { $found }
usage-head = attendu une ligne et son empreinte telles que `xmserver audit verify` les montre, 7:1ac5…, trouvé { $found }
usage-uuid-length = longueur fausse : trouvé { $found }, attendu un identifiant comme 019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08
usage-uuid-character = caractère inattendu : trouvé { $found } à la place { $at }, attendu un identifiant comme 019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08
usage-uuid-groups = nombre de groupes faux : attendu 5, trouvé { $found }
usage-uuid-group = longueur fausse du groupe { $group } : attendu { $expected }, trouvé { $found }
