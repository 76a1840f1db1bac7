"""The command `0g-compute-cli`. Nothing heavy is imported before a command needs it."""
