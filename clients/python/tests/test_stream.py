import array
import asyncio
import json
import threading
import time
import unittest

import streamer_client
from streamer_client import aio

from . import support
from .support import accepting, serving

FORMAT = streamer_client.AudioFormat()
QUICK = {"resume_timeout": 0}
RESUME = {"features": ["resume"]}


def kinds(events):
    return [event.type for event in events]


class Streams(unittest.IsolatedAsyncioTestCase):
    async def test_a_stream_ends_after_stopped(self):
        interim = support.segment(0, 0.2, is_final=False)
        async with serving(lambda peer: accepting(peer, interim, {"type": "mood"})) as url:
            async with aio.connect(url, FORMAT, interim_results=True) as stream:
                self.assertEqual(stream.started.limits.max_message_bytes, 1000)
                await stream.send(array.array("h", [1] * 2000))
                await stream.keep_alive()
                await stream.stop()
                with self.assertRaisesRegex(streamer_client.StreamEnded, "was stopped"):
                    await stream.send(b"more")
                with self.assertRaises(streamer_client.LedgerError) as caught:
                    async for event in stream:
                        last = event
                self.assertEqual(last.type, "stopped")
                self.assertIn("0 interims; received: 1", str(caught.exception))
                self.assertIsNone(await stream.receive())
                self.assertEqual(stream.sent_bytes, 4000)

    async def test_the_start_has_the_fields_as_given_and_a_refusal_names_the_field(self):
        async def refuse(peer):
            start = await peer.until("start")
            self.assertEqual(start["vad"], {"treshold_db": 3})
            self.assertEqual(peer.socket.request.headers["Authorization"], "Bearer abc")
            self.assertEqual(peer.socket.request.headers["X-One"], "1")
            await peer.send(support.error("invalid_request", param="vad.treshold_db", retryable=False))
            await peer.socket.wait_closed()

        async with serving(refuse) as url:
            with self.assertRaises(streamer_client.StartRefused) as caught:
                await aio.connect(url, FORMAT, token=lambda: "abc", headers={"X-One": "1"}, vad={"treshold_db": 3})
            self.assertEqual((caught.exception.code, caught.exception.param), ("invalid_request", "vad.treshold_db"))

    async def test_another_stream_may_follow(self):
        async def twice(peer):
            await peer.until("start")
            await peer.send(support.started())
            await peer.until("start")
            await peer.send(support.stopped(len(peer.audio) // 2, reason="restart"), support.started(stream=1))
            await peer.until("stop")
            await peer.send(support.stopped())
            await peer.until("start")
            await peer.send(support.error("unknown_model", param="model"))
            await peer.until("start")
            await peer.send(support.started(stream=2))
            await peer.socket.wait_closed()

        async with serving(twice) as url, aio.connect(url, FORMAT) as stream:
            await stream.send(b"abcd")
            await stream.start(FORMAT)
            await stream.stop()
            events = [event async for event in stream]
            self.assertEqual(kinds(events), ["started", "stopped", "started", "stopped"])
            self.assertEqual([event.stream for event in events[::2]], [0, 1])
            with self.assertRaisesRegex(streamer_client.StartRefused, "unknown_model"):
                await stream.start(FORMAT, model="other")
            await stream.start(FORMAT)
            self.assertEqual((await stream.receive()).stream, 2)
            with self.assertRaisesRegex(streamer_client.StreamTimeout, "within 0.05 s"):
                await stream.receive(timeout=0.05)

    async def test_the_sound_of_a_result_is_with_its_event(self):
        sound = array.array("f", [0.5, -0.5]).tobytes()

        async def play(peer):
            await peer.until("start")
            await peer.send(support.started(), support.segment(0, 1, audio={"bytes": 8, "sample_rate": 8000}), sound)
            await peer.send({"type": "data", "channel": 0, "text": "end"})
            await peer.until("stop")

        async with serving(play) as url, aio.connect(url, FORMAT, **QUICK) as stream:
            await stream.receive()
            result = await stream.receive()
            self.assertEqual(list(result.audio.data.cast("f")), [0.5, -0.5])
            self.assertEqual((await stream.receive()).text, "end")

    async def test_a_server_that_breaks_the_protocol_is_left(self):
        closes = []
        for message in ("{", "[" * 100_000, b"sound", '{"type":"active"}'):

            async def speak(peer, message=message):
                await peer.until("start")
                await peer.send(support.started(**RESUME), message)
                await peer.socket.wait_closed()
                closes.append(peer.socket.close_code)

            async with serving(speak) as url, aio.connect(url, FORMAT) as stream:
                with self.assertRaisesRegex(streamer_client.ProtocolFault, "the server broke the protocol"):
                    async for _ in stream:
                        pass
                with self.assertRaises(streamer_client.ProtocolFault):
                    await stream.send(b"ab")
        self.assertEqual(closes, [3002] * 4)

    async def test_an_error_that_ends_the_stream_is_in_the_exceptions(self):
        async def limit(peer):
            await peer.until("start")
            fatal = support.error("idle_timeout", True, retryable=True, retry_after_ms=0)
            await peer.send(support.started(), fatal, support.stopped(reason="limit"))
            await peer.socket.close(1008, "idle_timeout")

        async with serving(limit) as url, aio.connect(url, FORMAT) as stream:
            self.assertEqual(kinds([event async for event in stream]), ["started", "error", "stopped"])
            with self.assertRaises(streamer_client.StreamEnded) as caught:
                await stream.stop()
            self.assertIn("(limit): idle_timeout: about idle_timeout", str(caught.exception))
            self.assertEqual(caught.exception.stopped.reason, "limit")

    async def test_a_lost_connection_without_resume_is_an_error(self):
        async def vanish(peer):
            await peer.until("start")
            await peer.send(support.started())
            await peer.until_bytes(4)
            peer.drop()

        async with serving(vanish) as url, aio.connect(url, FORMAT) as stream:
            await stream.send(b"abcd")
            with self.assertRaisesRegex(streamer_client.ConnectionLost, "the connection was lost"):
                async for _ in stream:
                    pass
            self.assertFalse(stream.is_open)
            with self.assertRaises(streamer_client.ConnectionLost):
                await stream.send(b"abcd")
            with self.assertRaises(streamer_client.ConnectionLost):
                await stream.start(FORMAT)

    async def test_a_stream_goes_on_from_its_checkpoint(self):
        first, second = support.segment(0, 0.0625), support.segment(0.0625, 0.125)
        states, resumed = [], []

        async def lose(peer):
            await peer.until("start")
            await peer.send(support.started(**RESUME))
            await peer.until_bytes(3000)
            await peer.send(first, {"type": "checkpoint", "token": "T", "position": 1000}, second)
            # The client reads them before it finds out that the connection is lost.
            await (await peer.socket.ping())
            peer.drop()

        async def refuse(peer):
            await peer.until("start")
            await peer.send(support.error("overloaded", retryable=True, retry_after_ms=1))

        async def go_on(peer):
            resumed.append(await peer.until("start"))
            await peer.send(support.started(**RESUME))
            await peer.until_bytes(2000)
            await peer.send(second)
            await peer.until("stop")
            resumed.append((peer.audio, [request["request"] for request in peer.requests]))
            await peer.send(support.stopped(2000, 2, silent=0))
            await peer.socket.wait_closed()

        audio = bytes(range(250)) * 16
        async with serving(lose, refuse, go_on) as url:
            options = {"timing": True, "on_resume": lambda state, cause: states.append((state, cause.code))}
            async with aio.connect(url, FORMAT, **options) as stream:
                await stream.send(audio[:3000])
                await stream.flush()
                await stream.send(audio[3000:])
                await stream.stop()
                events = [event async for event in stream]
                self.assertEqual(kinds(events), ["started", "segment", "segment", "stopped"])
                self.assertEqual((stream.resumptions, stream.sent_bytes), (1, 4000))
        self.assertEqual(states, [("lost", "closed"), ("resumed", "closed")])
        self.assertEqual((resumed[0]["resume"], resumed[0]["timing"]), ({"token": "T"}, True))
        self.assertEqual(resumed[1], (audio[2000:], ["start", "flush", "stop"]))

    async def test_a_token_that_cannot_be_used_ends_the_stream(self):
        async def lose(peer):
            await peer.until("start")
            await peer.send(support.started(**RESUME), {"type": "checkpoint", "token": "T", "position": 0})
            await peer.until_bytes(2)
            peer.drop()

        async def refuse(peer):
            await peer.until("start")
            await peer.send(support.error("invalid_request", param="resume.token"))

        async with serving(lose, refuse) as url, aio.connect(url, FORMAT) as stream:
            await stream.send(b"ab")
            with self.assertRaisesRegex(streamer_client.ConnectionLost, "could not be resumed: invalid_request"):
                async for _ in stream:
                    pass

    async def test_a_connection_that_is_refused_for_good_ends_the_stream(self):
        async def lose(peer):
            await peer.until("start")
            await peer.send(support.started(**RESUME))
            await peer.until_bytes(2)
            peer.drop()

        tokens = ["old", OSError("the file of the token is away"), "new"]

        def token():
            next_one = tokens.pop(0)
            if isinstance(next_one, OSError):
                raise next_one
            return next_one

        def answer(connection, request):
            if request.headers["Authorization"] == "Bearer new":
                return connection.respond(401, json.dumps(support.error("unauthorized", True, retryable=False)))
            return None

        async with serving(lose, process_request=answer) as url:
            async with aio.connect(url, FORMAT, token=token) as stream:
                await stream.send(b"ab")
                with self.assertRaisesRegex(streamer_client.ConnectionLost, r"unauthorized: .*\(HTTP 401\)"):
                    async for _ in stream:
                        pass

    async def test_a_connection_that_is_lost_within_a_result_is_replaced(self):
        result = support.segment(0, 1, audio={"bytes": 4, "sample_rate": 8000})

        async def lose(peer):
            await peer.until("start")
            await peer.send(support.started(**RESUME), result)
            await (await peer.socket.ping())
            peer.drop()

        async def go_on(peer):
            await peer.until("start")
            await peer.send(support.started(**RESUME), result, bytes(4))
            await peer.until("stop")
            await peer.send(support.stopped(len(peer.audio) // 2, 1))
            await peer.socket.wait_closed()

        async with serving(lose, go_on) as url, aio.connect(url, FORMAT) as stream:
            await stream.send(bytes(32000))
            await stream.stop()
            events = [event async for event in stream]
            self.assertEqual(kinds(events), ["started", "segment", "stopped"])
            self.assertEqual(bytes(events[1].audio.data), bytes(4))

    async def test_no_server_takes_the_stream_in_time(self):
        async def lose(peer):
            await peer.until("start")
            await peer.send(support.started(**RESUME))
            peer.drop()

        async with serving(lose, lambda peer: peer.until("stop")) as url:
            async with aio.connect(url, FORMAT, resume_timeout=1, open_timeout=0.5) as stream:
                with self.assertRaisesRegex(streamer_client.ConnectionLost, "no server took it within 1 s"):
                    async for _ in stream:
                        pass

    async def test_checkpoints_are_events_when_streams_are_not_resumed(self):
        checkpoint = {"type": "checkpoint", "token": "T", "position": 5}
        async with serving(lambda peer: accepting(peer, checkpoint, **RESUME)) as url:
            async with aio.connect(url, FORMAT, **QUICK) as stream:
                await stream.receive()
                self.assertEqual((await stream.receive()).position, 5)

    async def test_a_silent_server_is_left(self):
        async with serving(lambda peer: peer.socket.wait_closed()) as url:
            with self.assertRaisesRegex(streamer_client.StreamTimeout, "within 0.5 s"):
                await aio.connect(url, FORMAT, open_timeout=0.5)

        async def freeze(peer):
            await peer.until("start")
            await peer.send(support.started())
            # It reads nothing any more, so that it answers no ping.
            peer.socket.transport.pause_reading()
            await peer.socket.wait_closed()

        async with serving(freeze, close_timeout=0.1) as url, aio.connect(url, FORMAT, timeout=0.2) as stream:
            with self.assertRaisesRegex(streamer_client.StreamTimeout, "answered no ping within 0.2 s"):
                async for _ in stream:
                    pass
            with self.assertRaises(TimeoutError):
                await stream.stop()

    async def test_unread_events_stop_the_reading_and_none_is_lost(self):
        events = [{"type": "active", "time": at, "channel": 0} for at in range(200)]
        async with serving(lambda peer: accepting(peer, *events)) as url:
            async with aio.connect(url, FORMAT, max_queued_events=3, timeout=30) as stream:
                await stream.stop()
                await asyncio.sleep(0.05)
                self.assertEqual(len(stream._link.queue), 3)
                self.assertEqual(len([event async for event in stream]), 202)

    async def test_events_that_are_never_read_end_the_stream(self):
        events = [{"type": "active", "time": at, "channel": 0} for at in range(50)]
        async with serving(lambda peer: accepting(peer, *events)) as url:
            async with aio.connect(url, FORMAT, max_queued_events=3, timeout=0.2) as stream:
                while stream.is_open:
                    await asyncio.sleep(0.02)
                    if stream._link._wire._fault is not None:
                        break
                with self.assertRaisesRegex(streamer_client.NotRead, "nothing was read for 0.2 s"):
                    async for _ in stream:
                        pass

    async def test_a_cancelled_reader_loses_no_event(self):
        async def speak(peer):
            await peer.until("start")
            await peer.send(support.started())
            for at in range(20):
                await peer.send({"type": "active", "time": at, "channel": 0})
                await asyncio.sleep(0.002)
            await peer.until("stop")

        async with serving(speak) as url, aio.connect(url, FORMAT) as stream:
            await stream.receive()
            times = []
            while len(times) < 20:
                try:
                    times.append((await stream.receive(timeout=0.001)).time)
                except streamer_client.StreamTimeout:
                    continue
            self.assertEqual(times, [float(at) for at in range(20)])
            reading = asyncio.ensure_future(stream.receive())
            await asyncio.sleep(0)
            with self.assertRaisesRegex(RuntimeError, "already being read"):
                await stream.receive()
            reading.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await reading

    async def test_refused_connections_say_why(self):
        with self.assertRaisesRegex(streamer_client.ConnectError, "cannot connect to ws://127.0.0.1:1/"):
            await aio.connect("127.0.0.1:1", FORMAT)
        for url, found in (("ftp://host", "url: found 'ftp://host'; allowed"), ("ws://u:secret@/x", "url: found 'ws:")):
            with self.assertRaisesRegex(ValueError, found) as caught:
                await aio.connect(url, FORMAT)
            self.assertNotIn("secret", str(caught.exception))

        async def redirect(_connection, request):
            return _connection.respond(302, "")

        async def vanished(_connection, _request):
            return _connection.respond(404, "no such path")

        for answer, status in ((redirect, 302), (vanished, 404)):
            async with serving(accepting, process_request=answer) as url:
                with self.assertRaisesRegex(streamer_client.ConnectError, f"HTTP status {status}") as caught:
                    await aio.connect(url, FORMAT)
                self.assertEqual(caught.exception.status, status)

    async def test_closing_does_not_wait_for_events_that_nobody_reads(self):
        events = [{"type": "active", "time": at, "channel": 0} for at in range(500)]
        async with serving(lambda peer: accepting(peer, *events)) as url:
            stream = await aio.connect(url, FORMAT, max_queued_events=3, close_timeout=60)
            await stream._link.queue.is_stalled.wait()
            await asyncio.wait_for(stream.close(), 30)

    async def test_invalid_options_are_named(self):
        for options, found in (
            ({"pattern": "other"}, "pattern: found 'other'; allowed: simple"),
            ({"timeout": 0}, "timeout: found 0"),
            ({"max_queued_events": 0}, "max_queued_events: found 0"),
            ({"resume_timeout": -1}, "must not be negative"),
            ({"ca_file": "x"}, "need an address with wss"),
            ({"url": "ws://user@127.0.0.1:1", "token": "x"}, "url has a user, and there is a token"),
        ):
            with self.assertRaisesRegex(ValueError, found):
                await aio.connect(**{"url": "ws://127.0.0.1:1", "format": FORMAT, **options})


class Blocking(unittest.TestCase):
    def setUp(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.scope = None

    def serve(self, *scripts):
        self.scope = serving(*scripts)
        return asyncio.run_coroutine_threadsafe(self.scope.__aenter__(), self.loop).result()

    def tearDown(self):
        if self.scope is not None:
            asyncio.run_coroutine_threadsafe(self.scope.__aexit__(None, None, None), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def test_one_thread_sends_and_another_reads(self):
        url = self.serve(accepting)
        with streamer_client.connect(url, FORMAT) as stream:

            def send():
                for _ in range(50):
                    stream.send(bytes(640))
                stream.flush()
                stream.stop()

            sender = threading.Thread(target=send)
            sender.start()
            self.assertEqual(kinds(stream), ["started", "stopped"])
            sender.join()
            self.assertEqual(stream.stopped.channels[0].received, 16000)
        self.assertFalse(stream.is_open)
        with self.assertRaises(streamer_client.StreamEnded):
            stream.send(b"ab")
        stream.close()

    def test_a_wait_of_another_thread_ends_when_the_stream_is_closed(self):
        url = self.serve(accepting)
        stream = streamer_client.connect(url, FORMAT)
        stream.receive()
        outcomes = []

        def read():
            try:
                outcomes.append(list(stream))
            except streamer_client.StreamerError as error:
                outcomes.append(error.code)

        reader = threading.Thread(target=read)
        reader.start()
        while not stream._stream._reading:
            time.sleep(0.001)
        stream.close()
        reader.join(10)
        self.assertEqual(outcomes, [[]])
        self.assertFalse(any(thread.name == "streamer-client" for thread in threading.enumerate()))

    def test_an_unclosed_stream_ends_with_its_last_reference(self):
        url = self.serve(accepting)
        stream = streamer_client.connect(url, FORMAT)
        with self.assertWarnsRegex(ResourceWarning, "unclosed Stream"):
            del stream
        self.assertFalse(any(thread.name == "streamer-client" for thread in threading.enumerate()))

    def test_a_refused_start_leaves_no_thread(self):
        async def refuse(peer):
            await peer.until("start")
            await peer.send(support.error("unsupported_format", param="format.bit_depth"))
            await peer.socket.wait_closed()

        url = self.serve(refuse)
        with self.assertRaisesRegex(streamer_client.StartRefused, "unsupported_format"):
            streamer_client.connect(url, {"channels": 1, "sample_rate": 16000, "bit_depth": 12, "is_float": False})
        self.assertFalse(any(thread.name == "streamer-client" for thread in threading.enumerate()))
