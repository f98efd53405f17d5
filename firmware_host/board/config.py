"""board.json: what the host says the board has, as far as it makes sense."""

import json


def board_config():
    """What it says; nothing at all on a board that has none. ValueError for a file that cannot be read."""
    try:
        with open("board.json") as file:
            config = json.load(file)
    except OSError:
        return {}
    except ValueError as err:
        raise ValueError("board.json: %s" % err)
    if not isinstance(config, dict):
        raise ValueError("board.json: expected an object, got %s" % type(config).__name__)
    return config


def number(config, key, default, low, high, log):
    """A number of it, or of a table in it; the default for anything else, which ``log`` is told."""
    value = config.get(key, default)
    # Written so that what is not a number is refused too.
    if isinstance(value, (int, float)) and low <= value <= high:
        return value
    log(30, "board.json: %s: expected %s to %s, got %s" % (key, low, high, value))
    return default
