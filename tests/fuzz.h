/* fuzz.h -- feed a reader with damaged files, the same ones every time.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../fuzz.h".  A reader is `int f(const uint8_t *p, size_t n)';
 * what it returns does not matter, it must only come back.  Run under the
 * sanitizers, so that reads and writes out of bounds, leaks and undefined
 * behaviour are seen:
 *
 *     make SAN=address,undefined test T=tensor/npy
 *     ADZE_FUZZ_RUNS=1000000 .build/.../tests/tensor/npy
 *
 * ADZE_FUZZ_RUNS replaces the number of runs, ADZE_FUZZ_SEED the seed.  A
 * reader that ends the program has its input left in
 * `fuzz-SEED-RUN.bin' if ADZE_FUZZ_KEEP names a folder.  An input that takes
 * more than a second of processor time or, where AddressSanitizer counts it,
 * 256 MB of heap ends the program too.
 *
 * A new reader is `int fuzz_NAME(const uint8_t *p, size_t n)' beside the code,
 * declared in its header; a test of that file runs fuzz_run(), fuzz_cut() and
 * fuzz_flip() on files that it takes; scripts/coverage gets a row, which shows
 * what of the file they reach.  tests/check/names.sh sees to the row.  */
#ifndef ADZE_TESTS_FUZZ_H
#define ADZE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

typedef int fuzz_fn(const uint8_t *p, size_t n);

struct fuzz_seed {
    const void *p;
    size_t n;
};

/* Put lengths and check sums right again in the N bytes at *P, which is
 * malloc'ed and may be grown, so that damage reaches what lies behind the
 * first check.  Called for half of the runs.  */
typedef void fuzz_repair(uint8_t **p, size_t *n);

/* A fuzz_repair for safetensors and streams of them: each header's length is
 * what it says.  */
void fuzz_repair_documents(uint8_t **p, size_t *n);

/* A fuzz_repair for tar: each header's check sum holds; and of one header.  */
void fuzz_repair_tar(uint8_t **p, size_t *n);
void fuzz_tar_sum(void *header);

/* The safetensors in the N bytes at P, but their hashes stand under another
 * name: they would catch all damage before anything else looks.  The caller
 * frees `p'.  */
struct fuzz_seed fuzz_without_hashes(const void *p, size_t n);

/* The safetensors file PATH, which F takes, in RUNS damaged forms, with and
 * without its hashes, and cut at every byte: no true prefix is taken.  */
void fuzz_document(fuzz_fn *f, const char *path, int64_t runs);

/* RUNS mutations of the N_SEEDS >= 1 seeds: flipped bits, set bytes, numbers
 * that overflow, pieces copied, deleted, inserted, cut off, two seeds joined.
 * REPAIR may be NULL.  Each input lies in a block of exactly its size.  */
void fuzz_run(fuzz_fn *f, const struct fuzz_seed *seeds, size_t n_seeds,
              fuzz_repair *repair, int64_t runs, uint64_t seed);

/* Every prefix of the N bytes at P, from none to all of them.  Returns how
 * many of the true prefixes F took (returned 0).  */
int64_t fuzz_cut(fuzz_fn *f, const void *p, size_t n);

/* Every single bit of the N bytes at P flipped.  Returns how many of the
 * inputs F took (returned 0).  */
int64_t fuzz_flip(fuzz_fn *f, const void *p, size_t n);

#endif
