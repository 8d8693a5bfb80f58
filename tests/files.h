/* files.h -- a folder of a test program's own, files in it, and children.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../files.h".  All but the first two fail the running cmocka
 * test where something goes wrong.  */
#ifndef ADZE_TESTS_FILES_H
#define ADZE_TESTS_FILES_H

#include <stddef.h>

/* Setup and teardown of a test program: a new folder is the current one; at
 * the end it must be empty again, nobody left a temporary file.  */
int files_enter(void **state);
int files_leave(void **state);

/* Write the N bytes at P to PATH; they are what is there.  */
void files_put(const char *path, const void *p, size_t n);
void files_are(const char *path, const void *p, size_t n);

/* Run F in a child whose stderr goes to the file "err"; its exit status, 99 if
 * F returns, less than 0 for a signal.  */
int child_status(void (*f)(void));
/* PART is in "err", which is removed.  */
void child_said(const char *part);

#endif
