"""What flashing a board would do, found out and said before anything is touched."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from firmware_host.errors import ConfigError, FlashError, LinkError
from firmware_host.flash import esptool, programs
from firmware_host.flash.app_files import AppFile, app_files
from firmware_host.flash.boards import load_board, load_boards
from firmware_host.flash.drives import Drive, find_drives, read_drive
from firmware_host.flash.finding import Target, find_target
from firmware_host.flash.images import Image, load_image
from firmware_host.flash.programs import Program
from firmware_host.flash.room import too_small
from firmware_host.flash.values import Board
from firmware_host.host.ports import list_ports

# A micro:bit V2's Unique ID begins with one of these (9900 and 9901 are the V1).
_MICROBIT_V2 = ("9903", "9904", "9905", "9906")
MICROBIT_SCRIPT = Path(__file__).parent / "microbit" / "main.py"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller said; ``board`` is a name or a file, ``app_only`` keeps the board's MicroPython."""

    board: str | None = None
    device: str | None = None
    image: Path | None = None
    sha256: str | None = None
    drive: Path | None = None
    app_only: bool = False
    root: Path = Path("/")


@dataclass(frozen=True, slots=True)
class Plan:
    """One board, what is written to it, and by which programs (None: not needed).

    ``said`` is what the caller named the board, if anything; ``others`` are ports that are not its.
    """

    target: Target
    image: Image | None
    drive: Drive | None
    files: tuple[AppFile, ...]
    writer: Program | None
    copier: Program | None
    said: str | None
    others: frozenset[str]

    @property
    def lines(self) -> list[str]:
        """What will be done, in order, for a person."""
        return [f"board: {self.target.summary}", *self._image_lines(), *self._app_lines()]

    def app_command(self, port: str = "") -> str:
        """The command that goes on with the app alone."""
        device = ["--device", port] if port else []
        board = self.said or self.target.board.key
        return shlex.join(["signet", "flash", "--board", board, *device, "--app-only"])

    def _image_lines(self) -> list[str]:
        board = self.target.board
        if board.prints:
            where = self.drive.folder if self.drive else "its drive, when it is mounted"
            return [f"write MicroPython and the app to {where}: {_shown(self.writer)} SCRIPT DRIVE"]
        if self.image is None:
            return ["keep the MicroPython that is on it"]
        lines = [f"image: {self.image.summary}"]
        if self.writer is not None:
            args = esptool.write_args(board, self.target.port, self.image.path)
            return [*lines, f"write it: {_shown(self.writer)} {shlex.join(args)}"]
        where = self.drive.folder if self.drive else "its drive, when it shows one"
        return [*lines, f"write it to {where}"]

    def _app_lines(self) -> list[str]:
        if self.target.board.prints:
            return ["wait for its first lines"]
        size = sum(len(file.data) for file in self.files)
        port = self.target.port or "its port"
        listed = [f"  {file.sha256[:12]}  {len(file.data):>6}  {file.name}" for file in self.files]
        return [
            *filter(None, [too_small(self.target.board, self.files)]),
            f"copy what differs of {len(self.files)} files, {size} bytes: {_shown(self.copier)} connect {port} ...",
            *listed,
            "compare the hashes, restart it, wait for its HELLO and for samples of each channel",
        ]


def make_plan(wish: Wish) -> Plan:
    """Find everything that is needed; nothing is written, no port is opened.

    Raises
    ------
    ConfigError
        If the options contradict each other or do not say which board it is.
    ImageError
        If the image must not be written to this board.
    LinkError
        If there is no such board, or it may not be opened.
    FlashError
        If a program is missing.
    """
    if wish.app_only and wish.image is not None:
        raise ConfigError(
            "--app-only", "no --image, as the board's MicroPython stays", str(wish.image)
        )
    if wish.sha256 is not None and wish.image is None:
        raise ConfigError("--sha256", "an --image that it is of", wish.sha256)
    named = load_board(wish.board) if wish.board else None
    drives = _drives(wish)
    # A bad file is told before a board has to be plugged in.
    image = None if named is None else _image(wish, named)
    fitting = [each for each in drives if named is not None and _is_drive_of(each, named)]
    ports = list_ports(wish.root)
    target = find_target(
        load_boards(),
        ports,
        board=named,
        device=wish.device,
        has_drive=bool(fitting) and wish.image is not None,
        may_ask=wish.image is None,
    )
    board = target.board
    if named is None:
        image = _image(wish, board)
    needs_drive = board.prints or (image is not None and board.way == "uf2")
    drive = _only_drive(drives, target, named=wish.drive) if needs_drive else None
    return Plan(
        target,
        image,
        drive,
        () if board.prints else tuple(app_files(board)),
        _writer(board, image),
        None if board.prints else programs.find(programs.MPREMOTE),
        wish.board,
        frozenset(port.name for port in ports if port != target.info),
    )


def _image(wish: Wish, board: Board) -> Image | None:
    if wish.image is None:
        return None
    if board.prints:
        expected = f"none for a {board.name}: uflash brings it"
        raise ConfigError("--image", expected, str(wish.image))
    if board.way == "by-hand":
        words = [f"{board.name}: its image is written by hand: {board.enter}; {board.advice}"]
        words += filter(None, [too_small(board, app_files(board))])
        then = f"then run signet flash --board {wish.board or board.key} --app-only"
        raise FlashError("; ".join([*words, then]))
    return load_image(wish.image, board, wish.sha256)


def _writer(board: Board, image: Image | None) -> Program | None:
    if board.prints:
        return programs.find(programs.UFLASH)
    return programs.find(programs.ESPTOOL) if image and board.way == "esptool" else None


def _drives(wish: Wish) -> list[Drive]:
    if wish.drive is None:
        return find_drives(wish.root)
    drive = read_drive(wish.drive)
    if drive is None:
        what = "a drive with INFO_UF2.TXT or DETAILS.TXT, as a board's bootloader shows"
        raise ConfigError("--drive", what, str(wish.drive))
    return [drive]


def _is_drive_of(drive: Drive, board: Board) -> bool:
    if board.prints:
        return drive.board_id.startswith(_MICROBIT_V2)
    return board.way == "uf2" and drive.board_id.startswith(board.board_id)


def fitting_drives(board: Board, root: Path) -> list[Drive]:
    """Drives that boards of this kind show now."""
    return [drive for drive in find_drives(root) if _is_drive_of(drive, board)]


def _only_drive(drives: list[Drive], target: Target, *, named: Path | None) -> Drive | None:
    board = target.board
    fitting = [drive for drive in drives if _is_drive_of(drive, board)]
    if len(fitting) > 1:
        where = ", ".join(str(drive.folder) for drive in fitting)
        expected = f"the drive of one board ({where})"
        raise ConfigError("--drive", expected, "nothing")
    if named is not None and not fitting:
        expected = f"the drive of a {board.name}"
        raise ConfigError("--drive", expected, f"{named} ({drives[0].board_id})")
    if named is None and fitting and target.runs:
        # The image would go to one board and the app to the other.
        raise LinkError(
            f"{fitting[0].folder}: the drive of a {board.name} in its bootloader, while another one runs at "
            f"{target.port}; unplug one, or name the drive with --drive"
        )
    return fitting[0] if fitting else None


def _shown(program: Program | None) -> str:
    return f"{program.wanted.name} {program.version}:" if program else ""
