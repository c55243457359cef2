"""Rules and values of members: pure, with time, ids and randomness as arguments."""
