"""Wire protocol: bytes and values, no I/O. SPEC.md is the byte-level truth."""
