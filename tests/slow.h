/* slow.h -- is this run slow, by an emulator or sanitizers?
 * SPDX-License-Identifier: MIT
 *
 * Then a test may leave out repetitions (numbers of threads, seeds) that add
 * nothing to what such a run looks for: the same test runs whole beside it.  */
#ifndef ADZE_TESTS_SLOW_H
#define ADZE_TESTS_SLOW_H

#if defined(__SANITIZE_ADDRESS__) || defined(ADZE_EMULATED)
enum { SLOW_RUN = 1 };
#else
enum { SLOW_RUN = 0 };
#endif

/* Arithmetic is slowest in an emulator, which looks for what is of its
 * processor.  */
#if defined(ADZE_EMULATED)
enum { EMULATED_RUN = 1 };
#else
enum { EMULATED_RUN = 0 };
#endif

#endif
