"""Which of the parts in board.json are there; one that cannot be had is absent, and the log says why."""

import machine
from channel import Source
from light import Light
from parts import Battery, Button, Haptic
from settings import why

WARNING = 30
# (module, class) by the name that board.json has for it.
KINDS = {
    "lsm6ds3": ("sensors.lsm6ds3", "Lsm6ds3"),
    "mpu6050": ("sensors.mpu6050", "Mpu6050"),
    "max30102": ("sensors.max30102", "Max30102"),
    "tmp117": ("sensors.tmp117", "Tmp117"),
}
_MAX_USIEMENS = 1000.0


class Finder:
    """Looks for what ``config`` names; ``absent`` are the names of what is not there."""

    def __init__(self, config, log):
        self._config = config
        self._log = log
        self.absent = []

    def sources(self):
        """The sensors that answer; ``"lsm6ds3|mpu6050"`` is whichever does first, on whatever bus."""
        found = []
        names = self._config.get("sensors", [])
        if not isinstance(names, list):
            self._log(WARNING, "board.json: sensors: expected a list, got %s" % type(names).__name__)
            names = []
        buses = self._buses() if names else []
        for wanted in names:
            source = self._sensor(buses, str(wanted).split("|"))
            if source is None:
                self.absent.append(str(wanted))
            else:
                self._take(found, source, str(wanted))
        eda = self.part("eda", _eda)
        if eda is not None:
            self._take(found, eda, "eda")
        return found

    def _take(self, found, source, name):
        """A host takes no HELLO that has a channel twice."""
        known = [stream.name for each in found for stream in each.streams]
        twice = [stream.name for stream in source.streams if stream.name in known]
        if twice:
            self._log(WARNING, "%s: left out, there is another %s" % (source.name, twice[0]))
            self.absent.append(name)
        else:
            found.append(source)

    def part(self, name, make):
        """What ``make`` makes of the board.json's ``name``; None if it has none, or it cannot be had."""
        has = self._config.get(name)
        if has is None:
            return None
        try:
            return make(has)
        except Exception as err:
            # Whatever it is, a pin that does not exist or a port without the call: the others shall work.
            self._log(WARNING, "%s: %s" % (name, why(err)))
            self.absent.append(name)
            return None

    def button(self):
        """The button."""
        return self.part("button", lambda has: Button(has["pin"]))

    def haptic(self):
        """The motor."""
        return self.part("haptic", lambda has: Haptic(has["pin"]))

    def light(self):
        """The status light."""
        return self.part("led", lambda has: Light(has["pin"], has.get("lit")))

    def battery(self):
        """The battery's voltage."""
        return self.part("battery", _battery)

    def _buses(self):
        """One or a list: number, frequency, and pins unless the port's own."""
        said = self._config.get("i2c", {})
        buses = []
        for each in said if isinstance(said, list) else [said]:
            try:
                buses.append(_bus(each))
            except Exception as err:
                self._log(WARNING, "i2c: %s" % why(err))
        return buses

    def _sensor(self, buses, kinds):
        whys = []
        for kind in kinds:
            n = len(whys)
            if kind not in KINDS:
                whys.append("%s: there is no driver" % kind)
                continue
            try:
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
            except Exception as err:
                whys.append("%s: %s" % (kind, why(err)))
            if len(whys) == n:
                whys.append("%s: nobody answers" % kind)
        self._log(WARNING, ", ".join(whys))
        return None


def _bus(has):
    options = {"freq": has.get("hz", 400000)}
    if "scl" in has:
        options["scl"] = machine.Pin(has["scl"])
        options["sda"] = machine.Pin(has["sda"])
    return machine.I2C(has.get("bus", 0), **options)


def _adc(has):
    """The converter of a ``pin``, or of a ``channel`` on ports that count those."""
    if "channel" in has:
        adc = machine.ADC(has["channel"])
    else:
        adc = machine.ADC(machine.Pin(has["pin"]))
    if hasattr(adc, "atten"):
        # An ESP32 sees no more than a volt unless it is told to.
        adc.atten(machine.ADC.ATTN_11DB)
    # One that cannot be read shall be known now.
    adc.read_u16()
    return adc


def _eda(has):
    from sensors.eda import Eda

    full_scale = has.get("full_scale_usiemens", 60.0)
    if not 0 < full_scale <= _MAX_USIEMENS:
        raise ValueError("full scale of %s uS" % full_scale)
    return Source("eda", Eda(_adc(has), float(full_scale)))


def _battery(has):
    if not has["empty_v"] < has["full_v"]:
        raise ValueError("empty_v is not below full_v")
    return Battery(_adc(has), has["ratio"], has["empty_v"], has["full_v"], has["reference_v"])
