# A micro:bit V2 as a text board: acceleration in m/s2, 50 readings a second, with the board's own clock.
# Runs on the board, on the MicroPython that uflash brings, whose accelerometer is told in milli-g.
from microbit import accelerometer, running_time, sleep

_PERIOD_MS = 20
_MS2_PER_MG = 0.00980665

due = running_time()
while True:
    x, y, z = accelerometer.get_values()
    print("%d,%.3f,%.3f,%.3f" % (running_time(), x * _MS2_PER_MG, y * _MS2_PER_MG, z * _MS2_PER_MG))
    due += _PERIOD_MS
    sleep(max(0, due - running_time()))
