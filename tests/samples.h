/* samples.h -- pictures of one pixel in files of every form, and what a data
 * set makes of them.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../samples.h".  All but the first two fail the running cmocka
 * test where something goes wrong.  */
#ifndef ADZE_TESTS_SAMPLES_H
#define ADZE_TESTS_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct dataset;
struct dataset_opts;

/* Setup and teardown of a test: an empty folder becomes the current one; then
 * it is gone.  */
int samples_enter(void **state);
int samples_leave(void **state);

/* Write N bytes, or TEXT, to PATH, making its folders.  */
void samples_put(const char *path, const void *p, size_t n);
void samples_text(const char *path, const char *text);

/* A picture of one pixel whose red is V.  */
void samples_dot(const char *path, int v);

/* A folder `set' of four of them in two classes, and files that are none.  */
void samples_folders(void);

/* A row of a test program: F in a folder of its own.  */
#define SAMPLES_TEST(f) \
    cmocka_unit_test_setup_teardown(f, samples_enter, samples_leave)

/* A tar: member I of NAMES, ended by NULL, is a picture whose red is I or, of
 * "NAME=TEXT", that text.  */
void samples_tar(const char *path, const char *const *names);

/* The data set of SPEC, for dataset_free(); O may be NULL.  */
struct dataset *samples_open(const char *spec, const struct dataset_opts *o);

/* SPEC does not open: CODE, and TEXT is in the message.  */
void samples_refused(const char *spec, const struct dataset_opts *o,
                     enum err_code code, const char *text);

/* The red of sample I of D.  */
int samples_red(const struct dataset *d, int64_t i);

/* D is WANT: "name=label:red" of each sample, blanks between.  */
void samples_are(const struct dataset *d, const char *want);
/* The list NAMES, ended by NULL, is WANT.  */
void samples_names(const char *const *names, const char *want);

#endif
