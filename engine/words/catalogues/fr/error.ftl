# Les erreurs naissent en anglais dans le code ; elles sont reconnues et dites ici.

# Ce que dit le système d'exploitation

error-os-1 = opération non permise (erreur système 1)
error-os-2 = aucun fichier ou dossier de ce nom (erreur système 2)
error-os-5 = erreur d'entrée-sortie (erreur système 5)
error-os-11 = ressource momentanément indisponible (erreur système 11)
error-os-12 = mémoire insuffisante (erreur système 12)
error-os-13 = permission refusée (erreur système 13)
error-os-17 = le fichier existe déjà (erreur système 17)
error-os-20 = ce n'est pas un dossier (erreur système 20)
error-os-21 = c'est un dossier (erreur système 21)
error-os-22 = argument non valable (erreur système 22)
error-os-24 = trop de fichiers ouverts (erreur système 24)
error-os-28 = plus de place sur le disque (erreur système 28)
error-os-30 = système de fichiers en lecture seule (erreur système 30)
error-os-36 = nom de fichier trop long (erreur système 36)
error-os-40 = trop de liens symboliques (erreur système 40)
error-os-98 = adresse déjà utilisée (erreur système 98)
error-os-99 = l'adresse demandée n'est pas de cette machine (erreur système 99)
error-os-101 = réseau inaccessible (erreur système 101)
error-os-104 = connexion coupée par l'autre machine (erreur système 104)
error-os-110 = délai de connexion dépassé (erreur système 110)
error-os-111 = connexion refusée (erreur système 111)
error-os-113 = aucune route vers cette machine (erreur système 113)
error-os-utf8 = le contenu n'est pas de l'UTF-8

# Les dates et heures des opérateurs

error-time-unread = attendu : un jour (2026-11-30), une heure du centre ("2026-11-30 18:00"), une heure de la RFC 3339 (2026-11-30T17:00:00Z), aujourd'hui, hier, ou une durée écoulée (2h, 3j) ; trouvé : { $found }
error-time-absent = { $time } n'existe pas en { $zone } : on y avance les horloges à ce moment-là ; écrivez une heure avant ou après
error-time-twice = { $time } vient deux fois en { $zone }, car on y retarde les horloges : écrivez "{ $earlier }" ou "{ $later }"
error-time-other-zone = l'horloge du centre affiche { $expected }, et non { $found } : écrivez-le ainsi, ou selon la RFC 3339
error-zone-unknown = le fuseau { $zone } n'est pas connu : attendu un nom comme Africa/Douala, ou UTC

# Dossier des données, clés, base de données

error-folder-in-use = le dossier des données { $folder } est utilisé par un autre xmserver (processus { $process }) : arrêtez celui-là, ou donnez à celui-ci un dossier de données à lui
error-process-twin = un autre xmserver tourne sous l'identité de ce processus, sur la machine { $host } avec le dossier des données { $data_folder } : donnez à chaque processus son propre server.process_name, ou un dossier de données dont le fichier `process` n'est pas copié d'un autre
error-folder-missing = il n'y a pas de dossier des données { $folder } : lancez d'abord `xmserver init`
error-folder-missing-beside-database = il n'y a pas de dossier des données { $folder } : créez-le et copiez-y le dossier keys/ du centre (`cp -a`) ; seul un centre que personne n'a encore créé commence par `xmserver init`
error-could-not = échec de l'opération « { $what } » sur { $path } : { $reason }
error-do-create = création
error-do-protect = protection
error-do-open = ouverture
error-do-read = lecture
error-do-write = écriture
error-do-lock = verrouillage
error-do-remove = suppression
error-do-rename = changement de nom
error-do-sync = synchronisation
error-do-find = recherche
error-do-run = exécution
error-exposed = { $path } a le mode { $mode } : lancez chmod { $allowed } { $again }
error-keys-unreadable = { $path } n'a pas pu être lu : { $reason } ; les clés d'un centre se font une seule fois, avec lui : copiez ici son dossier keys/, d'une sauvegarde ou d'un programme qui le sert
error-key-unfit = la clé de { $path } ne peut pas servir : { $reason }
error-key-unreadable = { $what } ne peut pas être lu ({ $reason })
error-key-not-der = le certificat n'est pas en DER strict avec des noms de longueur limitée ({ $reason }) : faites-le établir de nouveau
error-key-not-admitted = une clé de type { $kind } n'est pas admise : attendu P-256, P-384 ou RSA de 2048 à 4096 bits
error-key-encrypted = la clé privée est chiffrée : conservez-la non chiffrée, lisible de son seul propriétaire
error-key-no-pair = la clé privée n'est pas celle du certificat : donnez les deux qui ont été faits ensemble
error-key-not-self-signed = le certificat n'est pas signé par sa propre clé : faites-en un qui le soit
error-openssl-old = OpenSSL { $found } est plus ancien que 3.0.22, qui pare des attaques connues contre CMS : installez les mises à jour de sécurité de la distribution
error-what-certificate = le certificat
error-what-private-key = la clé privée
error-url-file-unreadable = database.url_file : { $file } ne peut pas être lu : { $reason }
error-url-missing = database.url_file : attendu l'URL dans la première ligne de { $file }, trouvé : rien
error-no-server = il n'y a pas de serveur dans { $folder } : lancez d'abord `xmserver init`, ou nommez un autre --data-folder ou --config
error-database-not-answering = le PostgreSQL privé de { $folder } n'a pas répondu depuis { $seconds } s : le xmserver qui y tourne le relance chaque fois qu'il s'arrête ; { $log } dit pourquoi il ne le peut pas
error-command-runs = une commande de xmserver utilise le PostgreSQL privé de { $folder } depuis { $seconds } s : laissez-la finir, ou mettez-y fin
error-could-not-lock = { $file } n'a pas pu être verrouillé : { $reason }
error-binaries-missing = aucun programme de PostgreSQL trouvé dans { $looked } : installez le paquet postgresql, ou nommez leur dossier dans la configuration
error-binaries-old = PostgreSQL { $found } de { $folder } est trop ancien : il faut la version { $needed } ou une plus récente
error-version-mismatch = le dossier des données a été fait par PostgreSQL { $data }, mais { $folder } est PostgreSQL { $found } : installez la version { $wanted } ou transférez les données avec pg_upgrade
error-database-in-use = le dossier de la base { $folder } est utilisé par un autre processus : arrêtez-le, ou choisissez un autre dossier
error-barred = l'utilisateur { $user }, sous lequel tourne PostgreSQL, ne peut pas entrer dans { $folder } : permettez-le (chmod o+x), ou choisissez un autre dossier
error-user-missing = PostgreSQL ne doit pas tourner sous root, et il n'y a ni utilisateur xmserver ni postgres : créez-en un (useradd --system --no-create-home xmserver)
error-owner-unfit = le dossier des données { $folder } appartient à l'utilisateur { $uid }, qui est root ou n'est pas dans passwd : donnez-le à un utilisateur sans privilège
error-setting-fixed = le réglage { $name } du PostgreSQL privé ne se change pas : utilisez pour cela une base à vous
error-path-long = le chemin du dossier de la base { $folder } est trop long pour une socket unix : choisissez-en un plus court d'au moins { $excess ->
    [one] { $excess } octet
   *[other] { $excess } octets
}
error-initdb = initdb a échoué : { $reason }
error-start = PostgreSQL s'est arrêté en démarrant ; son journal dit : { $reason }
error-start-timeout = PostgreSQL n'a pas répondu dans les { $seconds } s de son démarrage ; son journal dit : { $reason }
error-leftover = le processus PostgreSQL { $process } d'une exécution passée tient encore { $folder } et ne s'arrête pas : mettez-y fin
error-keeper-gone = le fil qui démarre PostgreSQL a fini trop tôt
error-database-not-created = la base privée n'a pas pu être créée : { $reason }
error-postgres-old = la base est PostgreSQL { $found } : il faut la version { $needed } ou une plus récente
error-database-newer = la base a la migration { $found }, que ce programme ne connaît pas : installez le xmserver plus récent qui l'a faite, ou restaurez une sauvegarde
error-database-older = il manque à la base { $missing } des migrations de ce programme : lancez `xmserver run` de cette version, qui les exécute, et recommencez
error-migration-failed = une migration a échoué, et celles d'avant restent : { $reason }
error-migration-interrupted = la migration a été interrompue : { $reason }
error-url-unreadable = l'URL de la base ne peut pas être lue ({ $reason }) : attendu postgresql://utilisateur:motdepasse@machine/base
error-host-missing = l'URL de la base ne nomme aucune machine : attendu postgresql://utilisateur:motdepasse@machine/base, ou le dossier d'une socket à la place de la machine
error-database-clear = la machine { $host } de la base en est une autre et sslmode vaut disable : les fiches voyageraient en clair ; enlevez sslmode=disable
error-no-authorities = aucune autorité de certification pour vérifier la machine de la base : nommez un fichier PEM dans ca_file, ou installez ca-certificates
error-ca-file = ca_file { $file } n'est pas un fichier PEM de certificats : { $reason }
error-tls-setup = TLS n'a pas pu être mis en place : { $reason }
error-database-away = la base de données est injoignable : { $reason }
error-not-admitted = PostgreSQL n'admet pas ce programme ({ $sqlstate }) : { $reason } : vérifiez l'utilisateur, le mot de passe et le nom de la base dans database.url_file ou database.url, ainsi que pg_hba.conf ; un PostgreSQL privé admet root et l'utilisateur du programme
error-database-busy = la base n'a pas pu le faire à côté de ses autres tâches ({ $sqlstate }) : { $reason }
error-constraint = la contrainte { $constraint } de la table { $table } a refusé l'instruction
error-altered = la base n'est plus telle qu'elle a été adoptée ({ $sqlstate }) : { $reason }
error-statement-refused = la base a refusé une instruction ({ $sqlstate }) : { $reason }
error-server-empty = xm.server est vide : lancez d'abord `xmserver init` sur cette base
error-unreadable = { $what } de { $subject } ne peut pas être lu : { $expected }
error-misused = la base n'a pas pu être utilisée comme prévu : { $reason }

# Boîtes aux lettres et relais

error-of = { $step } : { $cause }
error-step-settings = réglages
error-step-greeting = accueil
error-step-sign-in = identification
error-step-sign-in-spoken = identification
error-step-mailbox = boîte aux lettres
error-step-retrieve = retrait
error-step-delete = suppression
error-step-compose = rédaction
error-step-sender = expéditeur
error-step-recipient = destinataire
error-step-content = contenu
error-step-acceptance = acceptation
error-mail-timeout = pas de réponse en { $seconds } s
error-mail-closed = le serveur a fermé la connexion
error-mail-refused = le serveur a refusé : { $reason }
error-sign-in-file = { $reason } ; comparez username { $name } et la première ligne de { $file } avec ce que connaît le serveur de courrier
error-sign-in-variable = { $reason } ; comparez username { $name } et la valeur de { $variable } avec ce que connaît le serveur de courrier
error-mail-unsupported = le serveur n'offre pas { $what }
error-mail-protocol = le serveur a enfreint le protocole : { $reason }
error-mail-plain-after-starttls = du texte en clair après la réponse à STARTTLS
error-mail-after-dot = { $code } après le point final
error-mail-status-line = une ligne d'état a plus de { $octets } octets
error-mail-no-reply = attendu une réponse commençant par +OK ou -ERR, trouvé { $found }
error-mail-pop3-line-feed = le serveur termine ses lignes par LF seul, et la RFC 1939, 3 demande CRLF : faites-lui envoyer CRLF, à lui ou à la passerelle devant lui
error-mail-smtp-line-feed = le serveur termine ses lignes par LF seul, et la RFC 5321 demande CRLF : faites-lui envoyer CRLF, à lui ou à la passerelle devant lui
error-mail-unasked = une réponse est venue que nulle commande ne demandait
error-mail-body-long = un corps a plus de { $octets } octets
error-mail-ended = la connexion a pris fin alors que { $count ->
    [one] { $count } réponse était attendue
   *[other] { $count } réponses étaient attendues
}
error-mail-line-endless = une ligne sans fin : plus de { $octets } octets
error-mail-reply-endless = une réponse sans fin : plus de { $octets } octets ou de { $lines } lignes
error-relay-refused = le relais n'a pas pris le courriel : { $reason }
error-mail-field = attendu une ligne d'ASCII simple, trouvé autre chose
error-tls-unknown-signer = le certificat du serveur n'est signé par personne à qui cette machine se fie : nommez dans ca_file le certificat de son signataire, { $signer }
error-tls-self-signed = le certificat du serveur se signe lui-même, donc personne n'en répond : comparez-le à celui du serveur, et nommez-le dans ca_file
error-tls-other-signer = le signataire du certificat du serveur porte le nom d'un signataire connu, { $signer }, et a une autre clé : nommez dans ca_file son vrai certificat
error-tls-algorithm = le certificat du serveur est signé par un algorithme qui n'est pas accepté, { $algorithm } : faites-le signer de nouveau, avec SHA-256 ou mieux
error-tls-authority = le serveur présente comme sien le certificat d'un signataire (CA:TRUE) : nommez ce certificat même dans ca_file, ou faites-lui en signer un pour le serveur
error-tls-version-1 = le certificat du serveur est de la version 1 de X.509, qui ne nomme aucune machine : faites-en faire un de la version 3, avec la machine en subjectAltName
error-tls-no-name = le certificat du serveur ne nomme aucune machine : faites-en faire un avec { $expected } en subjectAltName ; un nom commun ne compte pas
error-tls-wrong-name = le certificat du serveur est pour { $found }, et non pour { $expected } : écrivez la machine comme le fait le certificat
error-tls-ended = un certificat du serveur a expiré le { $ended }, et nous sommes le { $today } : il en faut un nouveau au serveur
error-tls-not-begun = un certificat du serveur commence le { $begins }, et nous sommes le { $today } : l'horloge de cette machine est-elle juste ?
error-tls-purpose = le certificat du serveur n'est pas fait pour des serveurs : faites-en faire un dont l'extended key usage soit serverAuth, ou qui n'en ait pas
error-tls-unreadable = le certificat du serveur ne peut pas être lu : ce n'est pas un certificat X.509 selon la RFC 5280
error-tls-plain-port = le port { $port } parle en clair, et non en TLS : mettez security = "starttls", ou le port où TLS commence d'emblée (995 pour POP3, 465 pour SMTP)
error-tls-none = le serveur a accepté TLS, et ce qui est venu ensuite n'en est pas
error-tls-closed = le serveur a fermé la connexion au lieu de convenir de TLS : ce port le parle-t-il ?
error-tls-nothing-in-common = le serveur et ce programme n'ont en commun ni version de TLS ni chiffrement : il doit parler TLS 1.2 ou 1.3
error-tls-alert = le serveur a refusé TLS : { $alert }
error-tls-other = TLS n'a pas été convenu : { $reason }

# Configuration

error-file-missing = ce fichier de configuration n'existe pas
error-key-unknown = clé inconnue { $name }
error-key-unknown-expected = clé inconnue { $name } : attendu l'une de { $known }
error-key-missing = la clé { $name } manque
error-key-twice = la clé { $name } figure deux fois
error-mailbox-variable = les boîtes aux lettres figurent dans le fichier de configuration : aucune variable n'en règle les clés
error-mailbox-brackets = mailbox : écrivez [[mailbox]], entre doubles crochets : il peut y en avoir plusieurs
error-expected-found = attendu { $expected }, trouvé { $found }
error-expected-found-twice = attendu { $expected }, trouvé deux fois { $found }
error-expected-one-found = attendu l'un de { $known }, trouvé { $found }
error-expected = attendu { $expected }
error-place-variable = variable d'environnement { $name }
error-type-address = une adresse et un port, comme 127.0.0.1:9464
error-type-port = un port de 1 à 65535
error-type-whole = un nombre entier
error-type-whole-from-0 = un nombre entier, 0 ou plus
error-type-whole-32 = un nombre entier de 0 à 4294967295
error-type-whole-16 = un nombre entier de 0 à 65535
error-type-text = du texte entre guillemets
error-type-list = une liste
error-type-table-of-keys = une table de clés
error-type-table = une table
error-type-process-name = 1 à 63 lettres, chiffres, points, traits d'union et tirets bas
error-type-absolute = un chemin absolu
error-type-levels = error, warn, info, debug ou trace
error-type-own-address = l'adresse du centre même, local@domaine
error-type-range = de { $least } à { $most }
error-found-nothing = rien
error-found-none = aucun
error-found-both = les deux
error-found-several = plusieurs
error-url-both = seulement url ou url_file
error-reader-url-both = seulement reader_url ou reader_url_file
error-url-password = { $key } : attendu une URL sans mot de passe : mettez l'URL entière dans un fichier nommé par { $file }, ou dans la variable d'environnement { $variable }
error-mailbox-name = 1 à 63 caractères de a-z, 0-9, point, trait d'union et _
error-own-name = un nom à elle
error-name-of-no-mailbox = un nom qu'aucune boîte aux lettres ne porte
error-settings-username = le nom de la boîte aux lettres
error-settings-one-credential = l'un de password_file, password_env, oauth_token_file
error-settings-only-one-credential = un seul de password_file, password_env, oauth_token_file
error-settings-user-for-password = un nom qui aille avec le mot de passe
error-settings-password = un fichier ou une variable de mot de passe
error-settings-host = un nom ou une adresse de machine
error-settings-hello = un nom de machine
error-settings-one-line = une ligne de texte sans caractères de commande
error-settings-variable = password_env : la variable d'environnement { $variable } n'est pas définie ou est vide
error-settings-file-missing = { $key } : il n'y a pas de fichier { $file } : faites-le par `(umask 077; cat > { $again })`, puis tapez le secret, Entrée et Ctrl-D
error-settings-file-empty = la première ligne de { $file } est vide
error-settings-security = security : `none` est pour un serveur de cette machine ; { $host } est ailleurs, donc attendu `tls` ou `starttls`
error-settings-security-expected = security : attendu `tls` ou `starttls`
error-settings-control = { $what } ne peut pas porter de caractères de commande
error-own-address = une adresse à elle
error-intake-rule = quarantine ou drop
error-intake-addresses = les adresses du centre
error-kit-address = { $key } : attendu une adresse, local@domaine, trouvé { $found }
error-kit-telephone = { $key } : attendu du texte sur une ligne, trouvé { $found }
error-kit-url = { $key } : attendu une adresse qui commence par https://, trouvé { $found }
error-kit-mail = { $key } : attendu pop3 et smtp ensemble, trouvé l'un des deux
error-kit-no-address = la configuration ne nomme aucune adresse à laquelle les agences écrivent : fixez address dans [kit], ou une boîte ou le relais
error-kit-no-keys = aucune clé du centre n'est encore enregistrée : `xmserver run` ou `xmserver check` enregistre celles qu'il trouve
error-intake-address = des adresses, local@domaine
error-intake-certificate = le certificat du serveur
error-intake-key = la clé de certificate_file
error-intake-security = `tls` ou `starttls`
error-intake-unread = { $key } : impossible de lire { $file } comme PEM : { $reason }
error-intake-no-certificate = certificate_file : aucun certificat en PEM ne se trouve dans { $file }
error-intake-other-key = key_file : { $file } n'est pas la clé du certificat : { $reason }
error-carrier-servers = tls://hôte:port de chaque serveur
error-carrier-server = tls://hôte:port
error-carrier-nats = servers : `nats://` est pour un serveur de cette machine ; { $host } est ailleurs, il faut donc `tls://`
error-carrier-monitoring = http://hôte:port de chaque serveur
error-carrier-monitored = http://hôte:port
error-carrier-password = un fichier avec le mot de passe de l'utilisateur
error-carrier-needed = les serveurs du transporteur quand server.role n'est pas all
error-carrier-size = au plus { $bytes } quand server.role est intake
error-carrier-away = aucun serveur du transporteur ne répond : { $reason }
error-carrier-no-stream = le flux XM_MAIL n'est pas sur les serveurs : lancez `xmserver carrier init`
error-carrier-refused = les serveurs du transporteur refusent : { $reason }
error-carrier-not-configured = aucun transporteur n'est configuré : ajoutez [carrier] avec ses serveurs à la configuration
error-carrier-no-intake = rien n'est poussé vers ce processus : server.role intake demande un [[intake]] ou [https], ou aucune lettre ne peut venir
error-carrier-contract = le contrat carried est refusé : { $reason }
error-carrier-few-replicas = { $replicas } serveur(s) gardent chaque envoi, et il en faut 3 : `xmserver carrier init` crée un tel flux
error-carrier-in-memory = le flux est en mémoire, et il le faut sur disque
error-carrier-drops-old = le flux plein jette des envois, et il doit refuser les nouveaux (discard new)
error-carrier-unwatched = le serveur { $server } garde le flux, et aucune adresse de carrier.monitoring n'est la sienne
error-carrier-syncs-late = le serveur { $server } confirme avant d'avoir écrit sur disque : il lui faut `sync_interval: always`
error-carrier-old = le serveur { $server } est de version { $version }, et il faut au moins 2.12
error-carrier-partitions = le flux a été créé pour { $found } partitions, et carrier.partitions vaut { $configured } : donnez à toutes les répliques le nombre du flux
error-carrier = le transporteur
error-no-mailbox = aucune boîte aux lettres n'est configurée : ajoutez un [[mailbox]], un [[intake]], [https] ou un [folder] à la configuration, ou aucune lettre ne peut venir
error-no-relay = aucun relais n'est configuré : ajoutez [relay] à la configuration, ou aucune réponse ne peut partir
error-nothing-to-reach = ni boîte aux lettres, ni dossier de transfert, ni relais ne sont configurés : ajoutez [[mailbox]] et [relay], ou [folder], au fichier de configuration
error-mailbox-not-configured = la boîte aux lettres { $name } n'est pas configurée : attendu l'une de { $names }
error-listen = server.http_address : impossible d'écouter sur { $address }
error-no-port = aucun port n'est libre pour HTTP
error-runtime = l'environnement d'exécution de la base n'a pas pu être créé
error-runtime-of-reading = l'environnement d'exécution qui lit pour les agences n'a pas pu être créé
error-runtime-of-carrier = l'environnement d'exécution du transporteur n'a pas pu être créé
error-signals = les signaux ne peuvent pas être reçus
error-relay = relais
error-mailbox = boîte aux lettres { $name }
error-intake = réception { $name }
error-https = lettres par HTTPS
error-https-security = `tls` ou `none`
error-logging = le journal technique n'a pas pu être ouvert : { $reason }
error-logging-not-started = le journal technique n'est pas ouvert
error-keys-not-made = les clés du centre n'ont pas pu être faites
error-not-told = ce qui a été fait n'a pas pu être dit : la sortie standard est fermée

# Commandes

error-not-for-programs = { $command } n'a pas de résultat pour les programmes : omettez --json
error-not-for-programs-figures = { $command } n'a pas de résultat pour les programmes : omettez --json ; --figures FICHIER écrit ses chiffres en JSON
error-matricule = le matricule { $number } est hors de 1 à 999999
error-amount = le montant { $written } n'est pas valable : attendu des chiffres et { $decimals }, par exemple { $example }
error-amount-no-decimals = pas de décimales
error-amount-decimals = au plus { $digits ->
    [one] { $digits } décimale
   *[other] { $digits } décimales
}
error-plan-unknown = le plan { $plan } n'existe pas : attendu l'un de { $known }
error-not-answered = on ne répond à personne dont la signature n'est pas prouvée
error-letters-of-agencies = les agences { $agencies } ont une lettre de cet identifiant : nommez-en une avec --agency
error-fingerprint-to-compare = l'empreinte SHA-256 du certificat est { $fingerprint } : comparez-la à ce que l'agence { $agency } a dit par un autre canal, puis confirmez-la avec --fingerprint
error-fingerprint-sha-1 = { $fingerprint } est une empreinte SHA-1 : attendu celle de SHA-256 (64 chiffres hexadécimaux), que l'agence voit par `openssl x509 -in FICHIER -noout -fingerprint -sha256`
error-fingerprint-none = { $given } n'est pas une empreinte SHA-256 (64 chiffres hexadécimaux) : l'agence voit la sienne par `openssl x509 -in FICHIER -noout -fingerprint -sha256`
error-second-look = rien n'a été enregistré : le certificat demande un second regard ; enregistrez-le malgré tout avec --yes
error-not-registered = rien n'a été enregistré
error-not-confirmed = rien n'a été enregistré : l'empreinte n'a pas été confirmée
error-several-certificates = rien n'a été enregistré : le fichier contient { $count } certificats, dont il faut enregistrer celui de l'agence { $agency } même ; nommez-le par --fingerprint, comme l'agence l'a dit :
error-not-chosen = rien n'a été enregistré : aucun certificat du fichier n'a été choisi
error-revoke-yes = rien n'a été révoqué : dites --yes pour révoquer cette clé, tout de suite et pour toujours
error-not-revoked = rien n'a été révoqué
error-kept-in-quarantine = ce qui n'a pas été accepté est gardé en quarantaine : `xmserver quarantine show { $entry } --container { $file }`
error-signer-key-id = identifiant de clé { $octets }
error-signer-serial = numéro de série { $serial } de { $issuer }
error-quarantine-stays = l'entrée { $entry } de la quarantaine reste telle quelle : { $reason }
error-selection-taken = quelqu'un d'autre traite la sélection { $selection } : `xmserver quarantine selection { $again }` montre où elle en est
error-selection-count = la sélection { $selection } a encore { $entries } entrées : dites --count { $count } pour les prendre
error-held-stays = la lettre retenue { $held } reste telle quelle : { $reason }
error-held-one = une lettre retenue est un seul conteneur
error-quarantine-nothing = rien de l'entrée { $entry } de la quarantaine ne peut être repris : { $reason }
error-quarantine-signer = le certificat du signataire de l'entrée { $entry } de la quarantaine ne peut pas être lu : `xmserver check` le nomme
error-quarantine-transport = ce programme ne connaît pas le transport { $transport } de l'entrée { $entry } de la quarantaine : réessayez avec le plus récent
error-not-kept = le conteneur de la ligne { $line } du journal n'est plus conservé
error-cannot-remove = { $file } ne peut pas être supprimé
error-cannot-write = { $file } ne peut pas être écrit
error-cannot-read-input = l'entrée standard ne peut pas être lue
error-cannot-read = { $file } ne peut pas être lu
error-cannot-read-because = { $file } ne peut pas être lu : { $reason }
error-could-not-read = { $file } n'a pas pu être lu
error-could-not-make = { $file } n'a pas pu être créé
error-could-not-write = { $file } n'a pas pu être écrit
error-folder-there = { $folder } existe déjà : nommez un dossier qui n'existe pas encore
error-sample-restored = l'échantillon { $name } est déjà restauré : `xmserver table list` montre ses tables
error-two-ports = attendu deux ports, de POP3 et de SMTP, trouvé { $count }
error-no-address = aucun relais n'est configuré, donc le centre n'a pas d'adresse où écrire : `xmserver sample configuration` en montre un
error-no-registry = le centre n'a pas d'état civil : `xmserver sample restore ecr` fait celui auquel cette lettre est destinée
error-statement-days = un relevé finit le { $to } et commence le { $from } : nommez les jours dans leur ordre
error-no-email = l'agence { $agency } n'a pas d'adresse électronique, et le bureau d'un essai écrit des courriels : `xmserver agency edit { $again } --email mairie@example.org` lui en donne une
error-answer-no-address = l'agence n'a pas d'adresse électronique : `xmserver agency edit` lui en donne une, puis `xmserver answer retry` envoie ceci
error-answer-no-certificate = aucun certificat valable pour lequel sceller la réponse
error-no-installation = l'agence { $agency } n'a pas d'installation : `xmserver agency install { $again } main` en ajoute une
error-no-scope = l'agence { $agency } ne peut écrire d'aucun centre : `xmserver agency grant { $again } { $column } C01` le lui permet
error-trial-post = le serveur de courrier de l'essai n'a pas pu démarrer : { $reason }
error-trial-port = le serveur de courrier de l'essai n'a pas pu démarrer : { $reason } ; mettez fin au programme qui a ce port, peut-être un autre `xmserver sample post`, ou imprimez une configuration avec d'autres ports par `xmserver sample configuration --trial 2110 2525`
error-port-of-here = port { $port } de 127.0.0.1 : { $reason }
error-no-trial = la configuration n'est pas celle d'un essai : attendu une boîte aux lettres et un relais à { $address } avec security = "none", tels que les imprime `xmserver sample configuration --trial 2110 2525`
error-user-account-missing = ce compte est celui de l'utilisateur { $user } : nommez le compte à donner
error-account-absent = le compte { $account } n'existe pas sur cette machine : attendu un compte que `getent passwd` montre
error-name-of-demo = le nom { $name } est celui du centre de la démonstration : choisissez-en un autre
error-passwords-differ = les deux mots de passe diffèrent : rien n'a été changé
error-no-home = ce compte n'a pas de dossier personnel où garder la session : nommez un dossier dans XDG_STATE_HOME
error-session-file = le fichier de la session à ce terminal
error-approval-yes = rien n'a été fait : dites --yes pour la confirmer
error-approval-waits = rien n'a été fait : la demande attend toujours

# Fichiers apportés comme certificats

error-file-large = { $file } a { $bytes } octets : attendu un certificat, PEM ou DER
error-file-unfit = le certificat de { $file } ne peut pas être enregistré : { $reason }
error-file-unfit-again = le certificat de { $file } ne peut pas être enregistré : { $reason } ; faites-le établir de nouveau
error-file-unfit-text = le certificat de { $file } ne peut pas être enregistré : { $reason } ; un nom y contient des lettres qui ne sont pas de l'UTF-8 comme il le dit : faites-le établir de nouveau
error-file-empty = { $file } est vide : demandez à l'agence d'envoyer de nouveau son certificat
error-file-private-key = { $file } contient une CLÉ PRIVÉE. Rien n'a été enregistré : cette clé est perdue, car quiconque a eu ce fichier en main peut signer au nom de l'agence. Supprimez le fichier ; l'agence fait une nouvelle clé, qui ne la quitte jamais, et envoie le certificat seul. Si un certificat de l'ancienne clé est enregistré, révoquez-le : `xmserver cert revoke`
error-file-pkcs12 = { $file } est un fichier PKCS #12, qui contient le plus souvent aussi la clé privée : demandez à l'agence le certificat seul, qu'elle obtient par `openssl pkcs12 -in { $again } -nokeys -clcerts -out office.crt`
error-file-pkcs7 = { $file } est un fichier PKCS #7 de certificats : `openssl pkcs7 -in { $again } -print_certs -out office.crt` les en sort (avec -inform DER si ce n'est pas du texte)
error-file-request = { $file } est une demande de certificat, et non un certificat : cette version n'en délivre pas ; l'agence fait le sien par `{ $command }`
error-file-public-key = { $file } est une clé publique seule : l'agence en fait un certificat par `{ $command }`
error-file-trusted = { $file } est un certificat dans la forme TRUSTED d'OpenSSL : `openssl x509 -in { $again } -out office.crt` en fait un ordinaire
error-file-revocations = { $file } est une liste de certificats révoqués, et non un certificat
error-file-utf16 = { $file } est du texte en UTF-16 : `iconv -f UTF-16 -t UTF-8 { $again } > office.crt` en fait un ordinaire
error-file-bare = { $file } est un certificat en base64 sans sa ligne BEGIN : `base64 -d { $again } > office.crt` en fait un ordinaire
error-file-damaged = { $file } contient un certificat dont le base64 est abîmé : demandez à l'agence de l'envoyer de nouveau, en pièce jointe
error-file-letter = { $file } est une lettre, et non un certificat : envoyez-la à la boîte aux lettres du centre
error-file-unknown = { $file } ne contient aucun certificat : attendu un certificat, PEM ou DER

# Certificats d'un fichier, un par ligne

error-presented-self = { $subject }, signé par lui-même, { $algorithm }
error-presented-self-authority = { $subject }, signé par lui-même, { $algorithm }, d'une autorité de certification
error-presented = { $subject }, par { $issuer }, { $algorithm }
error-presented-authority = { $subject }, par { $issuer }, { $algorithm }, d'une autorité de certification

# Démonstration

error-demo-post = le bureau de poste n'a pas pu démarrer
error-demo-stopped = démonstration arrêtée avant la fin : rien n'a été vérifié
error-demo-figures = --figures { $file } : ne peut pas être écrit
error-demo-page = --page { $file } : ne peut pas être écrit
error-demo-data = --data { $folder } : attendu un dossier qui n'existe pas encore ; la démonstration le crée
error-demo-exists = { $folder } existe déjà : recommencez la démonstration
error-demo-ended-early = le centre a fini avec { $status } avant d'être prêt ; ses dernières lignes sont ci-dessus
error-demo-not-ready = le centre n'était pas prêt en { $seconds } s ; ses dernières lignes sont ci-dessus
error-demo-ended-lines = le centre a fini de lui-même avec { $status } ; ses dernières lignes sont ci-dessus
error-demo-ended = le centre a fini de lui-même avec { $status }
error-demo-ended-before = le centre a fini avant qu'on le lui dise
error-demo-no-stop = le centre ne s'est pas arrêté en { $seconds } s
error-demo-stopped-with = le centre s'est arrêté avec { $status }
error-demo-own-file = le fichier du programme même
error-demo-setpriv = setpriv, du paquet util-linux, n'a pas pu démarrer le centre
error-demo-no-agency = une ville a au moins une agence
error-demo-not-taken = le bureau de poste n'a pas pris { $message }
error-demo-still = rien n'a bougé depuis { $seconds } s : { $letters ->
    [one] { $letters } lettre envoyée
   *[other] { $letters } lettres envoyées
}, { $waiting } dans la boîte du centre, { $unanswered } sans accusé de réception ; ce que le centre a dit est ci-dessus
error-demo-no-number = il ne reste plus de matricule pour une agence à vous
error-demo-no-receipt = aucun accusé de réception n'est venu à { $address } en { $seconds } s
error-demo-openssl = la commande openssl n'a pas pu être lancée
error-demo-openssl-closed = openssl n'ouvre pas l'accusé de réception : { $reason }
error-demo-json = receipt.json ne contient pas d'accusé de réception
error-demo-no-container = la lettre changée n'a pas de conteneur
error-demo-not-in-quarantine = la lettre changée n'est pas en quarantaine
