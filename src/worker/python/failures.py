"""Errors in words for the client, and their tracebacks for the log."""

import os
import traceback

MAX_ERROR_LENGTH = 500
MAX_LOAD_ERROR_LENGTH = 4000
# A longer traceback loses its middle.
MAX_STACK_LENGTH = 16 * 1024

_HOST = "streamer_host" + os.sep
_ASYNCIO = os.sep + "asyncio" + os.sep


class ModelFault(Exception):
    """A rule that the model breaks, found by the host. Its text is the whole message."""


def describe(error, limit=MAX_ERROR_LENGTH):
    """Returns the type and the text of an error."""
    if isinstance(error, ModelFault):
        return str(error)[:limit]
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        text = "(its text cannot be had)"
    return ("%s: %s" % (name, text) if text else name)[:limit]


def code_of(error):
    """Returns the attribute `code` of an error if it is a text; None: it has none. The server decides which ones count."""
    try:
        code = getattr(error, "code", None)
    except BaseException:
        return None
    return str(code) if isinstance(code, str) and len(code) <= 64 else None


def stack_of(error):
    """Returns the traceback of an error, from the first line of the model on; None for a fault that the host found."""
    if isinstance(error, ModelFault) and error.__cause__ is None:
        return None
    try:
        own = model_frames(error)
        text = "".join(traceback.TracebackException(type(error), error, own).format()).rstrip()
    except BaseException:
        return describe(error)
    if len(text) <= MAX_STACK_LENGTH:
        return text
    half = MAX_STACK_LENGTH // 2
    return "%s\n...\n%s" % (text[:half], text[-half:])


def model_frames(error):
    """Returns the traceback of an error without the host's frames at its start."""
    frames = error.__traceback__
    while frames is not None and _is_host(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def place_of(error, folder):
    """Returns FILE:LINE of the innermost frame in the folder, or else of the innermost in a file; None without one."""
    found = None
    for frame in traceback.extract_tb(error.__traceback__):
        file = frame.filename
        if file.startswith("<") or _is_host(file):
            continue
        is_own = _is_own(file, folder)
        if is_own or found is None or not found[1]:
            found = ("%s:%d" % (file, frame.lineno or 0), is_own)
    return None if found is None else found[0]


def _is_own(file, folder):
    return file.startswith(folder + os.sep) and (os.sep + "site-packages" + os.sep) not in file


def _is_host(file):
    return file.startswith(_HOST) or _ASYNCIO in file or file.startswith("<")
