"""A TMP117 at register level (Texas Instruments, SNOSD82D)."""

ADDRESS = 0x48
DEGC_PER_COUNT = 0.0078125
_RESULT, _CONFIG, _DEVICE_ID, _CHIP_ID = 0x00, 0x01, 0x0F, 0x0117
_DATA_READY = 0x2000
# Until the first conversion, eight averaged of 15.5 ms each, is done (section 7.6, and the
# electrical characteristics).
_RESET_RESULT, _FIRST_US = 0x8000, 125000


class Tmp117:
    """Answers as the chip does; ``body`` has ``sample("temp")``, counts of 7.8125 mK, and ``now_us()``."""

    def __init__(self, body):
        self._body = body
        self.reset()

    def reset(self):
        """Its supply was away for a moment."""
        self._config = 0x0220
        self._begun_us = self._body.now_us()

    def write(self, register, data):
        """Take a 16-bit register, high byte first."""
        if register == _CONFIG and len(data) == 2:
            self._config = (data[0] << 8) | data[1]

    def read_into(self, register, buffer):
        """Answer with the 16-bit register, high byte first."""
        value = 0
        if register == _RESULT:
            is_done = self._body.now_us() - self._begun_us >= _FIRST_US
            value = self._body.sample("temp")[0] & 0xFFFF if is_done else _RESET_RESULT
        elif register == _CONFIG:
            value = self._config | _DATA_READY
        elif register == _DEVICE_ID:
            value = _CHIP_ID
        for i in range(len(buffer)):
            buffer[i] = (value >> 8) & 0xFF if i % 2 == 0 else value & 0xFF
