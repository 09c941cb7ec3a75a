"""`make bench`: how late jobs start, how fast instances replace each other, and what a fire costs the servers."""
