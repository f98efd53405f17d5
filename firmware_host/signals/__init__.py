"""Pure signal processing: streaming extractors that training uses as they are."""
