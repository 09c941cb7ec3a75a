"""What the runtime needs of the world: a ledger and a registry, as protocols, with doubles that live in memory."""
