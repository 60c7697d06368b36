"""The interface for asyncio: the names of `streamer_client`, as coroutines and asynchronous iterators."""

from ._recordings import stream_file, transcribe_file
from ._stream import Stream, connect

__all__ = ("Stream", "connect", "stream_file", "transcribe_file")
