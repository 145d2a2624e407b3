"""Speech recognition: a process of its own for it, and the link to that."""
