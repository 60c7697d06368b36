"""The channel to the server: frames over descriptor 3."""

import json
import os
import struct

# Numbers of descriptors that the server opens.
CHANNEL = 3
ARENA = 4
LIBRARY = 5

# The limits of src/worker/child/frames.ts.
MAX_HEADER_BYTES = 64 * 1024 * 1024
MAX_BLOB_BYTES = 256 * 1024 * 1024

READ_BYTES = 64 * 1024
# Frames up to this size are joined and written at once.
JOINED_BYTES = 64 * 1024

_SIZES = struct.Struct("<II")


class FrameTooLong(Exception):
    """Results that are larger than a frame may be."""


class Channel:
    """Reads and writes frames: the sizes of the header and of the blob, a JSON header, and bytes."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._data = bytearray()
        os.set_blocking(descriptor, True)

    @property
    def waits(self):
        """No whole frame has been read: `receive` may block."""
        return self._end() is None

    def receive(self):
        """Waits for a frame. Returns (header, blob); None when the server has closed the channel."""
        while True:
            end = self._end()
            if end is not None:
                return self._take(end)
            part = os.read(self._descriptor, READ_BYTES)
            if not part:
                return None
            self._data += part

    def send(self, header, blobs=()):
        """Sends a header, which is JSON text or an object, and the bytes of buffers of which none is empty.

        Raises FrameTooLong, and has sent nothing.
        """
        text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
        head = text.encode("utf-8")
        views = [memoryview(blob).cast("B") for blob in blobs]
        size = sum(view.nbytes for view in views)
        for part, length, limit in (("JSON", len(head), MAX_HEADER_BYTES), ("audio and state", size, MAX_BLOB_BYTES)):
            if length > limit:
                raise FrameTooLong("the results of a call have %d bytes of %s; allowed: %d" % (length, part, limit))
        start = _SIZES.pack(len(head), size) + head
        if size <= JOINED_BYTES:
            self._write(b"".join([start, *views]))
            return
        self._write(start)
        for view in views:
            self._write(view)

    def _end(self):
        if len(self._data) < _SIZES.size:
            return None
        header, blob = _SIZES.unpack_from(self._data)
        end = _SIZES.size + header + blob
        return end if len(self._data) >= end else None

    def _take(self, end):
        header, _ = _SIZES.unpack_from(self._data)
        # A slice of a bytearray would be a copy of its own.
        with memoryview(self._data) as data:
            text = bytes(data[_SIZES.size : _SIZES.size + header])
            blob = bytes(data[_SIZES.size + header : end])
        del self._data[:end]
        return json.loads(text), blob

    def _write(self, data):
        rest = memoryview(data)
        while rest.nbytes > 0:
            rest = rest[os.write(self._descriptor, rest) :]
