#include "streamer_audio.h"

uint32_t sa_abi_version(void) { return SA_ABI_VERSION; }
