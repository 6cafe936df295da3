"""From the outbox to the receivers, and the truth about what arrived."""
