"""The running instance: the loop, the workers, the handlers; no Django and no ZooKeeper below this point."""
