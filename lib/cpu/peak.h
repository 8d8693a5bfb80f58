/* peak.h -- what the machine could do at best, measured.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_PEAK_H
#define ADZE_CPU_PEAK_H

#include "graph/device.h"

struct pool;

/* struct device's peak() of a CPU with FEATURES, the best of several runs of
 * about 20 ms: of independent chains of multiply-adds in registers, with the
 * widest instructions that there are; of copies.  */
double peak_per_second(unsigned features, enum peak what, struct pool *p);

/* Products of bf16 are worth having: measured on one thread, as some processors
 * have the instruction and take their time.  */
int peak_has_bf16(unsigned features);

/* One run of N rounds on one thread, by instruction set; returns the flops
 * done.  The sum goes to *SINK so that nothing is optimised away.  */
double peak_run_any(long n, float *sink);
double peak_run_avx2(long n, float *sink);
double peak_run_avx512(long n, float *sink);
double peak_run_neon(long n, float *sink);
double peak_run_bf16(long n, float *sink);
double peak_7_run_avx2(long n, float *sink);
double peak_7_run_avx512(long n, float *sink);
double peak_8_run_avxvnni(long n, float *sink);
double peak_8_run_vnni(long n, float *sink);

#endif
