"""Vector stores: adapters behind `rag.protocols.VectorStore`."""
