"""The event loop of a worker, for models with `async def`."""

import inspect
import sys
import traceback

from streamer_host.guard import end_fork


class Tasks:
    """One event loop, which exists from the first coroutine on. Tasks of the model run during and between calls."""

    def __init__(self):
        self._loop = None

    def open(self):
        """Creates the loop, before the model is made: its locks and queues may belong to it."""
        if self._loop is None:
            import asyncio

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)

    def result(self, value):
        """Returns a value, or what it resolves to if it is awaitable."""
        end_fork()
        if not inspect.isawaitable(value):
            return value
        self.open()
        loop = self._loop
        task = loop.create_task(_await(value))
        try:
            return loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
            raise

    def wait(self, descriptor):
        """Waits until something can be read. Without a loop it returns at once."""
        loop = self._loop
        while loop is not None:
            future = loop.create_future()
            loop.add_reader(descriptor, _resolve, future)
            try:
                return loop.run_until_complete(future)
            except BaseException:
                # A task of the model raises SystemExit, for example.
                traceback.print_exc(file=sys.stderr)
            finally:
                loop.remove_reader(descriptor)

    def close(self):
        """Cancels the tasks that are left."""
        if self._loop is None:
            return
        import asyncio

        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=0.2))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())


async def _await(value):
    return await value


def _resolve(future):
    if not future.done():
        future.set_result(None)
