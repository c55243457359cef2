"""What every command's key is said to be."""

KEY = "The command key, 8 to 128 characters: a new one for each wish, the same one for each try."
