"""The rules: pure functions and values that take `now`; no Django, no ZooKeeper, no threads, no clock."""
