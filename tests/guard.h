/* guard.h -- memory with guard bytes around it.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_GUARD_H
#define ADZE_TESTS_GUARD_H

#include <stddef.h>

/* Memory that begins a line of the cache.  guard_check(), and guard_free()
 * too, fails the running cmocka test where one of the 64 bytes in front or
 * behind was written.  guard_free() accepts NULL.  */
void *guard_alloc(size_t bytes);
void guard_check(const void *p);
void guard_free(void *p);

/* The same, all bits set: floats that are not written are not numbers.  */
void *guard_nan(size_t bytes);

#endif
