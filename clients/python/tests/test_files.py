import asyncio
import io
import os
import struct
import sys
import tempfile
import threading
import unittest
import wave
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import streamer_client
from streamer_client import aio
from streamer_client.__main__ import main

from . import support
from .support import serving


def samples(count):
    return struct.pack(f"<{count}h", *(index % 1000 for index in range(count)))


def wav(encoding, channels, bits, audio=b"", *, tag=None, size=None, before=b"", long=None):
    """Return a WAV file at 8 kHz; `tag` 0xFFFE has the encoding in an extension, `long` the size in a chunk ds64."""
    frame = channels * bits // 8
    format = struct.pack("<HHIIHH", tag or encoding, channels, 8000, 8000 * frame, frame, bits)
    if tag is not None:
        format += struct.pack("<HHIH14x", 22, bits, 0, encoding)
    size = len(audio) if size is None else size
    chunks = before + b"fmt " + struct.pack("<I", len(format)) + format + b"data" + struct.pack("<I", size) + audio
    if long is None:
        return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
    return b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, 4 + len(chunks), long, 0, 0) + chunks


async def counting(peer):
    """Answer with one final for all audio."""
    await peer.until("start")
    await peer.send(support.started())
    await peer.until("stop")
    frames = len(peer.audio) // 2
    final = support.segment(0, frames / 16000, is_final=True, text="so \x1b many", count=frames)
    await peer.send(final, support.stopped(frames, 1))
    await peer.socket.wait_closed()


class Files(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.wav = str(Path(self.folder.name, "speech.wav"))
        with wave.open(self.wav, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(samples(40_000))

    def file(self, name, data):
        path = Path(self.folder.name, name)
        path.write_bytes(data)
        return str(path)

    async def test_a_wav_file_gives_its_transcript(self):
        async with serving(counting) as url:
            events = []
            transcript = await aio.transcribe_file(url, self.wav, on_event=events.append)
            self.assertEqual((transcript.text, transcript.segments[0].output["count"]), ("so \x1b many", 40_000))
            self.assertEqual([event.type for event in events], ["started", "segment", "stopped"])
            raw = self.file("speech.raw", samples(100))
            streamed = [event async for event in aio.stream_file(url, raw, raw=streamer_client.AudioFormat())]
            self.assertEqual(streamed[1].output["count"], 100)

    async def test_the_blocking_functions_do_the_same(self):
        def run(url):
            transcript = streamer_client.transcribe_file(url, self.wav)
            events = list(streamer_client.stream_file(url, self.wav))
            for event in streamer_client.stream_file(url, self.wav):
                if event.type == "started":
                    break
            return transcript.segments[0].output["count"], [event.type for event in events]

        async with serving(counting) as url:
            result = await asyncio.get_running_loop().run_in_executor(None, run, url)
        self.assertEqual(result, (40_000, ["started", "segment", "stopped"]))
        self.assertFalse(any(thread.name == "streamer-client" for thread in threading.enumerate()))

    async def test_real_time_is_the_speed_of_a_microphone(self):
        async with serving(counting) as url:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            raw = self.file("short.raw", samples(8_000))
            await aio.transcribe_file(url, raw, raw=streamer_client.AudioFormat(), real_time=True)
            self.assertGreaterEqual(loop.time() - begun, 0.49)

    async def test_a_stream_that_the_server_ends_early_is_an_error(self):
        async def mismatch(peer):
            await peer.until("start")
            await peer.send(support.started(), support.error("format_mismatch"), support.stopped(reason="error"))
            await peer.socket.wait_closed()

        async with serving(mismatch) as url:
            with self.assertRaises(streamer_client.StreamEnded) as caught:
                await aio.transcribe_file(url, self.wav)
        self.assertIn("early (error): format_mismatch", str(caught.exception))

    async def test_a_file_that_cannot_be_read_ends_the_stream(self):
        async with serving(counting) as url:
            with mock.patch.object(streamer_client.Recording, "read", side_effect=OSError(5, "Input/output error")):
                with self.assertRaisesRegex(OSError, "Input/output error"):
                    await aio.transcribe_file(url, self.wav)

    async def test_files_that_are_no_recordings_are_refused(self):
        for name, data, found in (
            ("adpcm.wav", wav(2, 1, 4), "its samples have encoding 2"),
            ("half.wav", wav(3, 1, 16), "16-bit samples (floats) in 1 channels"),
            ("none.wav", wav(1, 0, 16), "16-bit samples (pcm) in 0 channels"),
            ("formless.wav", b"RIFF\xff\xff\xff\xffWAVEdata" + bytes(4), "its audio comes before its format"),
            ("headless.wav", b"RIFF\xff\xff\xff\xffWAVELIST" + struct.pack("<I", 1 << 20), "no audio in its first"),
            ("cut.wav", wav(1, 1, 16)[:30], "it ends within the header"),
            ("music.ogg", b"OggS" + bytes(100), "it does not begin as one"),
            ("empty.wav", b"", "it is too short"),
        ):
            with self.assertRaises(streamer_client.AudioFileError) as caught:
                await aio.transcribe_file("127.0.0.1:1", self.file(name, data))
            self.assertIn(found, str(caught.exception))
            self.assertIn("ffmpeg", str(caught.exception))
        with self.assertRaises(FileNotFoundError):
            await aio.transcribe_file("127.0.0.1:1", self.wav + "x")

    def test_headers_as_other_programs_write_them(self):
        audio = bytes(range(48))
        extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
        for name, data, expected, samples_of in (
            ("u8.wav", wav(1, 2, 8, audio), "u8", audio),
            ("s24.wav", wav(1, 2, 24, audio, tag=0xFFFE), "s24", audio),
            ("f32.wav", wav(3, 2, 32, audio, tag=0xFFFE), "f32", audio),
            ("f64.wav", wav(3, 2, 64, audio), "f64", audio),
            ("mulaw.wav", wav(7, 2, 8, audio, size=0xFFFFFFFF), "mulaw", audio),
            ("alaw.wav", wav(6, 2, 8, audio, size=0, before=extra), "alaw", audio),
            ("behind.wav", wav(1, 2, 16, audio + extra, size=48), "s16", audio),
            ("shorter.wav", wav(1, 2, 16, audio[:-1], size=1000), "s16", audio[:44]),
            ("long.wav", wav(1, 2, 16, audio + extra, size=0xFFFFFFFF, long=48), "s16", audio),
        ):
            with self.subTest(name), streamer_client.Recording(self.file(name, data)) as recording:
                format = streamer_client.AudioFormat.of(expected, sample_rate=8000, channels=2)
                self.assertEqual(recording.format, format)
                self.assertEqual(b"".join(iter(lambda: recording.read(2), b"")), samples_of)

    async def test_the_command_prints_finals(self):
        def run(*arguments):
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                code = main(list(arguments))
            return code, out.getvalue(), err.getvalue()

        async with serving(counting) as url:
            run_main = asyncio.get_running_loop().run_in_executor
            code, out, err = await run_main(None, run, self.wav, "--url", url, "--set", "vad.threshold_db=12")
            self.assertEqual((code, out), (0, '[0]      0.00 -    2.50  final  "so \\u{1b} many" count=40,000\n'))
            self.assertIn("1 final result, 0 errors; the ledger adds up", err)
            code, out, err = await run_main(None, run, self.wav, "--url", url, "--format", "json")
            self.assertIn('"text":"so \\u001b many"', out)
            code, out, err = await run_main(None, run, self.wav + "x", "--url", url)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("No such file", err)
            code, out, err = await run_main(None, run, self.wav, "--url", url, "--set", "vad")
            self.assertEqual((code, err.count("--set: found 'vad'")), (2, 1))
            self.assertEqual((await run_main(None, run, self.wav, "--url", "127.0.0.1:1"))[0], 3)


class Pipes(unittest.TestCase):
    def test_standard_input_may_be_a_pipe(self):
        reader, writer = os.pipe()
        os.write(writer, samples(100))
        os.close(writer)
        with os.fdopen(reader) as stdin, mock.patch.object(sys, "stdin", stdin):
            recording = streamer_client.Recording("-", raw={"channels": 2, "sample_rate": 8000})
            self.assertEqual([len(recording.read(30)) for _ in range(3)], [120, 80, 0])
            recording.close()


class FakeDevice:
    """Stands for `sounddevice`: a device that the test drives."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self):
        self.callback = None

    def RawInputStream(self, **options):
        if options["device"] == "none":
            raise self.PortAudioError("no such device")
        self.callback = options["callback"]
        return mock.Mock()

    def record(self, block):
        self.callback(block, len(block) // 2, None, None)


class Microphones(unittest.IsolatedAsyncioTestCase):
    async def test_blocks_come_in_order_for_both_interfaces(self):
        device = FakeDevice()
        with mock.patch.dict(sys.modules, sounddevice=device), streamer_client.Microphone(max_blocks=2) as microphone:
            threading.Timer(0.02, device.record, [b"ab"]).start()
            self.assertEqual(next(iter(microphone)), b"ab")
            blocks = microphone.__aiter__()
            threading.Timer(0.02, device.record, [b"cd"]).start()
            self.assertEqual(await blocks.__anext__(), b"cd")
            for block in (b"ef", b"gh", b"ijkl"):
                device.record(block)
            self.assertEqual(microphone.dropped_frames, 2)
            microphone.stop()
            self.assertEqual([block async for block in blocks], [b"ef", b"gh"])
            self.assertEqual(list(microphone), [])

    async def test_what_is_missing_is_named(self):
        with mock.patch.dict(sys.modules, sounddevice=None):
            with self.assertRaisesRegex(streamer_client.MicrophoneError, r"streamer-client\[microphone\]"):
                streamer_client.Microphone().start()
        with mock.patch.dict(sys.modules, sounddevice=FakeDevice()):
            with self.assertRaisesRegex(streamer_client.MicrophoneError, "no such device"):
                streamer_client.Microphone(device="none").start()
