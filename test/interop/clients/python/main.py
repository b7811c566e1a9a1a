"""A program under Pyroscope's agent for Python: burns under two values of a dynamic tag, allocates, sends, and ends.

Arguments: the server's address, seconds.
"""

import sys
import time

import pyroscope

kept = []


def allocate():
    kept.extend(bytearray(4096) for _ in range(500))


def burn(seconds):
    total = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for i in range(10_000):
            total += i * i
    return total


def main():
    pyroscope.configure(
        application_name="interop.python",
        server_address=sys.argv[1],
        sample_rate=100,
        upload_interval=2,
        mem_enabled=True,
        mem_heap_sample_size=16_384,
        tags={"region": "eu/west", "pod": "pod 1 (a)"},
    )
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        for vehicle in ("car", "bike"):
            with pyroscope.tag_wrapper({"vehicle": vehicle}):
                burn(0.2)
        allocate()
    pyroscope.shutdown()


main()
