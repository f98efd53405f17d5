"""What the wire guarantees: computed where it can be, tried where it cannot."""
