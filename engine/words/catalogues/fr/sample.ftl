# Commentaires des fichiers d'exemple : `sample configuration`, `sample tables`.

sample-configuration-head = Configuration de xmserver. Se place dans /etc/xmserver/ ou dans le dossier des données. Ce qui est en commentaire montre la valeur par défaut. Les clés de [server], [database], [relay] et [limits] peuvent aussi être fixées par l'environnement, avec deux soulignés entre les niveaux : XMSERVER_SERVER__LOG_LEVEL=debug, XMSERVER_RELAY__SMTP__PORT=587. Les boîtes aux lettres ne se déclarent que dans ce fichier. Les autres variables qui commencent par XMSERVER_ ne sont pas des clés. La ligne de commande l'emporte sur l'environnement, et l'environnement sur ce fichier. Aucun secret ne se trouve ici : les mots de passe sont dans des fichiers que seul le serveur peut lire, ou dans l'environnement. `xmserver check` explique ce qui ne va pas ; `xmserver check --online` essaie aussi les boîtes aux lettres et le relais.
sample-configuration-data-folder = Clés, identité du processus et PostgreSQL privé. Par défaut le dossier de ce fichier, s'il se trouve dans un dossier des données.
sample-configuration-keys-folder = Les clés du centre, si elles se trouvent ailleurs que dans keys/ du dossier des données : un montage en lecture seule que les répliques partagent.
sample-configuration-process-name = Nom de ce processus parmi plusieurs qui servent un même centre. Sans lui, c'est le dossier des données qui garde l'identité.
sample-configuration-http-address = Sert /live, /ready et /metrics. Liez-la à une adresse que seule votre surveillance atteint.
sample-configuration-log-format = text ou json.
sample-configuration-log-level = error, warn, info, debug ou trace ; ou des directives comme "info,actors=debug".
sample-configuration-drain-notice = Combien de temps un programme qui s'arrête prend encore les lettres poussées, pendant que /accept envoie les répartiteurs ailleurs. Seulement avec [[intake]] ou https.
sample-configuration-shutdown = Combien de temps un arrêt attend les lettres en main ; ce qui n'est pas réglé alors reste dans sa boîte.
sample-configuration-metrics-kept = Quel âge peut avoir une mesure lue dans la base : quelques-unes coûtent d'autant plus qu'il y a d'agences.
sample-configuration-database = Sans url ni url_file, xmserver fait tourner un PostgreSQL privé dans le dossier des données.
sample-configuration-url = Sans mot de passe ; une URL avec mot de passe va dans url_file ou dans XMSERVER_DATABASE__URL.
sample-configuration-database-reader = La même base sous le compte qui lit pour les agences (OPERATIONS.md, Reading) ; sans lui, import et certify ne sont pas offerts.
sample-configuration-database-ca = Certificats de confiance au lieu de ceux du système ; une autre machine n'est jointe que par TLS vérifié.
sample-configuration-binaries = Où se trouvent postgres et initdb du PostgreSQL privé, s'ils ne sont pas trouvés d'eux-mêmes. Une version sans LZ4 ne peut pas lire le journal d'une version avec : arrêtez proprement xmserver avant de passer de l'une à l'autre.
sample-configuration-mailbox = Un bloc par boîte aux lettres à laquelle les agences écrivent.
sample-configuration-no-container = Courriel sans conteneur : leave (laisser), quarantine (mettre en quarantaine) ou drop (supprimer).
sample-configuration-pop3-port = 995 avec tls, 110 sinon.
sample-configuration-security = tls, starttls ou none (seulement pour un serveur sur cette machine).
sample-configuration-secret = L'une de ces trois clés désigne le secret.
sample-configuration-mail-ca = Certificats de confiance en plus de ceux du système : celui d'un signataire, ou celui du serveur de courrier lui-même (aussi tel que `openssl req -x509` le fait).
sample-configuration-mail-size = D'un courriel plus grand, seuls les premiers 16 Ko sont pris, pour la quarantaine.
sample-configuration-folder = Le dossier de transfert, pour les clés USB et les passerelles qui transportent des fichiers : les lettres sont prises dans son `in`, les réponses posées dans son `out`. Les deux doivent exister et ne sont jamais créés : sans eux, le support est absent. Pour en avoir un, enlevez les dièses et les blancs du début des lignes :
sample-configuration-folder-name = Son nom dans les journaux, les mesures et le journal des lettres ; aucune boîte n'a le même.
sample-configuration-quiet = Combien de temps un fichier doit être resté tel que son auteur l'a laissé.
sample-configuration-file-size = D'un fichier plus grand, seuls les premiers 16 Ko sont pris, pour la quarantaine.
sample-configuration-intake = Un bloc par adresse à laquelle d'autres serveurs de courrier poussent des lettres, au lieu des boîtes aux lettres ou à côté d'elles (OPERATIONS.md, Pushed mail). Un expéditeur reçoit sa réponse une fois son courriel enregistré. Pour en avoir un, enlevez les dièses et les blancs du début des lignes :
sample-configuration-intake-no-container = Courriel sans conteneur : quarantine (mettre en quarantaine) ou drop (supprimer).
sample-configuration-intake-hold = Combien de temps un expéditeur attend quand la base est injoignable, avant qu'on lui demande de renvoyer le courriel : moins que sa propre patience, qui est de 600 secondes pour lmtp de Postfix et de 100 pour son smtpd_proxy_filter.
sample-configuration-intake-protocol = lmtp pour un serveur qui a mis le courriel en file, smtp pour un serveur qui demande avant de le faire.
sample-configuration-intake-certificate = Pour tls et starttls, certificate_file et key_file nomment le certificat du serveur et sa clé.
sample-configuration-intake-addresses = Adresses dont le courrier est pris ; par défaut celles des boîtes aux lettres et du relais.
sample-configuration-intake-connections = Quand toutes sont prises, la connexion qui est restée le plus longtemps sans courriel cède sa place.
sample-configuration-intake-mail-size = D'un courriel plus grand, seuls les premiers 16 Ko sont gardés, en quarantaine.
sample-configuration-https = L'adresse à laquelle les bureaux déposent des lettres par HTTPS et retirent les réponses (OPERATIONS.md, Letters over HTTPS). Pour en avoir une, enlevez les dièses et les blancs du début des lignes :
sample-configuration-https-name = Son nom dans les journaux et les métriques ; aucune boîte, aucun dossier et aucune réception n'a le même.
sample-configuration-https-security = tls, avec certificate_file et key_file ; ou none sur cette machine, derrière un mandataire qui a le certificat.
sample-configuration-https-proxies = Adresses de tels mandataires : seul est cru ce qu'ils disent dans X-Forwarded-For.
sample-configuration-https-connections = Quand toutes sont prises, la connexion qui est restée le plus longtemps sans lettre cède sa place.
sample-configuration-https-hold = Combien de temps une lettre est gardée quand la base est injoignable, avant qu'on demande à son expéditeur de la renvoyer.
sample-configuration-https-requests = D'une adresse ; pour IPv6, d'un réseau de 64 bits. Plusieurs bureaux peuvent partager une adresse.
sample-configuration-kit = Ce que les agences apprennent par leur trousse, `xmserver enrolment kit` (OPERATIONS.md, Enrolment). Pour l'avoir, ôtez les blancs :
sample-configuration-kit-telephone = Qui les agences appellent.
sample-configuration-kit-address = L'adresse à laquelle elles écrivent ; sans elle, celle de la première boîte, ou du relais.
sample-configuration-kit-mail = Leur propre courrier : chacune se connecte avec l'adresse électronique de son agence.
sample-configuration-relay = Qui prend les réponses. Inutile si aucune lettre ne vient par courriel.
sample-configuration-relay-address = L'adresse du centre lui-même.
sample-configuration-smtp-port = 465 avec tls, 587 avec starttls, 25 avec none.
sample-configuration-limits = Ce qui borne la mémoire, le disque et la charge. Les valeurs par défaut conviennent à une machine de deux processeurs et 2 Go.
sample-configuration-crypto-threads = Fils d'exécution qui déchiffrent et vérifient ; 0 signifie un par processeur.
sample-configuration-writers = Lots réglés en même temps.
sample-configuration-readers = Lettres pour lesquelles on lit en même temps, par des connexions à part.
sample-configuration-in-hand = Courriels pris et pas encore réglés.
sample-configuration-slow-mails = De même pour le courriel qu'aucune agence connue ne revendique.
sample-configuration-unpacked = Octets des lettres lues et pas encore réglées ; en mémoire, elles sont environ dix fois plus grandes.
sample-configuration-batch = Lettres par transaction, et combien de temps la première attend les autres.
sample-configuration-document = Le plus grand conteneur qui est ouvert, et la plus grande lettre une fois décompressée.
sample-configuration-rows = Nombre maximal de fiches d'une lettre. Elle est écrite en entier, et les lettres des autres attendent : avec 20000, pas plus de deux secondes.
sample-configuration-quarantine = Ce qui est gardé des conteneurs qu'aucune clé connue n'a signés, réparti par motif ; un huitième va aux courriels qui dépassent une limite et contiennent une lettre signée par une clé connue. Le surplus est seulement compté.

sample-tables-head = Un fichier de définitions : ce qui est dit à `xmserver table adopt FILE` des tables d'une application. Créez d'abord les tables, avec n'importe quel outil SQL ; il faut à chacune "Numero" (un entier que PostgreSQL numérote) et "Status" (smallint NOT NULL). L'adoption ajoute les colonnes xm_… et deux index uniques, rien d'autre. Après ALTER TABLE, ou si ce fichier change, adoptez de nouveau : les agences reçoivent la nouvelle version.
sample-tables-application = La famille de tables, telle que les lettres la nomment : de 1 à 31 caractères parmi a-z, 0-9 et _, en commençant par une lettre.
sample-tables-schema = Le schéma PostgreSQL ; s'il est omis, celui du nom de l'application.
sample-tables-table = Un [[tables]] pour chaque table.
sample-tables-name = Le nom dans les lettres ; elles peuvent l'écrire en majuscules ou en minuscules.
sample-tables-relation = La table PostgreSQL, si elle porte un autre nom.
sample-tables-scope = La colonne dont les codes doivent être accordés à une agence (`xmserver agency grant MATRICULE COLUMN CODE …`). Si elle est omise, chaque agence qui a des droits sur la table écrit sur tout.
sample-tables-legal-key = Les colonnes qui désignent ensemble une fiche en droit, uniques parmi les fiches vivantes. Aucune ne peut être NULL.
sample-tables-corrections = Comment une fiche est corrigée : "never" (jamais), "after_approval" (un opérateur décide de chaque correction ; par défaut) ou "by_agency" (par l'agence).
sample-tables-results = Si elle a des résultats : les lettres retenues sont libérées, et les fiches corrigées, par deux personnes, dont une de la commission électorale.
sample-tables-areas = Les colonnes qui nomment les zones où se trouve une ligne, de la plus grande à la plus petite.
sample-tables-multiline = Colonnes de texte qui peuvent avoir plusieurs lignes. Dans toutes les autres, une fin de ligne fait refuser la lettre, comme les autres caractères de commande partout.
sample-tables-checks = Contrôles : l'arithmétique que chaque ligne doit respecter. Les termes d'un côté sont additionnés.
sample-tables-code = Nommé dans les accusés de réception ; une seule fois par table.
sample-tables-severity = "refuse" : la lettre est refusée. "hold" : elle est gardée entière, et dans aucune table, tant que deux personnes ne l'ont pas libérée ou refusée. "flag" : elle est acceptée et les opérateurs sont avertis. Une ligne à laquelle manque un chiffre ne peut être jugée : sous "hold" la lettre est retenue, sinon elle est acceptée et les opérateurs sont avertis.
sample-tables-left = Un terme est une colonne entière de la ligne, un nombre entier, …
sample-tables-comparison = "=" ou "<=".
sample-tables-right = … la somme d'une colonne entière sur les lignes d'une table qui s'accordent avec la ligne dans les colonnes `on`, de mêmes noms dans les deux tables ; sur aucune ligne elle est 0. Ce sont les lignes de la lettre, ou avec `held = true` toutes celles que la table contient, celles de la lettre comprises : `on` est alors le début de la clé légale de cette table, ou la contient toute. { "{" } table, count = "letter", on { "}" } et { "{" } table, count = "held", on { "}" } les comptent : qu'une ligne référencée existe est un compte de 1. { "{" } table, column, on { "}" } est une colonne de la seule ligne que `on`, la clé légale de la table, désigne.
sample-tables-allowance = De combien les côtés peuvent différer : un nombre fixe, ou un pourcentage d'un terme, le plus grand comptant.
sample-tables-rights = Ce que peuvent faire les agences d'un plan. Sans aucun [tables.rights.…], celles de "standard" peuvent envoyer et non lire.
sample-tables-may-export = Si elles peuvent envoyer des fiches.
sample-tables-may-read = De qui elles peuvent relire les fiches : "none" (par défaut), "own" (envoyées par l'agence, dans ses codes) ou "all".
sample-tables-may-certify = De qui elles peuvent certifier les fiches par leur clé légale, et ce que cela donne : "verdict" (par défaut) ou "record".

sample-trial-head = Un centre pour un essai : son serveur de courrier est `xmserver sample post`, sur cette machine seulement. `xmserver sample configuration` montre chaque clé, et ce qu'il faut à un vrai serveur de courrier.
