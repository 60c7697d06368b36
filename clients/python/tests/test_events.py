import json
import unittest

from streamer_client import AudioFormat, EventError, LedgerCheck, SentAudio
from streamer_client._parse import EVENTS, parse_event
from streamer_client.events import UnknownEvent
from streamer_client.formats import SAMPLE_FORMATS, audio_bytes
from streamer_client.ledger import resampled_length

from . import support


class Events(unittest.TestCase):
    def test_a_segment_keeps_the_fields_of_the_model_apart(self):
        event = parse_event(support.segment(0.5, 1, is_final=False, text="go", raw=1, output=[2], timing=None))
        self.assertEqual(event.output, {"text": "go", "raw": 1, "output": [2]})
        self.assertEqual((event.text, event.start_time, event.is_final), ("go", 0.5, False))
        self.assertEqual(repr(event).count("'text'"), 1)

    def test_a_result_of_a_block_is_final(self):
        self.assertTrue(parse_event(support.segment(0, 1)).is_final)

    def test_unknown_fields_and_events_are_kept(self):
        event = parse_event({"type": "active", "time": 1, "channel": 0, "level": -3})
        self.assertEqual((event.time, event.raw["level"]), (1.0, -3))
        self.assertEqual(parse_event({"type": "mood", "is": "good"}), UnknownEvent("mood"))
        later = support.started(limits={**support.LIMITS, "later": 1}, later={"a": []}, features=["later"])
        self.assertEqual(parse_event(later).features, ("later",))

    def test_known_fields_are_checked(self):
        for body, found in (
            ({"type": "active", "time": "1", "channel": 0}, "active.time: found str; allowed: a number"),
            ({"type": "active", "time": True, "channel": 0}, "active.time: found bool; allowed: a number"),
            ({"type": "active", "time": 1, "channel": -1}, "active.channel: found -1; allowed: 0 or more"),
            ({"type": "flushed", "time": 1}, "flushed.channel: found nothing; the field is required"),
            ({**support.stopped(), "channels": [{}]}, "stopped.channels.0.channel: found nothing; the field is req"),
            (support.started(format=[]), "started.format: found list; allowed: an object"),
            (support.started(features="x"), "started.features: found str; allowed: an array"),
            ([], 'found something else; allowed: an object with a string "type"'),
        ):
            with self.assertRaises(EventError) as caught:
                parse_event(body)
            self.assertIn(found, str(caught.exception))

    def test_all_events_of_the_protocol_are_classes(self):
        self.assertEqual(len(EVENTS), 10)
        started = parse_event(json.loads(json.dumps(support.started())))
        self.assertEqual(started.format, AudioFormat(1, 16000, 16))


class Formats(unittest.TestCase):
    def test_short_names_give_the_bytes_of_a_frame(self):
        frames = {name: AudioFormat.of(name, channels=2).frame_bytes for name in SAMPLE_FORMATS}
        self.assertEqual(list(frames.values()), [2, 4, 6, 8, 8, 16, 2, 2])
        with self.assertRaisesRegex(ValueError, "sample_format: found 's12'; allowed: u8, s16"):
            AudioFormat.of("s12")

    def test_arrays_must_have_the_samples_of_the_stream(self):
        floats, shorts = memoryview(bytes(8)).cast("f"), memoryview(bytes(8)).cast("h")
        self.assertEqual(audio_bytes(shorts, AudioFormat()), bytes(8))
        self.assertEqual(audio_bytes(bytearray(b"ab"), AudioFormat()), b"ab")
        self.assertEqual(audio_bytes(floats, AudioFormat.of("f32")), bytes(8))
        with self.assertRaisesRegex(TypeError, "found elements 'f' of 4 bytes; the stream has 16-bit integers"):
            audio_bytes(floats, AudioFormat())
        with self.assertRaisesRegex(TypeError, "found elements 'h' of 2 bytes; the stream has 32-bit floats"):
            audio_bytes(shorts, AudioFormat.of("f32"))
        with self.assertRaisesRegex(TypeError, "found str; allowed: bytes"):
            audio_bytes("audio", AudioFormat())


class Ledgers(unittest.TestCase):
    def check(self, stopped, *events, sent=32000, resumed=False):
        check = LedgerCheck(16000)
        for event in events:
            check.add(parse_event(event))
        return check.problems(parse_event(stopped), SentAudio(sent, 2, 1, 16000, 16000, resumed))

    def test_an_exact_ledger_has_no_problems(self):
        ledger = {"inferred": 8000, "silent": 4000, "failed": 4000, "interims": 2, "errors": 1}
        failed = support.error("worker_crashed", channel=0, start_time=0.5, end_time=0.75)
        events = [support.segment(0, 0.5), support.segment(0, 0.4, is_final=False), failed]
        self.assertEqual(self.check(support.stopped(16000, 1, **ledger), *events), [])

    def test_each_difference_has_a_sentence(self):
        one = support.segment(0, 0.5)
        for stopped, events, found in (
            (support.stopped(15999, 1), [one], "received 15999 frames; sent: 16000"),
            (support.stopped(16000, 1, received_rate=8000), [one], "received_rate 8000 Hz; sent: 16000 Hz"),
            (support.stopped(16000, 1, decoded=15000), [one], "decoded 15000 samples; expected"),
            (support.stopped(16000, 1, silent=1), [one], "+ silent 1 + failed 0 = 16001"),
            (support.stopped(16000, 1, inferred=100, silent=15900), [one], "inferred 100 samples; in final"),
            (support.stopped(16000, 0), [one], "0 segments; final results received: 1"),
            (support.stopped(16000, 0), [support.segment(0, 1, is_final=False)], "0 interims; received: 1"),
            (support.stopped(16000, 2), [one, support.segment(0.4, 0.6)], "1 final results overlap"),
            (support.stopped(16000, 0, errors=1), [], "1 errors; received: 0"),
            (support.stopped(16000, 0, inferred=15000, failed=1000), [], "failed 1000 samples; in error events: 0"),
            ({**support.stopped(16000), "channels": []}, [], "the ledger has 0 channels; sent: 1"),
        ):
            self.assertIn(found, "; ".join(self.check(stopped, *events)))

    def test_a_stream_that_the_server_ended_may_have_received_less(self):
        self.assertEqual(self.check(support.stopped(100, reason="limit")), [])
        self.assertIn("received 16001 frames", self.check(support.stopped(16001, reason="limit"))[0])

    def test_lengths_are_those_of_the_resampler(self):
        self.assertEqual([resampled_length(n, 48000, 16000) for n in (0, 1, 2, 3, 864000)], [0, 0, 1, 1, 288000])
        self.assertEqual(resampled_length(10**15, 44100, 48000), 1088435374149660)
