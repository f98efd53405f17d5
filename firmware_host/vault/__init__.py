"""Personal data at rest: encrypted records of one wearer, their keys, export and erase."""
