# En-têtes de colonnes et noms de faits

heading-id = n°
heading-agency = agence
heading-matricule = matricule
heading-status = statut
heading-balance = solde
heading-name = nom
heading-town = ville
heading-email = courriel
heading-telephone = téléphone
heading-plan = plan
heading-credit-limit = limite de crédit
heading-letter-limit = limite des lettres
heading-cbc-allowed = CBC autorisé
heading-added = ajoutée
heading-installations = installations
heading-scopes = ressorts
heading-queued = mise en file
heading-attempts = tentatives
heading-next = prochain
heading-address = adresse
heading-the-relay-said = le relais a dit
heading-algorithm = algorithme
heading-valid-to = valable jusqu'au
heading-revoked = révoqué
heading-sha-256-fingerprint = empreinte sha-256
heading-received = reçu
heading-sequence = n° d'ordre
heading-rows = fiches
heading-flags = signalements
heading-cost = coût
heading-outcome = issue
heading-sender-domain = domaine de l'expéditeur
heading-bytes = octets
heading-state = état
heading-reason = motif
heading-letter-id = lettre
heading-installation = installation
heading-verdict = verdict
heading-table = table
heading-relation = relation
heading-version = version
heading-scope = ressort
heading-legal-key = clé légale
heading-corrections = corrections
heading-column = colonne
heading-type = type
heading-remarks = remarques
heading-service = service
heading-per-act = par acte
heading-acts-per-day = actes par jour
heading-bytes-per-day = octets par jour
heading-description = désignation
heading-per-started-kb = par Ko commencé
heading-credit = crédit
heading-from = du
heading-to = au
heading-payload-sha-256 = SHA-256 du contenu
heading-attempt = tentative
heading-transport = transport
heading-mailbox = boîte aux lettres
heading-container = conteneur
heading-clock-skew = écart d'horloge
heading-journal-lines = lignes du journal
heading-detail = détail
heading-waits-for-a-decision = attend une décision
heading-claimed-agency = agence déclarée
heading-claimed-signer = signataire déclaré
heading-signer = signataire
heading-sender = expéditeur
heading-subject = objet
heading-container-sha-256 = SHA-256 du conteneur
heading-original = original
heading-held-version = version détenue
heading-issuer = émetteur
heading-key = clé
heading-valid = valable
heading-sha-256 = SHA-256
heading-warning = ATTENTION
heading-letter = lettre
heading-payload = contenu
heading-journal = journal
heading-quarantine = quarantaine
heading-receipt = accusé
heading-answer = réponse
heading-entry = écriture
heading-check = contrôle
heading-trigger = déclencheur
heading-differs = diffère
heading-server = serveur
heading-data-folder = dossier
heading-database = base
heading-keys = clés
heading-first-user = premier utilisateur
heading-privilege = privilège
heading-commission = commission électorale
heading-accounts = comptes
heading-asked = demandée
heading-by = par
heading-decided-by = décidée par
heading-what = objet de la demande
heading-action = acte
heading-time = moment
heading-amount = montant
heading-note = remarque
heading-vouchers = bons
heading-ends = fin
heading-redeemed = utilisés
heading-made-by = établie par
heading-entries = entrées
heading-held = retenues
heading-oldest = la plus ancienne
heading-undecided = sans suite
heading-filter = filtre
heading-written = écrite
heading-locked-until = bloquée jusqu'à
heading-text = texte
heading-wrong = faux
heading-election = élection
heading-station = bureau
heading-stations = bureaux
heading-registered = inscrits
heading-candidate = candidat
heading-votes = voix
heading-area = zone
heading-agencies = agences
heading-active = actives
heading-in-debt = en dette
heading-have-written = ont écrit
heading-silent = muettes
heading-code-open = code ouvert
heading-code-ended = code échu
heading-enrolled = inscrites
heading-rhythm = rythme
heading-last-letter = dernière lettre
heading-certificate = certificat
heading-host = machine
heading-settings = réglages
heading-since = depuis
heading-leases = baux

# Petits mots

sentence-and-cause = { $sentence } : { $cause }
cert-holder-label = titulaire
init-next-label = ensuite
word-yes = oui
word-no = non
word-true = oui
word-false = non
ask-agree = { $question } Tapez oui ou yes :
claimed = { $value } (déclaré, non prouvé)
list-more = { $shown } sur { $all } ; la suite : { $option }, ou --all
list-more-than = { $shown } sur plus de { $all } ; la suite : { $option }, ou --all

# Statut d'une agence

status-0 = suspendue
status-1 = certains services
status-2 = tous sauf export, correct et import
status-3 = tous les services

# agency

agency-status = l'agence { $agency } a le statut { $status } ({ $word })
agency-statuses-shown = { $count ->
    [one] { $count } agence doit
   *[other] { $count } agences doivent
} avoir le statut { $status } ({ $word })
agency-statuses-ask = Le fixer ?
agency-statuses = { $count ->
    [one] { $count } agence a
   *[other] { $count } agences ont
} maintenant le statut { $status } ({ $word }), { $unchanged ->
    [one] { $unchanged } l'avait déjà
   *[other] { $unchanged } l'avaient déjà
}
kit-written = la trousse de l'agence { $agency } est dans { $file }
kit-without-mail = elle est sans courrier : l'agence n'a pas d'adresse électronique, ou [kit] ne nomme pas de serveurs de courrier
kit-next = ensuite : xmserver enrolment code { $agency } --sheet FICHIER.pdf fait le code, qui va à l'agence par une autre voie que la trousse
enrolment-sheet = le code de l'agence { $agency }, valable jusqu'au { $time }, est imprimé dans { $file } et nulle part ailleurs
sheet-title = Inscription de l'agence { $agency }
sheet-code = Le code de cette agence :
sheet-ends = Il sert une fois, jusqu'au { $time }.
sheet-steps =
    Sur l'ordinateur de l'agence, là où est sa trousse : xmagency init FICHIER.kit, puis tapez le code quand il est demandé. La trousse va à l'agence par une autre voie que cette feuille.
sheet-fingerprints = Avant de se fier à la trousse, l'ordinateur montre l'empreinte du certificat du centre. Comparez-la à celle-ci, chiffre par chiffre :
sheet-secret = Qui détient ce code peut se faire passer pour l'agence. Gardez la feuille jusqu'à l'inscription, puis détruisez-la.
sheet-telephone = Questions, ou feuille perdue : téléphone { $telephone }
area-none = (aucune)
rhythm-days = { $days } jours
rhythm-unknown = pas encore connu
silent-none = chaque agence s'est fait entendre dans son rythme
import-opening = report à nouveau
import-added = ligne { $line } : l'agence { $agency } est ajoutée
import-changed = ligne { $line } : l'agence { $agency } est modifiée : { $columns }
import-same = ligne { $line } : l'agence { $agency } est comme le dit la ligne
import-refused = ligne { $line } : l'agence { $agency } est écartée : { $reason }
import-balance-kept = { $sentence } (son solde reste : un import n'en donne qu'aux nouvelles agences)
import-would = lu en { $encoding } ; { $added } seraient ajoutées, { $changed } modifiées, { $same } restent comme elles sont, { $refused } écartées
import-done = lu en { $encoding } ; { $added } ajoutées, { $changed } modifiées, { $same } comme elles étaient, { $refused } écartées
agency-installed = installation { $name } ajoutée à l'agence { $agency }
agency-recharged = agence { $agency } créditée de { $amount } ; solde { $balance }
agency-granted = { $count ->
    [one] { $count } code de { $column } accordé
   *[other] { $count } codes de { $column } accordés
} à l'agence { $agency }, { $unchanged ->
    [one] { $unchanged } l'était déjà
   *[other] { $unchanged } l'étaient déjà
}
agency-withdrawn = { $count ->
    [one] { $count } code de { $column } retiré
   *[other] { $count } codes de { $column } retirés
} à l'agence { $agency }, { $unchanged ->
    [one] { $unchanged } l'était déjà
   *[other] { $unchanged } l'étaient déjà
}
agency-added = agence { $agency } ajoutée, installation { $installations }
agency-added-next = ensuite : xmserver cert register { $agency } CERTIFICAT, puis xmserver agency grant { $agency } COLONNE CODE …
agency-unchanged = l'agence { $agency } est comme elle était
agency-changed = agence { $agency } modifiée
agency-change = { $name } : { $before } → { $after }
agency-retry-next = ensuite : xmserver answer retry --agency { $agency } envoie à la nouvelle adresse ce qui attend
statement-of = compte de l'agence { $agency }, du { $from } au { $to }
statement-newest = { $entries ->
    [one] la dernière écriture sur { $total }
   *[other] les { $entries } dernières écritures sur { $total }
}
statement-opening = solde avant : { $balance }
statement-empty = aucune écriture
statement-closing = solde après : { $balance } ; limite de crédit { $limit }
entry-letter = lettre
entry-recharge = rechargement
entry-voucher = bon
entry-manual = facture
entry-reversal = contre-passation
agency-none = aucune agence
agency-none-such = aucune agence de ce genre
agency-installation = { $name } (plus haut numéro d'ordre { $sequence })
agency-no-email = aucun
agency-credit-limit = { $amount } (pour les services qui ne se prennent pas à crédit)
agency-bytes = { $bytes } octets

# answer, letter

answer-none = aucune réponse n'attend
answer-none-such = aucune réponse de ce genre n'attend
answer-sent-now = { $count ->
    [one] { $count } réponse part maintenant
   *[other] { $count } réponses partent maintenant
}
answer-unproven = on ne répond à personne dont la signature n'est pas prouvée
answer-subject = lettre { $letter } de l'agence { $agency }
answer-resent = l'accusé de réception de la lettre { $letter } repart vers l'agence { $agency }
answer-given-up = abandonnée
answer-folder = le dossier de transfert
answer-http = le bureau, qui la retire par HTTPS
answer-no-address = sans adresse
answer-sent = envoyée { $time }
answer-not-sent = aucune n'attend, et aucune n'est partie
answer-waiting = mise en file { $queued } pour { $address }, { $attempts ->
    [one] { $attempts } tentative
   *[other] { $attempts } tentatives
}, { $next }
answer-waiting-said = mise en file { $queued } pour { $address }, { $attempts ->
    [one] { $attempts } tentative
   *[other] { $attempts } tentatives
}, { $next } ; le relais a dit : { $reason }
answer-next-given-up = abandonnée : `xmserver answer resend` l'envoie malgré tout
answer-next-attempt = prochaine tentative { $time }
letter-stranger = d'un expéditeur dont personne ne répond : son contenu n'a pas été lu
letter-agency = { $agency }, installation { $installation }
letter-sequence = { $sequence }, tentative { $attempt }
letter-journal = ligne { $line } : { $outcome } par { $transport } ({ $mailbox }), de { $domain }, { $bytes ->
    [one] { $bytes } octet
   *[other] { $bytes } octets
}, { $time }
letter-quarantine = entrée { $entry } : { $reason }, { $state } ; SHA-256 du conteneur { $digest }
letter-quarantine-claimed = entrée { $entry } : { $reason }, { $state }, agence { $agency } (déclarée, non prouvée) ; SHA-256 du conteneur { $digest }
letter-unreadable = ne peut pas être lu par ce programme
outcome-accepted = acceptée [accepted]
outcome-duplicate = déjà venue [duplicate]
outcome-held = retenue [held]
taken-dropped = écartée
taken-decided = décidée auparavant
taken-incomplete = pas conservée en entier
taken-gone = n'existe plus
taken-not-opened = pas ouverte : l'entrée elle-même dit pourquoi
taken-deferred = sa table ne prend pas de lignes en ce moment
taken-accepted-before = acceptée auparavant
transport-mail = courriel
transport-folder = dossier
transport-http = par HTTPS
letter-entry = { $entry } de genre { $kind } : { $amount }, solde après { $balance }, { $time }
letter-none = aucune lettre
letter-none-such = aucune lettre de ce genre dans le journal

# cert

cert-file-holds = le fichier contient { $count } certificats :
cert-ask-which = Lequel est celui de l'agence { $agency } même ? Tapez son numéro :
cert-ask-register = L'enregistrer malgré tout ?
cert-ask-told = L'agence { $agency } vous a-t-elle dit cette empreinte par un autre canal ?
cert-ask-revoke = Révoquer cette clé, tout de suite et pour toujours ?
cert-registered = certificat de l'agence { $agency } enregistré : { $algorithm }, valable du { $from } au { $to }
cert-itself = lui-même
cert-valid = du { $from } au { $to }
cert-key = { $algorithm }, avec { $count } de ses certificats
cert-revoked = le certificat { $name } est révoqué
cert-sends-another = elle a une autre clé avec un certificat valable, et peut envoyer avec elle
cert-sends-no-more = elle ne peut plus rien envoyer, tant qu'un certificat d'une autre clé n'est pas enregistré pour elle
cert-has-another = L'agence a une autre clé avec un certificat valable, et peut envoyer avec elle.
cert-only-one = c'est son seul : elle ne peut plus rien envoyer
cert-no-letters = aucune lettre de l'agence depuis lors
cert-none = aucun certificat
cert-none-such = aucun certificat de ce genre

# journal, quarantine

journal-kept = conservé
journal-in-quarantine = en quarantaine, entrée { $entry }
journal-not-kept = plus conservé
journal-container = { $bytes ->
    [one] { $bytes } octet
   *[other] { $bytes } octets
}, { $kept }
quarantine-dropped = entrée { $entry } de la quarantaine écartée
quarantine-original = { $bytes ->
    [one] { $bytes } octet
   *[other] { $bytes } octets
}, dont { $kept ->
    [one] { $kept } conservé
   *[other] { $kept } conservés
}
quarantine-state-open = ouverte
quarantine-state-held = retenue
quarantine-state-dropped = écartée
quarantine-state-retried = reprise
quarantine-empty = la quarantaine est vide
quarantine-none-such = aucune entrée de la quarantaine n'est de ce genre
quarantine-none-such-hint = aucune entrée de la quarantaine n'est de ce genre ; --with-decided liste aussi celles qui ont été décidées
quarantine-accepted = la lettre { $letter } est acceptée par la tentative { $attempt } ; son agence en est avisée
quarantine-refused-again = la lettre { $letter } est refusée aussi par la tentative { $attempt }, { $refusal } ; son agence en est avisée
quarantine-held = la lettre { $letter } est retenue par la tentative { $attempt }, par { $checks } ; son agence en est avisée
quarantine-no-attempt = aucune tentative n'est faite, { $refusal }
quarantine-no-certificate = aucun certificat de cette clé n'est enregistré ; `xmserver quarantine show { $entry }` dit comment le faire
quarantine-stranger = À faire : si une agence confirme que le certificat est le sien, `xmserver cert register MATRICULE FICHIER`, puis `xmserver quarantine retry { $entry } --reason …`. L'identifiant de clé d'un certificat : `openssl x509 -in FICHIER -noout -ext subjectKeyIdentifier`.
quarantine-stranger-of = À faire : si l'agence { $agency } confirme le certificat, `xmserver cert register { $again } FICHIER`, puis `xmserver quarantine retry { $entry } --reason …`. L'identifiant de clé d'un certificat : `openssl x509 -in FICHIER -noout -ext subjectKeyIdentifier`.
quarantine-accepted-before = la lettre { $letter } a déjà été acceptée : `xmserver letter show { $letter }` dit quand
quarantine-waits = une table de la lettre ne prend pas de fiches en ce moment : `xmserver check` la nomme
quarantine-groups-none = aucune entrée de la quarantaine n'est ouverte
selection-made = sélection { $selection } : { $entries ->
    [one] une entrée
   *[other] { $entries } entrées
} ; `xmserver quarantine retry --selection { $selection } --reason …` les reprend, `xmserver quarantine drop --selection { $selection } --reason …` les écarte
selection-is = sélection { $selection }, faite par { $user } le { $time } : { $entries ->
    [one] une entrée
   *[other] { $entries } entrées
}, dont { $undecided } sans suite
selection-later = { $entries ->
    [one] une autre entrée de ce groupe est arrivée
   *[other] { $entries } autres entrées de ce groupe sont arrivées
} depuis : `xmserver quarantine select` choisit à nouveau
selection-item = entrée { $entry } : { $outcome }
selection-done = sélection { $selection } : { $entries ->
    [0] aucune entrée n'a reçu de suite
    [one] une entrée a reçu une suite
   *[other] { $entries } entrées ont reçu une suite
}, { $left } restent sans suite ; `xmserver quarantine selection { $selection }` les montre
manual-written = { $pages ->
    [one] une page écrite
   *[other] { $pages } pages écrites
} dans { $folder }
selection-none = aucune sélection n'a encore été faite
selection-nothing-left = il ne reste aucune entrée
held-none = aucune lettre n'est retenue
held-none-such = aucune lettre retenue n'est de ce genre
held-none-such-hint = aucune lettre retenue n'est de ce genre ; --with-decided liste aussi celles qui ont été décidées
held-state-open = attend
held-state-released = libérée
held-state-refused = refusée
held-by-approval = ses corrections attendent l'approbation
held-decided = { $state } par { $user } le { $time } : { $reason }
held-row = ligne { $row } de { $table }, numéro { $numero }
held-refused-silently = la lettre retenue { $id } est refusée ; sa clé est révoquée, donc personne n'en est avisé
flag-none = aucun signalement n'attend d'explication
flag-none-ever = aucune lettre n'a jamais été signalée
flag-explained = le signalement { $id } est expliqué
flag-broken = n'est pas respecté
flag-unjudged = ne peut être jugé
election-none = aucun bureau n'est dans la liste : `xmserver table load election.BureauVote FICHIER`
election-none-area = aucun bureau de la liste ne s'y trouve
election-none-missing = tous les bureaux de la liste ont envoyé leur résultat, ou sont retenus
election-more-missing = { $shown ->
    [one] le premier est montré
   *[other] les { $shown } premiers sont montrés
} ; --all montre tout, --csv l'écrit pour un tableur
election-totals = { $election } : { $counted ->
    [one] { $counted } bureau compté
   *[other] { $counted } bureaux comptés
} sur { $stations } ; { $signatures ->
    [one] { $signatures } émargement
   *[other] { $signatures } émargements
} pour { $registered ->
    [one] { $registered } inscrit
   *[other] { $registered } inscrits
} ; { $ballots ->
    [one] { $ballots } bulletin
   *[other] { $ballots } bulletins
}, { $void ->
    [one] { $void } nul
   *[other] { $void } nuls
}, { $blank ->
    [one] { $blank } blanc
   *[other] { $blank } blancs
}, { $valid ->
    [one] { $valid } exprimé
   *[other] { $valid } exprimés
}
station-state-held = retenu
station-state-contested = contesté
station-state-correcting = en correction
station-state-flagged = signalé
station-state-counted = compté
station-state-missing = manquant

# table, tariff

table-adopted = table { $table } adoptée, version { $version }
table-new-version = table { $table } : nouvelle version, version { $version }
table-changed = table { $table } modifiée, version { $version }
table-unchanged = table { $table } comme elle était, version { $version }
table-warning = attention : { $warning }
table-none = aucune table n'est adoptée : `xmserver table adopt FICHIER`, ou `xmserver sample restore ecr`
table-given-up = la table { $table } est abandonnée : les lettres pour elle sont refusées table_unknown
table-shown = table { $table }, version { $version }, conservée dans { $relation }
table-may-send = { $plan } peut envoyer, lit { $reads }, vérifie { $certifies } ({ $gives })
table-may-not-send = { $plan } ne peut pas envoyer, lit { $reads }, vérifie { $certifies } ({ $gives })
table-needed = obligatoire
table-legal-key = clé légale
table-scope = ressort
table-several-lines = plusieurs lignes
table-default = a une valeur par défaut
table-no-column = aucune colonne
table-problem = table { $table } : { $problem }
table-all-as-adopted = toutes les tables adoptées sont telles qu'elles ont été adoptées
table-loaded = { $table } : { $new ->
    [one] { $new } nouvelle
   *[other] { $new } nouvelles
}, { $changed ->
    [one] { $changed } modifiée
   *[other] { $changed } modifiées
}, { $same ->
    [one] { $same } inchangée
   *[other] { $same } inchangées
} ; { $beside ->
    [one] { $beside } que le fichier ne nomme pas reste
   *[other] { $beside } que le fichier ne nomme pas restent
}
table-would-load = { $table } : { $new ->
    [one] { $new } serait nouvelle
   *[other] { $new } seraient nouvelles
}, { $changed ->
    [one] { $changed } modifiée
   *[other] { $changed } modifiées
}, { $same ->
    [one] { $same } inchangée
   *[other] { $same } inchangées
} ; { $beside ->
    [one] { $beside } que le fichier ne nomme pas resterait
   *[other] { $beside } que le fichier ne nomme pas resteraient
} ; rien n'a été fait
tariff-set = tarif { $id } : { $service } coûte { $act } par acte et { $kb } par Ko commencé, à partir de { $from } ; { $what }
tariff-owed = une agence sans crédit le doit
tariff-refused = une agence sans crédit est refusée
tariff-now = maintenant
tariff-cancelled = le tarif { $id } de { $service } est repris : il aurait commencé { $from }
tariff-none = aucun tarif : chaque service est gratuit
tariff-none-ever = aucun tarif n'a jamais été fixé : chaque service est gratuit

# message

message-sent = le message { $number } à l'agence { $agency } est en route
message-from = { $number }  de l'agence { $agency } { $name }, installation { $installation }, { $time }
message-to = { $number }  à l'agence { $agency } { $name }, par { $user }, { $time }, { $seen }
message-unread = non lu
message-read = lu
message-seen = vu
message-unseen = pas encore vu
message-none = aucun message
message-none-unread = tous les messages des agences ont été lus
broadcast-shown = { $count ->
    [one] { $count } agence sera avertie
   *[other] { $count } agences seront averties
}
broadcast-ask = L'envoyer ?
broadcast-sent = { $count ->
    [one] { $count } agence est avertie
   *[other] { $count } agences sont averties
}
message-asked-again = { $count ->
    [one] { $count } installation de l'agence { $agency } doit renvoyer ses lettres
   *[other] { $count } installations de l'agence { $agency } doivent renvoyer leurs lettres
} à partir du numéro { $from }
# profile

profile-change = { $member } : { $former } devient { $value }
profile-shown = changement { $change }, demandé le { $time } par l'installation { $installation } de l'agence { $agency } { $name }, téléphone { $telephone }
profile-ask-confirm = Le faire ?
profile-confirmed = le changement { $change } de l'agence { $agency } est fait ; l'agence en est avertie
profile-refused = le changement { $change } de l'agence { $agency } est refusé ; l'agence en est avertie
profile-none = aucun changement de profil n'attend
profile-none-ever = aucune agence n'a encore demandé de changement
profile-state-waiting = en attente
profile-state-made = fait aussitôt
profile-state-confirmed = confirmé
profile-state-refused = refusé
profile-state-replaced = repris par un suivant
# voucher

voucher-made = la série { $batch } de bons est établie
voucher-written = les codes de la série { $batch } sont dans { $file }, et nulle part ailleurs
voucher-revoked = { $count ->
    [one] { $count } bon de la série { $batch } est révoqué
   *[other] { $count } bons de la série { $batch } sont révoqués
}
voucher-none = aucune série de bons n'a encore été établie
voucher-none-locked = les recharges d'aucune agence ne sont bloquées
voucher-unlocked = l'agence { $agency } peut de nouveau recharger

# enrolment

enrolment-code = le code de l'agence { $agency } est { $code }, jusqu'au { $time } : dites-le à l'agence, car il n'est montré que cette fois
enrolment-none = aucun code n'a encore été établi
enrolment-state-open = ouvert
enrolment-state-permitted = pas encore dit
enrolment-state-locked = bloqué
enrolment-state-used = utilisé
enrolment-state-replaced = remplacé
enrolment-state-expired = expiré

# login, logout, passwd

login-password = Mot de passe de { $user } :
login-done = { $user } est identifié à ce terminal, jusqu'à ce que { $minutes } minutes passent sans commande, { $hours } heures au plus ; `xmserver logout` y met fin
logout-done = { $user } s'est retiré
logout-nobody = personne n'était identifié à ce terminal
passwd-former = Mot de passe actuel de { $user } :
passwd-new = Nouveau mot de passe :
passwd-again = Le même encore une fois :
passwd-done = le mot de passe de { $user } est changé, et toutes ses autres sessions ont pris fin

# audit

audit-verified = { $lines ->
    [one] le registre des actes est entier : { $lines } ligne
   *[other] le registre des actes est entier : { $lines } lignes
}
audit-write-down = à noter : { $head }
audit-exported = { $count ->
    [one] { $count } ligne exportée dans { $file }
   *[other] { $count } lignes exportées dans { $file }
}
audit-none = aucune ligne du registre des actes n'est ainsi

# approval, user

approval-done = approbation { $approval } confirmée et exécutée : { $what }
approval-refused = l'approbation { $approval } est refusée : rien n'a été fait
approval-withdrawn = l'approbation { $approval } est retirée : rien n'a été fait
approval-limit = une personne seule recharge jusqu'à { $amount }
approval-limit-set = une personne seule recharge désormais jusqu'à { $amount }
approval-needed = rien n'est encore fait : { $what } demande une seconde personne
approval-asked = demande enregistrée sous l'approbation { $approval } ; un autre utilisateur de privilège 3 la confirme par `xmserver approval confirm { $approval }` jusqu'au { $time }
approval-asked-held = demande enregistrée sous l'approbation { $approval } ; un autre utilisateur la confirme par `xmserver approval confirm { $approval }` jusqu'au { $time }
approval-asked-load = demande enregistrée sous l'approbation { $approval } ; un autre utilisateur de privilège 3 la confirme par `xmserver table load { $table } FICHIER --approval { $approval }` jusqu'au { $time }
approval-shown = approbation { $approval }
approval-shown-asked = demandée par { $user } le { $time }
approval-shown-what = objet    { $what }
approval-shown-agency = agence   { $agency } { $name }
approval-ask-confirm = La confirmer ?
approval-none = rien n'attend une seconde personne
approval-none-ever = rien n'a jamais été demandé
approval-state-waiting = en attente
approval-state-expired = périmée
approval-state-confirmed = confirmée
approval-state-refused = refusée
approval-state-changed = sans effet
approval-state-withdrawn = retirée
act-certificate = un certificat de plus pour l'agence { $agency }, { $algorithm }, SHA-256 { $fingerprint }
act-status-of-many = le passage de { $count ->
    [one] { $count } agence
   *[other] { $count } agences
} au statut { $status } ({ $word })
act-recharge = la recharge de l'agence { $agency } de { $amount }
act-recharge-note = la recharge de l'agence { $agency } de { $amount } ({ $note })
act-vouchers = l'établissement de { $count ->
    [one] { $count } bon de { $amount }
   *[other] { $count } bons de { $amount } chacun
}, jusqu'au { $time }
act-enrolment = un code pour une installation de plus de l'agence { $agency }, avec sa propre clé
act-limit = l'autorisation pour une personne seule de recharger jusqu'à { $amount }
act-add = l'ajout de l'utilisateur { $user } de privilège { $privilege } ({ $title })
act-add-commission = l'ajout de l'utilisateur { $user } de privilège { $privilege } ({ $title }), membre de la commission électorale
act-add-account = { $added }, par le compte { $account }
act-privilege = l'octroi à l'utilisateur { $user } du privilège { $privilege } ({ $title })
act-commission = l'entrée de l'utilisateur { $user } dans la commission électorale
act-no-commission = la sortie de l'utilisateur { $user } de la commission électorale
act-map = l'attribution du compte { $account } (uid { $uid }) à l'utilisateur { $user }
act-unmap = le retrait du compte { $account } à son utilisateur
act-release = la libération de la lettre retenue { $id }, contrôles levés : { $checks } ({ $reason })
act-refuse-held = le refus de la lettre retenue { $id } ({ $reason })
act-load = le chargement de { $table } depuis un fichier de SHA-256 { $sha256 } : { $new ->
    [one] { $new } nouvelle
   *[other] { $new } nouvelles
}, { $changed ->
    [one] { $changed } modifiée
   *[other] { $changed } modifiées
}
user-locked = l'utilisateur { $user } est bloqué, et toutes ses sessions ont pris fin
user-unlocked = l'utilisateur { $user } est débloqué
user-first-password = le premier mot de passe de { $user } est { $password }, montré cette seule fois : `xmserver login { $again }` le change
user-first-part = première partie du mot de passe de { $user } : { $part }, montrée cette seule fois
user-second-part = seconde partie du mot de passe de { $user } : { $part }, montrée cette seule fois ; elle s'écrit après la première
user-state-locked = bloqué
user-state-waits = attend jusqu'au { $time }
act-lock = le blocage de l'utilisateur { $user } ({ $reason })
act-unlock = le déblocage de l'utilisateur { $user }
act-password = un premier mot de passe, en deux parties, pour l'utilisateur { $user }
user-own-account = ce compte est celui de l'utilisateur { $user }
user-mapped = le compte { $account } (uid { $uid }) est désormais celui de l'utilisateur { $user }
user-unmapped = le compte { $account } n'est plus celui de l'utilisateur { $user }
user-privilege = l'utilisateur { $user } a le privilège { $privilege } ({ $title })
user-commission = l'utilisateur { $user } est membre de la commission électorale
user-no-commission = l'utilisateur { $user } n'est pas membre de la commission électorale
user-added = utilisateur { $user } ajouté, privilège { $privilege } ({ $title })
user-added-account = s'identifie auprès des commandes par le compte { $account }
user-added-next = ensuite : xmserver user map { $user } COMPTE
user-none = aucun utilisateur

# init

init-progress-database = la base de données se crée
init-progress-closed = la base de données se ferme
init-progress-keys = les clés du centre se font
init-server = { $name }, mode { $mode }
init-database-private = un PostgreSQL privé dans le dossier des données
init-database-configured = telle que configurée
init-keys = { $folder }/keys ({ $state }) ; sauvegardez-les : sans elles aucune lettre ne peut être ouverte
init-keys-made = faites
init-there-already = déjà là, inchangé
init-agencies-need = donnez aux agences keys/centre-p256.crt, et centre-rsa.crt à celles dont le logiciel ne connaît que RSA ; rien d'autre de keys/
init-first-user = { $user }, mot de passe { $password } (montré cette seule fois)
init-next = écrivez { $folder }/xmserver.toml (`xmserver sample configuration` en montre un), puis `xmserver check`

# sample

office-made = { $folder } est un poste de l'agence { $agency } : clé, certificat, et une lettre avec un acte de naissance. Au centre :
office-there = À l'agence, dans { $folder } :
office-then = Alors receipt.json dit ce qu'est devenue la lettre. FORMAT.md fait une telle lettre à la main.
office-second = L'agence { $agency } a déjà un certificat : celui-ci est d'une autre clé, et son enregistrement demande une seconde personne (OPERATIONS.md, People).
office-send = envoyez letter.sdc de { $email } à { $centre }, en pièce jointe ou collée dans le texte
office-save = enregistrez sous receipt.eml la réponse qui arrive à { $email }
post-serves = POP3 à { $pop3 }, SMTP à { $smtp } : chaque adresse a une boîte, tout mot de passe l'ouvre ; ce qu'elles contiennent finit avec ce programme

# replica

replica-none = aucun processus n'a servi ce centre depuis hier
replica-runs = tourne
replica-drains = s'arrête
replica-silent = muette depuis { $seconds } s
replica-gone = finie le { $at }
replica-differ = Les répliques ne sont pas configurées de la même façon : comparez boîtes, dossier, relais et limites dans leurs fichiers. Pendant le déploiement d'une nouvelle version, cela peut durer quelques minutes.

# carrier

carrier-stream = le flux { $stream } est gardé par { $replicas } serveurs : { $servers }
carrier-waiting = { $parcels ->
    [one] { $parcels } envoi qui s'y trouve n'est pas réglé
   *[other] { $parcels } envois qui s'y trouvent ne sont pas réglés
}
carrier-durable = ce qui est confirmé est sur les disques de la majorité d'entre eux
carrier-volatile = ce qui est confirmé peut se perdre quand des serveurs perdent ensemble le courant : { $reason }
carrier-volatile-is-enough = le contrat settled n'en demande pas plus : les expéditeurs gardent leurs lettres jusqu'à la validation

# plan

plan-none = aucun plan
plan-unbounded = sans limite
plan-named = le plan { $plan } : { $description }
plan-per-day = en un jour une agence peut recevoir { $acts } fiches et clés, { $bytes } octets
plan-sends = envoie
plan-sends-not = n'envoie pas
plan-whose-none = rien
plan-whose-own = ses propres fiches
plan-whose-all = toutes les fiches
plan-gives-verdict = le verdict seul
plan-gives-record = la fiche elle-même
plan-right = { $table } : { $sends }, lit { $reads }, certifie { $certifies }, reçoit { $gives }
plan-quota-unread = un quota est un nombre entier, ou none : trouvé { $text }
