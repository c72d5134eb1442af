# Ce que dit le programme de l'agence : `xmagency`.

office-ask-passphrase = Phrase de passe de { $user } :
office-ask-new-passphrase = Choisissez une phrase de passe pour { $user } (10 caractères ou plus) :
office-ask-again = La même encore une fois :
office-ask-mail-password = Mot de passe de la boîte { $mailbox } :
office-ask-needed = obligatoire
office-ask-may-be-empty = peut rester vide

office-set-up = Le dossier de l'agence { $agency } auprès de { $centre } est { $folder }.
    { $user } en est le premier officier ; l'installation s'appelle { $installation }.
    Sans la phrase de passe, personne ne peut ouvrir les fiches : gardez-la là où seul l'officier la trouve.
office-centre-fingerprint = Certificat du centre : { $fingerprint }
office-next-enrol = Ensuite : comparez { $count ->
    [one] cette empreinte
   *[other] ces empreintes
} avec le centre par téléphone ({ $telephone }), demandez un code, et lancez `xmagency enrol CODE`, puis `xmagency transmit`.
office-registered = Le centre connaît cette agence par le certificat { $fingerprint }. Ensuite : `xmagency transmit`.
office-enrolment-packed = L'enrôlement est emballé. Ensuite : `xmagency transmit`, et encore une fois après une minute ; un code faux reste sans réponse, et part trois fois au plus : après une faute de frappe, relancez `xmagency enrol CODE`.
office-enrolment-withdrawn = L'enrôlement de la lettre { $letter } est retiré : il n'est plus envoyé.
office-user-added = { $user } travaille désormais à cette agence : { $role }.
office-user-removed = { $user } ne travaille plus à cette agence.
office-passphrase-changed = { $user } a une autre phrase de passe.
office-role-clerk = commis
office-role-officer = officier
office-mail-password = Le mot de passe de { $mailbox } est enregistré.

office-no-tables = Le centre n'a encore envoyé aucune table : lancez `xmagency transmit`, et encore une fois un peu plus tard.
office-column-key = clé légale
office-column-needed = obligatoire
office-column-default = rempli par le centre s'il manque

office-record-added = La fiche { $record } de { $table } est écrite, avec le statut 1. Un officier la valide par `xmagency record validate { $record }`.
office-record-lacks = Avant qu'elle puisse être validée :
office-record-edited = La fiche { $record } est modifiée.
office-record-cancelled = La fiche { $record } est abandonnée.
office-record-not-ready = La fiche { $record } ne peut pas encore être validée :
office-records-validated = { $count ->
    [one] Une fiche est validée. Ensuite : `xmagency export`.
   *[other] { $count } fiches sont validées. Ensuite : `xmagency export`.
}
office-records-reopened = { $count ->
    [one] Une fiche est de nouveau modifiable.
   *[other] { $count } fiches sont de nouveau modifiables.
}
office-record-head = Fiche { $record } de { $table }, statut { $status }
office-record-made = écrite par { $user } le { $time }
office-record-validated = validée par { $user } le { $time }
office-record-letter = emballée dans la lettre { $letter }
office-remark-refused = refusée dans la lettre { $letter } : { $meaning } ({ $code })
office-remark-accepted = Le centre a finalement accepté la lettre { $letter }, avec ce que la fiche disait alors. Ce qui a changé depuis n'y est pas. Si c'est juste : `xmagency correct { $record } { $changes } --reason TEXT --reference TEXT`
office-remark-accepted-cancelled = Le centre a finalement accepté la lettre { $letter }, et il a la fiche qui a été abandonnée ici. Si elle doit disparaître : `xmagency correct { $record } --cancel --reason TEXT --reference TEXT`
office-has-remark = voir `xmagency record show`
office-no-records = Il n'y a pas de telles fiches.
office-values-faulty = ces valeurs ne peuvent pas être prises :
office-fault = { $column } : règle { $rule }, attendu { $expected }
office-line = ligne { $line } :
office-duplicates = { $count ->
    [one] une ligne a une clé légale que l'agence a déjà, et n'est pas reprise
   *[other] { $count } lignes ont une clé légale que l'agence a déjà, et ne sont pas reprises
}
office-nothing-loaded = { $count ->
    [one] une ligne est fautive : rien n'est ajouté
   *[other] { $count } lignes sont fautives : rien n'est ajouté
}
office-would-load = { $count ->
    [one] une fiche serait ajoutée
   *[other] { $count } fiches seraient ajoutées
}
office-loaded = { $count ->
    [one] une fiche est ajoutée, avec le statut 1
   *[other] { $count } fiches sont ajoutées, avec le statut 1
}
office-saved = { $count ->
    [one] une fiche se trouve dans { $file }
   *[other] { $count } fiches se trouvent dans { $file }
}
office-status-cancelled = abandonnée
office-status-new = nouvelle
office-status-validated = validée
office-status-packed = emballée
office-status-exported = exportée

office-packed = La lettre { $letter } est emballée : { $count ->
    [one] une fiche
   *[other] { $count } fiches
}, { $bytes } octets.
office-nothing-to-pack = Aucune fiche validée n'attend d'être emballée.
office-not-packed = { $count ->
    [one] Une fiche ne convient plus à sa table et reste validée
   *[other] { $count } fiches ne conviennent plus à leur table et restent validées
} : { $records }
office-carried = { $count ->
    [one] une lettre envoyée
   *[other] { $count } lettres envoyées
}, { $bytes } octets
office-received = { $count ->
    [one] une réponse reçue
   *[other] { $count } réponses reçues
}, { $bytes } octets
office-news-part = partie { $part } de ce que le centre a lu pour l'agence
office-news-notice = avis { $notice } : { $kind }
office-foreign = { $count ->
    [one] Un document venu n'est pas pour cette agence, ou personne ne s'en porte garant. Il reste où il est, et ne change rien.
   *[other] { $count } documents venus ne sont pas pour cette agence, ou personne ne s'en porte garant. Ils restent où ils sont, et ne changent rien.
}
office-awaited = { $count ->
    [one] Une lettre attend sa réponse : relancez `xmagency transmit` un peu plus tard.
   *[other] { $count } lettres attendent leur réponse : relancez `xmagency transmit` un peu plus tard.
}
office-no-letters = Il n'y a pas encore de lettres.
office-letter-made = emballée par { $user } le { $time }
office-letter-sent = envoyée le { $time } ; { $count ->
    [one] une fois
   *[other] { $count } fois
}
office-letter-unsent = lettre { $letter } ({ $service }) : emballée, pas encore envoyée
office-letter-unanswered = lettre { $letter } ({ $service }) : envoyée, encore sans réponse
office-letter-answered = lettre { $letter } ({ $service }) : { $verdict }
office-verdict-accepted = acceptée
office-verdict-refused = refusée ; voir `xmagency letter show`
office-verdict-held = retenue jusqu'à la décision du centre
office-amount = { $amount } { $currency } (plus petites unités)
office-notice-certificate-ends = le certificat de l'agence expire bientôt
office-notice-centre-certificate = le prochain certificat du centre
office-notice-definitions = une table
office-notice-message = un message ; à lire avec `xmagency message`
office-notice-profile = la suite donnée à une modification du profil
office-notice-resend = le centre redemande des lettres ; `xmagency transmit` les envoie
office-notice-statement = un relevé du compte

office-status-head = Agence { $agency }, installation { $installation }, auprès de { $centre }, mode { $mode }
office-status-records = { $count ->
    [one] une fiche : { $status }
   *[other] { $count } fiches : { $status }
}
office-status-balance = solde du compte : { $amount }
office-status-carried = dernier transport de lettres le { $time }
office-status-traffic = { $month } : { $sent } octets envoyés, { $received } octets reçus
office-do-enrol = À faire : demandez un code au centre, et lancez `xmagency enrol CODE`.
office-do-certificate = À faire : le certificat de cette agence expire le { $time } ; parlez-en au centre ({ $telephone }).
office-do-clock = À faire : réglez l'horloge de cette machine ; elle { $side ->
    [fast] avance
   *[slow] retarde
} de { $seconds } s sur celle du centre.
office-do-refused = À faire : { $count ->
    [one] une lettre a été refusée
   *[other] { $count } lettres ont été refusées
} ; voir `xmagency letter show` et `xmagency record show`. Un officier rouvre ce qui doit changer.
office-do-validate = À faire : { $count ->
    [one] une nouvelle fiche attend
   *[other] { $count } nouvelles fiches attendent
} un officier (`xmagency record validate`).
office-do-export = À faire : { $count ->
    [one] une fiche validée attend
   *[other] { $count } fiches validées attendent
} d'être emballée (`xmagency export`).
office-do-transmit = À faire : { $count ->
    [one] une lettre attend
   *[other] { $count } lettres attendent
} d'être transportée (`xmagency transmit`).
office-do-nothing = Il n'y a rien à faire.

office-asked = La lettre { $letter } est emballée, { $bytes } octets. Ensuite : `xmagency transmit`.
office-no-statement = Aucun relevé n'est encore venu : demandez-en un par `xmagency account`, puis `xmagency transmit`.
office-no-entries = Le compte n'a aucun mouvement en ces jours.
office-no-messages = Il n'y a aucun message du centre.
office-message-head = { $time }, fil { $thread }

heading-kind = genre
heading-made = emballée
heading-number = numéro
heading-role = rôle
heading-sent = envoyée

expected-office-server-name = le nom du serveur, 1 à 63 octets
expected-office-short-line = un texte sur une ligne, 200 caractères au plus
expected-office-e-mail = une adresse électronique
expected-office-letter-bytes = 4096 à 4194304 octets
expected-office-host = un nom d'hôte
expected-office-mailbox-name = le nom de la boîte
expected-office-name-or-none = un nom, ou aucun
expected-office-https = une adresse qui commence par https://
expected-office-a-certificate = au moins un certificat
expected-office-new-record = 1, une nouvelle fiche
expected-office-new-or-reopened = 1, une nouvelle fiche ; un officier rouvre une fiche validée
expected-office-validated-record = 2, une fiche validée qu'aucune lettre n'a emballée
expected-office-not-at-centre = 1 ou 2 ; ce que le centre a s'annule par `xmagency correct`
error-key-made = la clé de l'agence n'a pas pu être faite : { $cause }
error-key-unusable = la clé de l'agence ne peut pas servir : { $cause }
error-kit-unreadable = le kit ne peut pas être lu : attendu le fichier tel que le centre l'a fait, trouvé à la ligne { $line }, colonne { $column } : { $what }
error-kit-large = le kit ne peut pas être lu : attendu { $bound } octets au plus, trouvé { $size }
error-kit-version = le kit a la version { $version }, mais ce programme lit la version { $known } : servez-vous du programme venu avec le kit
error-kit-member = { $member } du kit n'est pas valable : attendu { $expected }
error-kit-certificate = le certificat { $number } du kit ne peut pas servir : { $cause }
error-kit-ended = les certificats du kit ont expiré le { $time } : voyez l'horloge de cette machine, ou demandez un nouveau kit au centre
error-letter-unreadable = la lettre ne pourrait pas être lue au centre : { $cause }
error-answer-unopenable = la réponse ne peut pas être ouverte : { $cause }
error-answer-signer = la réponse nomme un signataire qui n'est pas le centre
error-answer-unreadable = la réponse ne peut pas être lue : { $cause }
error-answer-misdirected = { $member } de la réponse est { $value }, mais on attendait { $wanted }
error-answer-notice = ceci est l'avis { $number } du centre, et ne répond à aucune lettre
error-answer-part = ceci est la partie { $number } d'une réponse, sans son accusé de réception
error-answer-letter = la réponse concerne une lettre { $digest } que cette agence n'a pas envoyée
error-office-register = le registre de l'agence ne peut pas servir : { $cause }
error-voucher-no-code = ceci n'est pas un code de coupon : attendu 16 chiffres, dont le dernier convient aux autres
error-message-unsendable = le message ne peut pas être envoyé : attendu 1 à 4000 caractères, en lignes sans autres caractères de commande
error-office-no-network = le programme ne peut pas accéder au réseau
error-kit-file = impossible de lire le kit { $file }
error-office-folder-create = impossible de créer le dossier { $folder }
error-installation-name = { $text } n'est pas un nom d'installation : attendu 1 à 32 de a-z 0-9 -, sans - au début
error-office-enrolled = le centre connaît déjà cette agence
error-office-no-code = ceci n'est pas un code d'enrôlement : attendu { $count } de 0-9 et A-Z, par groupes de quatre
error-office-no-letter = il n'y a pas de lettre { $number }
error-office-input-ended = l'entrée s'est terminée : rien n'a été ajouté
error-office-file-faulty = le fichier a des lignes fautives : rien n'a été ajouté
error-office-file-there = { $file } existe déjà : nommez un autre fichier
error-office-no-folder = aucun dossier de données personnelles n'est connu ici : nommez celui de l'agence par --office
error-passphrases-differ = les deux phrases de passe diffèrent : rien n'a été changé
error-secret-unread = impossible de lire le secret dans { $file }
error-secret-empty = le secret dans { $file } est vide : attendu sur la première ligne
error-no-terminal-secret = il n'y a pas de terminal pour demander un secret : nommez un fichier qui le contient, comme avec --passphrase-file
error-user-self-removed = personne ne se retire soi-même : laissez faire un autre officier
error-office-in-use = l'agence dans { $folder } est utilisée par un autre xmagency : attendez qu'il ait fini
error-office-not-ours = { $file } n'est pas la base qui va avec ce coffre, ou est endommagée : restaurez les deux depuis une même sauvegarde
error-office-newer = la base de l'agence a la version { $version }, ce programme connaît { $known } : installez le xmagency plus récent qui l'a faite
error-disk-full = le disque est plein : rien n'a été changé ; faites de la place et réessayez
error-office-database = la base de l'agence ne peut pas servir : { $cause }
error-office-not-enrolled = le centre ne connaît pas encore cette agence : lancez `xmagency enrol CODE` avec le code que le centre vous a dit
error-office-other-key = le centre a répondu par un certificat d'une autre clé : dites-le au centre, par téléphone
error-record-too-large = la fiche { $number } donne une lettre de { $bytes } octets, mais le centre en prend { $bound } : abrégez-la, ou demandez au centre une limite plus haute
error-officer-needed = { $name } est commis, et il faut ici un officier : l'un de { $officers }
error-user-name = { $text } n'est pas un nom d'utilisateur : attendu 1 à { $count } caractères sur une ligne
error-record-duplicate = une autre fiche vivante de { $table } a cette clé légale : voir `xmagency record search`
error-record-status = la fiche { $number } a le statut { $status }, attendu { $expected }
error-record-imported = la fiche { $number } a été importée : elle appartient à l'agence qui l'a envoyée
error-record-none = il n'y a pas de fiche { $number }
error-csv-unreadable = { $file } ne peut pas être lu comme valeurs séparées par des virgules en UTF-8 : { $cause }
error-office-setting = il manque à la base de l'agence le réglage { $name } : restaurez l'agence depuis une sauvegarde
error-office-no-tables = le centre n'a encore envoyé aucune table : lancez `xmagency transmit`, et encore une fois un peu plus tard
error-table-not-named = { $text } ne nomme aucune table : attendu l'une de { $tables }
error-office-away = les lettres ne peuvent pas partir maintenant, et restent emballées
error-office-no-mail = cette agence n'a pas de courrier : transportez les lettres sur une clé avec --folder FOLDER
error-office-no-password = le mot de passe de la boîte n'est pas connu : lancez `xmagency mail password`
error-stick-missing = il n'y a pas de dossier { $folder } : la clé est-elle en place ?
error-office-missing = il n'y a pas d'agence dans { $folder } : lancez d'abord `xmagency init KIT`, ou nommez son dossier par --office
error-office-exists = { $folder } contient déjà une agence : nommez un autre dossier par --office
error-vault-unusable = le coffre { $file } ne peut pas servir : { $cause }
error-vault-damaged = le coffre { $file } est endommagé : restaurez-le depuis une sauvegarde
error-user-none = { $user } n'est pas utilisateur de cette agence : attendu l'un de { $users }
error-user-which = cette agence a plusieurs utilisateurs : dites lequel par --user, l'un de { $users }
error-user-there = { $user } est déjà utilisateur de cette agence
error-passphrase-wrong = la phrase de passe de { $user } est fausse : sans elle, personne ne peut ouvrir les fiches ; un autre utilisateur le peut, ou une sauvegarde
error-passphrase-short = la phrase de passe est trop courte : attendu au moins { $count } caractères
error-vault-seal = la clé de la base n'a pas pu être scellée : { $cause }
error-pair = attendu COLONNE=VALEUR, trouvé { $found }
help-office-the-program-of-an-office-keeps-its = Le programme d'une agence : garde ses fiches, les envoie au centre, et montre ce que le centre a répondu
help-office-office-folder-by-default-xmagency-in-the = Dossier de l'agence ; par défaut xmagency dans le dossier des données personnelles
help-office-who-works-with-the-program-needed-where = Qui travaille avec le programme ; nécessaire où l'agence a plusieurs utilisateurs
help-office-file-whose-first-line-is-the-pass = Fichier dont la première ligne est la phrase de passe ; sans lui, le programme demande
help-office-folder-of-further-languages-by-default-words = Dossier d'autres langues ; par défaut words dans le dossier de l'agence
help-office-set-the-office-up-with-the-kit = Installer l'agence avec le kit du centre : base, clé, premier officier
help-office-ask-the-centre-to-admit-this-office = Demander au centre d'admettre cette agence, avec le code à usage unique qu'il vous a dit
help-office-what-waits-since-when-what-was-refused = Ce qui attend, depuis quand, ce qui a été refusé et pourquoi, et que faire
help-office-records-of-the-office = Fiches de l'agence
help-office-tables-of-the-centre = Tables du centre
help-office-pack-validated-records-into-letters = Emballer les fiches validées dans des lettres
help-office-carry-letters-to-the-centre-and-answers = Porter les lettres au centre et ramener les réponses, par courrier ou sur une clé
help-office-letters-of-the-office-and-their-receipts = Lettres de l'agence, et leurs accusés de réception
help-office-ask-the-centre-for-the-statement-of = Demander au centre le relevé du compte de l'agence
help-office-recharge-the-account-with-the-code-of = Recharger le compte avec le code d'un coupon
help-office-write-to-the-operators-of-the-centre = Écrire aux opérateurs du centre, et lire ce qu'ils écrivent
help-office-mailbox-and-relay = Boîte et relais
help-office-local-users-clerks-and-officers = Utilisateurs locaux : commis et officiers
help-office-the-kit-that-the-centre-has-made = Le kit que le centre a fait pour cette agence
help-office-name-of-this-installation-different-from-every = Nom de cette installation, différent de tout autre de l'agence ; par défaut il en est inventé un
help-office-file-whose-first-line-is-the-password = Fichier dont la première ligne est le mot de passe de la boîte ; sans lui, le programme demande
help-office-the-code-with-or-without-hyphens = Le code, avec ou sans traits d'union
help-office-without-a-code-the-centre-has-registered = Sans code : le centre a enregistré le certificat de cette agence par son empreinte
help-office-add-a-user-who-chooses-a-pass = Ajouter un utilisateur, qui choisit une phrase de passe sur-le-champ
help-office-name-of-the-new-user = Nom du nouvel utilisateur
help-office-what-the-user-may-do = Ce que l'utilisateur peut faire
help-office-file-whose-first-line-is-the-new = Fichier dont la première ligne est la phrase de passe du nouvel utilisateur ; sans lui, le programme demande
help-office-list-the-users = Lister les utilisateurs
help-office-choose-another-pass-phrase-for-oneself = Choisir une autre phrase de passe pour soi-même
help-office-file-whose-first-line-is-the-new-2 = Fichier dont la première ligne est la nouvelle phrase de passe ; sans lui, le programme demande
help-office-remove-a-user-what-the-user-did = Retirer un utilisateur ; ce qu'il a fait garde son nom
help-office-name-of-the-user = Nom de l'utilisateur
help-office-writes-records-and-carries-letters = Écrit des fiches, et transporte des lettres
help-office-also-validates-records-and-speaks-for-the = Valide aussi des fiches, et parle au centre au nom de l'agence
help-office-store-the-password-of-the-mailbox-which = Enregistrer le mot de passe de la boîte, que prend aussi le relais ; il est chiffré avec tout le reste
help-office-file-whose-first-line-is-the-password-2 = Fichier dont la première ligne est le mot de passe ; sans lui, le programme demande
help-office-list-the-tables = Lister les tables
help-office-show-the-columns-of-a-table = Montrer les colonnes d'une table
help-office-name-of-the-table = Nom de la table
help-office-write-a-new-record-at-a-terminal = Écrire une nouvelle fiche ; au terminal, sans valeurs, le programme demande chaque colonne
help-office-values-each-as-column-value = Valeurs, chacune sous la forme COLONNE=VALEUR
help-office-change-a-new-record = Modifier une nouvelle fiche
help-office-number-of-the-record = Numéro de la fiche
help-office-values-each-as-column-value-an-empty = Valeurs, chacune sous la forme COLONNE=VALEUR ; une valeur vide enlève la précédente
help-office-show-a-record-its-columns-its-status = Montrer une fiche : ses colonnes, son statut, et pourquoi le centre l'a refusée
help-office-list-records-newest-first = Lister les fiches, les plus récentes d'abord
help-office-only-those-of-this-table = Seulement celles de cette table
help-office-only-those-with-this-status = Seulement celles qui ont ce statut
help-office-list-records-with-a-text-in-one = Lister les fiches qui ont un texte dans l'une de leurs colonnes, les plus récentes d'abord
help-office-the-text-capital-and-small-letters-are = Le texte ; majuscules et minuscules sont égales
help-office-validate-new-records-the-officer-has-read = Valider de nouvelles fiches : l'officier les a lues, et elles sont verrouillées
help-office-numbers-of-the-records = Numéros des fiches
help-office-make-validated-records-new-again-so-that = Rendre des fiches validées de nouveau modifiables
help-office-give-up-a-record-that-the-centre = Abandonner une fiche que le centre n'a pas
help-office-add-records-from-a-file-of-comma = Ajouter des fiches d'un fichier de valeurs séparées par des virgules, toutes ou aucune ; sa première ligne nomme les colonnes
help-office-the-file = Le fichier
help-office-only-say-what-would-be-added-and = Dire seulement ce qui serait ajouté, et ce qui est fautif
help-office-write-the-records-of-a-table-to = Écrire les fiches d'une table dans un fichier de valeurs séparées par des virgules
help-office-the-file-it-must-not-be-there = Le fichier ; il ne doit pas encore exister
help-office-0-given-up-or-cancelled = 0 : abandonnée, ou annulée
help-office-1-a-clerk-may-change-it = 1 : un commis peut la modifier
help-office-2-an-officer-has-validated-it-it = 2 : un officier l'a validée ; elle est verrouillée
help-office-3-in-a-letter-that-the-centre = 3 : dans une lettre que le centre n'a pas jugée
help-office-4-the-centre-s-verified-receipt-says = 4 : l'accusé de réception vérifié du centre dit qu'il a la fiche
help-office-also-those-whose-letter-was-refused-until = Aussi celles dont la lettre a été refusée tant que le centre n'est pas payé, ou ne lève pas une suspension
help-office-on-a-stick-the-folder-on-it = Sur une clé : le dossier qui y contient, ou recevra, les dossiers in et out
help-office-look-again-for-answers-for-so-many = Chercher encore des réponses, tant de secondes au plus, jusqu'à ce que chaque lettre ait la sienne
help-office-show-a-letter-and-its-receipt = Montrer une lettre et son accusé de réception
help-office-number-of-the-letter = Numéro de la lettre
help-office-first-day-yyyy-mm-dd-by-default = Premier jour, AAAA-MM-JJ ; par défaut le premier du mois
help-office-last-day-yyyy-mm-dd-by-default = Dernier jour, AAAA-MM-JJ ; par défaut aujourd'hui
help-office-do-not-ask-show-the-newest-statement = Ne pas demander : montrer le dernier relevé venu
help-office-the-16-digits-of-the-voucher-with = Les 16 chiffres du coupon, avec ou sans blancs
help-office-the-text-without-it-the-messages-of = Le texte ; sans lui, les messages du centre sont montrés
help-office-goes-on-with-this-thread-as-shown = Continue ce fil, tel qu'il est montré à côté d'un message
value-column-value = COLONNE=VALEUR
value-role = RÔLE
value-kit = KIT
value-user = UTILISATEUR
value-seconds = SECONDES
value-thread = FIL

office-estimate = { $count ->
    [one] ce serait une fiche
   *[other] ce seraient { $count } fiches
}, { $bytes } octets, pour { $amount }
office-part-records = { $count ->
    [one] une fiche est venue ; voir `xmagency record list`
   *[other] { $count } fiches sont venues ; voir `xmagency record list`
}
office-paper-match = papier { $paper } : le centre a la fiche, et elle dit la même chose
office-paper-differs = papier { $paper } : le centre a la fiche, mais elle dit autre chose dans { $columns }
office-paper-cancelled = papier { $paper } : la fiche a été annulée
office-paper-not-found = papier { $paper } : le centre n'a pas de telle fiche, ou aucune que cette agence puisse connaître

error-office-nothing-corrected = la fiche { $number } dit déjà cela : rien n'a été emballé
error-office-not-sent = la fiche { $number } a le statut { $status }, attendu 4, une fiche que le centre a
error-renewal-early-office = le certificat ne peut pas encore être renouvelé : le centre prend un renouvellement à partir de { $days } jours avant sa fin
error-next-key = la prochaine clé n'a pas été enregistrée
error-position-damaged = la position du dernier import est endommagée : importez sans --changed
error-key-parts = la clé { $key } n'est pas valable : attendu { $parts }
error-papers = trouvé { $count } papiers, attendu 1 à { $bound } dans une lettre
error-no-column = { $text } n'est pas une colonne de { $table }
error-column-expected = dans la colonne { $column }, attendu { $expected }
help-office-correct-or-cancel-a-record-that-the-centre = Rectifier ou annuler une fiche que le centre a
help-office-read-records-back-from-the-centre = Relire des fiches du centre
help-office-have-papers-certified-does-the-centre-have-the = Faire certifier des papiers : le centre a-t-il la fiche, et dit-elle la même chose ?
help-office-ask-what-the-centre-knows-of-the-agency = Demander ce que le centre sait de l'agence, ou une modification
help-office-ask-for-a-new-certificate-from-60-days = Demander un nouveau certificat, dès 60 jours avant la fin du présent ; `transmit` le fait de lui-même
help-office-the-record-is-no-longer-valid = La fiche n'est plus valable
help-office-what-proves-it-such-as-the-number-of = Ce qui le prouve, comme le numéro du procès-verbal
help-office-new-name-of-the-agency = Nouveau nom de l'agence
help-office-new-town-of-the-agency = Nouvelle ville de l'agence
help-office-new-telephone-number-of-the-agency = Nouveau numéro de téléphone de l'agence
help-office-new-e-mail-address-of-the-agency = Nouvelle adresse électronique de l'agence
help-office-only-those-that-this-condition-selects-such-as = Seulement celles que cette condition choisit, comme "NomEnfant LIKE 'MB%'"
help-office-only-those-that-were-written-or-changed-since = Seulement celles écrites ou modifiées depuis le dernier import de cette table
help-office-only-ask-how-many-records-that-would-be = Demander seulement combien de fiches ce seraient, et leur prix ; c'est gratuit
help-office-legal-keys-as-papers-show-them-the-columns = Clés légales telles que les papiers les montrent, leurs colonnes séparées par des barres, comme C01/2026/118
help-office-a-file-of-comma-separated-values-the-columns = Un fichier de valeurs séparées par des virgules : les colonnes de la clé légale, et ce que les papiers montrent encore
value-condition = CONDITION
value-address = ADRESSE
error-could-not-rename = impossible de renommer { $file }
