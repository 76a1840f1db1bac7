"""The official TypeScript client as a peer of our devnet and of our SDK."""
