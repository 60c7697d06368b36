"""The end of this process with its server, and what its children do not inherit."""

import os
import select
import signal
import sys
import threading
import traceback

from streamer_host.channel import ARENA, CHANNEL, LIBRARY

PR_SET_PDEATHSIG = 1

_PROCESS = os.getpid()


class WrongParent(Exception):
    """Another program than the server has started the interpreter."""


def isolate():
    """Keeps the descriptors of the server from programs that the model starts, and from its forks."""
    for descriptor in (CHANNEL, ARENA, LIBRARY):
        try:
            os.set_inheritable(descriptor, False)
        except OSError:
            pass
    os.register_at_fork(after_in_child=_close_in_fork)


def end_fork(error=None):
    """Ends a fork of this process that the model has made, when its call returns there, too. Else does nothing."""
    if os.getpid() == _PROCESS:
        return
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(type(error), error, error.__traceback__)
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 255)


def end_with_server():
    """Ends the process and the programs that the model has started: the server has closed the channel."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def guard(parent):
    """Ends the process group when the server ends, whatever this process does then. `parent` is the server's id."""
    if os.getppid() != parent:
        if not _is_alive(parent):
            os._exit(1)
        raise WrongParent()
    if not _guard_in_c(parent):
        _guard_in_python(parent)


def _guard_in_c(parent):
    """Starts a thread of the C library, which no lock of the interpreter stops. Returns False without the library."""
    try:
        import ctypes

        library = ctypes.CDLL("/proc/self/fd/%d" % LIBRARY)
        function = library.sa_child_guard
    except (ImportError, OSError, AttributeError):
        return False
    function.argtypes = [ctypes.c_int32, ctypes.c_int32]
    function.restype = ctypes.c_int32
    started = function(CHANNEL, parent) == 0
    try:
        os.close(LIBRARY)
    except OSError:
        pass
    return started


def _guard_in_python(parent):
    try:
        os.setpgid(0, 0)
    except OSError:
        pass  # It leads a session.
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, name="streamer-guard", daemon=True).start()


def _watch():
    poll = select.poll()
    poll.register(CHANNEL, select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0))
    while not poll.poll():
        pass
    end_with_server()


def _close_in_fork():
    # The other descriptors are closed by then, and their numbers may be files of the model.
    try:
        os.close(CHANNEL)
    except OSError:
        pass


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
