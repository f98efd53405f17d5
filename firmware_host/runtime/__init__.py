"""Where layers meet: bytes become events, events become memory, memory becomes an adapter in use."""
