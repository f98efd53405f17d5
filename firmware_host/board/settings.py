"""What is kept in flash: never half of it, whenever the power goes."""

import json
import os

import machine

SETTINGS = "settings.json"
STATE = "state.json"


def load(name):
    """The dict kept under that name; empty if there is none, or it is damaged."""
    # The fresh one is all there is if the power went in the middle of `store` on a FAT file system.
    for each in (name, name + ".new"):
        try:
            with open(each) as file:
                kept = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(kept, dict):
            return kept
    return {}


def store(name, values):
    """Keep a dict; the old one stays until the new one is whole. OSError if the flash is full or broken."""
    fresh = name + ".new"
    with open(fresh, "w") as file:
        json.dump(values, file)
    try:
        os.rename(fresh, name)
    except OSError:
        # A FAT file system does not rename onto a file.
        os.remove(name)
        os.rename(fresh, name)


def is_key(key, channels):
    """Whether there is such a setting; ``channels`` are the names there are."""
    return key in ("id", "ring", "wear") or (key.startswith("rate.") and key[5:] in channels)


def is_usable(key, value, channels):
    """Whether a setting has a value that the app can begin with."""
    if not (isinstance(value, str) and is_key(key, channels)):
        return False
    if key == "id":
        # A host takes no frame that says anything else, so ASCII is what a board can be sure of.
        return 0 < len(value) <= 32 and plain(value) == value
    try:
        number = float(value)
    except ValueError:
        return False
    if key in ("ring", "wear"):
        return 0 <= number <= (8192 if key == "ring" else 262143) and number == int(number)
    return 0.1 <= number <= 200


def plain(text):
    """A text in one printable line: what may stand on a terminal and in a log, all ASCII."""
    return "".join(
        [each if " " <= each <= "~" else " " if each < " " else "?" for each in str(text)]
    )


def why(err):
    """An error in a line."""
    return plain("%s: %s" % (type(err).__name__, err))


def has_hung():
    """Whether the watchdog ended the boot before."""
    try:
        return machine.reset_cause() == machine.WDT_RESET
    except AttributeError:
        # Some ports do not tell.
        return False


class State:
    """What the board remembers of its boots; every change is written at once."""

    def __init__(self):
        self._kept = load(STATE)
        self.n_boots = self._number("boots")
        self.n_failures = self._number("failures")
        self.why = str(self._kept.get("why", ""))
        # What the boot before wanted of this one: "asked", "failed", "prompt" or "safe".
        self.next = self._kept.get("next", "")

    def _number(self, name):
        value = self._kept.get(name, 0)
        return value if isinstance(value, int) else 0

    def booted(self):
        """Count this boot."""
        self.n_boots += 1
        self._write("")

    def hung(self):
        """The boot before ended by the watchdog."""
        self.n_failures += 1
        self.why = "the app hung, and the watchdog reset it"

    def failed(self, why):
        """The app failed; the next boot is the app's again, or safe mode. Whether that boot will know."""
        self.n_failures += 1
        self.why = why[:200]
        return self._write("failed")

    def leave(self, wish):
        """The next boot is wanted: "asked" and "prompt" try the app again, "safe" does not."""
        if wish != "safe":
            self.n_failures = 0
            self.why = ""
        self._write(wish)

    def is_good(self):
        """The app has run for a while: earlier failures count no more."""
        if self.n_failures:
            self.n_failures = 0
            self.why = ""
            self._write("")

    def _write(self, wish):
        values = {"boots": self.n_boots, "failures": self.n_failures, "why": self.why, "next": wish}
        try:
            store(STATE, values)
        except OSError:
            # A full flash must not stop the stream.
            return False
        return True
