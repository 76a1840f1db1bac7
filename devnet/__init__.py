"""The embedded local network: contracts, an EVM node and test providers. Never for real money."""
