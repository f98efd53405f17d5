"""Why the host said what it said: which signals moved it, and which labels it rests on."""
