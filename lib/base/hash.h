/* hash.h -- XXH3-128 of memory, as 32 hex digits (canonical byte order).
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_BASE_HASH_H
#define ADZE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_TEXT = 33 };

/* The hash of N bytes into TEXT (NUL-terminated); returns TEXT.  */
const char *hash_bytes(char text[HASH_TEXT], const void *p, size_t n);

/* 64 bits, for tables and random streams.  */
uint64_t hash_u64(const void *p, size_t n);
uint64_t hash_name(const char *s);

/* Incremental.  */
struct hasher;
struct hasher *hasher_new(void);
void hasher_add(struct hasher *h, const void *p, size_t n);
void hasher_add_str(struct hasher *h, const char *s); /* with its NUL */
const char *hasher_text(const struct hasher *h, char text[HASH_TEXT]);
void hasher_free(struct hasher *h);

/* A map from names to integers, open addressing, for duplicates and look-ups
 * in linear time.  Names are borrowed.  */
struct name_map {
    struct name_slot {
        const char *name;
        int64_t value;
    } * slot;
    int64_t n, cap;
};

/* Put NAME -> VALUE (>= 0) and return -1; a NAME that is there keeps its
 * value, which is returned.  */
int64_t name_map_put(struct name_map *m, const char *name, int64_t value);
int64_t name_map_get(const struct name_map *m, const char *name); /* or -1 */
void name_map_release(struct name_map *m);

#endif
