"""The bus: who answers at which address, in the shape of MicroPython's ``machine.I2C``."""

ENODEV = 19


class Bus:
    """Devices by address; nobody there is the error a board gives."""

    def __init__(self, devices):
        self._devices = devices

    def scan(self):
        """Addresses that answer."""
        return sorted(self._devices)

    def readfrom_mem_into(self, address, register, buffer):
        """Read registers of a device."""
        self._at(address).read_into(register, buffer)

    def writeto_mem(self, address, register, data):
        """Write registers of a device."""
        self._at(address).write(register, data)

    def _at(self, address):
        device = self._devices.get(address)
        if device is None:
            raise OSError(ENODEV)
        return device
