# The first program in the interpreter: checks its version and starts the host. It runs in any version of Python from
# 2.7 on, so that an old one gets a clear error.

import json
import os
import struct
import sys

OLDEST = (3, 9)
PACKAGE = "streamer_host"
CHANNEL = 3


def fail(message):
    header = json.dumps({"type": "load_failed", "message": message}).encode("ascii")
    os.write(CHANNEL, struct.pack("<II", len(header), 0) + header)
    os._exit(1)


def start(sources):
    """Starts the host. `sources` has pairs of the name and the text of its modules, in the order of their imports."""
    if sys.version_info < OLDEST:
        fail(
            "the interpreter %s is Python %s; allowed: Python %d.%d or newer (model.python chooses another one)"
            % (sys.executable, sys.version.split()[0], OLDEST[0], OLDEST[1])
        )
    import linecache
    import types

    package = types.ModuleType(PACKAGE)
    package.__path__ = []
    sys.modules[PACKAGE] = package
    for name, text in sources:
        file = "%s/%s.py" % (PACKAGE, name)
        # A traceback has the lines of the host, too.
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        module = types.ModuleType("%s.%s" % (PACKAGE, name))
        module.__file__ = file
        module.__package__ = PACKAGE
        sys.modules[module.__name__] = module
        setattr(package, name, module)
        exec(compile(text, file, "exec"), module.__dict__)
    sys.modules[PACKAGE + ".host"].main()
