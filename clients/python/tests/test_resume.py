import unittest

from streamer_client._kept import Audio, KeptStream, Request
from streamer_client._parse import parse_event
from streamer_client._repeated import RepeatedEvents

from . import support

FLUSH, STOP = Request("flush", "f"), Request("stop", "s")


def taken(kept):
    return list(iter(kept.take, None))


class Kept(unittest.TestCase):
    def test_each_item_is_sent_once_on_a_connection(self):
        kept = KeptStream()
        kept.audio(b"abcd")
        kept.request(FLUSH)
        self.assertEqual(taken(kept), [Audio(0, b"abcd"), FLUSH])
        kept.audio(b"ef")
        self.assertEqual(taken(kept), [Audio(4, b"ef")])
        kept.rewind(0)
        self.assertEqual(taken(kept), [Audio(0, b"abcd"), FLUSH, Audio(4, b"ef")])

    def test_what_is_released_is_not_sent_again(self):
        kept = KeptStream()
        for item in (b"abcd", FLUSH, b"efgh", FLUSH, STOP):
            kept.request(item) if isinstance(item, Request) else kept.audio(item)
        taken(kept)
        kept.release(6, 1)
        self.assertEqual((kept.has(5), kept.has(6), kept.has(8), kept.has(9)), (True, True, True, False))
        kept.rewind(6)
        self.assertEqual(taken(kept), [Audio(6, b"gh"), FLUSH, STOP])

    def test_a_release_of_what_was_not_sent_yet_keeps_the_rest_in_order(self):
        kept = KeptStream()
        kept.audio(b"abcd")
        kept.request(FLUSH)
        kept.audio(b"efgh")
        taken(kept)
        kept.rewind(0)
        self.assertEqual(kept.take(), Audio(0, b"abcd"))
        kept.release(4, 0)
        self.assertEqual(taken(kept), [FLUSH, Audio(4, b"efgh")])

    def test_past_its_limit_the_oldest_go(self):
        kept = KeptStream(8)
        for index in range(5):
            kept.audio(bytes([index]) * 4)
            self.assertEqual(len(taken(kept)), 1)
        self.assertEqual((kept.kept_bytes, kept.has(11), kept.has(12)), (8, False, True))
        kept.clear()
        self.assertEqual((kept.has(0), kept.take()), (True, None))


class Repeated(unittest.TestCase):
    def events(self, repeated, *bodies):
        """Return those that are new."""
        return [body for body in bodies if not repeated.is_repeated(parse_event(body))]

    def test_what_came_after_the_checkpoint_is_dropped_when_it_comes_again(self):
        repeated = RepeatedEvents()
        repeated.begin(1)
        before, active = support.segment(0, 1), {"type": "active", "time": 1.5, "channel": 0}
        after, late = support.segment(1, 2), support.error("worker_crashed", channel=0, start_time=2, end_time=3)
        self.assertEqual(len(self.events(repeated, before)), 1)
        repeated.checkpoint()
        self.assertEqual(len(self.events(repeated, active, after)), 2)
        repeated.resume()
        interim = support.segment(1, 1.5, is_final=False)
        self.assertEqual(self.events(repeated, interim, active, after, active, late), [active, late])
        # A result in place of an error of the same span is a repetition, too.
        repeated.resume()
        self.assertEqual(self.events(repeated, support.segment(2, 3), support.segment(3, 4)), [support.segment(3, 4)])

    def test_a_flush_is_answered_when_all_channels_are(self):
        repeated = RepeatedEvents()
        repeated.begin(2)
        repeated.flushed()
        left, right = ({"type": "flushed", "time": 1, "channel": channel} for channel in (0, 1))
        self.assertEqual(self.events(repeated, left), [left])
        self.assertEqual(repeated.checkpoint(), 0)
        repeated.resume()
        self.assertEqual(self.events(repeated, left, right), [right])
        self.assertEqual(repeated.checkpoint(), 1)
        repeated.resume()
        self.assertEqual(self.events(repeated, left), [left])

    def test_a_server_that_drains_says_so_again(self):
        repeated = RepeatedEvents()
        warnings = [{"type": "warning", "code": code, "message": ""} for code in ("draining", "clipping")]
        self.assertEqual(self.events(repeated, *warnings), warnings)
        repeated.resume()
        self.assertEqual(self.events(repeated, *warnings), warnings[:1])
