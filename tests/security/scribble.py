# ruff: noqa: PTH123
"""Writes at random into memory that this process shares with others: `start(what)`. Runs on Python 3.9 and later."""

import ctypes
import os
import random

# By how a mapping is called in /proc/self/maps.
CONTROL = ("/memfd:penstock-edge",)
BELLS = ("/memfd:penstock-doorbell",)
START = 64 << 10  # of a file: tables, queues, the first chunks; the rest of a segment is sparse


def shared_mappings(what):
    """(address, bytes) of what is mapped shared and writable."""
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            parts = line.split(None, 5)
            if len(parts) < 6 or parts[1] != "rw-s":
                continue
            name = parts[5].strip()
            is_block = name.startswith(CONTROL + BELLS)
            if (what == "blocks" and not is_block) or (what == "realms" and is_block):
                continue
            start, end = (int(edge, 16) for edge in parts[0].split("-"))
            found.append((start, min(end - start, START)))
    return found


def start(what):
    """In a child process, so that this one goes on as if nothing were, until it meets what was written."""
    mappings = shared_mappings(what)
    print("scribbles over", len(mappings), "mappings", flush=True)
    if os.fork() != 0:
        return
    bytes_of = [(ctypes.c_uint8 * size).from_address(address) for address, size in mappings]
    while True:
        memory = random.choice(bytes_of)
        memory[random.randrange(len(memory))] ^= 1 << random.randrange(8)
