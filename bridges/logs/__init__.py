"""Writers: append records to a log from outside a worker."""
