"""Home Assistant's own code for Wyoming, unmodified, with stand-ins for the rest of Home Assistant, which needs a newer
Python. Prints what it has seen as lines of JSON.

Arguments: a folder with the files of Home Assistant and the package `wyoming`, the port of the server, a file of audio
(16 kHz, 16 bit, mono), and what to do: `set_up`, `command`, or `wait_for_models`.
"""

import asyncio
import json
import sys
from enum import Enum
from types import ModuleType

folder, port, path, task = sys.argv[1:]
HOST = "127.0.0.1"
sys.path.insert(0, folder)


def stand_in(name, **contents):
    module = ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module
    return module


def package(name, *parts):
    """Modules that are files of the folder are found, the package's own is not run."""
    stand_in(name).__path__ = ["/".join([folder, *name.split(".")])]


class Anything:
    """A type of which only the name is used."""

    def __class_getitem__(cls, _):
        return cls

    def __init__(self, *_, **__):
        pass


class Platform(str, Enum):
    STT = "stt"
    TTS = "tts"
    WAKE_WORD = "wake_word"
    CONVERSATION = "conversation"


class ConfigFlow:
    """What a flow shows and decides, as values."""

    def __init_subclass__(cls, domain):
        pass

    def async_show_form(self, errors=None, **_):
        return {"form": errors}

    def async_create_entry(self, title, data):
        return {"title": title, "data": data}

    def async_abort(self, reason):
        return {"abort": reason}


for name in ("", ".helpers", ".helpers.service_info", ".util", ".components", ".components.wyoming", ".components.stt"):
    package(f"homeassistant{name}")
stand_in("homeassistant.const", Platform=Platform, CONF_HOST="host", CONF_PORT="port")
stand_in("homeassistant.core", HomeAssistant=Anything)
stand_in("homeassistant.exceptions", HomeAssistantError=Exception)
stand_in(
    "homeassistant.config_entries",
    ConfigEntry=Anything,
    ConfigFlow=ConfigFlow,
    ConfigFlowResult=dict,
    SOURCE_HASSIO="hassio",
)
stand_in("homeassistant.helpers.entity_platform", AddConfigEntryEntitiesCallback=Anything)
stand_in("homeassistant.helpers.service_info.hassio", HassioServiceInfo=Anything)
stand_in("homeassistant.helpers.service_info.zeroconf", ZeroconfServiceInfo=Anything)
stand_in("homeassistant.util.hass_dict", HassKey=Anything)
stand_in("homeassistant.components.wyoming.models", DomainDataItem=Anything)
stand_in("voluptuous", Schema=Anything, Required=Anything)

import homeassistant.components.stt.const as stt_const  # noqa: E402
import homeassistant.components.stt.models as stt_models  # noqa: E402

vars(sys.modules["homeassistant.components.stt"]).update(
    {**vars(stt_const), **vars(stt_models), "SpeechToTextEntity": Anything}
)

from homeassistant.components import stt  # noqa: E402
from homeassistant.components.wyoming.config_flow import WyomingConfigFlow  # noqa: E402
from homeassistant.components.wyoming.data import WyomingService, load_wyoming_info  # noqa: E402
from homeassistant.components.wyoming.stt import WyomingSttProvider  # noqa: E402


def show(**fields):
    print(json.dumps(fields), flush=True)


class Entry:
    entry_id = "entry"


async def audio():
    with open(path, "rb") as file:
        while piece := file.read(2_048):
            yield piece


async def set_up():
    flow = WyomingConfigFlow()
    show(flow=await flow.async_step_user({"host": HOST, "port": int(port)}))
    service = await WyomingService.create(HOST, int(port))
    entity = WyomingSttProvider(Entry(), service)
    show(
        name=service.get_name(),
        platforms=service.platforms,
        has_services=service.has_services(),
        languages=sorted(entity.supported_languages),
    )


async def command():
    info = await load_wyoming_info(HOST, int(port))
    entity = WyomingSttProvider(Entry(), WyomingService(HOST, int(port), info))
    metadata = stt.SpeechMetadata(
        language=entity.supported_languages[0],
        format=entity.supported_formats[0],
        codec=entity.supported_codecs[0],
        bit_rate=entity.supported_bit_rates[0],
        sample_rate=entity.supported_sample_rates[0],
        channel=entity.supported_channels[0],
    )
    result = await entity.async_process_audio_stream(metadata, audio())
    show(result=result.result, text=result.text)


async def wait_for_models():
    # As often as it takes, and without its pauses of two seconds.
    once = await load_wyoming_info(HOST, int(port), retries=0, retry_wait=0)
    show(loading=once is None)
    info = await load_wyoming_info(HOST, int(port), retries=10_000, retry_wait=0.02)
    show(platforms=WyomingService(HOST, int(port), info).platforms)


asyncio.run({"set_up": set_up, "command": command, "wait_for_models": wait_for_models}[task]())
