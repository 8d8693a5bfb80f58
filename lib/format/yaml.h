/* yaml.h -- YAML text into our own small tree, with places for messages.
 * SPDX-License-Identifier: MIT
 *
 * libyaml's events, with our limits checked on events: text at most 16 MiB,
 * depth 32, 1,000,000 nodes, keys of 160 bytes; tags, anchors, aliases, merge
 * keys, duplicate keys and a second document are refused.  Scalars stay text:
 * what they mean is decided by whoever asks (so `no', `08', `1e-4' cannot
 * change).  */
#ifndef ADZE_FORMAT_YAML_H
#define ADZE_FORMAT_YAML_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct str;

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    int line, column; /* from 1 */
    const char *file; /* as given to yaml_parse() */
    const char *text; /* scalar; "" for an empty one */
    struct yaml *key; /* in a map: the key (a scalar) of this entry */
    struct yaml *child, *next;
    int n_child;
};

/* Parse N bytes named FILE in messages; nodes live in A.  NULL on error: the
 * message is "file:line:column: ...".  An empty document is an empty map.  */
struct yaml *yaml_parse(struct arena *a, const char *file, const char *text,
                        size_t n, struct err *e);

/* The entry KEY of map M, NULL if it is not there.  */
struct yaml *yaml_get(const struct yaml *m, const char *key);

/* An error at Y: "file:line:column: " in front.  Returns -1.  */
#include "base/err.h"
int yaml_err(const struct yaml *y, struct err *e, enum err_code code,
             const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Put the place of Y in front of the error in E.  Returns -1.  */
int yaml_in(const struct yaml *y, struct err *e);

/* Write Y as YAML that reads back to the same tree.  */
void yaml_print(struct str *s, const struct yaml *y);

int fuzz_yaml(const uint8_t *p, size_t n);

#endif
