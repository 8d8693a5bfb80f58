/* temp.h -- files and folders under names of their own until they are whole.
 * SPDX-License-Identifier: MIT
 *
 * Those that are there when the program ends go away with it, by exit() or by a
 * signal whose handler calls temp_cleanup_signal(): the first sixteen, as a
 * handler must find them in a table.  A child leaves its parent's alone.  */
#ifndef ADZE_BASE_TEMP_H
#define ADZE_BASE_TEMP_H

/* Make a file that is open for writing, *FD, or a folder, under a name that
 * nothing has: PREFIX.adze-PID-K.tmp.  The name, to be given back to one of the
 * two below; NULL and errno.  */
char *temp_file(const char *prefix, int *fd);
char *temp_folder(const char *prefix);

/* NAME was renamed, so that nothing is to be removed; frees it.  NULL is
 * fine.  */
void temp_keep(char *name);
/* Remove NAME, a folder with all that is in it to a depth of 255, and free it.
 * NULL is fine.  */
void temp_remove(char *name);

/* Remove all that was neither kept nor removed; safe in a signal handler.  */
void temp_cleanup_signal(void);

#endif
