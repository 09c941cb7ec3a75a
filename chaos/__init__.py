"""`make chaos`: real processes, killed, frozen and cut off at random; a checker that knows no product code judges."""
