SDC 1 agency=000042
the attachment was removed
