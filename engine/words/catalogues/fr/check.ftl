# Ce que trouve `xmserver check`.

verdict-ok = ok
verdict-warn = avis
verdict-fail = échec

# Ce qui a été regardé

check-subject-configuration = configuration
check-subject-environment = environnement
check-subject-mailboxes = boîtes aux lettres
check-subject-folder = dossier de transfert { $name }
check-subject-intake = réception { $name }
check-subject-passwords = mots de passe
check-subject-disk = disque
check-subject-data-folder = dossier des données
check-subject-keys = clés
check-subject-database = base de données
check-subject-backup = sauvegarde
check-subject-server = serveur
check-subject-centre-keys = clés du centre
check-subject-tables = tables
check-subject-tariffs = tarifs
check-subject-agencies = agences
check-subject-people = personnes
check-subject-reading = lecture
check-subject-agency = agence { $agency }
check-subject-reach = joindre { $what }
check-subject-words = mots

# Machine et configuration

check-no-file = aucun fichier : valeurs par défaut et environnement
check-no-keys = ce ne sont pas des clés de la configuration, bien qu'elles y ressemblent : { $names } ; une clé a deux traits de soulignement entre ses niveaux, comme dans XMSERVER_SERVER__LOG_LEVEL
check-no-mailbox = aucune n'est configurée : ajoutez un [[mailbox]], un [[intake]], [https] ou un [folder] au fichier de configuration
check-no-relay = aucun n'est configuré : ajoutez [relay], ou aucune réponse ne peut partir
check-folder = { $reason } : créez-le, ou montez-le, et laissez ce programme y lire, écrire et supprimer des fichiers ; le reste reprend de lui-même
check-folder-silent = le disque ne répond pas depuis { $seconds } s
check-folder-itself = le dossier
check-folder-in-closed = in n'est pas ouvert en écriture
check-folder-out-closed = out n'est pas ouvert en écriture
check-peer = { $host } en tant que { $name }
check-http-open = { $address } est ouverte aux autres machines et sans identification : ne laissez que la surveillance l'atteindre
check-http-running = { $address }, du centre qui tourne
check-http-free = { $address } est libre
check-http-taken = impossible d'écouter sur { $address } ({ $reason }) : mettez fin au programme qui l'occupe, ou choisissez un autre server.http_address
check-http-in-use = adresse occupée
check-http-not-available = adresse indisponible
check-http-denied = permission refusée
check-passwords-closed-one = 1 fichier, fermé aux autres
check-passwords-closed = { $count ->
    [one] { $count } fichier, fermé aux autres
   *[other] { $count } fichiers, fermés aux autres
}
check-disk-full = { $free } Mo sont libres sur { $size } : aucune lettre ne peut être enregistrée ; faites de la place, et le courrier reprend de lui-même
check-disk-elsewhere = { $free } Mo sont libres sur { $size } ; la base a un disque à elle, qui n'est pas regardé ici
check-disk-low = { $free } Mo sont libres sur { $size } : moins de { $percent } %
check-disk-free = { $free } Mo sont libres sur { $size }
check-certificate-valid = { $algorithm }, valable du { $from } au { $to }
check-reached = chaque étape a réussi
check-words-line = { $file }, ligne { $line } : { $reason } ; ce qui y est juste est dit malgré tout
check-words-file = { $file } n'est pas lu : { $reason }

# Base de données

check-postgres = PostgreSQL { $version }
check-reading-missing = il n'y a pas de compte xm_reader, donc import et certify ne sont pas offerts : OPERATIONS.md, Reading, dit que faire
check-reading-unnamed = le compte xm_reader existe et n'est pas nommé, donc import et certify ne sont pas offerts : renseignez database.reader_url_file
check-reading-away = le compte xm_reader ne peut s'ouvrir : { $reason }
check-reading-excess = le compte xm_reader peut plus que lire ses vues : { $what } ; OPERATIONS.md, Reading, dit comment le lui ôter
check-reading-bound = le compte xm_reader peut lire ses vues, et rien d'autre
check-postgres-old = PostgreSQL { $version } est trop ancien : il faut la version 15 ou une plus récente
check-fsync = fsync est à off : une coupure de courant perd des lettres dont le courriel est déjà effacé ; mettez fsync = on
check-full-page-writes = full_page_writes est à off : une coupure de courant peut détruire des tables ; mettez full_page_writes = on
check-synchronous-commit = synchronous_commit vaut { $value } dans nos sessions : il doit valoir on
check-encoding = le codage de la base est { $encoding } : il doit être UTF8
check-standby = la base est une réplique, où l'on ne peut pas écrire : nommez la primaire
check-standbys-none = plusieurs hôtes sont configurés, et aucun COMMIT n'attend un secondaire : un basculement perd des lettres déjà répondues ; fixer synchronous_standby_names sur le primaire
check-standbys-hidden = plusieurs hôtes sont configurés, et ce compte ne peut voir si les COMMIT attendent un secondaire : GRANT pg_read_all_stats à ce compte
check-checksums = les sommes de contrôle des données sont à off : des pages abîmées passent inaperçues ; voir pg_checksums --enable
check-shared-user = le PostgreSQL privé tourne sous { $user }, comme d'autres programmes peuvent le faire : quiconque peut devenir { $again } peut lire les fiches ; créez un utilisateur système avant `init` (useradd --system --no-create-home xmserver)
check-backup-none = aucune n'est connue : la base n'archive pas de WAL, donc ce qui est plus récent que la dernière copie se perd avec son disque ; OPERATIONS.md, Backup, dit ce qu'il faut copier
check-backup-failed = le WAL n'est pas archivé : archive_command a échoué { $failures } fois, la dernière le { $failed }, et a réussi { $succeeded } ; ce qu'elle en dit est dans le journal de PostgreSQL
check-never = jamais
check-last-on = la dernière fois le { $time }
check-backup-not-yet = archive_mode est à on, et aucun WAL n'a encore été archivé
check-backup-ok = le WAL est archivé, la dernière fois le { $time } ; si une sauvegarde de base l'accompagne, son outil le dit
check-server = { $name }, mode { $mode }, monnaie { $currency }
check-keys-unknown = la base ne connaît pas encore les clés de son centre : le prochain `xmserver run` ou `init` lui fait prendre celles-ci
check-keys-known = { $count ->
    [one] { $count } connue de la base, ici et nulle autre
   *[other] { $count } connues de la base, toutes ici et nulle autre
}
check-key-of-agency = la clé du centre même est enregistrée pour elle : `xmserver cert revoke "#{ $id }" --reason "key of the centre"`
check-address-of-agency = { $address } est l'adresse du centre même : ses réponses reviennent comme des lettres ; donnez-lui-en une autre
check-no-table = aucune n'est adoptée, donc toute lettre est refusée : `xmserver table adopt FICHIER`
check-tables-one = 1 adoptée, telle qu'elle l'a été
check-tables = { $count } adoptées, telles qu'elles l'ont été
check-no-tariff = sans tarif, donc gratuits : { $services } ; `xmserver tariff set` fixe un prix
check-tariff-unknown = le tarif { $id } est pour { $service }, qui n'est pas un service de ce programme : il ne fixe le prix de rien
check-tariffs = chaque service offert qui peut avoir un prix en a un
check-no-agency = aucune n'est là qui ne soit suspendue, donc toute lettre est refusée : `xmserver agency add`
check-no-certificate-one = 1 n'a pas de certificat valable, donc personne ne répond à ses lettres : `xmserver cert register`
check-no-certificate = { $count } n'ont pas de certificat valable, donc personne ne répond à leurs lettres : `xmserver cert register`
check-no-grant-one = 1 n'a reçu aucun code d'aucun ressort, donc ses fiches sont hors ressort : `xmserver agency grant`
check-no-grant = { $count } n'ont reçu aucun code d'aucun ressort, donc leurs fiches sont hors ressort : `xmserver agency grant`
check-no-address-one = 1 écrit par courriel et n'a pas d'adresse électronique, donc ses réponses sont abandonnées : `xmserver agency edit`
check-no-address = { $count } écrivent par courriel et n'ont pas d'adresse électronique, donc leurs réponses sont abandonnées : `xmserver agency edit`
check-agencies-one = 1 non suspendue, avec un certificat et au moins un code de ressort
check-agencies = { $count } non suspendues, chacune avec un certificat et au moins un code de ressort
check-people-none = aucun compte n'est encore celui d'un utilisateur, donc aucune commande ne marche : `xmserver user map { $user }` fait du compte qui la lance le premier
check-people-one = un seul utilisateur de privilège 3 peut s'identifier, donc personne ne confirme ce qui en demande deux : `xmserver user add NOM --privilege 3 --account COMPTE`
check-people = { $users } utilisateurs peuvent s'identifier, dont { $superviseurs } de privilège 3
