"""First of all: a watchdog that a soft reset left running must not reset whoever has the prompt."""

try:
    import config
    import dog

    if config.board_config().get("watchdog", True):
        dog.wake()
except Exception:
    # A port without a watchdog, or a file that is not there: the app says so.
    pass
