-----BEGIN CMS-----
MAMCAQU=
-----END CMS-----
