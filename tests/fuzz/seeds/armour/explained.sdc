À la mairie
agency=none; agency=000042
-----BEGIN CMS----- 	
MAA=
-----END CMS-----
 
