"""Other systems' files as ours: one module for each source, pure; what cannot be carried is a note, never a silence."""
