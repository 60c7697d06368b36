"""Streams a recording or a microphone to a server, and prints the results: `python -m streamer_client --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, AsyncIterator, Dict, List, Optional, Union, cast

from ._options import PATTERNS, TIMEOUT
from ._printing import count, event_line, json_line, printable
from ._recordings import send_recording
from ._stream import Stream, connect
from ._version import __version__
from .errors import AudioFileError, ConnectError, LedgerError, MicrophoneError, StreamEnded, StreamerError
from .events import ErrorEvent, Segment
from .files import Recording
from .formats import SAMPLE_FORMATS, AudioFormat
from .microphone import Microphone

#: Exit codes: the server reported errors or results are missing; invalid arguments; no connection; Ctrl-C.
FAILURE, USAGE, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130

Source = Union[Recording, Microphone]


def main(arguments: Optional[List[str]] = None) -> int:
    args = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(args))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the results has gone: nothing is printed any more, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except ConnectError as error:
        return _complain(error, UNREACHABLE)
    except (AudioFileError, MicrophoneError, ValueError, OSError) as error:
        return _complain(error, FAILURE if isinstance(error, StreamerError) and not _is_usage(error) else USAGE)
    except StreamerError as error:
        return _complain(error, FAILURE)


def _is_usage(error: Exception) -> bool:
    return isinstance(error, (AudioFileError, MicrophoneError))


def _complain(error: Exception, code: int) -> int:
    print(f"streamer_client: {printable(str(error))}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streamer_client", description="Stream a recording or a microphone to a server of Streamer."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", help="WAV file, or PCM with --raw; - reads standard input")
    source.add_argument("--microphone", action="store_true", help="record until Ctrl-C; needs sounddevice")
    parser.add_argument("--url", default="localhost:8080", help="address of the server (default %(default)s)")
    parser.add_argument("--pattern", choices=PATTERNS, default="segmented", help="default %(default)s")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="token (default STREAMER_TOKEN)")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="authorities to trust, PEM")
    parser.add_argument("--interim-results", action="store_true", help="print interim results, too")
    parser.add_argument("--real-time", action="store_true", help="send at the speed of a live microphone")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="a field of the start")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="SECONDS", help="default %(default)g")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: events as received")
    parser.add_argument("--raw", action="store_true", help="the input is PCM without a header")
    parser.add_argument("--rate", type=int, default=16000, metavar="HZ", help="default %(default)s")
    parser.add_argument("--channels", type=int, default=1, metavar="N", help="default %(default)s")
    parser.add_argument("--sample-format", choices=tuple(SAMPLE_FORMATS), default="s16", help="default %(default)s")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _fields(args: argparse.Namespace) -> Dict[str, Any]:
    fields: Dict[str, Any] = {"interim_results": True} if args.interim_results else {}
    for assignment in args.set:
        path, separator, text = assignment.partition("=")
        names = path.split(".")
        if not separator or "" in names or names[0] in ("request", "format"):
            raise ValueError(f"--set: found {assignment!r}; allowed: FIELD=VALUE, such as vad.min_silence_ms=300")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        target = fields
        for name in names[:-1]:
            inner: Any = target.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ValueError(f"--set: {assignment!r}: {name} already has a value")
            target = cast("Dict[str, Any]", inner)
        target[names[-1]] = value
    return fields


def _token(args: argparse.Namespace) -> Optional[str]:
    if args.token_file is not None:
        return args.token_file.read_text(encoding="utf-8").strip() or None
    return os.environ.get("STREAMER_TOKEN") or None


async def _run(args: argparse.Namespace) -> int:
    options: Dict[str, Any] = {"pattern": args.pattern, "token": _token(args), "timeout": args.timeout}
    if args.ca_file is not None:
        options["ca_file"] = args.ca_file
    raw = AudioFormat.of(args.sample_format, sample_rate=args.rate, channels=args.channels) if args.raw else None
    with ExitStack() as opened:
        rate = {"sample_rate": args.rate, "channels": args.channels}
        source: Source = Microphone(**rate) if args.microphone else Recording(args.file, raw)
        opened.enter_context(source)
        async with connect(args.url, source.format, on_resume=_report, **options, **_fields(args)) as stream:
            sending = asyncio.ensure_future(_send(stream, source, args.real_time))
            _stop_at_interrupt(sending, stream)
            try:
                return await _print_all(stream, args.format == "json")
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


def _stop_at_interrupt(sending: asyncio.Future[None], stream: Stream) -> None:
    """At the first Ctrl-C no more audio is sent, and the results of what was sent follow; a second one ends at once."""
    loop = asyncio.get_running_loop()

    async def stop() -> None:
        await asyncio.gather(sending, return_exceptions=True)
        try:
            await stream.stop()
        except StreamerError:
            return

    def interrupted() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        print("interrupted: the results of what was sent follow", file=sys.stderr)
        sending.cancel()
        stopping.append(loop.create_task(stop()))

    stopping: List[asyncio.Task[None]] = []
    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, RuntimeError):
        # On Windows, and outside of the main thread: Ctrl-C ends at once.
        return


async def _send(stream: Stream, source: Source, real_time: bool) -> None:
    if isinstance(source, Recording):
        await send_recording(stream, source, real_time)
        return
    blocks: AsyncIterator[bytes] = source.__aiter__()
    try:
        async for block in blocks:
            await stream.send(block)
    except StreamEnded:
        return


async def _print_all(stream: Stream, is_json: bool) -> int:
    finals = errors = 0
    try:
        async for event in stream:
            finals += isinstance(event, Segment) and event.is_final
            errors += isinstance(event, ErrorEvent)
            line = json_line(event) if is_json else event_line(event)
            if line is not None:
                print(line, flush=True)
    except LedgerError as error:
        _complain(error, FAILURE)
        return FAILURE
    reason = stream.stopped.reason if stream.stopped is not None else "closed"
    results = f"{count(finals, 'final result')}, {count(errors, 'error')}"
    if reason == "stop":
        results += "; the ledger adds up: every sample that was sent is accounted for"
    print(results, file=sys.stderr)
    if reason != "stop":
        print(f"streamer_client: the server ended the stream early ({reason})", file=sys.stderr)
    return FAILURE if errors or reason != "stop" else 0


def _report(state: str, cause: Exception) -> None:
    print(f"connection {state}: {printable(str(cause))}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
