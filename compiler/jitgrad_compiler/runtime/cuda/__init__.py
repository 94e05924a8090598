"""Running programs on a GPU."""
