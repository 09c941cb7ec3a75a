"""One module of settings for each column; only the session engine differs."""
