"""A local server that speaks OpenAI's protocol and pays providers of the network for the answers.

`inference serve` stands in front of one provider, `inference router-serve` in front of several.
"""
