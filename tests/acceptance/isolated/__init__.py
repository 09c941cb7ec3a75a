"""An app whose handlers run in processes of their own, and end them in every way."""
