/* cpuinfo.h -- which instruction sets may be used.
 * SPDX-License-Identifier: MIT
 *
 * The level is part of a result's definition: same seed, same bits holds for
 * one level.  --cpu=NAME lowers it; it can never be raised above what the
 * machine has.
 *
 * All state of the library that is not in an object of its caller: the level,
 * set once at start and read-only after; what the system says about itself,
 * asked once (cpuinfo.c); the temporary files (temp.c) and mappings (mapped.c)
 * that a signal must find; whether a thread runs a task (thread.c), or said
 * that memory ran out (mem.c).  Of the commands: the options that all have, the
 * first failure, the pool (cli/common.c), and the line on the terminal
 * (cli/progress.c).  */
#ifndef ADZE_BASE_CPUINFO_H
#define ADZE_BASE_CPUINFO_H

struct err;

/* Bits; those of a machine, each implying those before it as a rule.  */
enum cpu_isa {
    CPU_AVX2 = 1 << 0,       /* AVX2, FMA, F16C */
    CPU_AVX512 = 1 << 1,     /* F, BW, VL, DQ */
    CPU_VNNI = 1 << 2,       /* AVX-512 VNNI */
    CPU_AVX512BF16 = 1 << 3, /* AVX-512 BF16 */
    CPU_NEON = 1 << 4,       /* every arm64 */
    CPU_AVXVNNI = 1 << 5,    /* VNNI in 256 bits, without AVX-512 */
};

/* The features in use: what the machine has, lowered by cpu_limit().  */
unsigned cpu_features(void);

/* Lower the features to those of level NAME: portable neon avx2 avxvnni
 * avx512 vnni bf16.  ERR_USAGE for an unknown name (lists the known ones),
 * ERR_DEVICE if the machine does not have that level.  */
int cpu_limit(const char *name, struct err *e);

/* What to look for among the levels where NAME is none, for NEAR(): in the
 * names of the maker AVX-512 stands in front of VNNI and BF16.  */
const char *cpu_level_meant(const char *name);

/* The machine has all that level NAME, a known one, allows.  */
int cpu_has_level(const char *name);

/* The name of the highest level within MASK, as cpu_limit() takes it: what
 * the history of a model records.  */
const char *cpu_level_name(unsigned mask);

/* What the processor calls itself, printable and without quotes; "unknown".
 * In BUF, which is returned.  */
enum { CPU_BRAND = 64 };
const char *cpu_brand(char buf[CPU_BRAND]);

/* NULL-ended list of level names, lowest first.  */
extern const char *const cpu_level_names[];

#endif
