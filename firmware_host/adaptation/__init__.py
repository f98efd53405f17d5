"""Learning this wearer on the host: episodes, learner, gate, ledger."""
