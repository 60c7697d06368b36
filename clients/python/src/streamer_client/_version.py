"""The version of this package, as it was installed."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    try:
        return version("streamer-client")
    except PackageNotFoundError:
        return "0"


__version__ = installed_version()
