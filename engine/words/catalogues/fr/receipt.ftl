# Un accusé de réception en mots : ce qu'on lit à l'officier au téléphone.

receipt-accepted = acceptée : toutes les fiches sont dans les tables
receipt-refused = refusée
receipt-refused-because = refusée { $code } : { $meaning }
receipt-held-check = retenue : rien n'en est dans les tables, tant que le centre n'a pas décidé ; un autre accusé de réception suit
receipt-held-approval = retenue : ses corrections attendent l'approbation du centre ; un autre accusé de réception suit
receipt-to-do = à faire : { $remedy }
receipt-parameter = { $name } : { $value }
receipt-rows = { $table } : { $new ->
    [one] { $new } nouvelle
   *[other] { $new } nouvelles
}, { $duplicate ->
    [one] { $duplicate } déjà détenue
   *[other] { $duplicate } déjà détenues
}
receipt-replaced = { $table } : { $count ->
    [one] { $count } remplacée
   *[other] { $count } remplacées
}
receipt-cancelled = { $table } : { $count ->
    [one] { $count } annulée
   *[other] { $count } annulées
}
receipt-superseded = { $table } : { $count ->
    [one] { $count } plus ancienne que ce qui est détenu, gardée dans l'historique seulement
   *[other] { $count } plus anciennes que ce qui est détenu, gardées dans l'historique seulement
}
receipt-waiting = { $table } : { $count } en attente d'approbation
receipt-account = coût { $cost }, solde après { $balance } ; plus haut numéro d'ordre détenu { $sequence }
receipt-skew = l'horloge de l'agence moins celle du centre : { $seconds } s, trajet de la lettre compris
receipt-fault = { $table } ligne { $row } : règle { $rule }
receipt-fault-expected = { $table } ligne { $row } : règle { $rule }, attendu : { $expected }
receipt-fault-column = { $table } ligne { $row }, { $column } : règle { $rule }
receipt-fault-column-expected = { $table } ligne { $row }, { $column } : règle { $rule }, attendu : { $expected }
receipt-faults-more = et { $count ->
    [one] { $count } autre ligne fautive
   *[other] { $count } autres lignes fautives
}

# Les signalements se lisent dans les deux langues des agences, quelle que soit celle de l'opérateur.

receipt-flag-broken = à expliquer : le contrôle { $check } de { $table } n'est pas respecté, sur { $rows ->
    [one] { $rows } ligne
   *[other] { $rows } lignes
} ; accepté malgré cela
receipt-flag-unjudged = à expliquer : le contrôle { $check } de { $table } ne peut être jugé, car une valeur manque, sur { $rows ->
    [one] { $rows } ligne
   *[other] { $rows } lignes
} ; accepté malgré cela
receipt-hold-broken = retenue par le contrôle { $check } de { $table }, qui n'est pas respecté, sur { $rows ->
    [one] { $rows } ligne
   *[other] { $rows } lignes
}
receipt-hold-unjudged = retenue par le contrôle { $check } de { $table }, qui ne peut être jugé, car une valeur manque, sur { $rows ->
    [one] { $rows } ligne
   *[other] { $rows } lignes
}
receipt-flag-row = ligne
receipt-flag-more = et { $count ->
    [one] { $count } autre ligne
   *[other] { $count } autres lignes
}

# Les règles qu'une ligne peut enfreindre. Un contrôle porte le nom que sa table lui a donné.

rule-type = de type
rule-length = de longueur
rule-range = d'étendue
rule-precision = de précision
rule-characters = de caractères
rule-not_null = de valeur obligatoire
rule-scope = de ressort
rule-conflict = d'unicité
rule-unknown = inconnue
rule-cancelled = annulée
rule-database = de la base de données

# Les noms des paramètres d'un refus.

parameter-acts = actes
parameter-acts_max = actes au plus
parameter-acts_used = actes déjà lus
parameter-agency = agence
parameter-application = application
parameter-balance = solde
parameter-bytes = octets
parameter-bytes_max = octets au plus
parameter-bytes_used = octets déjà lus
parameter-column = colonne
parameter-definition_version = version de la définition
parameter-dictionary = dictionnaire
parameter-expected = attendu
parameter-found = trouvé
parameter-granted = accordé
parameter-installation = installation
parameter-letter = lettre
parameter-limit = limite
parameter-line = ligne
parameter-missing = manquant
parameter-not_after = valable jusqu'à
parameter-not_before = valable à partir de
parameter-path = chemin
parameter-price = prix
parameter-plan = plan
parameter-profile = plan
parameter-reason = motif
parameter-rule = règle
parameter-sequence = numéro d'ordre
parameter-sequence_floor = plus petit numéro d'ordre connu
parameter-service = service
parameter-status = statut
parameter-status_needed = statut nécessaire
parameter-table = table
parameter-until = jusqu'à
parameter-from = à partir du
parameter-thread = fil
parameter-unknown = inconnu

# Ce qu'un accusé de réception dit en anglais, signé tel quel.

expected-value = une valeur
expected-boolean = true ou false
expected-base64 = du texte en base64
expected-text = du texte
expected-integer = un nombre entier
expected-decimal = un nombre décimal écrit en texte
expected-smallint = de -32768 à 32767
expected-int = de -2147483648 à 2147483647
expected-bigint = de -9223372036854775808 à 9223372036854775807
expected-scale = { $digits ->
    [one] { $digits } chiffre
   *[other] { $digits } chiffres
} au plus après la virgule
expected-zeros = un nombre entier qui se termine par { $zeros } zéros
expected-precision = { $digits ->
    [one] { $digits } chiffre
   *[other] { $digits } chiffres
} au plus, dont { $scale } après la virgule
expected-magnitude = un nombre inférieur à 10 puissance { $power }
expected-length = { $characters ->
    [one] { $characters } caractère
   *[other] { $characters } caractères
} au plus
expected-lines = du texte dont les lignes finissent par LF ou CR LF
expected-one-line = du texte d'une seule ligne
expected-no-overrides = du texte sans U+202D ni U+202E
expected-no-controls = du texte sans caractères de commande
expected-date = une date AAAA-MM-JJ
expected-time = une heure HH:MM ou HH:MM:SS
expected-whole-seconds = une heure en secondes entières
expected-fraction = une heure avec { $digits ->
    [one] { $digits } chiffre
   *[other] { $digits } chiffres
} au plus après les secondes
expected-uuid = un UUID avec ses tirets
expected-granted = un code accordé à l'agence
expected-held = le contenu que détient le centre
expected-none = aucun
expected-codes = { $count ->
    [one] { $count } code
   *[other] { $count } codes
}
expected-not-kept = un déclencheur ou une règle de la table écarte cette ligne
expected-raised = une règle de la base de données

# Pourquoi un SELECT est refusé, après le paramètre `reason`.

select-too_long = plus long que ne peut être un SELECT
select-too_deep = trop de parenthèses ou de NOT imbriqués
select-too_many_terms = trop de termes
select-syntax = pas un SELECT lisible
select-statement = une autre instruction, ou plusieurs
select-comment = un commentaire
select-function = une fonction
select-cast = un changement de type
select-subquery = une requête dans la requête
select-set_operation = UNION, INTERSECT ou EXCEPT
select-common_table = une clause WITH
select-join = plusieurs tables
select-grouping = DISTINCT, GROUP BY, HAVING ou une fenêtre
select-alias = un autre nom pour une colonne ou une table
select-limit = une limite qui n'est pas un nombre entier, ou OFFSET
select-locking = FOR UPDATE ou semblable
select-into = une clause INTO
select-placeholder = une place pour un paramètre
select-operator = un opérateur qui n'est pas lu
select-text = un texte qui n'est pas simplement entre apostrophes
select-number = un nombre qui n'est pas simplement en chiffres
select-character = un caractère qu'aucun SELECT ne contient
select-word = un mot de SQL qui n'est pas lu
select-expression = autre chose qu'une colonne comparée à une valeur
select-name = un nom en plusieurs parties, ou trop long
select-unknown_table = une table inconnue
select-unknown_column = une colonne inconnue
select-column_twice = une colonne nommée deux fois
select-value = une valeur que la colonne ne peut avoir
select-null_compared = NULL comparé : IS NULL le demande
select-pattern = LIKE sur ce qui n'est pas un texte, ou un motif inachevé
