/* blocked.h -- tensors as kernels of blocked layouts see them, in guarded
 * memory.
 * SPDX-License-Identifier: MIT
 *
 * Only maps that have data are blocked: other tensors, and all in
 * LAYOUT_PLAIN, stay as they are.  */
#ifndef ADZE_TESTS_BLOCKED_H
#define ADZE_TESTS_BLOCKED_H

#include "graph/layout.h"

struct tensor;

/* T becomes a copy of itself whose lanes behind the last channel hold a number
 * that must not matter; without DATA no number is set.  */
void blocked_make(struct tensor *t, enum layout l, int data);
/* Copy BLOCKED, which such a copy of T held, back to T, see that the lanes
 * behind the last channel are finite, and free it.  */
void blocked_back(const struct tensor *t, enum layout l, void *blocked);
/* The copy T is not needed any more.  */
void blocked_free(const struct tensor *t, enum layout l);

#endif
