déclaration
ï»¿-----BEGIN CMS-----
MAA=
-----END CMS-----
