"""Compares the ledger of the server with what was sent and received."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Dict, Iterator, List

from .events import ErrorEvent, Event, Ledger, Segment, Stopped


@dataclass(frozen=True)
class SentAudio:
    """The client's own account: bytes sent, and the shape of their frames. Rates are in Hz.

    `is_resumed`: the stream went on at another connection, so that interims sent just before are not in the ledger.
    """

    bytes: int
    frame_bytes: int
    channels: int
    sample_rate: int
    model_rate: int
    is_resumed: bool = False


@dataclass
class _Totals:
    """Events of one channel. `covered` and `failed` are samples at the model's rate, `end` a position."""

    finals: int = 0
    interims: int = 0
    errors: int = 0
    covered: int = 0
    failed: int = 0
    end: int = 0
    out_of_order: int = 0


class LedgerCheck:
    """Counts the events of one stream, and checks its ledger at the end. Its memory depends on the channels only."""

    def __init__(self, model_rate: int) -> None:
        self._rate = model_rate
        self._channels: Dict[int, _Totals] = {}
        #: Spans without a result have errors of their own.
        self._names_failures = True

    def add(self, event: Event) -> None:
        if isinstance(event, Segment):
            totals = self._totals(event.channel)
            if not event.is_final:
                totals.interims += 1
                return
            start, end = self._position(event.start_time), self._position(event.end_time)
            totals.finals += 1
            totals.covered += end - start
            totals.out_of_order += start < totals.end
            totals.end = end
        elif isinstance(event, ErrorEvent):
            if event.code == "slow_reader" and event.start_time is None:
                self._names_failures = False
            elif event.channel is not None:
                totals = self._totals(event.channel)
                totals.errors += 1
                if event.start_time is not None and event.end_time is not None:
                    totals.failed += self._position(event.end_time) - self._position(event.start_time)

    def problems(self, stopped: Stopped, sent: SentAudio) -> List[str]:
        """Return a sentence for each difference."""
        problems: List[str] = []
        if len(stopped.channels) != sent.channels:
            problems.append(f"the ledger has {len(stopped.channels)} channels; sent: {sent.channels}")
        for ledger in stopped.channels:
            totals = self._totals(ledger.channel)
            found = list(_check_channel(ledger, totals, stopped, sent))
            if self._names_failures:
                found.extend(_check_failures(ledger, totals))
            problems.extend(f"channel {ledger.channel}: {problem}" for problem in found)
        return problems

    def _totals(self, channel: int) -> _Totals:
        return self._channels.setdefault(channel, _Totals())

    def _position(self, time: float) -> int:
        return floor(time * self._rate + 0.5)


def resampled_length(frames: int, in_rate: int, out_rate: int) -> int:
    """Samples at `out_rate` that frames at `in_rate` become: exactly, halves rounded up."""
    return (frames * out_rate * 2 + in_rate) // (in_rate * 2)


def _check_channel(ledger: Ledger, totals: _Totals, stopped: Stopped, sent: SentAudio) -> Iterator[str]:
    frames = (sent.bytes - stopped.skipped_bytes) // sent.frame_bytes
    # A stream that the server ended may not have received everything that was sent.
    is_complete = stopped.reason in ("stop", "restart")
    if ledger.received != frames if is_complete else ledger.received > frames:
        yield f"received {ledger.received} frames; sent: {frames}"
    if ledger.received_rate != sent.sample_rate:
        yield f"received_rate {ledger.received_rate} Hz; sent: {sent.sample_rate} Hz"
    expected = resampled_length(ledger.received, sent.sample_rate, sent.model_rate)
    if ledger.decoded != expected:
        yield f"decoded {ledger.decoded} samples; expected for {ledger.received} frames: {expected}"
    total = ledger.inferred + ledger.silent + ledger.failed
    if ledger.decoded != total:
        parts = f"inferred {ledger.inferred} + silent {ledger.silent} + failed {ledger.failed}"
        yield f"decoded {ledger.decoded} samples; {parts} = {total}"
    if ledger.inferred < totals.covered:
        yield f"inferred {ledger.inferred} samples; in final results: {totals.covered}"
    if ledger.segments != totals.finals:
        yield f"{ledger.segments} segments; final results received: {totals.finals}"
    if ledger.interims < totals.interims and not sent.is_resumed:
        yield f"{ledger.interims} interims; received: {totals.interims}"
    if totals.out_of_order > 0:
        yield f"{totals.out_of_order} final results overlap the one before them"


def _check_failures(ledger: Ledger, totals: _Totals) -> Iterator[str]:
    if ledger.failed != totals.failed:
        yield f"failed {ledger.failed} samples; in error events: {totals.failed}"
    if ledger.errors != totals.errors:
        yield f"{ledger.errors} errors; received: {totals.errors}"
