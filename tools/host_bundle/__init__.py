"""Makes the archive that installs Signet on a host without a network."""
