"""The nodes of bench/faults.py, which lays them beside its manifest."""

import ctypes
import mmap
import os
import signal
import struct
import threading
import time
from pathlib import Path

import penstock
from penstock import Text


class Numbers(penstock.Node):
    """Until it is stopped, 500 a second."""

    def process(self):
        begin, i = time.monotonic_ns(), 0
        while self.sleep_until(begin + i * 2_000_000):
            yield Text(str(i))
            i += 1


class Relay(penstock.Node):
    def process(self, text: Text) -> Text:
        return text


class Slow(penstock.Node):
    def process(self, text: Text) -> Text:
        time.sleep(0.01)
        return text


class Fails(penstock.Node):
    """After some messages it does what params["how"] says, until that was params["times"] times."""

    def setup(self, params):
        self.how, self.times, self.after, self.handled = params["how"], params["times"], params["after"], 0
        with Path(params["stamp"]).open("r+b") as file:
            self.stamp = mmap.mmap(file.fileno(), 24)
        self.count = struct.unpack_from("<Q", self.stamp)[0]
        self.libc = ctypes.PyDLL(None)  # whose calls keep the interpreter's lock
        self.lock = threading.Lock()

    def now(self):
        """The fault begins here. It is numbered, so that none is taken for another."""
        struct.pack_into("<QQ", self.stamp, 0, self.count + 1, time.monotonic_ns())

    def process(self, text: Text) -> Text:
        self.handled += 1
        if self.handled == self.after and self.count < self.times:
            self.fail()
        return text

    def fail(self):
        self.now()
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.how == "segv":
            ctypes.string_at(0)
        elif self.how == "exit":
            os._exit(3)
        elif self.how == "exception":
            raise ValueError("on purpose")
        elif self.how == "loop":
            while True:
                pass
        elif self.how == "call":
            self.libc.pause()
        elif self.how == "deadlock":
            with self.lock:
                self.lock.acquire()
        elif self.how == "memory":
            print("ready", os.getpid(), flush=True)
            while struct.unpack_from("<Q", self.stamp, 16)[0] != self.count + 1:
                time.sleep(0.001)
            threading.Thread(target=self.hoard).start()
            self.live()
        elif self.how == "awaited":
            print("ready", flush=True)
            self.live()

    def live(self):
        """Signs of life, until somebody puts an end to it."""
        while True:
            self.now()
            time.sleep(0.0002)

    def hoard(self):
        size, step = 1 << 30, 1 << 20
        room = mmap.mmap(-1, size)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(room))
        for offset in range(0, size, step):
            ctypes.memset(begin + offset, 1, step)  # without the interpreter's lock
