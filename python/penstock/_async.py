"""The event loop of a node that has coroutines.

The loop runs on the node's thread: while a handler runs, and while the node waits for its next message, for which
another thread waits at the ports in its place. Where the node's thread itself waits (an output has no room, or the
stream has not started) the loop stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Coroutine
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Optional, Protocol, TypeVar

from penstock._errors import NodeError

_T = TypeVar("_T")
_handler: ContextVar[Optional[object]] = ContextVar("penstock_handler", default=None)
"""Of a task: the call of a handler that it is part of. Tasks that a handler starts inherit it."""


class Bell(Protocol):
    """What says that something has arrived: `penstock._core.Host`."""

    def arrivals(self) -> int: ...
    def await_arrival(self, seen: int, /) -> None: ...
    def ring_arrivals(self) -> None: ...
    def stop_requested(self) -> bool: ...


class Arrivals:
    """A thread that waits for arrivals, only while it is asked to. The rest lives on the node's thread."""

    def __init__(self, bell: Bell, loop: asyncio.AbstractEventLoop) -> None:
        self._bell = bell
        self._loop = loop
        self._asked: SimpleQueue[Optional[int]] = SimpleQueue()
        self._next: Optional[asyncio.Future[None]] = None
        self._thread = threading.Thread(target=self._main, name="penstock-arrivals", daemon=True)
        self._thread.start()

    def after(self, seen: int) -> asyncio.Future[None]:
        """Done as soon as `arrivals()` is not `seen`. One that is not done yet is given again."""
        if self._next is None:
            self._next = self._loop.create_future()
            self._asked.put(seen)
        return self._next

    def close(self) -> None:
        self._asked.put(None)
        self._bell.ring_arrivals()
        self._thread.join()

    def _main(self) -> None:
        while True:
            seen = self._asked.get()
            if seen is None:
                return
            self._bell.await_arrival(seen)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._arrived)

    def _arrived(self) -> None:
        arrived, self._next = self._next, None
        if arrived is not None and not arrived.done():
            arrived.set_result(None)


class NodeLoop:
    """One node's event loop, made on its thread before the node is."""

    def __init__(self, bell: Optional[Bell] = None, loop: Optional[asyncio.AbstractEventLoop] = None) -> None:
        """`bell`: without one nothing is waited for. `loop`: one to use instead of asyncio's usual one."""
        self._bell = bell
        self._arrivals: Optional[Arrivals] = None
        self._running: Optional[object] = None  # the call of a handler that has not come to its end
        self._loop = loop or asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # for what the node makes in __init__ and in a `setup` that is no coroutine

    def run(self, awaitable: Awaitable[_T]) -> _T:
        return self._loop.run_until_complete(awaitable)

    async def call(self, coroutine: Awaitable[_T]) -> _T:
        """A handler: it, and the tasks that it starts, may emit until it ends."""
        call = object()
        _handler.set(call)
        self._running = call
        try:
            return await coroutine
        finally:
            self._running = None

    def check_task(self, where: str) -> None:
        """NodeError unless the running task is part of the handler that runs. For it would send in the name of another
        message, or of none, and a node that is restarted could not tell what it has sent already."""
        if self._running is None or _handler.get() is not self._running:
            raise NodeError(
                f"{where}.emit was called by a task that is not part of the handler that runs now. Await the task in "
                "the handler that starts it, or keep what it finds (asyncio.Queue) and emit it in a handler"
            )

    def run_if_coroutine(self, result: Any) -> Any:
        return self.run(result) if hasattr(result, "__await__") else result

    async def wait(self, seen: int, timeout_s: Optional[float] = None) -> None:
        """Until something arrives, or for so long; `seen` was `arrivals()` before it was looked for."""
        await asyncio.wait({self._after(seen)}, timeout=timeout_s)

    def sleep(self, seconds: float) -> None:
        """Runs the loop for so long."""
        if seconds > 0:
            self.run(asyncio.sleep(seconds))

    async def give_way(self) -> None:
        """Lets others on the loop go on, once."""
        await asyncio.sleep(0)

    async def until_stopped(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """A source: cancelled where it waits when it is asked to stop."""
        bell = self._bell
        task = asyncio.ensure_future(coroutine)
        while bell is not None and not task.done():
            seen = bell.arrivals()
            if bell.stop_requested():
                task.cancel()
                break
            await asyncio.wait({task, self._after(seen)}, return_when=asyncio.FIRST_COMPLETED)
        try:
            await task
        except asyncio.CancelledError:
            if bell is None or not bell.stop_requested():
                raise

    def wake(self) -> None:
        """Has its thread look at what was done to it. Any thread."""
        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(lambda: None)

    def close(self) -> None:
        """Cancels what the node has left running, and waits for its end."""
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self.run(asyncio.wait(left))
        self.run(self._loop.shutdown_asyncgens())
        self.let_go()

    def let_go(self) -> None:
        """Ends the loop and the thread that waits for it, whatever the node has left running."""
        arrivals, self._arrivals = self._arrivals, None
        if arrivals is not None:
            arrivals.close()
        if not self._loop.is_closed():
            asyncio.set_event_loop(None)
            self._loop.close()

    def _after(self, seen: int) -> asyncio.Future[None]:
        if self._arrivals is None:
            assert self._bell is not None
            self._arrivals = Arrivals(self._bell, self._loop)
        return self._arrivals.after(seen)
