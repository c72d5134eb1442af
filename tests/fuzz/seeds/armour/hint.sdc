SDC 1 agency=000042
-----BEGIN CMS-----
MAA=
-----END CMS-----
