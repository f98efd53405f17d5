"""The ``signet`` command: parse, call one function, print. Nothing else lives here."""
