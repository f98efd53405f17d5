"""What a board that streams is told, beside what every board is (SPEC.md, CMD)."""

from struct import pack, unpack_from
from time import ticks_ms, ticks_us

from micropython import const
from talk import BAD_VALUE, DONE, NOT_NOW, UNKNOWN

START, STOP, CUE, RATE, BACKFILL = const(1), const(2), const(3), const(4), const(5)
_MAX_STREAMS = const(32)
_MIN_MHZ, _MAX_MHZ = const(100), const(200000)


def obey(board, command, value, token, rest):
    """Do as the host says; whether it is an order of these."""
    if command == START:
        board.start()
        board.answer(command, DONE, token)
        board.say_hello(ticks_ms())
        board.tell_state()
    elif command == STOP:
        board.stop()
        board.answer(command, DONE, token)
    elif command == CUE:
        board.answer(command, _cue(board, value), token)
    elif command == RATE:
        # One that is shorter than it needs to be goes unanswered.
        if rest:
            _rate(board, value, token, rest[0])
    elif command == BACKFILL:
        if len(rest) >= 5:
            _backfill(board, value, token, rest)
    else:
        return False
    return True


def _cue(board, pattern):
    if not board.haptic:
        return NOT_NOW
    now_ms = ticks_ms()
    if not board.haptic.play(pattern, now_ms):
        return BAD_VALUE
    if board.button:
        board.button.cued(now_ms)
    return DONE


def _rate(board, rate_mhz, token, number):
    result = _change_rate(board, board.numbers.get(number), rate_mhz)
    board.answer(RATE, result, token)
    if result == DONE:
        board.say_hello(ticks_ms())


def _change_rate(board, stream, rate_mhz):
    if stream is None or not _MIN_MHZ <= rate_mhz <= _MAX_MHZ:
        return BAD_VALUE
    try:
        if not stream.source.can_do(rate_mhz):
            return BAD_VALUE
    except OSError:
        # The bus fails just now.
        return NOT_NOW
    if stream.rate_mhz == rate_mhz:
        return DONE
    if len(board.numbers) >= _MAX_STREAMS:
        return NOT_NOW
    board.renumber(stream, rate_mhz)
    return DONE


def _backfill(board, value, token, rest):
    stream, sample_idx = unpack_from("<BI", rest)
    if not board.ring.n_bytes:
        board.answer(BACKFILL, UNKNOWN, token)
        return
    result, gone, n = DONE, 0, 0
    if value < 1:
        result = BAD_VALUE
    else:
        found = board.ring.ask(stream, sample_idx, value, ticks_us())
        if found is None:
            result = NOT_NOW
        else:
            gone, n = found
    board.answer(BACKFILL, result, token, pack("<BIIH", stream, sample_idx, gone, min(n, 0xFFFF)))
