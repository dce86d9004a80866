"""The HTTP service (DESIGN.md 5.3): REST, server-sent events, the OpenAI-compatible door, health, metrics."""
