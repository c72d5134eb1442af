# Ce que dit `--help` des commandes et des options.

help-program = Recueille dans PostgreSQL les fiches signées et chiffrées que des agences éloignées envoient par courriel
help-config = Fichier de configuration ; par défaut xmserver.toml du dossier des données, sinon de /etc/xmserver
help-data-folder = Dossier des données ; par défaut ce que dit la configuration, sinon /var/lib/xmserver
help-json = Pour les programmes : le résultat, ou pourquoi il n'y en a pas, en JSON
help-lang = Langue dans laquelle on parle aux personnes, comme en ; par défaut celle des paramètres régionaux (LC_ALL, LC_MESSAGES, LANG), sinon l'anglais
help-words = Dossier d'autres langues ; par défaut /etc/xmserver/words

# Commandes

help-init = Créer un nouveau centre : base de données, autorité, clés, premier Superviseur
help-run = Faire tourner le centre jusqu'à ce qu'on lui dise de s'arrêter
help-check = Regarder tout ce dont le centre a besoin, et dire que faire là où cela ne va pas
help-demo = Le voir à l'œuvre sans rien configurer : des agences envoient de bonnes et de mauvaises lettres, et tout est vérifié
help-agency = Les agences : les centres éloignés enregistrés
help-cert = Les certificats des agences
help-table = Les tables où les agences peuvent écrire
help-record = Les fiches de ces tables
help-plan = Les plans : droits et quotas que beaucoup d'agences partagent
help-tariff = Les prix
help-message = Messages : ce que les agences et les opérateurs s'écrivent
help-profile = Profils : ce que les agences ont demandé de changer de leurs propres données
help-voucher = Bons : codes avec lesquels les agences rechargent
help-enrolment = Inscription : codes à usage unique par lesquels viennent de nouvelles installations
help-journal = Les lettres reçues
help-letter = Une lettre : tout ce que le centre en sait
help-answer = Les réponses : ce qu'on a dit à une lettre, et celles qui ne sont pas encore parties
help-quarantine = Les conteneurs qui n'ont pas été acceptés
help-held-letters = Lettres retenues tant que deux personnes n'ont pas décidé
help-correction = Corrections de fiches qui attendent l'approbation du centre
help-replica = Les répliques : les processus qui servent ce centre ensemble
help-flag = Signalements : ce qui a été accepté et demande une explication
help-election = Élections : bureaux par état, sommes, et qui manque
help-approval = Ce qu'une personne a demandé et qu'une autre décide
help-audit = Le registre des actes : ce que les opérateurs ont fait et regardé
help-user = Les personnes : qui peut faire quoi, et par quel compte de cette machine
help-login = S'identifier à ce terminal par un mot de passe, là où aucun compte de cette machine n'est le vôtre
help-logout = Se retirer de ce terminal
help-passwd = Changer votre mot de passe
help-mail = Les boîtes aux lettres et le relais
help-sample = Des échantillons de bases et de configurations ; un serveur de courrier et une agence pour un essai

# init, check, demo

help-init-name = Nom auquel les lettres sont adressées : 1 à 63 caractères de a-z, 0-9, point et trait d'union
help-init-mode = Essai (test) ou réel (live) ; cela ne pourra jamais être changé
help-init-currency = Code ISO 4217 de la monnaie de tous les montants
help-init-digits = Décimales de la monnaie ; par défaut celles d'ISO 4217
help-init-zone = Fuseau dans lequel les heures sont affichées, comme Africa/Douala
help-init-superviseur = Nom du premier Superviseur
help-check-online = Joindre aussi chaque boîte aux lettres et le relais
help-demo-agencies = Agences
help-demo-letters = Lettres qu'elles envoient en tout
help-demo-exit = S'arrêter quand tout a reçu réponse, au lieu de continuer à tourner
help-demo-figures = Écrire aussi les chiffres dans ce fichier
help-demo-page = Écrire ici la page de la nuit : verdict, courbe et feuille, pour un navigateur ; par défaut dans les données du centre, là où elles restent
help-demo-seed = Le même nombre donne la même démonstration
help-demo-data = Garder les données du centre dans ce nouveau dossier ; par défaut elles sont jetées
help-demo-kills = Tuer le centre autant de fois en chemin, au hasard, sans prévenir

# agency

help-agency-add = Ajouter une agence avec son compte
help-agency-list = Lister les agences par matricule
help-agency-show = Montrer une agence : données, compte, ressorts, installations
help-agency-edit = Modifier ses données : adresse, nom, plan, limites. Ce qui n'est pas nommé reste
help-agency-status = Fixer son statut : 0 suspendue, 1 certains services, 2 tous sauf export, correct et import, 3 tous
help-agency-grant = Accorder des codes d'une colonne de ressort : ce dont l'agence peut écrire
help-agency-install = Ajouter une installation : une mise en place du logiciel d'une agence
help-agency-statement = Montrer le relevé de son compte sur quelques jours, les dernières écritures à la fin
help-agency-recharge = Recharger son compte
help-its-number = Son numéro
help-the-agency = L'agence
help-status-range = 0 à 3
help-installation-name = 1 à 32 caractères de a-z, 0-9 et trait d'union
help-amount = Dans l'unité principale de la monnaie
help-note = Figure dans les comptes, par exemple le numéro d'un bordereau de banque
help-next-number = Son matricule ; par défaut le prochain qui soit libre
help-its-name = Son nom
help-its-town = Sa ville
help-its-telephone = Son téléphone
help-its-email = Où vont ses réponses par courriel
help-its-email-or-none = Où vont ses réponses par courriel ; sans cela, elle n'a pas d'adresse électronique
help-no-email = Elle n'a plus d'adresse électronique
help-its-plan = Son plan : droits, quotas et prix que beaucoup d'agences partagent
help-status-words = 0 suspendue, 1 certains services, 2 tous sauf export, correct et import, 3 tous
help-credit-limit = Jusqu'où son compte peut descendre sous zéro là où le crédit est refusé, dans l'unité principale de la monnaie
help-installations = Ses installations ; peut être donné plusieurs fois
help-letter-limit = Le plus grand conteneur qu'elle puisse envoyer, en octets : ce que supporte sa liaison
help-cbc = Si elle peut utiliser AES-256-CBC, pour des logiciels anciens
help-yes = C'est permis
help-no = Ce n'est pas permis
help-text = Trouvé dans le nom, la ville, l'adresse ou le matricule ; casse et accents n'y font rien
help-of-status = De ce statut
help-of-plan = De ce plan
help-statement-from = Son premier jour, comme 2026-11-01 ; par défaut le premier du mois du dernier
help-statement-to = Son dernier jour ; par défaut aujourd'hui
help-statement-send = L'envoyer aussi à l'agence
help-in-debt = Dont le compte est sous zéro
help-behind-matricule = Après ce matricule
help-scope-column = La colonne de ressort, comme CentreCode
help-codes = Les codes
help-withdraw = Les retirer, au contraire

# answer, cert, journal, letter, quarantine

help-answer-list = Lister celles qui ne sont pas parties, la plus ancienne d'abord
help-answer-show = Montrer en mots ce qu'on a dit à une lettre, et ce qu'est devenu son accusé de réception
help-answer-resend = Renvoyer maintenant l'accusé de réception d'une lettre à l'adresse de l'agence
help-answer-retry = Les envoyer maintenant : celles qui ont été abandonnées, une fois l'adresse ou le relais corrigés, et celles qui attendent leur prochaine tentative
help-those-for-agency = Celles de cette agence
help-for-agency = Pour cette agence
help-given-up = Celles qui ont été abandonnées
help-behind-this = Après celle-ci
help-cert-register = Enregistrer un certificat après avoir comparé son empreinte à ce que l'agence a dit par un autre canal
help-cert-list = Lister les certificats
help-cert-revoke = Révoquer la clé d'un certificat, avec tous ses certificats, tout de suite et pour toujours
help-cert-file = Le certificat, PEM ou DER
help-cert-fingerprint = Empreinte SHA-256 que l'agence a dite ; demandée si elle n'est pas donnée
help-cert-yes = L'enregistrer sans demander, bien qu'il ne soit pas encore valable, ou plus, ou qu'il soit d'une autorité
help-cert-named = Son empreinte SHA-256, le début de celle-ci, ou son numéro dans `cert list`
help-why = Pourquoi
help-revoke-yes = Le révoquer sans demander
help-revoke-since = Lister aussi les lettres de l'agence à partir de ce jour ou de cette heure, pour les revoir
help-of-agency = De cette agence
help-with-revoked = Les révoqués aussi
help-ending-within = Qui expirent dans autant de jours
help-behind-number = Après ce numéro
help-journal-list = Lister les lettres, la plus récente d'abord
help-journal-show = Montrer une ligne ; `xmserver letter show` dit tout de sa lettre
help-journal-container = Écrire aussi les octets d'origine du conteneur dans ce fichier
help-outcome = accepted, duplicate, held, ou le code d'un refus
help-of-letter = De cette lettre
help-flagged = Seulement des lettres signalées : acceptées, et un contrôle demande une explication
help-since = À partir de ce jour ou de cette heure du centre
help-until = Avant ce jour ou cette heure du centre
help-older-line = Plus anciennes que cette ligne
help-letter-show = Raconter son histoire : quand elle est venue, ce qui a été décidé et pourquoi, ce qu'elle a coûté, ce qu'est devenu son accusé de réception
help-wanted = Son identifiant, son condensé, ou le numéro d'une ligne du journal
help-wanted-agency = De cette agence, si deux ont donné à leurs lettres le même identifiant
help-limit = Au plus autant ; par défaut 100 pour les personnes et tout pour les programmes
help-all = Tout
help-mail-test = Essayer chaque boîte aux lettres, le dossier de transfert et le relais, étape par étape ; code de sortie 1 si l'un échoue
help-this-mailbox = Seulement cette boîte aux lettres ou ce dossier
help-quarantine-list = Lister les entrées, la plus récente d'abord
help-quarantine-show = Montrer une entrée ; ce regard est consigné
help-quarantine-container = Écrire aussi les octets d'origine dans ce fichier
help-quarantine-retry = Reprendre une entrée, une fois corrigé ce qui n'allait pas : la lettre reçoit une nouvelle tentative
help-mended = Ce qui a été corrigé
help-quarantine-drop = Écarter une entrée : ses octets partent, sa ligne reste
help-quarantine-reason = Avec ce motif : le code d'un refus
help-held = Celles qui attendent une décision
help-with-decided = Celles qui sont déjà décidées aussi
help-older-entry = Plus anciennes que cette entrée
help-held-list = Lister les lettres qui attendent, la plus ancienne d'abord
help-held-show = En montrer une avec ses lignes et le calcul qui la retient ; ce regard est consigné
help-held-release = Demander qu'une lettre soit libérée : une autre personne le confirme
help-held-refuse = Demander qu'une lettre soit refusée : une autre personne le confirme
help-held-waive = Lever ce contrôle, comme ResultatBureau.within_reference ; par défaut tous ceux qui la retiennent
help-held-code = Retenues pour cela : check ou approval
help-correction-list = Lister les lettres de corrections qui attendent, la plus ancienne d'abord
help-correction-show = En montrer une : chaque fiche telle qu'elle est et telle qu'elle serait, avec motif et référence ; ce regard est consigné
help-correction-confirm = En approuver une : elle est faite aussitôt, ou pour des résultats quand une autre personne le confirme
help-correction-refuse = En refuser une : aussitôt, ou pour des résultats quand une autre personne le confirme
help-flag-list = Lister les signalements que personne n'a expliqués, le plus récent d'abord
help-flag-explain = Expliquer un signalement
help-flag-check = De ce contrôle
help-with-explained = Ceux qui ont été expliqués aussi
help-older-flag = Plus anciens que ce signalement
help-explanation = Ce qu'il y a à en dire
help-election-show = Montrer combien de bureaux sont dans quel état, les sommes et les voix de chaque candidat
help-election-missing = Lister les bureaux qui n'ont pas envoyé leur résultat, ceux qui ont le plus d'inscrits d'abord, avec qui appeler
help-election-code = Cette élection seulement
help-election-area = Dans cette zone, de quelque niveau que ce soit
help-election-csv = Tous, en CSV pour un tableur

# sample, table, tariff

help-sample-restore = Créer les tables d'un échantillon et les adopter
help-sample-name = Quel échantillon
help-sample-configuration = Imprimer un échantillon de configuration avec chaque clé
help-sample-trial = En imprimer plutôt une d'essai, dont le serveur de courrier est `xmserver sample post` sur ces ports de cette machine
help-sample-tables = Imprimer un fichier de définitions pour `table adopt`, avec chaque clé expliquée
help-sample-post = Faire tourner le serveur de courrier d'un essai jusqu'à ce qu'on l'arrête : chaque adresse a une boîte, tout mot de passe l'ouvre
help-sample-office = Faire un poste d'une agence pour un essai : sa clé, son certificat et une lettre que le centre acceptera
help-new-folder = Un dossier qui n'existe pas encore
help-table-adopt = Adopter les tables d'un fichier de définitions, toutes ou aucune ; de nouveau après ALTER TABLE
help-table-file = TOML ou JSON ; - pour l'entrée standard
help-table-list = Lister les tables adoptées
help-table-show = Montrer une table : colonnes, types, ressort, clé légale, contrôles, droits et déclencheurs
help-table-application = L'application, ou application et table comme ecr.ActeNaissance
help-table-name = La table, quelle que soit la casse
help-table-abandon = Abandonner une table supprimée de la base : son inscription prend fin, son historique reste
help-such-as-table = Comme ecr.ActeNaissance
help-table-check = Comparer les tables adoptées à leurs définitions ; code de sortie 1 si elles diffèrent
help-table-load = Charger des données de référence depuis un fichier CSV : le demande, et une autre personne le confirme avec le même fichier
help-table-csv = CSV : sa première ligne nomme les colonnes
help-load-dry-run = Dire ce que cela ferait, et ne rien faire
help-load-approval = Confirmer ce qu'une autre personne a demandé sous ce numéro
help-plan-list = Lister les plans
help-plan-show = Montrer un plan : ses droits par table, et ce qu'un jour permet de lire
help-plan-name = Le plan
help-plan-edit = Changer les droits et les quotas d'un plan, ou en faire un. Ce qui n'est pas nommé reste
help-plan-create = Faire le plan, avec ce à quoi il sert
help-plan-acts = Fiches et clés qu'une agence peut recevoir en un jour ; none pour aucune limite
help-plan-bytes = Octets qu'une agence peut recevoir en un jour ; none pour aucune limite
help-plan-table = La table dont les droits changent, comme ecr.ActeNaissance
help-plan-may-export = Si des fiches peuvent être envoyées : yes ou no
help-plan-may-read = De qui les fiches peuvent être lues : none, own ou all
help-plan-may-certify = De qui les fiches peuvent être certifiées : none, own ou all
help-plan-certify-gives = Ce que donne une certification : verdict ou record
help-tariff-set = Fixer un prix ; celui qu'il suit finit où il commence
help-tariff-cancel = Reprendre un prix qui n'a pas commencé
help-tariff-list = Lister les prix
help-with-ended = Ceux qui ont pris fin aussi
help-tariff-service = export, correct, import ou certify ; tous les autres services sont gratuits
help-tariff-table = Pour cette table seulement, comme ecr.ActeNaissance
help-tariff-plan = Pour les agences de ce plan seulement
help-per-act = Prix d'un acte, dans l'unité principale de la monnaie
help-per-kb = Prix de chaque tranche commencée de 1 024 octets du conteneur, dans l'unité principale de la monnaie
help-credit = Sans crédit suffisant : owe (devoir) ou refuse (refuser) ; par défaut owe pour export et correct, refuse pour import et certify
help-tariff-from = Jour ou heure du centre où il commence ; maintenant par défaut

# message

help-message-list = Lister les messages, le plus récent d'abord
help-message-show = Montrer le fil d'un message ; ce que son agence a écrit compte dès lors comme lu
help-message-send = Écrire à une agence : chacune de ses installations est avertie
help-message-broadcast = Écrire à plusieurs agences ; leur nombre est montré d'abord
help-message-number = Le numéro du message
help-message-text = Ce qu'il dit
help-message-reply = Dans le fil de ce message, par son numéro
help-message-unread = Des agences, que personne n'a regardés
help-message-area = Qui peuvent écrire sur un code qui commence ainsi
help-message-town = De cette ville
help-message-yes = L'envoyer sans demander
help-message-ask-again = Demander à une agence de renvoyer ses lettres que le centre a perdues
help-message-first = Le numéro de la première lettre
help-message-installation = Cette installation seulement
# profile

help-profile-list = Lister les changements qui attendent, le plus récent d'abord
help-profile-confirm = Faire un changement qui attend, et en avertir l'agence
help-profile-refuse = Refuser un changement qui attend, et en avertir l'agence
help-profile-yes = Le faire sans demander
help-profile-decided = Aussi ceux qui ont été faits aussitôt ou sont décidés
help-profile-reason = Pourquoi : l'agence en est avertie
# voucher

help-voucher-make = Établir une série de bons : une autre personne la confirme
help-voucher-write = Créer les codes d'une série et les écrire dans un fichier, une seule fois
help-replica-list = Lister les processus qui servent ce centre, et ceux du dernier jour qui ont fini
help-voucher-list = Lister les séries, la plus récente d'abord
help-voucher-revoke = Révoquer les bons d'une série qui n'ont pas été utilisés
help-voucher-locked = Lister les agences dont les recharges sont bloquées un jour après cinq codes faux
help-voucher-unlock = Débloquer une agence
help-voucher-batch = La série
help-voucher-file = Un fichier qui n'existe pas encore : une ligne par bon
help-voucher-number = Celui-ci seulement : son numéro dans le fichier, après le trait d'union
help-voucher-count = Combien
help-voucher-amount = Ce que chacun donne, dans l'unité principale de la monnaie
help-voucher-until = Le dernier jour où ils peuvent être utilisés, par exemple 2027-12-31 ; par défaut dans un an

# enrolment

help-enrolment-code = Établir un code pour une nouvelle installation d'une agence ; il n'est montré qu'une fois
help-enrolment-list = Lister les codes, le plus récent d'abord : lesquels sont ouverts, utilisés ou bloqués après des codes faux

# record

help-record-show = Montrer une fiche par sa clé légale ; c'est consigné
help-record-table = Sa table, comme ecr.ActeNaissance
help-record-key = Les valeurs de sa clé légale, dans l'ordre de `xmserver table show`

# audit

help-audit-list = Lister ce que les opérateurs ont fait, les derniers actes d'abord
help-audit-show = Montrer une ligne avec tout ce qu'elle dit
help-audit-verify = Vérifier qu'aucune ligne n'a été changée, enlevée ou intercalée, et montrer la dernière, à noter
help-audit-written = La ligne et son empreinte qui ont été notées : elle doit y être encore
help-audit-export = Exporter les lignes, les plus anciennes d'abord, chacune en objet JSON sur sa propre ligne
help-audit-file = Un nouveau fichier à écrire ; par défaut la sortie standard
help-audit-after = Plus récentes que celle-ci
help-audit-by = De cet utilisateur, ou de « account NOM »
help-audit-action = De cet acte, comme agency.edit
help-audit-subject = À ce sujet, comme « agency 000042 »
help-audit-looks = Seulement les regards sur le contenu de fiches
help-audit-record = Qui a regardé cette fiche, ou une lettre qui l'a apportée : sa table, comme ecr.ActeNaissance, et les valeurs de sa clé légale

# approval, user

help-approval-list = Lister ce qui a été demandé et qui attend
help-approval-confirm = Confirmer ce qu'une autre personne a demandé : c'est fait tout de suite, si ce que cela concerne est resté tel quel
help-approval-yes = La confirmer sans demander
help-approval-refuse = Refuser ce qu'une autre personne a demandé, ou reprendre ce que vous avez demandé
help-approval-limit = Montrer, ou fixer, le montant maximal qu'une personne recharge seule : un montant plus haut se demande aussi
help-with-expired = Celles qui sont décidées ou périmées aussi
help-older-approval = Plus anciennes que celle-ci
help-user-add = Ajouter un utilisateur
help-user-list = Lister les utilisateurs avec leurs comptes
help-user-map = Donner un compte de cette machine à un utilisateur : par lui il s'identifie auprès des commandes
help-the-user = L'utilisateur
help-account-default = Le compte ; par défaut celui qui lance cette commande, et qui devient le premier si aucun compte n'est encore à personne
help-user-unmap = Retirer son compte à un utilisateur
help-the-account = Le compte
help-user-lock = Bloquer un utilisateur : il ne peut plus s'identifier, ni par un compte ni par un mot de passe
help-user-unlock = Débloquer un utilisateur, aussi celui qui doit attendre après de faux mots de passe
help-user-password = Donner à un utilisateur un premier mot de passe, qu'il change en s'identifiant
help-user-privilege = Changer ce qu'un utilisateur peut faire : 1 Opérateur, 2 Chef d'Agence, 3 Superviseur
help-privilege-range = 1 à 3
help-user-commission = Marquer un utilisateur comme membre de la commission électorale, ou ne plus le marquer
help-user-mark = S'il l'est
help-user-name = 2 à 32 caractères de a-z, 0-9, point, trait de soulignement et trait d'union
help-privilege-words = 1 Opérateur, 2 Chef d'Agence ou 3 Superviseur
help-member = Il est membre de la commission électorale
help-user-account = Le compte de cette machine par lequel il s'identifie auprès des commandes
help-has = Il l'a
help-has-not = Il ne l'a pas

# Ce qui tient lieu de valeur

value-file = FICHIER
value-folder = DOSSIER
value-whose = DE_QUI
value-what = QUOI
value-language = LANGUE
value-command = COMMANDE
value-name = NOM
value-mode = MODE
value-currency = MONNAIE
value-currency-digits = DÉCIMALES
value-zone = FUSEAU
value-superviseur = SUPERVISEUR
value-agencies = AGENCES
value-letters = LETTRES
value-seed = NOMBRE
value-kills = FOIS
value-matricule = MATRICULE
value-status = STATUT
value-amount = MONTANT
value-note = NOTE
value-email = ADRESSE
value-town = VILLE
value-telephone = TÉLÉPHONE
value-plan = PLAN
value-credit-limit = MONTANT
value-installations = INSTALLATION
value-bytes = OCTETS
value-yes-or-no = OUI|NON
value-text = TEXTE
value-after = APRÈS
value-column = COLONNE
value-batch = SÉRIE
value-count = NOMBRE
value-number = NUMÉRO
value-code = CODE
value-codes = CODES
value-agency = AGENCE
value-fingerprint = EMPREINTE
value-certificate = CERTIFICAT
value-reason = MOTIF
value-since = DEPUIS
value-ending-within-days = JOURS
value-outcome = ISSUE
value-letter-id = LETTRE
value-approval = APPROBATION
value-line-hash = LIGNE:EMPREINTE
value-line = LIGNE
value-key = CLÉ
value-action = ACTE
value-subject = SUJET
value-area = ZONE
value-check = CONTRÔLE
value-election = ÉLECTION
value-explanation = EXPLICATION
value-until = AVANT
value-before = AVANT
value-id = NUMÉRO
value-id-or-digest-or-line = IDENTIFIANT|CONDENSÉ|LIGNE
value-lines = LIGNES
value-mailbox = BOÎTE
value-pop3-port = PORT_POP3
value-smtp-port = PORT_SMTP
value-application = APPLICATION
value-table = TABLE
value-service = SERVICE
value-per-act = PRIX
value-per-started-kb = PRIX
value-credit = CRÉDIT
value-from = DÉBUT
value-day = JOUR
value-account = COMPTE
value-privilege = PRIVILÈGE
