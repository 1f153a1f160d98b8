"""A seeded generator of simple English: the only text the built-in model learns from."""
