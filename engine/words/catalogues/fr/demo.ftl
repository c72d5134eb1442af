# Ce que dit la démonstration en chemin

demo-making = la base et les clés du centre se font
demo-starting = le centre démarre
demo-comparing = tout ce qui a été envoyé est comparé à la base, ligne par ligne
demo-ending = le centre s'arrête : ce qu'il a en main est d'abord fini
demo-so-far = { $what } : { $seconds } s jusqu'ici
demo-bar = { $done } sur { $all }
demo-bar-offices = agences en place
demo-bar-sent = lettres envoyées
demo-bar-verified = accusés vérifiés
demo-offices = { $offices ->
    [one] { $offices } agence reçoit
   *[other] { $offices } agences reçoivent
} clés, certificats et crédit
demo-offices-done = { $seconds } s : { $done ->
    [one] { $done } agence
   *[other] { $done } agences
} en place sur { $all }
demo-sending = les agences envoient { $letters ->
    [one] { $letters } lettre, bonne ou mauvaise
   *[other] { $letters } lettres, bonnes et mauvaises
}, et vérifient leurs accusés de réception
demo-sent = { $seconds } s : { $sent ->
    [one] { $sent } lettre envoyée
   *[other] { $sent } lettres envoyées
} sur { $letters }, { $verified ->
    [one] { $verified } accusé de réception vérifié
   *[other] { $verified } accusés de réception vérifiés
} sur { $due ->
    [one] { $due } dû
   *[other] { $due } dus
}
demo-press-k = Appuyez sur k pour tuer le centre comme le ferait une coupure de courant : les agences continuent, et il revient.
demo-killed = Le centre a été tué par la touche k, et redémarre.
demo-night = La nuit en une page, pour un navigateur :
demo-night-gone = (elle s'en va avec la démonstration ; `--page FICHIER` la garde)
demo-page-title = xmserver, démonstration : la nuit
demo-page-caption = Lettres par seconde : envoyées par les agences, et réglées par le centre, chacune avec sa décision.
demo-page-caption-killed = Là où il y a un trait interrompu, il a été tué sans prévenir.
demo-page-picture = lettres par seconde
demo-page-settled = réglées
demo-page-sent = envoyées
demo-page-killed = le centre est tué
demo-size = { $letters ->
    [one] { $letters } lettre
   *[other] { $letters } lettres
} de { $offices ->
    [one] { $offices } agence
   *[other] { $offices } agences
} sur une machine, graine { $seed }

# Ce qu'elle a trouvé

demo-kept = Chaque promesse a été tenue : chaque lettre a exactement un effet, et chaque expéditeur le sait.
demo-broken = Une promesse a été rompue : voyez ci-dessous ce qui n'est pas 0.
demo-lost = perdue : une lettre sans son effet ou son accusé de réception
demo-doubled = doublé : un effet présent plus d'une fois
demo-wrong = faux : un effet que personne n'a demandé
demo-difference = XAF de différence dans les comptes
demo-innocent = lettres innocentes en quarantaine
demo-receipts-missing = accusés de réception manquants
demo-receipts-wrong = accusés de réception faux
demo-reads-wrong = réponses fausses : une autre fiche, un autre résultat ou un autre solde que ce qu'il y avait à dire
demo-letters-sent = lettres envoyées
demo-service-export = ont transmis des fiches
demo-service-correct = ont corrigé des fiches
demo-service-import = ont relu des fiches
demo-service-certify = ont fait comparer des actes avec le registre
demo-service-account = ont demandé leur relevé
demo-service-profile = ont lu ou changé les données de l'agence
demo-service-recharge = ont apporté le code d'un bon de recharge
demo-service-message = ont écrit aux opérateurs
demo-service-renew = ont apporté la clé des prochaines années
demo-service-enrol = se sont présentées avec un code à usage unique
demo-service-notice = lettres que le centre a écrites le premier, vérifiées par leurs agences
demo-accepted = acceptées : { $rows ->
    [one] { $rows } fiche
   *[other] { $rows } fiches
}, { $charged } XAF facturés pour elles
demo-duplicates = sont venues de nouveau et n'ont rien changé
demo-recognised = attaques et erreurs envoyées exprès, { $refused ->
    [one] { $refused } reconnue
   *[other] { $refused } reconnues
} :
demo-other-reason = refusée pour un autre motif
demo-verified = accusés de réception sur { $due ->
    [one] { $due } dû
   *[other] { $due } dus
}, ouverts et vérifiés par leurs agences ; il n'y en a pas pour { $again ->
    [one] { $again } lettre revenue
   *[other] { $again } lettres revenues
} ni pour { $nobody } dont personne ne répond
demo-rate = lettres par seconde : celles de toutes les agences à la fois, réglées et avec leur réponse en { $seconds } s
demo-half = du courriel à l'enregistrement pour la moitié des lettres, { $p99 } ms pour 99 sur 100 : toutes les agences envoient à la fois, donc les lettres attendent derrière celles d'avant
demo-alone = du courriel à l'enregistrement pour une lettre envoyée seule, quand tout était calme, dont jusqu'à 1000 ms d'attente avant que le centre ne relève sa boîte, une fois par seconde
demo-memory = de mémoire au plus dans le centre
demo-memory-share = de mémoire au plus dans le centre, { $percent } % des { $machine } Mo de la machine
demo-megabytes = { $megabytes } Mo
demo-kills = fois le centre a été tué sans prévenir ({ $kills }) ; il est revenu chaque fois
demo-kills-by-hand = fois le centre a été tué sans prévenir ({ $kills }, dont { $by_hand } par la touche k) ; il est revenu chaque fois

# Ce qui est offert au visiteur

demo-stays = Le centre continue de tourner. Regardez-le, et appuyez sur Ctrl-C quand vous en avez assez vu.
demo-counters = les compteurs, tels que Prometheus les lit
demo-shows-journal = chaque lettre venue, et ce qu'elle est devenue
demo-shows-quarantine = ce qui n'a pas été accepté, et pourquoi
demo-shows-agencies = les agences et leurs comptes : les prix sont en XAF, par fiche
demo-shows-check = tout ce dont le centre a besoin
demo-own-letter = Votre propre lettre : tapez le nom d'un enfant et appuyez sur Entrée (Entrée seule : c'est fini).
demo-own-key = Une clé P-256 a été faite pour vous : vous êtes l'agence { $agency }, et le certificat { $fingerprint }… est enregistré au centre.
demo-own-sent = La naissance de « { $name } » a été signée, chiffrée et envoyée ; l'accusé de réception est venu après { $milliseconds } ms.
demo-own-changed = La même lettre, un bit changé, a été envoyée aussi, et se trouve en quarantaine : { $meaning } [{ $reason }].
demo-own-open = Ouvrez vous-même l'accusé de réception :
demo-own-no-openssl = (Il n'est pas ouvert ici : la commande openssl n'est pas installée.)
demo-own-opened = openssl vient de l'ouvrir et de le vérifier. receipt.json dit : { $said }.
demo-own-accepted = acceptée, fiches nouvelles dans les tables { $rows }, coût { $cost } XAF
demo-own-refused = refusée, fiches nouvelles dans les tables { $rows }, coût { $cost } XAF
demo-own-refused-because = refusée, { $meaning } [{ $code }], fiches nouvelles dans les tables { $rows }, coût { $cost } XAF

# Ce que l'oracle dit d'une promesse rompue

error-promise-letter = lettre { $letter } de l'agence { $agency } : { $what }
error-promise-stranger = lettre { $letter } d'un inconnu : { $what }
error-promise-no-verdict = pas de décision
error-promise-no-row = une fiche manque
error-promise-not-charged = pas facturée
error-promise-not-in-quarantine = pas en quarantaine comme { $code }
error-promise-not-in-journal = pas dans le journal
error-promise-no-copy = une copie n'est pas dans le journal
error-promise-no-receipt = pas d'accusé de réception
error-promise-told-settled = lettre { $letter } : son expéditeur a appris qu'elle est réglée
error-promise-doubled = présent plus d'une fois : { $what }
error-promise-the-verdict = la décision sur la lettre { $letter }
error-promise-the-entry = l'écriture de la lettre { $letter }
error-promise-the-container = le conteneur de la lettre { $letter }
error-promise-the-line = la ligne de journal de la lettre { $letter }
error-promise-row = la fiche { $row } de { $table } de l'agence { $agency }
error-promise-verdict = lettre { $letter } : décision { $code }, attendue { $other }
error-promise-verdict-unasked = une décision sur une lettre que l'agence { $agency } n'a pas envoyée
error-promise-content = { $what } : un autre contenu que celui qui a été envoyé
error-promise-origin = { $what } : une autre origine que celle de sa lettre
error-promise-row-unasked = { $what } : personne ne l'a envoyée pour qu'elle soit acceptée
error-promise-charged = lettre { $letter } : facturée { $amount }, attendu { $price }
error-promise-charged-unasked = l'agence { $agency } est facturée pour la lettre { $letter }, qui n'est pas à facturer
error-promise-kept-otherwise = un conteneur en quarantaine comme { $code } n'est pas gardé tel qu'il est venu
error-promise-innocent = en quarantaine sans être mauvais : { $code }
error-promise-original = lettre { $letter } : son conteneur n'est pas gardé tel qu'il est venu
error-promise-unbelieved = une réponse n'est pas crue : { $reason }
error-promise-receipt = lettre { $letter } : son accusé de réception dit { $found }
error-promise-books = les comptes diffèrent de { $amount }
error-promise-history-unasked = une ligne d'historique de la lettre { $letter } de l'agence { $agency }, qui ne corrige rien
error-promise-the-notice = un avis sur { $what }, à l'agence { $agency }
error-promise-no-part = une partie de sa réponse manque
error-promise-key-unasked = l'agence { $agency } a une clé que personne n'a apportée
error-promise-broadcast = l'agence { $agency } a { $found } fois ce qui a été écrit à toutes
error-promise-credited-unasked = l'agence { $agency } est créditée du bon { $voucher }, qu'elle n'a pas apporté
error-promise-profile = l'agence { $agency } est tenue pour { $found }
error-promise-seen = l'agence { $agency } est tenue pour avoir vu { $found } avis, et en a dit { $said } sur { $all }
error-promise-message-to-nobody = l'agence { $agency } reçoit un message que personne n'a écrit : { $found }
error-promise-redeemed-unasked = agence { $agency } : la lettre { $letter } a utilisé un bon qu'elle n'a pas apporté
error-promise-message-unasked = agence { $agency } : message { $message }, qu'elle n'a pas écrit
error-promise-no-key = sa clé n'est pas enregistrée
error-promise-no-message = son message n'est pas là
error-promise-no-reply = sa question est sans réponse
error-promise-no-credit = son bon n'est pas crédité
error-promise-not-redeemed = son bon n'est pas utilisé
error-promise-part-not-again = lettre { $letter } : une partie qu'elle a redemandée n'est pas revenue
error-promise-given-unasked = lettre { $letter } : elle n'a rien demandé, et le reçoit
error-promise-given-other-table = lettre { $letter } : elle reçoit des fiches d'une autre table
error-promise-given-refused = lettre { $letter } : elle est refusée, et reçoit quelque chose
error-promise-read-number = lettre { $letter } : son accusé de réception dit un autre nombre de fiches
error-promise-results-order = lettre { $letter } : les résultats ne sont pas dans leur ordre
error-promise-profile-told = lettre { $letter } : le profil de l'agence est dit autrement
error-promise-message-otherwise = message { $message } : un autre texte ou un autre fil
error-promise-no-statement = pas de relevé
error-promise-no-history = rien dans l'historique
error-promise-notice-other = l'avis { $notice } de l'agence { $agency } est un autre
error-promise-notice-not-verified = l'avis { $notice } de l'agence { $agency } n'a jamais été vérifié
error-promise-notice-unasked = avis { $notice } à l'agence { $agency }, que le centre n'a pas écrit
error-promise-notices-numbered = les avis à { $installation } de l'agence { $agency } ne se suivent pas : { $found }
error-promise-record = la fiche { $record } de l'agence { $agency }
error-promise-the-reply = la réponse à la question { $letter }
error-promise-the-certificate = le certificat d'une clé de l'agence { $agency }
error-promise-the-history = l'historique de ce que la lettre { $letter } a corrigé
error-promise-not-told = l'agence n'a pas appris { $what }
error-promise-statement = le relevé de la lettre { $letter } : { $what }
error-promise-the-voucher = le bon de la lettre { $letter }
error-promise-read = ce que la lettre { $letter } a lu : { $what }
error-promise-history-other = { $what } : une autre fiche ou un autre acte
error-promise-credited = { $what } : crédité { $amount }, attendu { $price }
error-promise-history-late = { $what } : marquée comme venue trop tard, ou non
error-promise-history-before = { $what } : ce n'est pas la version d'avant
error-promise-estimate = l'estimation de la lettre { $letter } : { $found }, attendu { $from } à { $to } fiches
error-promise-certificate-given = lettre { $letter } : le certificat qu'elle a reçu n'est pas dans le registre
error-promise-told = lettre { $letter } : pour l'acte { $act } de l'agence { $agency }, il est répondu { $found }
error-promise-results = lettre { $letter } : { $found } résultats pour { $papers } actes
