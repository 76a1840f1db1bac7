"""A Python SDK for the 0G Compute Network."""
