"""What 600,000 fires in the ledger cost those who open, claim, finish, look and prune."""
