"""The stress model: people, network, detector, learning by the wearer, evaluation."""
