"""Whether an image or a client keeps its contract (docs/image-contract.md, client-contract.md)."""
