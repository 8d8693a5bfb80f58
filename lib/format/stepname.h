/* stepname.h -- the names of a network file: which may be given, what they
 * mean where they stand, what to say about unknown ones.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_STEPNAME_H
#define ADZE_FORMAT_STEPNAME_H

struct steps;
struct value;
struct yaml;

/* "PATH.NAME"; either may be empty.  */
const char *stepname_join(struct steps *s, const char *path, const char *name);

/* ERR_FORMAT at Y unless NAME can name a value.  */
int stepname_check(struct steps *s, const struct yaml *y, const char *name);

/* The value that NAME means at PATH: at PATH itself or in a scope around it, a
 * value or the last one of a scope.  NULL if there is none.  */
struct value *stepname_find(struct steps *s, const char *path,
                            const char *name);

/* The scope PATH ends, V is its last value.  */
void stepname_scope(struct steps *s, const char *path, struct value *v);

/* "WHAT 'NAME'; did you mean 'NEAR'?" with the nearest of LIST.  Return -1.  */
int stepname_unknown(struct steps *s, const struct yaml *y, const char *what,
                     const char *name, const char *const *list);
int stepname_no_step(struct steps *s, const struct yaml *y, const char *name);
int stepname_no_block(struct steps *s, const struct yaml *y,
                      const char *library, const char *name);
int stepname_no_value(struct steps *s, const struct yaml *y, const char *name);

#endif
