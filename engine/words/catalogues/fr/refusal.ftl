# Ce que signifie chaque refus, pour qui exploite le centre.

refusal-over_size = Le courriel ou le fichier est plus grand que ne peut l'être une lettre ; seuls ses 16 premiers Kio sont conservés.
refusal-mail_malformed = Le courriel a plus de documents, de parties, d'imbrications ou d'en-têtes que les limites n'en permettent.
refusal-no_container = Le courriel ne contient aucun conteneur, et la règle de sa boîte aux lettres dit quarantaine.
refusal-document_malformed = Le texte n'est pas un document SDC : encadrement, base64 ou limites.
refusal-envelope_malformed = La structure CMS extérieure n'est pas celle de ce format.
refusal-envelope_forbidden = La structure CMS extérieure a des algorithmes, des destinataires ou des attributs qui sont refusés.
refusal-not_for_this_centre = L'enveloppe n'est destinée à aucune des clés du centre.
refusal-undecryptable = L'enveloppe ne s'ouvre pas. Un seul code pour toutes les causes : plus de détail renseignerait un attaquant.
refusal-signature_malformed = La structure CMS intérieure n'est pas celle de ce format.
refusal-signature_forbidden = La structure CMS intérieure a des algorithmes, des signataires ou des attributs qui sont refusés.
refusal-unknown_signer = Aucun certificat enregistré n'appartient au signataire.
refusal-signature_invalid = La signature n'est pas celle de la clé enregistrée.
refusal-certificate_revoked = Le certificat du signataire a été révoqué : la clé est peut-être en d'autres mains, donc personne n'est averti.
refusal-enrolment_refused = Une clé inconnue demande à être inscrite, et ni son code ni son certificat ne l'admettent.
refusal-poison = La lettre, prise seule, a fait échouer le centre trois fois.
refusal-certificate_expired = Le certificat du signataire a expiré, ou n'est pas encore valable.
refusal-cipher_not_allowed = L'agence n'a pas le droit d'utiliser AES-256-CBC.
refusal-letter_too_large = Le conteneur est plus grand que la limite de cette agence.
refusal-compression_malformed = Le contenu signé ne se décompresse pas dans ses limites, ou demande un dictionnaire inconnu.
refusal-payload_malformed = Le contenu signé n'est pas le JSON de ce format.
refusal-version_unsupported = La version du format n'est pas de celles que ce centre sait lire.
refusal-sender_mismatch = L'expéditeur signé n'est pas l'agence dont la clé a signé.
refusal-wrong_server = La lettre est adressée à un autre serveur.
refusal-wrong_mode = Une lettre d'essai est arrivée à un serveur réel, ou l'inverse.
refusal-installation_unknown = L'installation n'est pas inscrite pour cette agence.
refusal-letter_conflict = Le même identifiant de lettre est déjà venu avec un autre contenu.
refusal-sequence_conflict = Le même numéro d'ordre est déjà venu avec un autre contenu.
refusal-sequence_expired = Le numéro d'ordre est plus ancien que ce que le centre connaît encore.
refusal-agency_suspended = L'agence est suspendue.
refusal-service_unknown = Le centre n'offre pas ce service.
refusal-service_not_allowed = Le statut de l'agence n'admet pas ce service.
refusal-table_unknown = L'application ou la table n'est pas adoptée par ce centre.
refusal-table_not_granted = Le plan de l'agence ne donne aucun droit sur cette table.
refusal-columns_mismatch = Des colonnes sont inconnues, manquent ou sont nommées deux fois.
refusal-rows_invalid = Des valeurs enfreignent une règle de leur colonne.
refusal-out_of_scope = Des fiches sont hors des codes accordés à l'agence.
refusal-record_unknown = L'agence n'a pas envoyé cette fiche, ou elle est annulée.
refusal-correction_not_allowed = Le centre ne corrige aucune fiche de cette table.
refusal-conflict = La même fiche est détenue avec un autre contenu.
refusal-check_failed = Des fiches enfreignent un contrôle de leur table.
refusal-hold_refused = La lettre était retenue, et le centre a décidé contre elle.
refusal-select_refused = La sélection contient ce que le centre ne lit pas : `reason` dit quoi, `found` comment cela se nomme.
refusal-read_too_large = La sélection compte plus de lignes ou d'octets qu'une réponse n'en peut avoir.
refusal-parts_unknown = Le centre ne garde aucune de ces parties : il ne les a jamais écrites, ou les a oubliées après quatorze jours.
refusal-quota_exceeded = Ce que le plan de l'agence permet de lire en un jour est épuisé.
refusal-insufficient_credit = Le compte ne supporte pas le prix, et ce service n'est pas rendu à crédit.
refusal-profile_invalid = Le profil ne peut pas être changé ainsi : l'adresse est une de celles du centre.
refusal-voucher_invalid = Aucun bon utilisable n'a ce code. Un seul code de refus pour toutes les causes : plus de détail aiderait à deviner.
refusal-recharge_locked = Les recharges sont bloquées un jour après cinq codes faux.
refusal-certificate_invalid = Le certificat ne peut pas être enregistré pour l'agence.
refusal-renewal_early = Le certificat du signataire ne finit pas encore dans les 60 jours.
refusal-thread_unknown = L'agence n'a aucun fil de ce nom.
refusal-messages_full = Tant de messages de l'agence n'ont pas été lus qu'aucun autre n'est pris.

# La même chose en peu de mots, pour qui ne connaît pas les codes.

refusal-over_size-short = un courriel plus grand qu'une lettre
refusal-mail_malformed-short = un courriel de trop de parties
refusal-no_container-short = un courriel ordinaire, sans lettre
refusal-document_malformed-short = un document abîmé en chemin
refusal-envelope_malformed-short = du bruit au lieu de l'enveloppe
refusal-envelope_forbidden-short = une enveloppe d'un genre interdit
refusal-not_for_this_centre-short = chiffrée pour un autre centre
refusal-undecryptable-short = une enveloppe altérée en chemin
refusal-signature_malformed-short = du bruit au lieu de la signature
refusal-signature_forbidden-short = une signature d'un genre interdit
refusal-unknown_signer-short = signée avec la clé d'un inconnu
refusal-signature_invalid-short = signature falsifiée ou texte changé
refusal-certificate_revoked-short = signée avec un certificat révoqué
refusal-enrolment_refused-short = demande son inscription, code faux
refusal-poison-short = une lettre qui a fait échouer le centre
refusal-certificate_expired-short = signée avec un certificat expiré
refusal-cipher_not_allowed-short = un chiffrement non permis à l'agence
refusal-letter_too_large-short = plus grande que la limite de l'agence
refusal-compression_malformed-short = un texte compressé abîmé
refusal-payload_malformed-short = un texte qui n'a pas le bon format
refusal-version_unsupported-short = une version que le centre ne lit pas
refusal-sender_mismatch-short = signée au nom d'une autre agence
refusal-wrong_server-short = adressée à un autre serveur
refusal-wrong_mode-short = une lettre réelle envoyée à un essai
refusal-installation_unknown-short = d'un ordinateur qui n'est pas inscrit
refusal-letter_conflict-short = identifiant déjà pris, contenu changé
refusal-sequence_conflict-short = numéro déjà pris, contenu changé
refusal-sequence_expired-short = un numéro de lettre bien trop ancien
refusal-agency_suspended-short = d'une agence suspendue
refusal-service_unknown-short = demande un service qui n'existe pas
refusal-service_not_allowed-short = demande un service fermé à l'agence
refusal-table_unknown-short = pour une table que le centre n'a pas
refusal-table_not_granted-short = pour une table fermée à l'agence
refusal-columns_mismatch-short = une colonne manquante ou inconnue
refusal-rows_invalid-short = une date qui n'en est pas une, etc.
refusal-out_of_scope-short = une fiche au nom d'une autre agence
refusal-record_unknown-short = la correction d'une fiche jamais envoyée
refusal-correction_not_allowed-short = changer une fiche que nul ne change
refusal-conflict-short = une fiche déjà envoyée, changée
refusal-check_failed-short = des voix dont les sommes sont fausses
refusal-hold_refused-short = une lettre retenue puis refusée
refusal-select_refused-short = demande des fiches en mots non admis
refusal-read_too_large-short = demande plus que ne tient une réponse
refusal-parts_unknown-short = demande des parties non gardées
refusal-quota_exceeded-short = plus que la lecture permise en un jour
refusal-insufficient_credit-short = pas assez de crédit pour le prix
refusal-profile_invalid-short = une adresse du centre comme la sienne
refusal-voucher_invalid-short = le code d'aucun bon valable
refusal-recharge_locked-short = après cinq codes de bons faux
refusal-certificate_invalid-short = un certificat qui ne peut être pris
refusal-renewal_early-short = un renouvellement bien trop tôt
refusal-thread_unknown-short = un message d'un fil qui n'existe pas
refusal-messages_full-short = un message de trop à lire

# Combien de lignes sont fautives, après les paramètres d'un refus.

refusal-faulty-rows = { $count ->
    [one] { $count } ligne fautive
   *[other] { $count } lignes fautives
}

# Ce qu'en fait l'agence.

remedy-mend = l'officier corrige et envoie les fiches dans une nouvelle lettre
remedy-wait = l'agence attend d'être avertie ou d'avoir payé, puis envoie de nouveau les fiches
