"""NumPy, if the interpreter has it, and the samples of calls."""

import mmap
import os

# The module, or None.
numpy = None
# Why NumPy could not be imported although it is installed.
numpy_problem = None

SAMPLE_BYTES = 4


def find_numpy():
    """Imports NumPy. Without it, audio is a memoryview of floats."""
    global numpy, numpy_problem
    try:
        import numpy as found

        found.ndarray, found.float32, found.__version__  # A module of this name that is no NumPy lacks them.
        numpy = found
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            numpy_problem = str(error)
    except Exception as error:
        numpy_problem = "%s: %s" % (type(error).__name__, str(error).strip().split("\n")[0])


class SpanReader:
    """Copies spans from the memory that the server shares into fresh arrays, which belong to the model.

    A fork of the process has none of this memory.
    """

    def __init__(self, descriptor, slabs, slab_samples):
        size = slabs * slab_samples * SAMPLE_BYTES
        memory = mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        self._memory = memory
        self._samples = memoryview(memory).cast("f")
        self._slab_samples = slab_samples
        # The mapping has a duplicate of the descriptor.
        os.register_at_fork(after_in_child=self._close)

    def read(self, slabs, offset, length):
        """Returns the span as a writable float32 array; without NumPy as a writable memoryview of floats."""
        if numpy is None:
            audio = memoryview(bytearray(length * SAMPLE_BYTES)).cast("f")
            self._copy(audio, slabs, offset, length)
        else:
            audio = numpy.empty(length, numpy.float32)
            self._copy(memoryview(audio), slabs, offset, length)
        return audio

    def _close(self):
        try:
            self._samples.release()
            self._memory.close()
        except (BufferError, ValueError):
            pass  # Another thread of the parent was reading.

    def _copy(self, to, slabs, offset, length):
        samples, size = self._samples, self._slab_samples
        copied = 0
        for slab in slabs:
            if copied >= length:
                break
            count = min(size - offset, length - copied)
            begin = slab * size + offset
            to[copied : copied + count] = samples[begin : begin + count]
            copied += count
            offset = 0
        if copied < length:
            raise RuntimeError("a span of %d samples has slabs for %d" % (length, copied))


def silence(length):
    """Returns zeros, as `SpanReader.read` returns samples."""
    if numpy is None:
        return memoryview(bytearray(length * SAMPLE_BYTES)).cast("f")
    return numpy.zeros(length, numpy.float32)
