"""Which of the parts in board.json are there."""

import machine
from channel import Source

# (module, class) by the name that board.json has for it.
KINDS = {
    "lsm6ds3": ("sensors.lsm6ds3", "Lsm6ds3"),
    "mpu6050": ("sensors.mpu6050", "Mpu6050"),
    "max30102": ("sensors.max30102", "Max30102"),
    "tmp117": ("sensors.tmp117", "Tmp117"),
}


def i2c_of(config):
    """The bus of board.json's ``i2c``: number, frequency, and pins unless the port's own."""
    options = {"freq": config.get("hz", 400000)}
    if "scl" in config:
        options["scl"] = machine.Pin(config["scl"])
        options["sda"] = machine.Pin(config["sda"])
    return machine.I2C(config.get("bus", 0), **options)


def find(config, log):
    """(sources, absent names) of board.json's ``sensors`` and ``eda``; ``log`` is told why one is absent.

    ``"lsm6ds3|mpu6050"`` is whichever answers first.
    """
    sources, absent = [], []
    names = config.get("sensors", [])
    bus = i2c_of(config.get("i2c", {})) if names else None
    for wanted in names:
        source = _first(bus, wanted.split("|"), log)
        if source is None:
            absent.append(wanted)
        else:
            sources.append(source)
    if "eda" in config:
        from sensors.eda import Eda

        eda = config["eda"]
        adc = machine.ADC(machine.Pin(eda["pin"]))
        sources.append(Source("eda", Eda(adc, eda.get("full_scale_usiemens", 60.0))))
    return sources, absent


def _first(bus, kinds, log):
    for kind in kinds:
        module, name = KINDS[kind]
        made = getattr(__import__(module, None, None, (name,)), name)
        addresses = __import__(module, None, None, ("ADDRESSES",)).ADDRESSES
        for address in addresses:
            try:
                return Source(kind, made(bus, address))
            except OSError:
                why = "%s: nobody answers at 0x%02x" % (kind, address)
            except ValueError as err:
                why = str(err)
            log(30, why)
    return None
