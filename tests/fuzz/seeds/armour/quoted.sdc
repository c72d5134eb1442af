SDC 1 agency=3D000042=20
-----BEGIN CMS-----
MA
A=
-----END CMS-----