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


def buses_of(config):
    """The buses of board.json's ``i2c``, one or a list: number, frequency, and pins unless the port's own."""
    said = config.get("i2c", {})
    return [_bus(each) for each in (said if isinstance(said, list) else [said])]


def _bus(config):
    options = {"freq": config.get("hz", 400000)}
    if "scl" in config:
        options["scl"] = machine.Pin(config["scl"])
        options["sda"] = machine.Pin(config["sda"])
    return machine.I2C(config.get("bus", 0), **options)


def adc_of(config):
    """The converter of a ``pin``, or of a ``channel`` on ports that count those."""
    if "channel" in config:
        return machine.ADC(config["channel"])
    adc = machine.ADC(machine.Pin(config["pin"]))
    if hasattr(adc, "atten"):
        # An ESP32 sees no more than a volt unless it is told to.
        adc.atten(machine.ADC.ATTN_11DB)
    return adc


def find(config, log):
    """(sources, absent names) of board.json's ``sensors`` and ``eda``; ``log`` is told why one is absent.

    ``"lsm6ds3|mpu6050"`` is whichever answers first, on whatever bus.
    """
    sources, absent = [], []
    names = config.get("sensors", [])
    buses = buses_of(config) if names else []
    for wanted in names:
        source = _first(buses, wanted.split("|"), log)
        if source is None:
            absent.append(wanted)
        else:
            sources.append(source)
    if "eda" in config:
        from sensors.eda import Eda

        full_scale = config["eda"].get("full_scale_usiemens", 60.0)
        sources.append(Source("eda", Eda(adc_of(config["eda"]), full_scale)))
    return sources, absent


def _first(buses, kinds, log):
    whys = []
    for kind in kinds:
        module, name = KINDS[kind]
        driver = __import__(module, None, None, (name,))
        for bus in buses:
            for address in driver.ADDRESSES:
                try:
                    return Source(kind, getattr(driver, name)(bus, address))
                except OSError:
                    continue
                except ValueError as err:
                    whys.append(str(err))
        whys.append("%s: nobody answers" % kind)
    log(30, ", ".join(whys))
    return None
