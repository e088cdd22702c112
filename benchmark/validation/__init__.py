"""What is known beforehand, found again: simulations, identities and real data that need no agreement."""
