"""The ledger and the registry on Django's ORM, and the wrapper through which threads enter Django."""
