/* sink.h -- write many pictures: members of a tar, or files of a folder, in
 * either case whole or not at all.
 * SPDX-License-Identifier: MIT
 *
 *     struct sink *s = sink_open("set.tar", SINK_TAR, &e);
 *     if (!s || sink_put(s, "cat/1.png", p, n, &e) < 0)
 *         return sink_abort(s);
 *     return sink_commit(s, &e);
 *
 * A folder is filled under another name beside its own and renamed at the
 * end; one that holds anything already is not touched.  Folders above it are
 * made.  */
#ifndef ADZE_DATA_SINK_H
#define ADZE_DATA_SINK_H

#include <stddef.h>

struct err;
struct sink;

enum sink_kind { SINK_TAR, SINK_FOLDER };
extern const char *const sink_names[]; /* NULL-ended, in enum order */

/* PATH "-" or NULL is standard output, for a tar.  ERR_OUTPUT.  */
struct sink *sink_open(const char *path, enum sink_kind kind, struct err *e);
/* NAME is relative, its parts joined by '/'; ERR_OUTPUT if it would leave the
 * folder.  */
int sink_put(struct sink *s, const char *name, const void *p, size_t n,
             struct err *e);
/* Both take S.  sink_abort() always returns -1; S may be NULL.  */
int sink_commit(struct sink *s, struct err *e);
int sink_abort(struct sink *s);

/* ERR_USAGE if PATH, which may be NULL, ends as a packed tar does: nobody means
 * a folder, or frames, of such a name.  */
int sink_check_name(const char *path, struct err *e);

#endif
