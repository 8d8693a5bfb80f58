/* str.h -- a growing string, and number parsing that refuses rubbish.
 * SPDX-License-Identifier: MIT
 *
 *     struct str s = {0};
 *     str_printf(&s, "%s.%d", stem, i);
 *     use(str_text(&s));
 *     str_release(&s);
 *
 * A struct str is always terminated by a NUL that LEN does not count; zero
 * is the empty string.  */
#ifndef ADZE_BASE_STR_H
#define ADZE_BASE_STR_H

#include <stddef.h>
#include <stdint.h>

struct str {
    char *data; /* NULL while empty: use str_text() */
    size_t len, cap;
};

const char *str_text(const struct str *s);
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const char *bytes, size_t n);
void str_addc(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void str_clear(struct str *s); /* empty, memory kept */
char *str_take(struct str *s); /* the malloc'ed text; S is empty after it */
void str_release(struct str *s);

/* S as a whole is a number in [MIN, MAX]: decimal digits with an optional
 * '-', no blanks, no '+', no hex, no leading zero before another digit.
 * 0 and *V, or -1.  Independent of the locale.  */
int parse_i64(const char *s, int64_t min, int64_t max, int64_t *v);

/* The same for a finite decimal number such as 0.1, .5, 1e-4.  */
int parse_f64(const char *s, double min, double max, double *v);

/* yes no true false -> 1 0 1 0; anything else -1.  */
int parse_bool(const char *s, int *v);

/* Write V to BUF so that reading gives V again, as short as possible, with
 * '.' in every locale: "0.1", "1e-05", "3".  Returns BUF.  */
enum { FMT_NUM = 32 };
const char *fmt_f64(char buf[FMT_NUM], double v);
const char *fmt_f32(char buf[FMT_NUM], float v);

/* The place of S in LIST, which NULL ends; -1 if it is not there.  */
int str_index(const char *s, const char *const *list);

/* The names in LIST as "a, b, c", cut with "..." behind where they are many.
 * Returns BUF.  */
enum { STR_NAMES = 512 };
const char *str_names(char buf[STR_NAMES], const char *const *list);

/* NAMES(list): str_names() into a temporary of the enclosing block.  */
#define NAMES(list) str_names((char[STR_NAMES]){0}, (list))

/* The name in LIST (ended by NULL) that is nearest to S by edit distance,
 * whatever the case of letters; NULL if none is near.  */
const char *str_nearest(const char *s, const char *const *list);

/* "; did you mean 'NAME'?" with that name, or "": the end of a message.
 * Returns BUF.  */
enum { STR_SUGGEST = 320 };
const char *str_suggest(char buf[STR_SUGGEST], const char *s,
                        const char *const *list);

/* NEAR(s, list): str_suggest() into a temporary of the enclosing block.  */
#define NEAR(s, list) str_suggest((char[STR_SUGGEST]){0}, (s), (list))

/* The order of two names by their bytes, for qsort() of a char *[].  */
int str_order(const void *a, const void *b);

/* S starts with PREFIX / ends with SUFFIX.  */
int str_starts(const char *s, const char *prefix);
int str_ends(const char *s, const char *suffix);

/* S matches PATTERN, in which '*' stands for any run of bytes and '?' for
 * one.  Linear time in S times the number of stars.  */
int str_match(const char *pattern, const char *s);

/* The N bytes are valid UTF-8 without NUL.  */
int str_utf8(const char *bytes, size_t n);

#endif
