"""What the workers do for this app."""
