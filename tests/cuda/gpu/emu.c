/* emu.c -- what tests/cuda asks of the emulator, where a GPU is in its place.
 * SPDX-License-Identifier: MIT  */
#include "../emu.h"

int emu_present(void)
{
    return 0;
}

void emu_seed(uint64_t seed)
{
    (void)seed;
}

void emu_limit(size_t bytes)
{
    (void)bytes;
}

void emu_devices(int n)
{
    (void)n;
}

size_t emu_used(void)
{
    return 0;
}

uint64_t emu_launches(void)
{
    return 0;
}

void emu_libraries(struct emu_vendor v)
{
    (void)v;
}

int emu_vendor_held(void)
{
    return 0;
}

uint64_t emu_vendor_calls(void)
{
    return 0;
}
