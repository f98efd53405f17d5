"""The whole exception tree.

::

    SignetError                                exit 1
    ├─ ConfigError (ValueError)                exit 2   key, expected, received
    │  └─ BoardFileError                                path, expected, received
    ├─ LinkError                               exit 3
    │  ├─ FlashError                                    what the board holds now, how to go on
    │  ├─ LinkClosed                                    the other side went away
    │  │  └─ LinkEnded                                  a finite source is finished: no fault
    │  ├─ LinkTimeout (TimeoutError)
    │  ├─ StreamSilent                         exit 9   a live board sent no samples for too long
    │  └─ ProtocolMismatch                              ours, theirs
    ├─ DataError                               exit 4
    │  ├─ RecordingError                                path, expected, received
    │  ├─ ImageError                                    path, expected, received
    │  ├─ LabelError
    │  └─ SignalError                                   channel, reason
    ├─ ModelError                              exit 5
    │  ├─ BundleError                                   path, expected, received
    │  ├─ ContractError                                 what the model needs, what came
    │  └─ InferenceError
    ├─ LearningError                           exit 6
    │  ├─ AdaptationError                               reason; the adapter is already rolled back
    │  └─ EnrolmentError                                reason, n_windows, needed
    ├─ VaultError                              exit 7
    └─ StorageError                            exit 8   disk full or not writable
       └─ QuotaReached                                  recordings may take no more room

A wrong call by a programmer stays ``ValueError`` or ``TypeError``. Bad bytes on the wire are not
exceptions: decoders count them and go on. The exit code is the command's when the error ends it.
"""

from __future__ import annotations

from enum import StrEnum

_MOST_SHOWN = 500


class SignetError(Exception):
    """Root of everything Signet raises on purpose: one line, what was expected and what came.

    The line may quote a stranger's file: what a terminal would obey is written as an escape.
    """

    exit_code = 1

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(arg) if isinstance(arg, str) else arg for arg in args))


def printable(text: str) -> str:
    """The text as one line in which what a terminal would obey is written as an escape."""
    text = _with_names(text)
    if text.isprintable():
        return text
    line = " ".join(text.split("\n"))
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _with_names(text: str) -> str:
    """The text with names of files as they read, whatever the locale; bytes of no text as escapes."""
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:
        # Half a character that is no byte of a name.
        return text


def shown(received: object) -> str:
    """What came, as an error quotes it: never longer than a line can be."""
    try:
        text = repr(_with_names(received) if isinstance(received, str) else received)
    except ValueError:
        # Python does not write integers of thousands of digits.
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


class ConfigError(SignetError, ValueError):
    """A setting or an option is not usable."""

    exit_code = 2

    def __init__(self, key: str, expected: str, received: object) -> None:
        super().__init__(f"{key}: expected {expected}, got {shown(received)}")
        self.key = key
        self.expected = expected
        self.received = received


class BoardFileError(ConfigError):
    """A board's description has a wrong or missing entry."""

    def __init__(self, path: object, expected: str, received: str) -> None:
        SignetError.__init__(self, f"board {path}: expected {expected}, got {received}")
        self.key = str(path)
        self.expected = expected
        self.received = received


class LinkError(SignetError):
    """The board cannot be reached or does not speak our protocol."""

    exit_code = 3


class LinkClosed(LinkError):
    """The other side went away: unplugged, connection lost, process ended."""


class FlashError(LinkError):
    """Flashing stopped, the board can be flashed again, and the text says how to go on."""


class LinkEnded(LinkClosed):
    """A finite source (a recording, a simulated day) was read to its end."""


class LinkTimeout(LinkError, TimeoutError):
    """Nothing came for as long as the caller was ready to wait."""


class StreamSilent(LinkError):
    """A board that was reached has sent no samples for longer than was allowed."""

    exit_code = 9


class ProtocolMismatch(LinkError):
    """The board speaks another version of the wire protocol."""

    def __init__(self, *, ours: int, theirs: int) -> None:
        which = "board's firmware" if theirs < ours else "host"
        super().__init__(
            f"board speaks wire protocol {theirs}, this host speaks {ours}: update the {which}"
        )
        self.ours = ours
        self.theirs = theirs


class DataError(SignetError):
    """Data handed to us cannot be used as it is."""

    exit_code = 4


class RecordingError(DataError):
    """A recording is missing, cut, empty or of another kind."""

    def __init__(self, path: object, expected: str, received: str) -> None:
        super().__init__(f"{path}: expected {expected}, got {received}")
        self.path = str(path)
        self.expected = expected
        self.received = received


class ImageError(DataError):
    """A firmware image is damaged, for another chip, or not the one whose hash was given."""

    def __init__(self, path: object, expected: str, received: str) -> None:
        super().__init__(f"image {path}: expected {expected}, got {received}")
        self.path = str(path)
        self.expected = expected
        self.received = received


class LabelError(DataError):
    """A label file or a label is not usable: wrong person, wrong time, contradiction."""


class SignalError(DataError):
    """A channel's samples break an assumption of the algorithm that reads them."""

    def __init__(self, channel: str, reason: str) -> None:
        super().__init__(f"channel {channel}: {reason}")
        self.channel = channel
        self.reason = reason


class ModelError(SignetError):
    """The model, its bundle or its runtime is not usable."""

    exit_code = 5


class BundleError(ModelError):
    """A model bundle is incomplete, altered or of another format."""

    def __init__(self, path: object, expected: str, received: str) -> None:
        super().__init__(f"bundle {path}: expected {expected}, got {received}")
        self.path = str(path)
        self.expected = expected
        self.received = received


class ContractError(ModelError):
    """The board does not deliver what the model's input contract asks for."""


class InferenceError(ModelError):
    """A model was called with the wrong shapes or values, or its runtime failed."""


class LearningError(SignetError):
    """Learning was refused or failed; what the host knew before is untouched."""

    exit_code = 6


class AdaptationReason(StrEnum):
    """Why a weight update was refused or undone."""

    NO_DATA = "no_data"
    ONE_CLASS = "one_class"
    CONTRADICTION = "contradiction"
    DIVERGED = "diverged"
    BUDGET = "budget"
    FOREIGN_ADAPTER = "foreign_adapter"
    NO_BASELINE = "no_baseline"


class AdaptationError(LearningError):
    """An update was refused or diverged; the adapter is already rolled back."""

    def __init__(self, reason: AdaptationReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class EnrolmentError(LearningError):
    """Not enough usable data to build the wearer's reference."""

    def __init__(self, reason: str, *, n_windows: int, needed: int) -> None:
        super().__init__(f"enrolment: {reason} ({n_windows} of {needed} usable windows)")
        self.reason = reason
        self.n_windows = n_windows
        self.needed = needed


class VaultError(SignetError):
    """The vault cannot be opened or a record was altered: wrong key, wrong file, tampering."""

    exit_code = 7


class StorageError(SignetError):
    """The disk is full or not writable; what was stored before is intact."""

    exit_code = 8


class QuotaReached(StorageError):
    """Recordings have taken the room they may take; what was recorded is intact."""
