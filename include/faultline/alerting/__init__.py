"""Counting, rules, chains and the life of an alert; pure: time and state come in as arguments."""
