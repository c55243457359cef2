"""What the ledger says of itself: whether it is right, its seals, and refunds that wait for their receipt."""
