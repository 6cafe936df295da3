"""One file a receiver; each sends one notification and returns what the provider answered."""
