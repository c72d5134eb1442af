> SDC 1 agency=000042
> -----BEGIN PKCS7-----
> MAA=
> -----END PKCS7-----
