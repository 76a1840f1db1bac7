"""The pages and fragments of this app, by what they are about."""
