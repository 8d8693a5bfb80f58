/* cpuinfo.c -- see cpuinfo.h.
 * SPDX-License-Identifier: MIT  */
#include "base/cpuinfo.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#if defined(__x86_64__) || defined(__i386__)
#    include <cpuid.h>
#endif

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

/* What --cpu allows.  Set at start; atomic so that a late setter is a wrong
 * number at worst.  */
static _Atomic unsigned allowed = ~0u;

/* Lowest first; tests/check/names.sh holds the help and the pages to it.  */
/* clang-format off */
#define LEVELS(X)                                  \
    X("portable", 0)                               \
    X("neon", CPU_NEON)                            \
    X("avx2", CPU_AVX2)                            \
    X("avxvnni", CPU_AVX2 | CPU_AVXVNNI)           \
    X("avx512", CPU_AVX2 | CPU_AVX512)             \
    X("vnni", CPU_AVX2 | CPU_AVX512 | CPU_VNNI)    \
    X("bf16", CPU_AVX2 | CPU_AVX512 | CPU_VNNI | CPU_AVX512BF16)

#define NAME(name, mask) name,
#define MASK(name, mask) mask,
#define WORD(name, mask) " " name

const char *const cpu_level_names[] = {LEVELS(NAME) NULL};
static const unsigned level_mask[] = {LEVELS(MASK)};
/* clang-format on */

#if defined(__x86_64__) || defined(__i386__)
static int has_f16c(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* Not all compilers know it by name.  */
static int has_avxvnni(void)
{
    enum { LEAF = 7, SUBLEAF = 1, BIT = 1 << 4 };
    unsigned a, b, c, d;

    return __get_cpuid_count(LEAF, SUBLEAF, &a, &b, &c, &d) && (a & BIT);
}

/* The builtin also asks whether the system saves the registers.  */
static unsigned detect(void)
{
    unsigned f = 0;

    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !has_f16c())
        return f;
    f |= CPU_AVX2 | (has_avxvnni() ? CPU_AVXVNNI : 0);
    if (!__builtin_cpu_supports("avx512f") ||
        !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512dq"))
        return f;
    f |= CPU_AVX512;
    if (__builtin_cpu_supports("avx512vnni"))
        f |= CPU_VNNI;
    if (__builtin_cpu_supports("avx512bf16"))
        f |= CPU_AVX512BF16;
    return f;
}

/* 48 bytes in three leaves.  */
static void ask_brand(char buf[CPU_BRAND])
{
    enum { FIRST = 0x80000002, WORDS = 4 };

    for (unsigned i = 0; i < 3; i++) {
        unsigned r[WORDS] = {0};

        if (!__get_cpuid(FIRST + i, &r[0], &r[1], &r[2], &r[3]))
            return;
        memcpy(buf + i * sizeof r, r, sizeof r);
    }
}
#else
static void ask_brand(char buf[CPU_BRAND])
{
    (void)buf;
}

static unsigned detect(void)
{
#    if defined(__aarch64__)
    return CPU_NEON;
#    else
    return 0;
#    endif
}
#endif

/* What the machine has, asked once: CPUID costs microseconds in a virtual
 * machine.  Two threads that ask at the same time find the same.  */
static unsigned machine(void)
{
    enum { ASKED = 1u << 30 };
    static _Atomic unsigned known;
    unsigned f = atomic_load_explicit(&known, memory_order_relaxed);

    if (!f) {
        f = detect() | ASKED;
        atomic_store_explicit(&known, f, memory_order_relaxed);
    }
    return f & ~(unsigned)ASKED;
}

unsigned cpu_features(void)
{
    return machine() & atomic_load_explicit(&allowed, memory_order_relaxed);
}

int cpu_has_level(const char *name)
{
    return !(level_mask[str_index(name, cpu_level_names)] & ~machine());
}

const char *cpu_level_meant(const char *name)
{
    enum { FRONT = 6, LEAST = 4 };

    return !strncasecmp(name, "avx512", FRONT) && strlen(name) >= FRONT + LEAST
               ? name + FRONT
               : name;
}

int cpu_limit(const char *name, struct err *e)
{
    const int i = str_index(name, cpu_level_names);

    if (i < 0)
        return err_set(e, ERR_USAGE,
                       "unknown cpu level '%s'; known are" LEVELS(WORD) "%s",
                       Q(name), NEAR(cpu_level_meant(name), cpu_level_names));
    if (!cpu_has_level(name))
        return err_set(e, ERR_DEVICE,
                       "this machine does not have cpu level '%s'; its "
                       "highest is %s",
                       name, cpu_level_name(machine()));
    atomic_store(&allowed, level_mask[i]);
    return 0;
}

const char *cpu_brand(char buf[CPU_BRAND])
{
    size_t n = 0;

    memset(buf, 0, CPU_BRAND);
    ask_brand(buf);
    for (const char *p = buf; *p; p++)
        if (*p > ' ' ? *p < 127 && !strchr("\"\\", *p) : n && buf[n - 1] != ' ')
            buf[n++] = *p > ' ' ? *p : ' ';
    while (n && buf[n - 1] == ' ')
        n--;
    buf[n] = 0;
    return n ? buf : "unknown";
}

const char *cpu_level_name(unsigned mask)
{
    size_t i = COUNT(level_mask) - 1;

    while (level_mask[i] & ~mask)
        i--;
    return cpu_level_names[i];
}
