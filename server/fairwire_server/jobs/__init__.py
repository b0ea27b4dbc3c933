"""Jobs: what runs in the background."""
