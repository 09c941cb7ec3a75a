"""The registry on ZooKeeper, and the guarded client under it; the only code that knows kazoo."""
